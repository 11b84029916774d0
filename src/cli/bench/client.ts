/**
 * The side that asks: goes through the phases one by one and gathers what both sides counted.
 *
 * Theory of operation. Each phase is begun, acknowledged, loaded, ended, and reported. Pings run all the time. Load is
 * measured where it arrives, in a window that the first piece opens; the sender then gives up what is still under way.
 * The answer to "end" has gone behind everything else in every queue, so that pings that are still missing are lost.
 *
 * @module
 */
import type { PeerStream } from "../../index.ts";
import type { CommandContext } from "../command.ts";
import { CONTROL_KIND } from "../control-codec.ts";
import { addressText, pathReport } from "../describe.ts";
import { ExitCode, Failure } from "../failure.ts";
import { Meter } from "../meter.ts";
import { acceptStreams, BenchChannel, confusedFailure, type Sink } from "./channel.ts";
import { BENCH_VERSION, type Hello, LOAD_KIND, type Phase } from "./codec.ts";
import { LoadCounter, pour } from "./load.ts";
import { Pinger, type RoundTrips } from "./ping.ts";
import { type BenchReport, directionReport, type PhaseResult, type TcpReport, transportReport } from "./report.ts";
import { runBench } from "./run.ts";
import { Tally } from "./tally.ts";
import { dialTcp, tcpCongestion, tcpReason } from "./tcp.ts";

// Implementation

/** How long the other side may take for an answer, in milliseconds: the load before it may fill a deep queue. */
const ANSWER_TIMEOUT = 15_000;

/** How long a listener that speaks our language may take to say so, in milliseconds. */
const HELLO_TIMEOUT = 5_000;

/** How long the last word may take, in milliseconds. */
const GOODBYE_TIMEOUT = 5_000;

/** Pings alone show soon what they can show, in milliseconds. */
const MAX_IDLE = 2_000;

/** What is to be measured. */
export interface MeasureOptions {
  /** For each direction, in milliseconds. */
  readonly duration: number;
  readonly tcpPort: number | undefined;
}

/**
 * Measures the connection that `stream` is the first stream of, and closes it.
 *
 * @throws Failure if the other side leaves, does not measure, or the user has had enough.
 */
export async function measure(
  stream: PeerStream,
  context: CommandContext,
  options: MeasureOptions,
): Promise<BenchReport> {
  const client = new BenchClient(stream, options);
  try {
    return await runBench(stream.connection, context, {
      meter: client.meter,
      body: () => client.measure(),
      isDone: () => client.isDone,
      who: "bench",
    });
  } finally {
    client.close();
  }
}

class BenchClient {
  readonly meter = new Meter();
  /** All is measured. */
  isDone = false;
  readonly #connection: PeerStream["connection"];
  readonly #options: MeasureOptions;
  readonly #pinger: Pinger;
  #channel!: BenchChannel;
  /** Ends what the current phase has opened. */
  #stop: () => void = () => {};
  /** Who gets the load that comes. */
  #onLoad: ((stream: PeerStream) => Sink) | undefined;

  constructor(stream: PeerStream, options: MeasureOptions) {
    this.#connection = stream.connection;
    this.#options = options;
    this.#pinger = new Pinger(stream.connection);
  }

  async measure(): Promise<BenchReport> {
    const { duration, tcpPort } = this.#options;
    const remote = await this.#greet();
    void this.#readDatagrams();
    const idle = await this.#phase("idle", Math.min(duration, MAX_IDLE), (ms) => sleep(ms));
    const up = await this.#phase("up", duration, (ms) => this.#sendLoad(ms));
    const down = await this.#phase("down", duration, (ms, counter) => this.#receiveLoad(ms, counter));
    const { datagramSize, congestion } = this.#connection.stats();
    const path = pathReport(this.#connection);
    const tcp = tcpPort === undefined ? undefined : await this.#measureTcp(tcpPort, remote);
    await this.#sayGoodbye();
    return {
      ...path,
      seconds: duration / 1000,
      datagramSize,
      congestion: { local: congestion, remote: remote.congestion },
      idle: { ...(idle.roundTrips !== undefined && { rtt: idle.roundTrips }) },
      up: transportReport(up),
      down: transportReport(down),
      ...(tcp !== undefined && { tcp }),
    };
  }

  close(): void {
    this.#pinger.stop();
    this.#stop();
  }

  /** Finds out whether the other side measures, too. */
  async #greet(): Promise<Hello> {
    const stranger = new Promise<never>((_resolve, reject) => {
      const choose = (kind: number, stream: PeerStream): Sink | undefined => {
        if (kind === CONTROL_KIND) reject(strangerFailure());
        return kind === LOAD_KIND ? this.#onLoad?.(stream) : undefined;
      };
      void acceptStreams(this.#connection, choose);
    });
    this.#channel = BenchChannel.open(await this.#connection.openStream());
    const { congestion } = this.#connection.stats();
    this.#channel.send({ type: "hello", version: BENCH_VERSION, congestion });
    const answer = this.#channel.expect(["hello"], HELLO_TIMEOUT).catch(() => {
      // Whoever does not know our kind of stream gives it up, or lets it be.
      throw strangerFailure();
    });
    const hello = await Promise.race([answer, stranger]);
    if (hello.version !== BENCH_VERSION) throw confusedFailure(`measures in another way (version ${hello.version})`);
    return hello;
  }

  async #readDatagrams(): Promise<void> {
    for await (const data of this.#connection.datagrams()) this.#pinger.onDatagram(data, performance.now());
  }

  /** One phase from begin to report. */
  async #phase(
    phase: Phase,
    ms: number,
    load: (ms: number, counter: LoadCounter) => Promise<void>,
  ): Promise<PhaseResult> {
    const counter = new LoadCounter(ms);
    const tally = new Tally(this.#connection);
    this.#onLoad = (stream) => this.#sinkFor(stream, counter);
    this.#channel.send({ type: "begin", phase, ms });
    await this.#channel.expect(["ready"], ANSWER_TIMEOUT);
    this.#pinger.start();
    try {
      await load(ms, counter);
    } finally {
      counter.end(performance.now());
      this.#pinger.stop();
      this.#stop();
      this.#stop = () => {};
      this.#onLoad = undefined;
    }
    this.#channel.send({ type: "end" });
    const theirs = await this.#channel.expect(["report"], ANSWER_TIMEOUT);
    return phaseResult({ phase, ours: tally.counts(counter.result), theirs, roundTrips: this.#pinger.roundTrips });
  }

  #sinkFor(stream: PeerStream, counter: LoadCounter): Sink {
    this.#stop = () => void stream.destroy();
    stream.once("close", () => counter.end(performance.now()));
    return (bytes) => this.#onArrived(bytes.length, counter);
  }

  #onArrived(bytes: number, counter: LoadCounter): void {
    this.meter.onReceived(bytes);
    counter.onArrived(bytes, performance.now());
  }

  async #sendLoad(ms: number): Promise<void> {
    const stream = await this.#connection.openStream({ direction: "uni" });
    this.#stop = () => void stream.destroy();
    stream.write(Uint8Array.of(LOAD_KIND));
    await pour(stream, ms, { giveUp: this.#stop, onSent: (bytes) => this.meter.onSent(bytes) });
  }

  async #receiveLoad(ms: number, counter: LoadCounter): Promise<void> {
    await Promise.race([counter.ended, sleep(ms + ANSWER_TIMEOUT)]);
  }

  /** The same over TCP. That it is impossible is a result, too. */
  async #measureTcp(port: number, remote: Hello): Promise<TcpReport> {
    const path = this.#connection.paths()[0];
    if (path?.kind !== "direct") return { port, error: "the path is not direct" };
    this.#channel.send({ type: "tcp", port });
    const answer = await this.#channel.expect(["tcp-open", "tcp-failed"], ANSWER_TIMEOUT);
    if (answer.type === "tcp-failed") return { port, error: answer.reason };
    const { host } = path.remote;
    const failures: unknown[] = [];
    const over = async (phase: "tcp-up" | "tcp-down"): Promise<PhaseResult> =>
      this.#phase(phase, this.#options.duration, async (ms, counter) => {
        await this.#loadTcp({ phase, host, port, token: answer.token, ms, counter }).catch((error) =>
          failures.push(error),
        );
      });
    const up = await over("tcp-up");
    if (failures.length > 0) return { port, error: `${tcpReason(failures[0])} (${addressText({ host, port })})` };
    const down = await over("tcp-down");
    if (failures.length > 0) return { port, error: `${tcpReason(failures[0])} (${addressText({ host, port })})` };
    const local = tcpCongestion();
    const congestion = {
      ...(local !== undefined && { local }),
      ...(remote.tcpCongestion !== undefined && { remote: remote.tcpCongestion }),
    };
    return { port, congestion, up: directionReport(up), down: directionReport(down) };
  }

  async #loadTcp(load: {
    readonly phase: "tcp-up" | "tcp-down";
    readonly host: string;
    readonly port: number;
    readonly token: string;
    readonly ms: number;
    readonly counter: LoadCounter;
  }): Promise<void> {
    const { ms, counter } = load;
    const socket = await dialTcp(load.host, load.port, load.token);
    this.#stop = () => void socket.resetAndDestroy();
    if (load.phase === "tcp-up") {
      await pour(socket, ms, { giveUp: this.#stop, onSent: (bytes) => this.meter.onSent(bytes) });
      return;
    }
    socket.on("data", (chunk: Buffer) => this.#onArrived(chunk.length, counter));
    socket.once("close", () => counter.end(performance.now()));
    await this.#receiveLoad(ms, counter);
  }

  /** The other side learns that we have all we wanted. */
  async #sayGoodbye(): Promise<void> {
    this.isDone = true;
    this.#channel.send({ type: "done" });
    this.#channel.end();
    await Promise.race([this.#channel.ended, sleep(GOODBYE_TIMEOUT)]);
  }
}

type Counted = PhaseResult["sender"];

function phaseResult(phase: {
  readonly phase: Phase;
  readonly ours: Counted;
  readonly theirs: Counted;
  readonly roundTrips: RoundTrips | undefined;
}): PhaseResult {
  const { ours, theirs, roundTrips } = phase;
  const weSend = phase.phase === "up" || phase.phase === "tcp-up";
  return {
    roundTrips,
    sender: weSend ? ours : theirs,
    receiver: weSend ? theirs : ours,
    cpu: { local: ours.cpu, remote: theirs.cpu },
  };
}

/** Resolves after `ms`; does not keep the process alive, which the connection does. */
function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms).unref();
  });
}

function strangerFailure(): Failure {
  return new Failure("the other side does not measure", {
    code: "ERR_BENCH",
    exit: ExitCode.CUT,
    hint: "run `punchline listen --bench` there, and use its ticket here",
  });
}
