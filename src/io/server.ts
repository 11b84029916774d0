/**
 * A rendezvous server on real sockets.
 *
 * @module
 */
import { isIP } from "node:net";
import { type Config, DEFAULT_CONFIG } from "../connection/config.ts";
import { randomBytes, sha256 } from "../crypto/primitives.ts";
import type { AllLimits } from "../server/limit-options.ts";
import { ServerMachine, type ServerMachineHealth } from "../server/server-machine.ts";
import type { StunPlaces } from "../stun/responder.ts";
import { encodeServerString } from "../ticket/server-string.ts";
import { BufferPool } from "../util/buffer-pool.ts";
import type { Address } from "../util/machine.ts";
import type { Duration } from "../util/time.ts";
import { reachableAddresses } from "./addresses.ts";
import { monotonicNow, unixTime } from "./clock.ts";
import { Driver } from "./driver.ts";
import type { Identity } from "./identity.ts";
import { UdpSocket } from "./udp-socket.ts";

/** What a server is made of. */
export interface ServerSetup {
  /** Literal addresses to bind, at most two of each family. With two, the port after `port` is bound as well. */
  readonly hosts: readonly string[];
  readonly port: number;
  /** Where clients find it, if that is not where it is bound. */
  readonly names: readonly { readonly host: string; readonly port: number }[] | undefined;
  readonly identity: Identity;
  /** Whether strangers may find out what their NAT does (RFC 5780 §7). */
  readonly diagnostics: boolean;
  readonly limits: AllLimits;
}

// Implementation

/** Places that the address of a server names. */
const MAX_PLACES = 4;

/** Sessions carry messages of some hundred bytes, a few at a time, and there are many of them. */
const CONFIG: Config = {
  ...DEFAULT_CONFIG,
  // Idle clients show a sign of life every five seconds.
  linger: 30_000,
  // RDV-28: no search for larger datagrams.
  maxDatagramSize: 1200,
  // What a session may say at once (`controlRate` in server/limits.ts) never waits for credit.
  maxData: 128 * 1024,
  maxStreamData: 128 * 1024,
  memoryBudget: 128 * 1024,
  // One stream carries all messages.
  maxStreamsBidi: 1,
  maxStreamsUni: 0,
  // More would not wait: the server closes slow sessions before.
  sendBuffer: 128 * 1024,
  congestion: "new-reno",
};

/** How long sessions may go on after {@link Server.close}, in ms, unless the caller says otherwise. */
const DRAIN: Duration = 2_000;

/** See the module. */
export class Server {
  readonly #sockets: readonly UdpSocket[];
  readonly #machine: ServerMachine;
  readonly #driver: Driver<never>;
  readonly #address: string;
  #closing: Promise<void> | undefined;

  private constructor(sockets: readonly UdpSocket[], setup: ServerSetup, groups: readonly SocketGroup[]) {
    this.#sockets = sockets;
    const pool = new BufferPool();
    this.#machine = new ServerMachine(
      {
        identity: setup.identity.keyPair,
        random: randomBytes,
        unixMillis: () => unixTime() * 1000,
        pool,
        sockets: sockets.map(({ id, address }) => ({ id, family: address.family })),
        config: CONFIG,
        ...setup.limits,
        diagnostics: groups.map((group) => (setup.diagnostics ? placesOf(group) : undefined)),
      },
      monotonicNow(),
    );
    this.#driver = new Driver<never>({ machine: this.#machine, sockets, pool, onEvent: ignore, onIdle: ignore });
    const bound = groups.flatMap(({ hosts }) => hosts);
    const own = reachableAddresses(bound.map((host) => ({ host, port: setup.port, family: isIP(host) as 4 | 6 })));
    this.#address = encodeServerString(
      {
        places: (setup.names ?? own).slice(0, MAX_PLACES),
        hasNextPort: groups.some(({ hosts }) => hosts.length > 1),
        key: setup.identity.keyPair.publicKey,
      },
      sha256,
    );
  }

  /**
   * Binds the sockets and begins.
   *
   * @throws {@link PunchlineError} `ERR_BIND`.
   */
  static async open(setup: ServerSetup): Promise<Server> {
    const groups = groupsOf(setup);
    const sockets: UdpSocket[] = [];
    try {
      for (const { id, host, port } of groups.flatMap(({ plan }) => plan)) {
        sockets.push(await UdpSocket.open({ id, host, port }));
      }
    } catch (error) {
      for (const socket of sockets) socket.close();
      throw error;
    }
    return new Server(sockets, setup, groups);
  }

  /** The word that clients need: where the server is, and its key. */
  get address(): string {
    return this.#address;
  }

  /** Where the sockets are bound. */
  get addresses(): readonly Address[] {
    return this.#sockets.map((socket) => socket.address);
  }

  /** How the server is at this moment. */
  get health(): ServerMachineHealth {
    return this.#machine.health;
  }

  /** Command: sends clients elsewhere, and ends once they are gone or `drain` ms have passed. */
  close(drain: Duration = DRAIN): Promise<void> {
    this.#closing ??= this.#close(drain);
    return this.#closing;
  }

  async #close(drain: Duration): Promise<void> {
    this.#machine.drain(drain, monotonicNow());
    this.#driver.wake();
    const until = monotonicNow() + drain;
    while (this.#machine.health.sessions > 0 && monotonicNow() < until) await pause(POLL_INTERVAL);
    await new Promise<void>((resolve) => this.#driver.stop(resolve));
  }
}

/** How often it is looked whether all clients have gone, in ms. */
const POLL_INTERVAL = 50;

/** Sockets of one family. */
interface SocketGroup {
  readonly hosts: readonly string[];
  readonly plan: readonly { readonly id: number; readonly host: string; readonly port: number }[];
}

function groupsOf({ hosts, port }: ServerSetup): readonly SocketGroup[] {
  const families = [4, 6].map((family) => hosts.filter((host) => isIP(host) === family));
  return families
    .filter((own) => own.length > 0)
    .map((own, group) => {
      const ports = own.length > 1 ? [port, port + 1] : [port];
      const plan = own.flatMap((host, which) =>
        ports.map((each, next) => ({ id: 4 * group + 2 * which + next, host, port: each })),
      );
      return { hosts: own, plan };
    });
}

/** The two places by which RFC 5780 §7 works; only with two addresses. */
function placesOf({ plan }: SocketGroup): StunPlaces | undefined {
  const [first, last] = [plan[0], plan[3]];
  if (first === undefined || last === undefined) return undefined;
  const place = ({ host, port }: { host: string; port: number }): Address => ({
    host,
    port,
    family: isIP(host) as 4 | 6,
  });
  return { primary: place(first), other: place(last) };
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function ignore(): void {}
