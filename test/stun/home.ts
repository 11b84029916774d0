/**
 * A host behind a NAT in the simulator, with STUN servers outside, that finds out what the NAT does.
 *
 * @module
 */
import { Discovery, type DiscoveryEvent, type DiscoveryServer } from "../../src/stun/discovery/discovery.ts";
import {
  type Address,
  address,
  type DuplexLinkOptions,
  type Host,
  type Nat,
  type NatOptions,
  World,
} from "../../src/testing/index.ts";
import type { NatProfile } from "../../src/wire/nat-profile.ts";
import { fourPlaces, ServerMachine } from "./server-machine.ts";

/** What kind of server there is, each at a host of its own. */
export type ServerKind =
  /** Two hosts, two ports, and all of RFC 5780 §6. */
  | "diagnostic"
  /** Two hosts and two ports that are known beforehand, nothing else of RFC 5780 §6. */
  | "two-places"
  /** One address. */
  | "plain"
  /** Nobody is there. */
  | "dead";

/** A scenario. */
export interface HomeOptions {
  readonly seed?: number | string;
  /** No NAT at all if this is absent. */
  readonly nat?: Partial<NatOptions>;
  /** A carrier's NAT around the first one. */
  readonly outer?: Partial<NatOptions>;
  readonly servers?: readonly ServerKind[];
  /** Of the host. */
  readonly link?: DuplexLinkOptions;
  readonly addressesOnly?: boolean;
  /** Sockets that the system grants. */
  readonly maxSockets?: number;
  readonly family?: 4 | 6;
}

/** See {@link HomeOptions}. */
export interface Home {
  readonly world: World;
  readonly nat: Nat | undefined;
  readonly discovery: Discovery;
  readonly host: Host<Discovery>;
  readonly servers: readonly Host<ServerMachine>[];
  /** Profiles in the order in which they were told, each with its instant. */
  readonly profiles: readonly { readonly at: number; readonly profile: NatProfile }[];
  /** Instants of the other events, by type; of repeated ones the first. */
  readonly times: ReadonlyMap<DiscoveryEvent["type"], number>;
  /** Sockets open at the end, the main one not counted. */
  openSockets(): number;
}

const LOCAL_PORT = 45_000;
/** So that ports of the host in order are no ports of the NAT in order. */
const PORT_STRIDE = 37;

/** Sets the scenario up; nothing has been asked yet but the servers are known. */
export function home(options: HomeOptions = {}): Home {
  const { family = 4, link = { delay: 20 } } = options;
  const world = new World({ seed: options.seed ?? 1 });
  const nat = addNats(world, options);
  const servers = (options.servers ?? ["diagnostic"]).map((kind, index) => addServer(world, kind, index, family));
  const host = family === 4 ? (nat === undefined ? "203.0.113.77" : "192.168.1.2") : "2001:db8:1::2";
  const discovery = new Discovery({
    family,
    via: 0,
    localPort: LOCAL_PORT,
    random: world.rng.fork("discovery").random,
    pool: world.pool,
    addressesOnly: options.addressesOnly ?? false,
  });
  const profiles: { at: number; profile: NatProfile }[] = [];
  const times = new Map<DiscoveryEvent["type"], number>();
  const open = new Set<number>();
  const local = world.addHost({
    name: "local",
    machine: discovery,
    addresses: [address(host, LOCAL_PORT)],
    ...(nat === undefined ? {} : { behind: nat }),
    link,
    onEvent(event, self) {
      if (!times.has(event.type)) times.set(event.type, world.now);
      if (event.type === "profile") profiles.push({ at: world.now, profile: event.profile });
      if (event.type === "socket-unwanted") {
        open.delete(event.via);
        self.unbind(event.via);
      }
      if (event.type !== "socket-wanted") return;
      const localPort = LOCAL_PORT + PORT_STRIDE * event.request;
      const isRefused = event.request > (options.maxSockets ?? Number.POSITIVE_INFINITY);
      const via = isRefused ? -1 : self.bind(address(host, localPort));
      if (!isRefused) open.add(via);
      discovery.onSocket(event.request, isRefused ? undefined : { via, localPort }, world.now);
    },
  });
  for (const { known } of servers) discovery.addServer(known, world.now);
  return {
    world,
    nat,
    discovery,
    host: local,
    servers: servers.flatMap((each) => (each.host === undefined ? [] : [each.host])),
    profiles,
    times,
    openSockets: () => open.size,
  };
}

function addNats(world: World, { nat, outer }: HomeOptions): Nat | undefined {
  const around = outer === undefined ? undefined : world.addNat({ name: "outer", address: "203.0.113.5", ...outer });
  if (nat === undefined) return undefined;
  if (around === undefined) return world.addNat({ name: "nat", address: "203.0.113.1", ...nat });
  return world.addNat({ name: "nat", address: "100.64.0.2", behind: around, ...nat });
}

function addServer(
  world: World,
  kind: ServerKind,
  index: number,
  family: 4 | 6,
): { readonly known: DiscoveryServer; readonly host: Host<ServerMachine> | undefined } {
  const hostAt = (last: number): string => (family === 4 ? `192.0.2.${last}` : `2001:db8:2::${last}`);
  const [primary, other] = [address(hostAt(1 + 2 * index), 3478), address(hostAt(2 + 2 * index), 3479)];
  if (kind === "dead") return { known: { address: primary }, host: undefined };
  const addresses: readonly Address[] = kind === "plain" ? [primary] : fourPlaces(primary, other);
  const machine = new ServerMachine({ pool: world.pool, places: addresses, diagnostics: kind === "diagnostic" });
  const host = world.addHost({ name: `server ${index}`, machine, addresses });
  return { known: kind === "two-places" ? { address: primary, other } : { address: primary }, host };
}
