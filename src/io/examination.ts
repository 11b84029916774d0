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
import { setImmediate } from "node:timers/promises";
import { type ExaminedServer, Examiner, type ExaminerEvent } from "../agent/examiner.ts";
import { randomBytes } from "../crypto/primitives.ts";
import type { FamilyFacts, NetworkFacts, PortMappingFacts, ServerFacts } from "../doctor/facts.ts";
import type { ServerRecord } from "../ticket/records.ts";
import { BufferPool } from "../util/buffer-pool.ts";
import { type Address, type SocketId, sameAddress } from "../util/machine.ts";
import type { Duration } from "../util/time.ts";
import { monotonicNow } from "./clock.ts";
import { Driver } from "./driver.ts";
import { PunchlineError } from "./errors.ts";
import { openExtraSockets } from "./extra-sockets.ts";
import { PortMapper } from "./portmap/port-mapper.ts";
import { lookUpServer, type ServerName } from "./server-names.ts";
import { resolveServers } from "./servers.ts";
import { UdpSocket } from "./udp-socket.ts";

/** What to ask, and for how long. */
export interface ExaminationOptions {
  /** STUN servers. One with two addresses (RFC 5780 §3) tells most; two others tell the mapping. */
  readonly stun: readonly ServerName[];
  /** Servers of ours: the places of each, its main one first. With the others 1 to 8. */
  readonly servers: readonly (readonly ServerRecord[])[];
  /** Whether the router is asked which protocols for port mapping it speaks. */
  readonly portMapping: boolean;
  readonly signal?: AbortSignal | undefined;
}

// Implementation

/** After this everything that is not known stays unknown, in ms: people wait for it. */
const TIME_LIMIT: Duration = 4_500;

const FAMILIES = [4, 6] as const;

/** Stands for all addresses of a family. */
const ANY_HOST = { 4: "0.0.0.0", 6: "::" } as const;

/**
 * Examines the network that this machine is in.
 *
 * @throws {@link PunchlineError} `ERR_OPTION` if no server's name leads to an address; the reason of `signal`.
 */
export async function examineNetwork(options: ExaminationOptions): Promise<NetworkFacts> {
  const { portMapping, signal } = options;
  signal?.throwIfAborted();
  const whom = await lookUpAll(options);
  const deadline = new Deadline(TIME_LIMIT, signal);
  try {
    const examinations = await Promise.all(FAMILIES.map((family) => FamilyExamination.open(family, whom)));
    const [mapping] = await Promise.all([
      portMapping ? probeRouter(deadline) : Promise.resolve(NOT_ASKED),
      ...examinations.map((examination) => examination?.run(deadline)),
    ]);
    signal?.throwIfAborted();
    const [ipv4, ipv6] = examinations.map((examination) => examination?.facts());
    const receiveBuffer = examinations.find((examination) => examination !== undefined)?.receiveBuffer;
    const servers = options.servers.map(([main], index): ServerFacts => {
      const { host, port } = main!;
      const seen = examinations.map((examination) => examination?.serverFacts(index));
      const hasAnswered = seen.some((each) => each?.hasAnswered === true);
      return { host, port, hasAnswered, hasSession: seen.some((each) => each?.hasSession === true) };
    });
    const { facts, secondNat } = mapping;
    return { ipv4, ipv6, portMapping: facts, secondNat, receiveBuffer, mtu: undefined, servers };
  } finally {
    deadline.end();
  }
}

/** Whom to ask, by addresses. */
interface Askable {
  readonly stun: readonly Address[];
  /** Those whose names lead nowhere have no addresses. */
  readonly servers: readonly ExaminedServer[];
}

/** @throws {@link PunchlineError} `ERR_OPTION` if there is nobody. */
async function lookUpAll({ stun, servers }: ExaminationOptions): Promise<Askable> {
  const [addresses, found] = await Promise.all([
    Promise.all(stun.map(lookUpServer)),
    Promise.all(servers.map(resolveServers)),
  ]);
  const whom = {
    stun: addresses.flat(),
    servers: found.map(([server], index) => server ?? { pin: servers[index]![0]!.pin, addresses: [] }),
  };
  if (whom.stun.length > 0 || whom.servers.some((each) => each.addresses.length > 0)) return whom;
  const { host } = [...stun, ...servers.flat()][0]!;
  throw new PunchlineError("ERR_OPTION", `${host} is no address, and no name that leads to one`, {
    hint: "check the name of the server, and whether this machine can resolve names",
  });
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
  readonly #machine: Examiner;
  readonly #driver: Driver<ExaminerEvent>;
  readonly #servers: readonly ExaminedServer[];
  readonly #rtts: Duration[] = [];
  /** Places that have answered STUN. */
  readonly #answering: Address[] = [];
  readonly #finished: Promise<void>;
  readonly #hasServers: boolean;
  #nextSocket: SocketId = 1;
  #isOver = false;
  #tellFinished: () => void = () => {};

  private constructor(family: 4 | 6, socket: UdpSocket, { stun, servers }: Askable) {
    this.#family = family;
    this.#servers = servers;
    this.receiveBuffer = socket.receiveBuffer;
    this.#finished = new Promise((resolve) => {
      this.#tellFinished = resolve;
    });
    const pool = new BufferPool();
    const localPort = socket.address.port;
    this.#machine = new Examiner(
      { family, via: socket.id, localPort, random: randomBytes, pool, stun, servers },
      monotonicNow(),
    );
    this.#driver = new Driver<ExaminerEvent>({
      machine: this.#machine,
      sockets: [socket],
      pool,
      onEvent: (event) => this.#onEvent(event),
      onIdle: () => {},
    });
    this.#hasServers = [...stun, ...servers.flatMap(({ addresses }) => addresses)].some(
      (address) => address.family === family,
    );
  }

  /** `undefined` if this machine has no address of the family that leads anywhere. */
  static async open(family: 4 | 6, whom: Askable): Promise<FamilyExamination | undefined> {
    if (ownAddresses(family).length === 0) return undefined;
    try {
      const socket = await UdpSocket.open({ id: 0, host: ANY_HOST[family], port: 0 });
      return new FamilyExamination(family, socket, whom);
    } catch {
      return undefined;
    }
  }

  /** Asks, until everything is known or the time is over. */
  async run(deadline: Deadline): Promise<void> {
    this.#driver.wake();
    if (this.#hasServers) await Promise.race([this.#finished, deadline.over]);
    this.#isOver = true;
    this.#machine.close(monotonicNow());
    this.#driver.wake();
    // What servers are to hear of the end leaves in this turn of the event loop.
    await setImmediate();
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

  /** How it stands with one of our own servers. */
  serverFacts(index: number): Pick<ServerFacts, "hasAnswered" | "hasSession"> {
    const { addresses } = this.#servers[index]!;
    // Its other places are one port further on.
    const places = addresses.flatMap((address) => [address, { ...address, port: address.port + 1 }]);
    const hasAnswered = this.#answering.some((each) => places.some((place) => sameAddress(each, place)));
    return { hasAnswered, hasSession: this.#machine.hasSession(index) };
  }

  #onEvent(event: ExaminerEvent): void {
    switch (event.type) {
      case "sockets-wanted":
        void this.#openSockets(event.request, event.count);
        return;
      case "sockets-unwanted":
        for (const via of event.sockets) this.#driver.removeSocket(via);
        return;
      case "mapped":
        this.#answering.push(event.server);
        if (event.rtt !== undefined) this.#rtts.push(event.rtt);
        return;
      case "finished":
        this.#tellFinished();
        return;
    }
  }

  async #openSockets(request: number, count: number): Promise<void> {
    const nextId = (): SocketId => this.#nextSocket++;
    const sockets = await openExtraSockets({ count, host: ANY_HOST[this.#family], nextId });
    if (this.#isOver) {
      for (const socket of sockets) socket.close();
      return;
    }
    for (const socket of sockets) this.#driver.addSocket(socket);
    const fresh = sockets.map(({ id: via, address: { port: localPort } }) => ({ via, localPort }));
    this.#machine.onSockets(request, fresh, monotonicNow());
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
