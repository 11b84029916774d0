/**
 * One peer served: our standard input to it, its bytes to our standard output, and the verdicts about both
 * (spec/cli.md#ends-and-verdicts).
 *
 * Theory of operation. Two pumps move payload, one for each direction. When a direction has ended and our output has
 * taken its last byte, we say DELIVERED on the control stream; the peer does the same for the other direction. A side
 * that has said and read DELIVERED ends its control stream, which tells the peer that its verdict was read; so nobody
 * closes the connection over a verdict that is still unread. Whatever goes wrong first decides the outcome: it is told
 * to the peer as FAILED, as far as the connection carries it, and the rest is torn down.
 *
 * @module
 */
import type { Connection, ConnectionEvents, PeerStream, PunchlineError } from "../index.ts";
import { ControlChannel } from "./control.ts";
import { type ControlMessage, FailCode } from "./control-codec.ts";
import { pathReport } from "./describe.ts";
import type { Reporter, Summary } from "./events.ts";
import { ExitCode, Failure, localFailure, toFailure } from "./failure.ts";
import { Meter } from "./meter.ts";
import { closedFailure, peerFailure } from "./peer-failure.ts";
import type { Input, Output } from "./stdio.ts";

// Implementation

/** Between two progress events, in milliseconds: quick enough to look alive, rare enough to cost nothing. */
const PROGRESS_INTERVAL = 250;

/** How long a failure may take to reach the peer before we close without its acknowledgement, in milliseconds. */
const TELL_TIMEOUT = 500;

/** How long a peer whose payload is complete may stay without a control stream, in milliseconds. */
const STRANGER_TIMEOUT = 5_000;

/** Idle input is mentioned after this time once the peer's direction has ended, in milliseconds. */
const STILL_READING_DELAY = 3_000;

/** What a {@link Session} works with. */
export interface SessionOptions {
  readonly stream: PeerStream;
  readonly input: Input;
  readonly output: Output;
  readonly reporter: Reporter;
  /** Ends the session; `reason` is a {@link Failure}. */
  readonly signal: AbortSignal;
}

/** Serves one peer; see the module's theory of operation. */
export class Session {
  readonly #stream: PeerStream;
  readonly #connection: Connection;
  readonly #input: Input;
  readonly #output: Output;
  readonly #reporter: Reporter;
  readonly #signal: AbortSignal;
  readonly #meter = new Meter();
  readonly #control: ControlChannel;
  readonly #openedAt = performance.now();
  readonly #timers: NodeJS.Timeout[] = [];
  readonly #outcome: Promise<void>;
  #succeed: () => void = () => {};
  #fail: (failure: Failure) => void = () => {};
  /** The pumps stop at their next step. */
  #isOver = false;
  #inputEnded = false;
  /** Since when we have been waiting for input; `undefined` while some of it is being sent. */
  #inputIdleSince: number | undefined = performance.now();
  #outputEnded = false;
  #confirmedBytes: number | undefined;
  #peerIsDone = false;
  /** The terminal's share: its end was decided by the peer's. */
  #inputDropped = false;

  constructor(options: SessionOptions) {
    this.#stream = options.stream;
    this.#connection = options.stream.connection;
    this.#input = options.input;
    this.#output = options.output;
    this.#reporter = options.reporter;
    this.#signal = options.signal;
    this.#outcome = new Promise((resolve, reject) => {
      this.#succeed = resolve;
      this.#fail = reject;
    });
    this.#control = new ControlChannel(this.#connection, {
      onMessage: (message) => this.#onMessage(message),
      onEnd: () => this.#onPeerIsDone(),
      onMalformed: () => this.#fail(integrityFailure("the other side's confirmation makes no sense")),
    });
  }

  /**
   * Resolves when both directions are delivered and confirmed.
   *
   * @throws Failure otherwise, after the peer was told as far as possible.
   */
  async run(): Promise<void> {
    const stopWatching = this.#watch();
    this.#sendPayload().catch((error) => this.#fail(toFailure(error)));
    this.#receivePayload().catch((error) => this.#fail(toFailure(error)));
    let failure: Failure | undefined;
    try {
      await this.#outcome;
    } catch (error) {
      failure = toFailure(error);
    }
    this.#isOver = true;
    stopWatching();
    // The numbers are taken before the connection goes away.
    const summary = this.#summarize(failure === undefined);
    this.#input.stream.destroy();
    if (failure !== undefined) {
      this.#output.destroy();
      await this.#tell(failure);
    }
    this.#connection.close();
    this.#reporter.report({ event: "summary", ...summary });
    if (failure !== undefined) throw failure;
  }

  /** Our input to the peer. */
  async #sendPayload(): Promise<void> {
    try {
      for await (const chunk of this.#input.stream as AsyncIterable<Buffer>) {
        this.#inputIdleSince = undefined;
        await this.#send(chunk);
        if (this.#isOver) return;
        this.#inputIdleSince = performance.now();
      }
    } catch (error) {
      if (this.#isOver) return;
      if (error instanceof Failure) throw error;
      if (!this.#inputDropped) throw localFailure("read standard input", "ERR_INPUT", error);
    }
    if (this.#isOver) return;
    this.#inputEnded = true;
    this.#stream.end();
    this.#advance();
  }

  /** Resolves when the transport has taken the chunk; holds back our input until then. */
  #send(chunk: Buffer): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#stream.write(chunk, (error) => {
        if (error) {
          reject(toFailure(error));
          return;
        }
        this.#meter.onSent(chunk.length);
        resolve();
      });
    });
  }

  /** The peer's bytes to our output. */
  async #receivePayload(): Promise<void> {
    const chunks: AsyncIterable<Buffer> = this.#stream.iterator({ destroyOnReturn: false });
    for await (const chunk of chunks) {
      if (this.#isOver) return;
      this.#meter.onReceived(chunk.length);
      if (this.#output.isTerminal) this.#reporter.yieldTerminal();
      await this.#output.write(chunk).catch((error) => {
        throw localFailure("write standard output", "ERR_OUTPUT", error);
      });
    }
    if (this.#isOver) return;
    await this.#output.close().catch((error) => {
      throw localFailure("write standard output", "ERR_OUTPUT", error);
    });
    this.#outputEnded = true;
    this.#control.send({ type: "delivered", bytes: this.#meter.received });
    if (!this.#inputEnded) this.#onPeerEndedFirst();
    this.#advance();
  }

  /** Follows everything that is not payload. Returns how to stop it. */
  #watch(): () => void {
    const connection = this.#connection;
    const report = this.#reporter;
    const onAbort = () => this.#fail(toFailure(this.#signal.reason));
    const onClosed: ConnectionEvents["closed"] = (_reason, error) => this.#onClosed(error);
    const onStalled = () => report.report({ event: "stalled" });
    const onResumed = () => report.report({ event: "resumed" });
    const onPath = () => report.report({ event: "path", ...pathReport(connection) });
    // The pumps and `closed` tell what became of the stream.
    this.#stream.on("error", () => {});
    for (const end of ["finish", "end"]) this.#stream.on(end, () => this.#expectControlStream());
    connection.on("closed", onClosed).on("stalled", onStalled).on("resumed", onResumed).on("path", onPath);
    if (this.#signal.aborted) onAbort();
    this.#signal.addEventListener("abort", onAbort, { once: true });
    this.#timers.push(setInterval(() => this.#reportProgress(), PROGRESS_INTERVAL));
    return () => {
      this.#signal.removeEventListener("abort", onAbort);
      connection.off("closed", onClosed).off("stalled", onStalled).off("resumed", onResumed).off("path", onPath);
      for (const timer of this.#timers) clearTimeout(timer);
    };
  }

  #onMessage(message: ControlMessage): void {
    if (message.type === "failed") {
      this.#fail(peerFailure(message.code, message.reason));
      return;
    }
    this.#confirmedBytes = message.bytes;
    if (!this.#inputEnded || message.bytes !== this.#meter.sent) {
      this.#fail(
        integrityFailure(`the other side confirmed ${message.bytes} bytes, but ${this.#meter.sent} were sent`),
      );
    }
    this.#advance();
  }

  #onPeerIsDone(): void {
    this.#peerIsDone = true;
    this.#advance();
  }

  /** The connection has ended. That is fine only once both verdicts are known. */
  #onClosed(error: PunchlineError | undefined): void {
    if (this.#isDelivered) this.#succeed();
    else if (error === undefined) this.#fail(unconfirmedFailure("the other side hung up before it confirmed anything"));
    else this.#fail(closedFailure(error));
  }

  /** Both directions have ended, and both sides know. */
  get #isDelivered(): boolean {
    return this.#outputEnded && this.#inputEnded && this.#confirmedBytes !== undefined;
  }

  #advance(): void {
    if (this.#isOver) return;
    if (!this.#isDelivered) return;
    if (!this.#control.isEnded) void this.#control.end();
    if (this.#peerIsDone) this.#succeed();
  }

  /** A program of another kind may be at the other end: it takes all bytes, but never confirms them. */
  #expectControlStream(): void {
    if (!this.#stream.writableFinished || !this.#stream.readableEnded) return;
    this.#after(STRANGER_TIMEOUT, () => {
      if (this.#control.isPeerSeen) return;
      this.#fail(unconfirmedFailure("the other side has taken every byte but does not say what became of them"));
    });
  }

  /** The peer's direction has ended before ours. */
  #onPeerEndedFirst(): void {
    if (this.#input.isTerminal) {
      this.#inputDropped = true;
      this.#input.stream.destroy();
      return;
    }
    this.#after(STILL_READING_DELAY, () => this.#explainWaiting());
  }

  /** Says once why we are still here, if it is our input that keeps us. */
  #explainWaiting(): void {
    if (this.#inputEnded) return;
    const idle = this.#inputIdleSince === undefined ? 0 : performance.now() - this.#inputIdleSince;
    if (idle < STILL_READING_DELAY) this.#after(STILL_READING_DELAY - idle, () => this.#explainWaiting());
    else this.#reporter.note("Everything from the other side has arrived. Waiting for our standard input to end.");
  }

  #after(delay: number, action: () => void): void {
    this.#timers.push(setTimeout(action, delay));
  }

  #reportProgress(): void {
    const { sent, received } = this.#meter;
    const rate = Math.round(this.#meter.takeRate());
    this.#reporter.report({ event: "progress", sent, received, rate, ...pathReport(this.#connection) });
  }

  #summarize(confirmed: boolean): Summary {
    const meter = this.#meter;
    return {
      confirmed,
      bytes: meter.sent + meter.received,
      sent: meter.sent,
      received: meter.received,
      seconds: Math.round(performance.now() - this.#openedAt) / 1000,
      firstByteAt: meter.firstByteAt,
      lastByteAt: meter.lastByteAt,
      longestPause: meter.longestPause,
      retransmitted: this.#connection.stats().retransmittedBytes,
      ...pathReport(this.#connection),
    };
  }

  /** Tells the peer why we stop. A failure that came from the peer or the network needs no telling. */
  async #tell(failure: Failure): Promise<void> {
    const code = failCode(failure);
    if (code === undefined) return;
    const reason = code === FailCode.INTERNAL ? "internal fault" : failure.message;
    this.#control.send({ type: "failed", code, reason });
    let timer: NodeJS.Timeout | undefined;
    const timeout = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, TELL_TIMEOUT);
    });
    await Promise.race([this.#control.end(), timeout]);
    clearTimeout(timer);
    this.#connection.close(code, reason);
  }
}

/** The code under which the peer learns of `failure`; `undefined` if it cannot or need not. */
function failCode(failure: Failure): number | undefined {
  if (failure.exit === ExitCode.CUT) return undefined;
  switch (failure.code) {
    case "ERR_INTERRUPTED":
      return FailCode.INTERRUPTED;
    case "ERR_OUTPUT":
      return FailCode.OUTPUT;
    case "ERR_INPUT":
      return FailCode.INPUT;
    case "ERR_INTEGRITY":
      return FailCode.INTEGRITY;
    default:
      return FailCode.INTERNAL;
  }
}

function integrityFailure(message: string): Failure {
  return new Failure(message, {
    code: "ERR_INTEGRITY",
    exit: ExitCode.INTEGRITY,
    hint: "do not trust what arrived there; send it again",
  });
}

function unconfirmedFailure(message: string): Failure {
  return new Failure(message, {
    code: "ERR_UNCONFIRMED",
    exit: ExitCode.CUT,
    hint: "`punchline listen` and `punchline connect` confirm; other programs may not",
  });
}
