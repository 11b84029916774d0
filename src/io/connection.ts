/**
 * The public face of a connection and its streams: promises, events and iterators over the machine's commands.
 *
 * @module
 */
import { EventEmitter } from "eventemitter3";
import type { ConnectionMachine } from "../connection/connection.ts";
import type { CloseReason, ConnectionEvent, PathInfo as MachinePath } from "../connection/events.ts";
import type { ConnectionStats } from "../connection/snapshot.ts";
import { type Explained, type ExplainedEvent, type ExplainOptions, explain } from "../doctor/explain.ts";
import { toHex } from "../util/bytes.ts";
import type { Address, SocketId } from "../util/machine.ts";
import type { Duration, Instant } from "../util/time.ts";
import { AsyncQueue } from "./async-queue.ts";
import { monotonicNow } from "./clock.ts";
import { StreamDuplex, type StreamHost } from "./duplex.ts";
import { APPLICATION_CODE, closeError, isCleanClose, PunchlineError } from "./errors.ts";
import { Openings } from "./openings.ts";
import { Timeline } from "./timeline.ts";

/** A path that carries, or may carry, packets of a connection. */
export interface PathInfo {
  /** Our end: the address that the socket is bound to. */
  readonly local: Address;
  /** The peer's end, as seen from here. */
  readonly remote: Address;
  readonly kind: "direct" | "relay";
  /** Smoothed round-trip time in ms; 0 before the first measurement. */
  readonly rtt: Duration;
}

/** What a connection tells. */
export interface ConnectionEvents {
  /** Packets take another path from now on. */
  path: (path: PathInfo) => void;
  /** Nothing has been heard of the peer for longer than usual; the connection lives on for `linger`. */
  stalled: () => void;
  /** The peer is heard again. */
  resumed: () => void;
  /** The peer opened a stream. Not told of the first stream, which the listener or `connect` hands out. */
  stream: (stream: PeerStream) => void;
  /** The connection is over. `error` is undefined if it ended as both sides wished. Comes once, and last. */
  closed: (reason: CloseReason, error: PunchlineError | undefined) => void;
}

/** What a connection needs of its endpoint. */
export interface ConnectionOwner {
  /** A command was given: pump the machine. */
  wake(): void;
  /** The address that a socket is bound to. */
  localAddress(socket: SocketId): Address | undefined;
  /** What happened while a connection that we called was made. */
  journal?(machine: ConnectionMachine): readonly ExplainedEvent[];
}

/** How a connection is used by whoever made it. */
export interface ConnectionUse {
  /** Close once the last stream is closed. */
  readonly closesWithLastStream: boolean;
  /** How long a silent peer keeps it alive, in ms. */
  readonly linger: Duration;
  /** Takes the first stream that the peer opens, instead of {@link Connection.streams}. */
  readonly onFirstStream?: (stream: PeerStream) => void;
}

/**
 * A two-way stream of bytes to the peer: a Node `Duplex` with half-close.
 *
 * - A buffer given to `write` must not be changed before its callback; then it may be used again.
 * - `end()` and `finished()` complete once the peer's transport has acknowledged every byte and the end.
 * - `destroy()` and `destroy(error)` reset both directions; the peer's stream fails with `ERR_STREAM_RESET`.
 * - `await using` ends cleanly: see {@link StreamDuplex}.
 * - Fails with a {@link PunchlineError}: `ERR_STREAM_RESET`, `ERR_CLOSED_BY_PEER`, `ERR_PEER_LOST`, `ERR_PROTOCOL` or
 *   `ERR_CLOSED`. An `error` event that nobody listens to does not end the process.
 */
export class PeerStream extends StreamDuplex {
  /** The connection that the stream belongs to. */
  readonly connection: Connection;

  /** Streams come from a connection. @internal */
  constructor(
    connection: Connection,
    host: StreamHost,
    id: number,
    directions: { readable: boolean; writable: boolean },
  ) {
    super(host, id, directions);
    this.connection = connection;
  }
}

/** How to open a stream. */
export interface OpenStreamOptions {
  /** `uni` can only be written to on this side; default `bidi`. */
  readonly direction?: "bidi" | "uni";
  /** Gives up waiting for the peer to allow one more stream. */
  readonly signal?: AbortSignal;
}

// Specification

/** The stream that the initiator opens and announces at once (CONN-3). */
const FIRST_STREAM = 0;

// Implementation

/** Streams waiting for `streams()`: the peer can have no more than its limits of both kinds open. */
const MAX_WAITING_STREAMS = 1_024;

/** Datagrams waiting for `datagrams()`; when nobody takes them in time the newest are dropped, as a network would. */
const MAX_WAITING_DATAGRAMS = 256;

/** How long a reset may take to reach the peer before the connection closes regardless, in ms. */
const RESET_PATIENCE: Duration = 1_000;

/**
 * An encrypted connection to one peer, with any number of streams.
 *
 * `await using` closes it cleanly: all streams are ended and acknowledged first.
 */
export class Connection extends EventEmitter<ConnectionEvents> {
  readonly #machine: ConnectionMachine;
  readonly #owner: ConnectionOwner;
  readonly #use: ConnectionUse;
  readonly #host: StreamHost;
  readonly #streams = new Map<number, PeerStream>();
  readonly #incoming = new AsyncQueue<PeerStream>(MAX_WAITING_STREAMS, (stream) => stream.start());
  readonly #datagrams = new AsyncQueue<Buffer>(MAX_WAITING_DATAGRAMS);
  readonly #openings = new Openings((direction) => this.#open(direction));
  readonly #timeline = new Timeline(monotonicNow());
  /** Streams whose reset the peer has not acknowledged yet. */
  readonly #resetting = new Set<number>();
  #resetTimer: NodeJS.Timeout | undefined;
  #connecting: ((stream: PeerStream | undefined, error: PunchlineError | undefined) => void) | undefined;
  #isClosing = false;
  #closeReason: CloseReason | undefined;
  #closeError: PunchlineError | undefined;
  #waitingForClose: (() => void)[] = [];

  /** Connections come from `connect` and from a listener. @internal */
  constructor(machine: ConnectionMachine, owner: ConnectionOwner, use: ConnectionUse) {
    super();
    this.#machine = machine;
    this.#owner = owner;
    this.#use = use;
    this.#timeline.note(machine.role === "initiator" ? "connecting" : "a peer connects", monotonicNow());
    this.#host = {
      machine,
      linger: use.linger,
      wake: () => owner.wake(),
      released: (stream, wasReset) => this.#onReleased(stream, wasReset),
    };
  }

  /** Input: what the machine has to tell. @internal */
  onEvent(event: ConnectionEvent, now: Instant): void {
    switch (event.type) {
      case "readable":
        this.#streams.get(event.id)?.onReadable();
        return;
      case "writable":
        this.#streams.get(event.id)?.onWritable();
        return;
      case "finished":
        this.#streams.get(event.id)?.onFinished();
        this.#settled(event.id);
        return;
      case "reset-acked":
      case "done":
        this.#settled(event.id);
        return;
      case "reset":
        this.#streams.get(event.id)?.onReset(event.code);
        return;
      case "stopped":
        this.#streams.get(event.id)?.onStopped(event.code);
        return;
      case "opened":
        this.#onOpened(event.id);
        return;
      case "streams-available":
        this.#openings.serve();
        return;
      case "datagram":
        this.#datagrams.push(Buffer.from(event.data.buffer, event.data.byteOffset, event.data.length));
        return;
      case "connected":
        this.#timeline.path(event.path, now);
        this.#onConnected();
        return;
      case "path":
        this.#timeline.path(event.path, now);
        this.emit("path", this.#publicPath(event.path));
        return;
      case "stalled":
        this.#timeline.note("stalled: nothing is heard of the peer", now);
        this.emit("stalled");
        return;
      case "resumed":
        this.#timeline.note("resumed", now);
        this.emit("resumed");
        return;
      case "closed":
        this.#onClosed(event.reason, now);
        return;
    }
  }

  /**
   * Opens a stream. The peer hears of it with its first byte or its end.
   *
   * Waits while the peer allows no more streams than there are.
   *
   * @throws {@link PunchlineError} `ERR_CLOSED` and others if the connection is over; `signal.reason` on abort.
   */
  async openStream(options: OpenStreamOptions = {}): Promise<PeerStream> {
    const { direction = "bidi", signal } = options;
    if (direction !== "bidi" && direction !== "uni") {
      throw new PunchlineError("ERR_OPTION", `direction is "bidi" or "uni", not ${String(direction)}`);
    }
    signal?.throwIfAborted();
    this.#throwIfOver();
    return this.#openings.open(direction, signal);
  }

  /** The streams that the peer opens, except the first one; ends with the connection. */
  streams(): AsyncIterableIterator<PeerStream> {
    return this.#incoming[Symbol.asyncIterator]();
  }

  /**
   * Sends one unreliable datagram. It is lost if the network loses it, or if too many are waiting.
   *
   * @param data At most {@link maxDatagramSize} bytes; kept by reference until it has been sent.
   * @returns False if it was dropped here.
   * @throws {@link PunchlineError} `ERR_OPTION` if it is too large; `ERR_CLOSED` and others if the connection is over.
   */
  sendDatagram(data: Uint8Array): boolean {
    this.#throwIfOver();
    if (data.length > this.maxDatagramSize) {
      throw new PunchlineError(
        "ERR_OPTION",
        `a datagram has at most ${this.maxDatagramSize} bytes, not ${data.length}`,
      );
    }
    const accepted = this.#machine.sendDatagram(data);
    this.#owner.wake();
    return accepted;
  }

  /** The datagrams of the peer; ends with the connection. At most 256 wait for whoever does not take them. */
  datagrams(): AsyncIterableIterator<Buffer> {
    return this.#datagrams[Symbol.asyncIterator]();
  }

  /** Measurements: times in ms, sizes in bytes, totals since the beginning. */
  stats(): ConnectionStats {
    return this.#machine.stats();
  }

  /** The paths known at present; the one in use is the first. */
  paths(): readonly PathInfo[] {
    return this.#machine.paths().map((path) => this.#publicPath(path));
  }

  /**
   * What has happened so far, one line for each event, and what was tried to reach the peer; for people to read.
   *
   * @param options `redact` puts labels in the place of all addresses, so that the text can be shown to anybody.
   */
  explain(options: ExplainOptions = {}): string {
    return explain(this.#explained(monotonicNow(), this.closeError?.hint), options);
  }

  /**
   * Ends the connection at once, with every stream that has not finished. For a clean end, end the streams first, or
   * use `await using`.
   *
   * @param code A number for the peer, 0 (nothing is wrong) or 0x100 to 2^53−1; lower ones are this library's own.
   * @param reason A few words for the peer, at most 64 bytes of UTF-8 arrive.
   * @returns A promise that resolves when the peer has confirmed it, or cannot any more. Never rejects.
   * @throws {@link PunchlineError} `ERR_OPTION` if the code is no such number.
   */
  close(code = 0, reason = ""): Promise<void> {
    const isOurs = code > 0 && code < APPLICATION_CODE.first;
    if (!Number.isSafeInteger(code) || code < 0 || isOurs) {
      throw new PunchlineError("ERR_OPTION", `a close code is 0 or a whole number from 0x100 to 2^53−1, not ${code}`);
    }
    return this.#closeWith(code, reason);
  }

  /** Closes because the application does not take its connections. @internal */
  turnAway(): void {
    void this.#closeWith(APPLICATION_CODE.busy, "too many connections are waiting");
  }

  /**
   * Completes with the stream that every connection begins with; rejects if there will be none.
   *
   * @param signal Gives up connecting.
   * @internal
   */
  connected(signal: AbortSignal | undefined): Promise<PeerStream> {
    return new Promise((resolve, reject) => {
      const onAbort = (): void => {
        this.#machine.abort();
        this.#owner.wake();
      };
      signal?.addEventListener("abort", onAbort, { once: true });
      this.#connecting = (stream, error) => {
        signal?.removeEventListener("abort", onAbort);
        if (stream !== undefined) resolve(stream);
        else reject(signal?.aborted ? signal.reason : error);
      };
    });
  }

  /** Ends all streams cleanly, then closes the connection. @throws {@link PunchlineError} if one of them fails. */
  async [Symbol.asyncDispose](): Promise<void> {
    const streams = [...this.#streams.values()];
    const results = await Promise.allSettled(streams.map((stream) => stream[Symbol.asyncDispose]()));
    await this.close();
    for (const result of results) if (result.status === "rejected") throw result.reason;
  }

  /** The peer's public key: 64 hexadecimal digits. */
  get peerKey(): string {
    return toHex(this.#machine.peerKey ?? new Uint8Array(0));
  }

  /** Who made the connection: the `initiator` called `connect`. */
  get role(): "initiator" | "responder" {
    return this.#machine.role;
  }

  /** Why the connection ended; `undefined` while it lives. */
  get closeReason(): CloseReason | undefined {
    return this.#closeReason;
  }

  /** The error that its streams ended with; `undefined` while it lives, and if it ended as both sides wished. */
  get closeError(): PunchlineError | undefined {
    return this.#closeReason !== undefined && !isCleanClose(this.#closeReason) ? this.#closeError : undefined;
  }

  /** Largest datagram that {@link sendDatagram} takes at present, in bytes. */
  get maxDatagramSize(): number {
    return this.#machine.maxDatagramLength;
  }

  #explained(now: Instant, hint: string | undefined): Explained {
    return {
      attempts: this.#machine.attempts(now),
      events: [...(this.#owner.journal?.(this.#machine) ?? []), ...this.#timeline.events],
      ...(hint === undefined ? {} : { hint }),
    };
  }

  #closeWith(code: number, reason: string): Promise<void> {
    if (!this.#isClosing && this.#closeReason === undefined) {
      this.#isClosing = true;
      const now = monotonicNow();
      this.#timeline.note(`closing (code ${code})`, now);
      this.#machine.close(code, reason, now);
      this.#owner.wake();
      this.#endStreams(new PunchlineError("ERR_CLOSED", "the connection was closed"), false);
    }
    if (this.#closeReason !== undefined) return Promise.resolve();
    return new Promise((resolve) => this.#waitingForClose.push(resolve));
  }

  #open(direction: "bidi" | "uni"): PeerStream | undefined {
    const id = this.#machine.openStream(direction);
    if (id === undefined) return undefined;
    this.#owner.wake();
    const stream = this.#newStream(id, { readable: direction === "bidi", writable: true });
    stream.start();
    return stream;
  }

  #newStream(id: number, directions: { readable: boolean; writable: boolean }): PeerStream {
    const stream = new PeerStream(this, this.#host, id, directions);
    this.#streams.set(id, stream);
    return stream;
  }

  #onConnected(): void {
    if (this.#connecting === undefined) return;
    const stream = this.#newStream(FIRST_STREAM, { readable: true, writable: true });
    stream.start();
    this.#connecting(stream, undefined);
    this.#connecting = undefined;
  }

  #onOpened(id: number): void {
    // Bit 1 of a stream's number tells that only its opener sends (spec/streams.md).
    const stream = this.#newStream(id, { readable: true, writable: (id & 2) === 0 });
    // Another stream may arrive earlier, if the packet that announced the first was lost or late.
    if (this.#use.onFirstStream !== undefined && id === FIRST_STREAM) {
      this.#use.onFirstStream(stream);
    } else if (this.listenerCount("stream") > 0) {
      stream.start();
      this.emit("stream", stream);
    } else if (!this.#incoming.push(stream)) {
      stream.destroy();
    }
  }

  #onReleased(stream: StreamDuplex, wasReset: boolean): void {
    if (this.#streams.get(stream.id) !== stream) return;
    this.#streams.delete(stream.id);
    this.#incoming.remove(stream as PeerStream);
    if (this.#closeReason !== undefined) return;
    if (wasReset) this.#resetting.add(stream.id);
    if (this.#use.closesWithLastStream && this.#streams.size === 0) this.#closeWhenReset();
  }

  /** The last stream is gone: closes, but not before the peer has heard of the resets. */
  #closeWhenReset(): void {
    if (this.#resetting.size === 0) {
      void this.close();
      return;
    }
    this.#resetTimer ??= setTimeout(() => void this.close(), RESET_PATIENCE);
  }

  #settled(id: number): void {
    if (!this.#resetting.delete(id) || this.#resetting.size > 0) return;
    if (this.#use.closesWithLastStream && this.#streams.size === 0) void this.close();
  }

  #onClosed(reason: CloseReason, now: Instant): void {
    const plain = closeError(reason);
    this.#timeline.note(`closed: ${plain.message}`, now);
    const error = this.#connecting === undefined ? plain : closeError(reason, this.#explained(now, plain.hint));
    this.#closeReason = reason;
    this.#closeError = error;
    clearTimeout(this.#resetTimer);
    this.#connecting?.(undefined, error);
    this.#endStreams(error, isCleanClose(reason));
    this.#incoming.end();
    this.#datagrams.end();
    // Before anybody is told who might throw.
    for (const resolve of this.#waitingForClose.splice(0)) resolve();
    this.emit("closed", reason, this.closeError);
  }

  #endStreams(error: PunchlineError, isClean: boolean): void {
    for (const stream of [...this.#streams.values()]) stream.onConnectionClosed(error, isClean);
    this.#openings.fail(error);
  }

  #throwIfOver(): void {
    if (this.#closeError !== undefined) throw this.#closeError;
    if (this.#isClosing) throw new PunchlineError("ERR_CLOSED", "the connection was closed");
  }

  #publicPath(path: MachinePath): PathInfo {
    const local = this.#owner.localAddress(path.local) ?? { host: "", port: 0, family: path.remote.family };
    return { local, remote: path.remote, kind: path.kind, rtt: path.rtt };
  }
}
