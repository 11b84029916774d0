/**
 * Looks at this machine's network: what STUN servers see of it, what the router offers, what the system grants.
 *
 * Everything is asked side by side, on sockets made for the purpose, and nothing is left behind: no mapping, no socket.
 * What has not come to an end within the time that there is counts as unknown.
 *
 * @module
 */
import { isIP } from "node:net";
import { networkInterfaces } from "node:os";
import { randomBytes } from "../crypto/primitives.ts";
import type { FamilyFacts, NetworkFacts, PortMappingFacts } from "../doctor/facts.ts";
import { Discovery, type DiscoveryEvent } from "../stun/discovery/discovery.ts";
import { BufferPool } from "../util/buffer-pool.ts";
import type { Address, SocketId } from "../util/machine.ts";
import type { Duration } from "../util/time.ts";
import { monotonicNow } from "./clock.ts";
import { Driver } from "./driver.ts";
import { PunchlineError } from "./errors.ts";
import { PortMapper } from "./portmap/port-mapper.ts";
import { lookUpServer, type ServerName } from "./server-names.ts";
import { UdpSocket } from "./udp-socket.ts";

/** What to ask, and for how long. */
export interface ExaminationOptions {
  /** STUN servers, 1 to 8. One with two addresses (RFC 5780 §3) tells most; two others tell the mapping. */
  readonly stun: readonly ServerName[];
  /** Whether the router is asked which protocols for port mapping it speaks. */
  readonly portMapping: boolean;
  readonly signal?: AbortSignal | undefined;
}

// Implementation

/** After this everything that is not known stays unknown, in ms: people wait for it. */
const TIME_LIMIT: Duration = 4_500;

const FAMILIES = [4, 6] as const;

/**
 * Examines the network that this machine is in.
 *
 * @throws {@link PunchlineError} `ERR_OPTION` if no server's name leads to an address; the reason of `signal`.
 */
export async function examineNetwork(options: ExaminationOptions): Promise<NetworkFacts> {
  const { stun, portMapping, signal } = options;
  signal?.throwIfAborted();
  const lookups = await Promise.all(stun.map(async (name) => ({ name, addresses: await lookUpServer(name) })));
  const lost = lookups.find(({ addresses }) => addresses.length === 0);
  if (lost !== undefined && lookups.every(({ addresses }) => addresses.length === 0)) {
    throw new PunchlineError("ERR_OPTION", `${lost.name.host} is no address, and no name that leads to one`, {
      hint: "check the name of the STUN server, and whether this machine can resolve names",
    });
  }
  const servers = lookups.flatMap(({ addresses }) => addresses);
  const deadline = new Deadline(TIME_LIMIT, signal);
  try {
    const examinations = await Promise.all(FAMILIES.map((family) => FamilyExamination.open(family, servers)));
    const [mapping] = await Promise.all([
      portMapping ? probeRouter(deadline) : Promise.resolve(NOT_ASKED),
      ...examinations.map((examination) => examination?.run(deadline)),
    ]);
    signal?.throwIfAborted();
    const [ipv4, ipv6] = examinations.map((examination) => examination?.facts());
    const receiveBuffer = examinations.find((examination) => examination !== undefined)?.receiveBuffer;
    return { ipv4, ipv6, portMapping: mapping.facts, secondNat: mapping.secondNat, receiveBuffer, mtu: undefined };
  } finally {
    deadline.end();
  }
}

/** The time that there is; ends early if the caller gives up. */
class Deadline {
  readonly over: Promise<void>;
  #end: () => void = () => {};
  readonly #timer: NodeJS.Timeout;

  constructor(limit: Duration, signal: AbortSignal | undefined) {
    this.over = new Promise((resolve) => {
      this.#end = resolve;
    });
    this.#timer = setTimeout(this.#end, limit);
    signal?.addEventListener("abort", this.#end, { once: true });
  }

  end(): void {
    clearTimeout(this.#timer);
    this.#end();
  }
}

/** The examination of one family of addresses. */
class FamilyExamination {
  readonly receiveBuffer: { readonly asked: number; readonly granted: number };
  readonly #family: 4 | 6;
  readonly #machine: Discovery;
  readonly #driver: Driver<DiscoveryEvent>;
  readonly #rtts: Duration[] = [];
  readonly #finished: Promise<void>;
  readonly #hasServers: boolean;
  #nextSocket: SocketId = 1;
  #isOver = false;
  #tellFinished: () => void = () => {};

  private constructor(family: 4 | 6, socket: UdpSocket, servers: readonly Address[]) {
    this.#family = family;
    this.receiveBuffer = socket.receiveBuffer;
    this.#finished = new Promise((resolve) => {
      this.#tellFinished = resolve;
    });
    const pool = new BufferPool();
    const localPort = socket.address.port;
    this.#machine = new Discovery({ family, via: socket.id, localPort, random: randomBytes, pool });
    this.#driver = new Driver<DiscoveryEvent>({
      machine: this.#machine,
      sockets: [socket],
      pool,
      onEvent: (event) => this.#onEvent(event),
      onIdle: () => {},
    });
    const own = servers.filter((server) => server.family === family);
    this.#hasServers = own.length > 0;
    for (const address of own) this.#machine.addServer({ address }, monotonicNow());
  }

  /** `undefined` if this machine has no address of the family that leads anywhere. */
  static async open(family: 4 | 6, servers: readonly Address[]): Promise<FamilyExamination | undefined> {
    if (ownAddresses(family).length === 0) return undefined;
    try {
      const socket = await UdpSocket.open({ id: 0, host: family === 4 ? "0.0.0.0" : "::", port: 0 });
      return new FamilyExamination(family, socket, servers);
    } catch {
      return undefined;
    }
  }

  /** Asks, until everything is known or the time is over. */
  async run(deadline: Deadline): Promise<void> {
    this.#driver.wake();
    if (this.#hasServers) await Promise.race([this.#finished, deadline.over]);
    this.#isOver = true;
    await new Promise<void>((resolve) => this.#driver.stop(resolve));
  }

  facts(): FamilyFacts {
    const { profile, reflexive, answered, hairpinTried } = this.#machine;
    return {
      nat: profile,
      hosts: ownAddresses(this.#family),
      reflexive,
      // Silence of some seconds is as much of an answer as people wait for.
      answered: this.#hasServers ? (answered ?? false) : undefined,
      hairpinTried,
      rtts: this.#rtts,
    };
  }

  #onEvent(event: DiscoveryEvent): void {
    switch (event.type) {
      case "socket-wanted":
        void this.#openSocket(event.request);
        return;
      case "socket-unwanted":
        this.#driver.removeSocket(event.via);
        return;
      case "mapped":
        if (event.rtt !== undefined) this.#rtts.push(event.rtt);
        return;
      case "profile":
      case "blocked":
        return;
      case "finished":
        this.#tellFinished();
        return;
    }
  }

  async #openSocket(request: number): Promise<void> {
    const id = this.#nextSocket++;
    const socket = await UdpSocket.open({ id, host: this.#family === 4 ? "0.0.0.0" : "::", port: 0 }).catch(
      () => undefined,
    );
    if (this.#isOver) {
      socket?.close();
      return;
    }
    if (socket !== undefined) this.#driver.addSocket(socket);
    const fresh = socket === undefined ? undefined : { via: id, localPort: socket.address.port };
    this.#machine.onSocket(request, fresh, monotonicNow());
    this.#driver.wake();
  }
}

interface RouterFacts {
  readonly facts: PortMappingFacts;
  readonly secondNat: boolean | undefined;
}

const NOT_ASKED: RouterFacts = { facts: { state: "not-asked" }, secondNat: undefined };

/** Which protocols the router speaks; no mapping is made. */
async function probeRouter(deadline: Deadline): Promise<RouterFacts> {
  let result: RouterFacts = { facts: { state: "unavailable" }, secondNat: undefined };
  let mapper: PortMapper | undefined;
  const answered = new Promise<void>((resolve) => {
    mapper = new PortMapper({
      internalPort: 0,
      onEvent: (event) => {
        if (event.type === "available") {
          const { protocol, externalHost } = event;
          const external =
            externalHost === undefined ? undefined : ({ host: externalHost, port: 0, family: 4 } as const);
          result = { facts: { state: "mapped", protocol, external }, secondNat: undefined };
          resolve();
        } else if (event.type === "unavailable") {
          const isSecond = event.lanes.some(({ reason }) => reason?.startsWith("address mismatch") === true);
          result = { facts: { state: "unavailable" }, secondNat: isSecond ? true : undefined };
          resolve();
        } else if (event.type === "no-gateway") {
          resolve();
        }
      },
    });
    mapper.probe();
  });
  await Promise.race([answered, deadline.over]);
  await mapper?.close();
  return result;
}

/** Own addresses that mean something elsewhere; loopback only where there is nothing else. */
function ownAddresses(family: 4 | 6): readonly Address[] {
  const all = Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .filter((each) => isIP(each.address) === family && !/^(fe80:|169\.254\.)/i.test(each.address));
  const outward = all.filter((each) => !each.internal);
  return (outward.length > 0 ? outward : all).map((each) => ({ host: each.address, port: 0, family }));
}
