/**
 * One stream of a connection as a Node Duplex.
 *
 * Theory of operation. The adapter holds no protocol state. `_write` hands a copy of the chunks to the machine and calls
 * back once the machine is below its high-water mark; `_read` pulls what has arrived in order; `_final` completes when
 * the peer's transport has acknowledged every byte and the FIN. `destroy` reaches the peer as a reset with a code, but
 * is nothing at all after both directions have ended cleanly.
 *
 * Why a copy: the machine keeps bytes until they are acknowledged, long after the callback, but users of Node streams
 * may use their buffer again once they are called back. A copy costs less than 2 % of what sending the bytes costs.
 *
 * A peer that stops reading, or closes the connection after it has sent everything, is no error by itself: what it sent
 * stays readable, and only somebody who still writes is told. If it went cleanly and had all that was written, even our
 * own end is none: there is nobody left to acknowledge it.
 *
 * @module
 */
import { Duplex, type DuplexOptions } from "node:stream";
import type { Duration } from "../util/time.ts";
import { APPLICATION_CODE, PunchlineError, streamResetError } from "./errors.ts";

/** The commands of a connection machine that concern one stream. */
export interface StreamMachine {
  write(id: number, chunk: Uint8Array): boolean;
  finish(id: number): void;
  reset(id: number, code: number): void;
  stopSending(id: number, code: number): void;
  read(id: number): Uint8Array | undefined;
  isFinished(id: number): boolean;
  unacknowledged(id: number): number;
}

/** What a stream needs of its connection. */
export interface StreamHost {
  readonly machine: StreamMachine;
  /** How long a clean end may take, in ms. */
  readonly linger: Duration;
  /** A command was given: the endpoint has to be pumped. */
  wake(): void;
  /** The stream is over on this side. `wasReset` tells whether the peer still has to learn of a reset. */
  released(stream: StreamDuplex, wasReset: boolean): void;
}

/** Which directions a stream has on this side. */
export interface StreamDirections {
  readonly readable: boolean;
  readonly writable: boolean;
}

type Callback = (error?: Error | null) => void;

// Implementation

/** Bytes that are joined into one chunk: what arrives in datagrams of a kilobyte would cost its consumer dearly. */
const GATHER_SIZE = 64 * 1024;

/** Bytes on Node's side in each direction; the machine's windows and send buffer hold the rest. */
const BUFFERING = { readableHighWaterMark: 64 * 1024, writableHighWaterMark: 64 * 1024 };

/** Pieces of the chunk that is being joined; empty between calls. */
const pieces: Uint8Array[] = [];

/** A stream of a connection; see the module's theory of operation. Users know it as `PeerStream`. */
export class StreamDuplex extends Duplex {
  /** Number of the stream in its connection; both sides know it by the same. */
  readonly id: number;

  readonly #host: StreamHost;
  /** Waits for the machine to fall below its high-water mark. */
  #blockedWrite: Callback | undefined;
  /** Waits for the FIN to be acknowledged. */
  #pendingFinal: Callback | undefined;
  /** Why nothing more can be written. */
  #writeError: PunchlineError | undefined;
  /** Nothing more can be written, but nothing that was written is missing: an end is no error. */
  #mayEnd = false;
  #hasWritten = false;
  readonly #canReceive: boolean;
  #wantsData = false;
  #isPulling = false;
  /** Nothing more will be read: FIN was taken, or the direction does not exist or no longer matters. */
  #isReceiveDone: boolean;
  /** Nothing more will be sent: FIN was acknowledged, or the direction does not exist or no longer matters. */
  #isSendDone: boolean;

  /** @internal */
  constructor(host: StreamHost, id: number, directions: StreamDirections) {
    super({ ...directions, ...BUFFERING } as DuplexOptions);
    this.id = id;
    this.#host = host;
    this.#canReceive = directions.readable;
    this.#isReceiveDone = !directions.readable;
    this.#isSendDone = !directions.writable;
    // A peer that resets a stream which nobody listens to yet must not end the process.
    this.on("error", ignore);
  }

  /**
   * Input: the stream is in the hands of its user: reading ahead begins, so that an end without data is noticed.
   * @internal
   */
  start(): void {
    if (!this.destroyed && !this.#isReceiveDone) this.read(0);
  }

  /** Input: data or the end has arrived. @internal */
  onReadable(): void {
    if (this.#wantsData) this.#pull();
  }

  /** Input: the machine takes more. @internal */
  onWritable(): void {
    const callback = this.#blockedWrite;
    this.#blockedWrite = undefined;
    callback?.();
  }

  /** Input: the peer's transport has acknowledged every byte and the FIN. @internal */
  onFinished(): void {
    this.#isSendDone = true;
    const callback = this.#pendingFinal;
    this.#pendingFinal = undefined;
    callback?.();
  }

  /** Input: the peer gave up its direction. @internal */
  onReset(code: number): void {
    if (this.#isReceiveDone) return;
    this.#isReceiveDone = true;
    this.destroy(streamResetError("reset", code));
  }

  /** Input: the peer no longer reads what we send. @internal */
  onStopped(code: number): void {
    if (this.#isSendDone) return;
    this.#failWrites(streamResetError("stopped", code), code === APPLICATION_CODE.disposed);
  }

  /**
   * Input: the connection is over; `error` says why, `isClean` that nobody complained. What has arrived completely stays
   * readable.
   * @internal
   */
  onConnectionClosed(error: PunchlineError, isClean: boolean): void {
    if (this.destroyed) return;
    if (!this.#isReceiveDone) this.#drain();
    if (!this.#isReceiveDone) {
      this.#isReceiveDone = true;
      this.#isSendDone = true;
      this.destroy(error);
    } else if (!this.#isSendDone) {
      this.#failWrites(error, isClean);
    }
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, callback: Callback): void {
    if (this.#writeError !== undefined) callback(this.#writeError);
    else this.#hand(Buffer.from(chunk), callback);
  }

  override _writev(chunks: { chunk: Buffer }[], callback: Callback): void {
    if (this.#writeError !== undefined) {
      callback(this.#writeError);
      return;
    }
    // Many small writes become one.
    this.#hand(Buffer.concat(chunks.map((each) => each.chunk)), callback);
  }

  override _final(callback: Callback): void {
    if (this.#writeError !== undefined) {
      callback(this.#mayEnd ? undefined : this.#writeError);
      return;
    }
    this.#pendingFinal = callback;
    this.#host.machine.finish(this.id);
    this.#host.wake();
  }

  override _read(): void {
    this.#wantsData = true;
    this.#pull();
  }

  override _destroy(error: Error | null, callback: Callback): void {
    const code = error === null ? APPLICATION_CODE.cancelled : APPLICATION_CODE.internal;
    const wasReset = !this.#isSendDone;
    if (!this.#isSendDone) this.#host.machine.reset(this.id, code);
    if (!this.#isReceiveDone) this.#host.machine.stopSending(this.id, code);
    this.#isSendDone = true;
    this.#isReceiveDone = true;
    const blocked = this.#blockedWrite;
    this.#blockedWrite = undefined;
    this.#pendingFinal = undefined;
    this.#host.released(this, wasReset);
    this.#host.wake();
    blocked?.(error ?? new PunchlineError("ERR_CLOSED", "the stream was destroyed"));
    callback(error);
  }

  /**
   * Iterates over what arrives. Unlike other duplex streams, this one can still be written to when the loop has come to
   * the end of what the peer sends; leaving the loop before destroys the stream.
   */
  override [Symbol.asyncIterator](): NodeJS.AsyncIterator<Buffer> {
    const inner = this.iterator({ destroyOnReturn: false });
    const iterator: NodeJS.AsyncIterator<Buffer> = {
      next: () => inner.next(),
      return: () => {
        this.destroy();
        return inner.return!();
      },
      [Symbol.asyncDispose]: async () => {
        await iterator.return!();
      },
      [Symbol.asyncIterator]: () => iterator,
    };
    return iterator;
  }

  /**
   * Ends the stream cleanly, never by a reset: ends our direction, waits until the peer's transport has acknowledged
   * everything (at most `linger`), then tells the peer that nothing more is read.
   *
   * @throws {@link PunchlineError} if what was written did not reach the peer.
   */
  override async [Symbol.asyncDispose](): Promise<void> {
    if (this.destroyed) return;
    if (!this.#isSendDone) await this.#endCleanly();
    if (this.destroyed) return;
    if (!this.#isReceiveDone) {
      this.#isReceiveDone = true;
      this.#host.machine.stopSending(this.id, APPLICATION_CODE.disposed);
    }
    await new Promise<void>((resolve) => {
      this.once("close", resolve);
      this.destroy();
    });
  }

  /** Completes when our direction has ended; rejects if it failed. */
  #endCleanly(): Promise<void> {
    return new Promise((resolve, reject) => {
      const timeout = setTimeout(() => {
        this.destroy(
          new PunchlineError("ERR_PEER_LOST", "the peer did not take what was written", { origin: "network" }),
        );
      }, this.#host.linger);
      const settle = (): void => {
        clearTimeout(timeout);
        this.off("finish", settle);
        this.off("close", settle);
        const error = this.errored ?? this.#writeError;
        if (error !== null && error !== undefined && !this.writableFinished) reject(error);
        else resolve();
      };
      this.on("finish", settle);
      this.on("close", settle);
      if (this.writableFinished) settle();
      else if (!this.writableEnded) this.end();
    });
  }

  /** Gives bytes that nobody else will change to the machine. */
  #hand(bytes: Buffer, callback: Callback): void {
    this.#hasWritten = true;
    const isAccepting = bytes.length === 0 || this.#host.machine.write(this.id, bytes);
    this.#host.wake();
    if (isAccepting) callback();
    else this.#blockedWrite = callback;
  }

  /** Nothing more can be sent. Whoever waits is told; otherwise the stream goes when all has been read. */
  #failWrites(error: PunchlineError, isClean: boolean): void {
    this.#writeError = error;
    this.#mayEnd = !this.#hasWritten || (isClean && this.#host.machine.unacknowledged(this.id) === 0);
    this.#isSendDone = true;
    const [write, end] = [this.#blockedWrite, this.#pendingFinal];
    this.#blockedWrite = undefined;
    this.#pendingFinal = undefined;
    if (write !== undefined) write(error);
    else if (end !== undefined) end(this.#mayEnd ? undefined : error);
    else if (!this.#canReceive) this.destroy(error);
    else if (this.readableEnded) this.#leave();
    else this.once("end", () => this.#leave());
  }

  /** All has been read and nothing can be written. */
  #leave(): void {
    if (this.#mayEnd) this.end();
    else this.destroy(this.#writeError);
  }

  #pull(): void {
    // Pushing may ask for more at once; the loop below sees to that.
    if (this.#isPulling || this.#isReceiveDone) return;
    this.#isPulling = true;
    let hasRead = false;
    try {
      while (this.#wantsData && !this.#isReceiveDone) {
        const chunk = this.#gather();
        if (chunk === undefined) break;
        hasRead = true;
        this.#wantsData = this.push(chunk);
      }
    } finally {
      // A consumer that throws may be one that the process survives.
      this.#isPulling = false;
    }
    // Even if Node's buffer is full: the machine forgets a stream soon after its last byte was taken.
    this.#checkEnd();
    if (hasRead) this.#host.wake();
  }

  /** Takes everything that has arrived, wanted or not: the machine is about to go. The receive window bounds it. */
  #drain(): void {
    for (let chunk = this.#gather(); chunk !== undefined; chunk = this.#gather()) this.push(chunk);
    this.#checkEnd();
  }

  #checkEnd(): void {
    if (this.#isReceiveDone || !this.#host.machine.isFinished(this.id)) return;
    this.#isReceiveDone = true;
    this.push(null);
    // As net.Socket does: an end without unread data is told even to those who do not read.
    if (this.readableLength === 0) this.read(0);
  }

  /** The next bytes in order, joined to chunks of a size that is cheap to handle. */
  #gather(): Buffer | undefined {
    const { machine } = this.#host;
    const first = machine.read(this.id);
    if (first === undefined) return undefined;
    let total = first.length;
    let next = total < GATHER_SIZE ? machine.read(this.id) : undefined;
    if (next === undefined) return Buffer.from(first.buffer, first.byteOffset, first.length);
    pieces.push(first);
    while (next !== undefined) {
      pieces.push(next);
      total += next.length;
      next = total < GATHER_SIZE ? machine.read(this.id) : undefined;
    }
    const whole = Buffer.concat(pieces, total);
    pieces.length = 0;
    return whole;
  }
}

function ignore(): void {}
