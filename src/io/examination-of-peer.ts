/**
 * Asks a listener by its servers what its network does, on sockets made for the purpose (spec/doctor.md#asking-a-listener).
 *
 * @module
 */
import { AgentMachine, type AgentServer } from "../agent/agent.ts";
import type { AgentEvent } from "../agent/events.ts";
import { DEFAULT_CONFIG } from "../connection/config.ts";
import { keyPairFromSeed, randomBytes } from "../crypto/primitives.ts";
import type { PeerFacts } from "../doctor/peer-report.ts";
import { BufferPool } from "../util/buffer-pool.ts";
import type { SocketId } from "../util/machine.ts";
import type { Duration } from "../util/time.ts";
import { monotonicNow, unixTime } from "./clock.ts";
import { Driver } from "./driver.ts";
import { closeError, PunchlineError } from "./errors.ts";
import { openExtraSockets } from "./extra-sockets.ts";
import { openSockets } from "./open-sockets.ts";
import { resolveServers } from "./servers.ts";
import type { Ticket } from "./ticket.ts";
import type { UdpSocket } from "./udp-socket.ts";

// Implementation

/** How long a listener has to answer, in ms: its application may want to decide on us. */
const ANSWER_LIMIT: Duration = 10_000;

/** How long servers have to hear that we leave, in ms. */
const PARTING_LIMIT: Duration = 500;

const ANY_HOSTS = ["0.0.0.0", "::"];

/**
 * What the listener of the ticket tells.
 *
 * @throws {@link PunchlineError} as `diagnosePeer` does.
 */
export async function askListener(ticket: Ticket, signal: AbortSignal | undefined): Promise<PeerFacts> {
  signal?.throwIfAborted();
  const { servers: records } = ticket.fields;
  if (records.length === 0) {
    throw new PunchlineError("ERR_OPTION", "the ticket names no server by which the listener could be asked", {
      hint: "exchange the reports that doctor prints on both sides",
    });
  }
  const servers = await resolveServers(records);
  if (servers.length === 0) {
    const names = records.map(({ host }) => host).join(", ");
    throw new PunchlineError("ERR_SERVER", `no name of a server leads to an address: ${names}`, { origin: "network" });
  }
  const sockets = await openSockets({ hosts: ANY_HOSTS, needsAll: false, port: 0 });
  const inquiry = new Inquiry(sockets);
  try {
    return await inquiry.ask(ticket, servers, signal);
  } finally {
    await inquiry.end();
  }
}

/** One question, and the sockets for it. */
class Inquiry {
  readonly #machine: AgentMachine;
  readonly #driver: Driver<AgentEvent>;
  readonly #sockets: readonly UdpSocket[];
  #nextSocket: SocketId;
  #onAnswer: (facts: PeerFacts) => void = () => {};
  #onFailure: (error: unknown) => void = () => {};
  #onQuiet: (() => void) | undefined;
  #isOver = false;

  constructor(sockets: readonly UdpSocket[]) {
    this.#sockets = sockets;
    this.#nextSocket = sockets.length;
    const pool = new BufferPool();
    this.#machine = new AgentMachine({
      ...{ random: randomBytes, unixTime, pool, config: DEFAULT_CONFIG, acceptHook: false },
      identity: keyPairFromSeed(randomBytes(32)),
      sockets: sockets.map(({ id, address: { family, port } }) => ({ id, family, port })),
    });
    this.#driver = new Driver({
      machine: this.#machine,
      sockets,
      pool,
      onEvent: (event) => this.#onEvent(event),
      onIdle: () => {
        if (this.#isQuiet) this.#onQuiet?.();
      },
    });
  }

  async ask(ticket: Ticket, servers: readonly AgentServer[], signal: AbortSignal | undefined): Promise<PeerFacts> {
    const answer = new Promise<PeerFacts>((resolve, reject) => {
      this.#onAnswer = resolve;
      this.#onFailure = reject;
    });
    const identity = keyPairFromSeed(randomBytes(32));
    const call = { ticket: ticket.fields, identity, timeout: ANSWER_LIMIT };
    const connection = this.#machine.examine(call, servers, monotonicNow());
    const abort = (): void => {
      connection.abort();
      this.#onFailure(signal?.reason);
      this.#driver.wake();
    };
    signal?.addEventListener("abort", abort, { once: true });
    this.#driver.wake();
    try {
      return await answer;
    } finally {
      signal?.removeEventListener("abort", abort);
    }
  }

  /** Resolves when the sockets are closed; servers have heard of the end, unless they are silent. */
  async end(): Promise<void> {
    if (!this.#isQuiet) {
      await new Promise<void>((resolve) => {
        this.#onQuiet = resolve;
        setTimeout(resolve, PARTING_LIMIT).unref();
        this.#driver.wake();
      });
    }
    this.#isOver = true;
    await new Promise<void>((resolve) => this.#driver.stop(resolve));
  }

  get #isQuiet(): boolean {
    return this.#machine.endpoint.connectionCount === 0;
  }

  #onEvent(event: AgentEvent): void {
    switch (event.type) {
      case "examined": {
        const { situation, rtt } = event.answer;
        this.#onAnswer({ candidates: situation.candidates, profile: situation.profile, rtt });
        return;
      }
      case "connection":
        // After an answer nobody listens any more.
        if (event.event.type === "closed") this.#onFailure(closeError(event.event.reason));
        return;
      case "sockets-wanted":
        void this.#openSockets(event);
        return;
      case "sockets-unwanted":
        for (const via of event.sockets) this.#driver.removeSocket(via);
        return;
      default:
        return;
    }
  }

  async #openSockets({ request, count, family }: Extract<AgentEvent, { type: "sockets-wanted" }>): Promise<void> {
    const main = this.#sockets.find(({ address }) => address.family === family);
    const nextId = (): SocketId => this.#nextSocket++;
    const sockets = main === undefined ? [] : await openExtraSockets({ count, host: main.address.host, nextId });
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
