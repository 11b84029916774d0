/**
 * The control streams beside the payload: one opened by each side, for its verdict (spec/cli.md#control-stream).
 *
 * @module
 */
import type { Connection, PeerStream } from "../index.ts";
import { CONTROL_KIND, ControlDecoder, type ControlMessage, encodeControl } from "./control-codec.ts";

/** What the owner of a {@link ControlChannel} wants to know. */
export interface ControlHandlers {
  onMessage(message: ControlMessage): void;
  /** The peer has nothing more to say and has read our verdict. */
  onEnd(): void;
  onMalformed(): void;
}

/** Our control stream and the peer's. What breaks them is reported by the connection, so it is silent here. */
export class ControlChannel {
  readonly #connection: Connection;
  readonly #handlers: ControlHandlers;
  readonly #opened: Promise<PeerStream | undefined>;
  #peerSeen = false;
  #ended = false;

  constructor(connection: Connection, handlers: ControlHandlers) {
    this.#connection = connection;
    this.#handlers = handlers;
    this.#opened = this.#open();
    this.#accept().catch(() => {});
  }

  /** Command: says something to the peer. */
  send(message: ControlMessage): void {
    void this.#opened.then((stream) => stream?.write(encodeControl(message)));
  }

  /** Command: ends our stream. Resolves when the peer's transport has all of it, or never will. */
  async end(): Promise<void> {
    this.#ended = true;
    const stream = await this.#opened;
    if (stream === undefined || stream.destroyed) return;
    await new Promise<void>((resolve) => {
      stream.once("finish", resolve).once("close", resolve);
      stream.end();
    });
  }

  /** Whether {@link end} was called. */
  get isEnded(): boolean {
    return this.#ended;
  }

  /** Whether the peer has a control stream, that is, speaks our language. */
  get isPeerSeen(): boolean {
    return this.#peerSeen;
  }

  async #open(): Promise<PeerStream | undefined> {
    try {
      const stream = await this.#connection.openStream({ direction: "uni" });
      stream.on("error", () => {});
      stream.write(Uint8Array.of(CONTROL_KIND));
      return stream;
    } catch {
      return undefined;
    }
  }

  async #accept(): Promise<void> {
    for await (const stream of this.#connection.streams()) {
      stream.on("error", () => {});
      this.#read(stream).catch(() => {});
    }
  }

  /** Reads one stream of the peer, if it is its first control stream. */
  async #read(stream: PeerStream): Promise<void> {
    const decoder = new ControlDecoder();
    let isControl = false;
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      let bytes = chunk;
      if (!isControl) {
        if (bytes[0] !== CONTROL_KIND || this.#peerSeen) break;
        isControl = true;
        this.#peerSeen = true;
        bytes = bytes.subarray(1);
      }
      const messages = decoder.push(bytes);
      if (messages === undefined) {
        this.#handlers.onMalformed();
        return;
      }
      for (const message of messages) this.#handlers.onMessage(message);
    }
    if (isControl) this.#handlers.onEnd();
    else stream.destroy();
  }
}
