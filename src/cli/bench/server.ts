/**
 * The listener's side of a measurement: it does what it is asked to, counts, and reports.
 *
 * @module
 */
import type { Socket } from "node:net";
import type { PeerStream } from "../../index.ts";
import type { CommandContext } from "../command.ts";
import { CONTROL_KIND } from "../control-codec.ts";
import { pathReport } from "../describe.ts";
import { ExitCode, Failure } from "../failure.ts";
import { Meter } from "../meter.ts";
import { acceptStreams, BenchChannel, confusedFailure, type Sink } from "./channel.ts";
import { BENCH_KIND, BENCH_VERSION, type BenchMessage, LOAD_KIND } from "./codec.ts";
import { LoadCounter, pour } from "./load.ts";
import { echoPings } from "./ping.ts";
import { runBench } from "./run.ts";
import { Tally } from "./tally.ts";
import { TcpServer, tcpCongestion, tcpReason } from "./tcp.ts";

// Implementation

/** How long a peer may stay without asking for a measurement, in milliseconds. */
const STRANGER_TIMEOUT = 5_000;

/** How long the last word may be under way before we leave, in milliseconds. */
const LEAVE_TIMEOUT = 1_000;

type Begin = Extract<BenchMessage, { type: "begin" }>;

/** The phase that runs. */
interface Running {
  readonly counter: LoadCounter;
  readonly tally: Tally;
  /** Begins to send. */
  start(): void;
  /** Ends what we send. */
  stop(): void;
}

/**
 * Serves one peer.
 *
 * @throws Failure if it leaves before it is done, or has not come to measure.
 */
export async function serveBench(stream: PeerStream, context: CommandContext): Promise<void> {
  const server = new BenchServer(stream, context);
  try {
    await runBench(stream.connection, context, {
      meter: server.meter,
      body: () => server.serve(),
      isDone: () => server.isDone,
      who: "listen --bench",
    });
  } finally {
    server.close();
  }
}

class BenchServer {
  readonly meter = new Meter();
  /** The peer has all that it wanted. */
  isDone = false;
  readonly #connection: PeerStream["connection"];
  readonly #reporter: CommandContext["reporter"];
  readonly #openedAt = performance.now();
  #running: Running | undefined;
  #tcp: TcpServer | undefined;

  constructor(stream: PeerStream, { reporter }: CommandContext) {
    this.#connection = stream.connection;
    this.#reporter = reporter;
  }

  async serve(): Promise<void> {
    const channel = await this.#meet();
    const { version } = await channel.expect(["hello"], STRANGER_TIMEOUT);
    const tcp = tcpCongestion();
    channel.send({
      type: "hello",
      version: BENCH_VERSION,
      congestion: this.#connection.stats().congestion,
      ...(tcp === undefined ? {} : { tcpCongestion: tcp }),
    });
    // Versions are for the initiator to judge, who has the terminal that somebody looks at.
    if (version !== BENCH_VERSION) throw confusedFailure(`measures in another way (version ${version})`);
    void echoPings(this.#connection);
    while (await this.#obey(channel)) {}
    this.isDone = true;
    channel.end();
    await this.#peerLeaves();
    const { sent, received } = this.meter;
    const seconds = Math.round(performance.now() - this.#openedAt) / 1000;
    this.#reporter.report({ event: "measured", sent, received, seconds, ...pathReport(this.#connection) });
  }

  close(): void {
    this.#running?.stop();
    this.#tcp?.close();
  }

  /** Waits for the control stream of a peer that has come to measure. */
  #meet(): Promise<BenchChannel> {
    return new Promise((resolve, reject) => {
      const fail = (what: string): void => reject(strangerFailure(what));
      const timer = setTimeout(() => fail("does not ask for a measurement"), STRANGER_TIMEOUT);
      const choose = (kind: number, stream: PeerStream): Sink | undefined => {
        if (kind === CONTROL_KIND) fail("wants to pipe, not to measure");
        if (kind === LOAD_KIND) return this.#loadSink();
        if (kind !== BENCH_KIND || !stream.writable) return undefined;
        clearTimeout(timer);
        const channel = new BenchChannel(stream);
        resolve(channel);
        return (bytes) => channel.push(bytes);
      };
      void acceptStreams(this.#connection, choose);
    });
  }

  /** Does what the peer asks for. Returns whether there may be more. */
  async #obey(channel: BenchChannel): Promise<boolean> {
    const message = await channel.next();
    switch (message.type) {
      case "tcp":
        channel.send(await this.#openTcp(message.port));
        return true;
      case "begin":
        if (this.#running !== undefined) throw confusedFailure("wants to measure two things at once");
        this.#running = await this.#begin(message);
        channel.send({ type: "ready" });
        this.#running.start();
        return true;
      case "end":
        channel.send({ type: "report", ...this.#end() });
        return true;
      case "done":
        return false;
      case "hello":
      case "tcp-open":
      case "tcp-failed":
      case "ready":
      case "report":
        throw confusedFailure(`says "${message.type}" out of turn`);
    }
  }

  async #openTcp(port: number): Promise<BenchMessage> {
    this.#tcp?.close();
    this.#tcp = undefined;
    const host = this.#connection.paths()[0]?.local.host;
    if (host === undefined) return { type: "tcp-failed", reason: "the path is not known" };
    try {
      this.#tcp = await TcpServer.open(host, port);
      return { type: "tcp-open", token: this.#tcp.token };
    } catch (error) {
      return { type: "tcp-failed", reason: tcpReason(error) };
    }
  }

  async #begin({ phase, ms }: Begin): Promise<Running> {
    const counter = new LoadCounter(ms);
    const tally = new Tally(this.#connection);
    if (phase === "down") {
      const load = await this.#connection.openStream({ direction: "uni" });
      const stop = (): void => void load.destroy();
      const start = (): void => {
        load.write(Uint8Array.of(LOAD_KIND));
        void pour(load, ms, { giveUp: stop, onSent: (bytes) => this.meter.onSent(bytes) });
      };
      return { counter, tally, start, stop };
    }
    const tcp = this.#tcp;
    if (phase === "tcp-up" || phase === "tcp-down") {
      tcp?.expect((socket) => this.#useTcp(socket, { phase, ms, counter }));
    }
    return { counter, tally, start: () => {}, stop: () => tcp?.hangUp() };
  }

  #useTcp(socket: Socket, { phase, ms, counter }: Omit<Begin, "type"> & { readonly counter: LoadCounter }): void {
    if (phase === "tcp-up") {
      socket.on("data", (chunk: Buffer) => {
        this.meter.onReceived(chunk.length);
        counter.onArrived(chunk.length, performance.now());
      });
      return;
    }
    const giveUp = (): void => void socket.resetAndDestroy();
    void pour(socket, ms, { giveUp, onSent: (bytes) => this.meter.onSent(bytes) });
  }

  #end() {
    const running = this.#running;
    if (running === undefined) throw confusedFailure("ends what has not begun");
    this.#running = undefined;
    running.counter.end(performance.now());
    running.stop();
    return running.tally.counts(running.counter.result);
  }

  /** Who gets a stream of load: the phase that runs, while it runs. */
  #loadSink(): Sink | undefined {
    const running = this.#running;
    if (running === undefined) return undefined;
    return (bytes) => {
      this.meter.onReceived(bytes.length);
      running.counter.onArrived(bytes.length, performance.now());
    };
  }

  /** The peer closes once it has read our last word. */
  async #peerLeaves(): Promise<void> {
    if (this.#connection.closeReason !== undefined) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, LEAVE_TIMEOUT);
      this.#connection.once("closed", () => {
        clearTimeout(timer);
        resolve();
      });
    });
  }
}

function strangerFailure(what: string): Failure {
  return new Failure(`the other side ${what}`, {
    code: "ERR_BENCH",
    exit: ExitCode.CUT,
    hint: "run `punchline bench` there, or `punchline listen` without --bench here",
  });
}
