/**
 * The two programs of the QUIC interop runner: a server that has files, and a client that asks for them, a stream each.
 *
 * The server is the listener. A file is named by its size and a number, from which its bytes follow, so that the client
 * can check each of them.
 *
 * @module
 */
import type { Config } from "../../../src/connection/config.ts";
import type { ConnectionMachine } from "../../../src/connection/connection.ts";
import type { ConnectionEvent } from "../../../src/connection/events.ts";
import { type LinkOptions, World } from "../../../src/testing/index.ts";
import { addHosts, type Hosts } from "../hosts.ts";
import { expected } from "../traffic.ts";
import { link, MTU } from "./network.ts";

/** What the two programs run on. */
export interface ProgramsOptions {
  readonly seed: number;
  /** Of both ends. */
  readonly config?: Partial<Config>;
  /** Towards the client; the usual link unless given. */
  readonly toClient?: LinkOptions;
  /** Towards the server; the usual link unless given. */
  readonly toServer?: LinkOptions;
}

// Implementation

/** What the server hands over at once. */
const CHUNK = 32_768;

/** Bytes of a request: the size and the number of a file. */
const REQUEST_LENGTH = 8;

/** Of one run: some ten for each of a hundred thousand packets. */
const MAX_STEPS = 5_000_000;

/** A file on its way to the client. */
class File {
  readonly size: number;
  readonly number: number;
  /** Bytes that the client has. */
  received = 0;
  /** Bytes that the server has written. */
  written = 0;
  isWhole = false;

  constructor(size: number, number: number) {
    this.size = size;
    this.number = number;
  }
}

/** One connection of the client, and the files it is for. */
export class Download {
  readonly connection: ConnectionMachine;
  readonly startedAt: number;
  connectedAt: number | undefined;
  /** When the first and the last datagram after the handshake arrived from the server. */
  firstAt: number | undefined;
  lastAt = 0;
  /** Longest time in which no byte of a file arrived, between the first one and the last. */
  longestPause = 0;
  finishedAt: number | undefined;
  /** Most streams that were under way at once. */
  mostOpen = 0;
  readonly #files: readonly File[];
  readonly #byStream = new Map<number, File>();
  #requested = 0;
  #whole = 0;
  #lastReadAt: number | undefined;

  constructor(connection: ConnectionMachine, sizes: readonly number[], now: number) {
    this.connection = connection;
    this.startedAt = now;
    this.#files = sizes.map((size, number) => new File(size, number));
  }

  /** Input: an event of the connection. */
  onEvent(event: ConnectionEvent, now: number): void {
    if (event.type === "closed" && this.finishedAt === undefined) throw new Error(JSON.stringify(event.reason));
    if (event.type === "connected") {
      this.connectedAt = now;
      this.#request(0);
    }
    if (event.type === "connected" || event.type === "streams-available") this.#requestMore();
    if (event.type === "readable") this.#read(event.id, now);
  }

  /** Input: a datagram has come. */
  onDatagram(now: number): void {
    if (this.connection.state !== "open" || this.finishedAt !== undefined) return;
    this.firstAt ??= now;
    this.lastAt = now;
  }

  /** Kbit/s of all files, as the runner has it: from the first datagram to the last. */
  get goodput(): number {
    const bytes = this.#files.reduce((sum, { size }) => sum + size, 0);
    return (8 * bytes) / (this.lastAt - (this.firstAt ?? 0));
  }

  /** From the call to the last byte, in ms. */
  get elapsed(): number {
    return (this.finishedAt ?? Number.NaN) - this.startedAt;
  }

  #requestMore(): void {
    while (this.#requested < this.#files.length) {
      const id = this.connection.openStream("bidi");
      if (id === undefined) return;
      this.#request(id);
    }
  }

  #request(id: number): void {
    const file = this.#files[this.#requested++]!;
    this.mostOpen = Math.max(this.mostOpen, this.#requested - this.#whole);
    this.#byStream.set(id, file);
    const request = new Uint8Array(REQUEST_LENGTH);
    const view = new DataView(request.buffer);
    view.setUint32(0, file.size);
    view.setUint32(4, file.number);
    this.connection.write(id, request);
    this.connection.finish(id);
  }

  #read(id: number, now: number): void {
    const file = this.#byStream.get(id);
    if (file === undefined) throw new Error(`an answer on stream ${id}, which asked nothing`);
    for (let data = this.connection.read(id); data !== undefined; data = this.connection.read(id)) {
      const want = expected(file.number, file.received, data.length);
      if (Buffer.compare(data, want) !== 0) throw new Error(`file ${file.number} differs at ${file.received}`);
      file.received += data.length;
      this.longestPause = Math.max(this.longestPause, now - (this.#lastReadAt ?? now));
      this.#lastReadAt = now;
    }
    if (file.isWhole || !this.connection.isFinished(id)) return;
    if (file.received !== file.size) throw new Error(`file ${file.number} ended after ${file.received} bytes`);
    file.isWhole = true;
    this.#whole += 1;
    if (this.#whole === this.#files.length) this.finishedAt = now;
  }
}

/** Server and client, and the link between them. */
export class Programs {
  readonly world: World;
  readonly hosts: Hosts;
  /** Connections that the server has got. */
  readonly accepted: ConnectionMachine[] = [];
  readonly #downloads = new Map<ConnectionMachine, Download>();
  /** By connection and stream: what is being sent. */
  readonly #answers = new Map<ConnectionMachine, Map<number, File>>();

  constructor({ seed, config, toClient = link(), toServer = link() }: ProgramsOptions) {
    this.world = new World({ seed, traceTail: 40 });
    const { world } = this;
    this.hosts = addHosts(world, {
      ...(config === undefined ? {} : { config }),
      interfaceMtu: MTU,
      timerResolution: 1,
      link: { up: toClient, down: toServer },
      onEvent: (side, event) => {
        if (event.type === "incoming") this.#accept(event.connection);
        if (event.type !== "connection") return;
        if (side === "dialer") this.#downloads.get(event.connection)?.onEvent(event.event, world.now);
        else this.#onServerEvent(event.connection, event.event);
      },
    });
    this.hosts.dialer.link.down.filter = () => {
      for (const download of this.#downloads.values()) download.onDatagram(world.now);
      return "pass";
    };
  }

  /** Command: calls the server for files of these sizes. */
  start(sizes: readonly number[], timeout = 60_000): Download {
    const connection = this.hosts.dial(timeout);
    const download = new Download(connection, sizes, this.world.now);
    this.#downloads.set(connection, download);
    return download;
  }

  /** Command: lets time pass until a download is complete, `limit` ms at most. */
  finish(download: Download, limit: number): Download {
    this.world.run({ until: () => download.finishedAt !== undefined, for: limit, maxSteps: MAX_STEPS });
    return download;
  }

  /** Command: the client closes the connection of a download. */
  close(download: Download): void {
    download.connection.close(0, "", this.world.now);
    this.#downloads.delete(download.connection);
    this.world.wake(this.hosts.dialer);
  }

  /** What the server sends goes there. */
  get toClient() {
    return this.hosts.listener.link.up;
  }

  /** What the client sends goes there. */
  get toServer() {
    return this.hosts.listener.link.down;
  }

  #accept(connection: ConnectionMachine): void {
    this.accepted.push(connection);
    this.#answers.set(connection, new Map());
  }

  #onServerEvent(connection: ConnectionMachine, event: ConnectionEvent): void {
    if (event.type === "closed") this.#answers.delete(connection);
    if (event.type === "readable") this.#readRequest(connection, event.id);
    if (event.type === "writable") this.#answer(connection, event.id);
  }

  /** A request is shorter than a packet, and so comes in one piece. */
  #readRequest(connection: ConnectionMachine, id: number): void {
    for (let data = connection.read(id); data !== undefined; data = connection.read(id)) {
      const view = new DataView(data.buffer, data.byteOffset, data.length);
      this.#answers.get(connection)!.set(id, new File(view.getUint32(0), view.getUint32(4)));
      this.#answer(connection, id);
    }
  }

  #answer(connection: ConnectionMachine, id: number): void {
    const file = this.#answers.get(connection)?.get(id);
    if (file === undefined) return;
    while (file.written < file.size) {
      const length = Math.min(CHUNK, file.size - file.written);
      const mayGoOn = connection.write(id, expected(file.number, file.written, length));
      file.written += length;
      if (!mayGoOn) return;
    }
    this.#answers.get(connection)!.delete(id);
    connection.finish(id);
  }
}
