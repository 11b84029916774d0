/**
 * The public face of a listening endpoint: tickets, and the peers that come with them.
 *
 * @module
 */
import { EventEmitter } from "eventemitter3";
import type { ServerState } from "../agent/events.ts";
import type { ConnectionRequest } from "../connection/endpoint-events.ts";
import { randomBytes } from "../crypto/primitives.ts";
import type { ServerRecord, TicketFields } from "../ticket/ticket.ts";
import { toHex } from "../util/bytes.ts";
import type { Address } from "../util/machine.ts";
import { reachableAddresses } from "./addresses.ts";
import { AsyncQueue } from "./async-queue.ts";
import type { Connection, PeerStream } from "./connection.ts";
import type { Endpoint, EndpointHandlers } from "./endpoint.ts";
import { PunchlineError } from "./errors.ts";
import type { Identity } from "./identity.ts";
import { pastedError, readPasted } from "./pasted.ts";
import { resolveServers } from "./servers.ts";
import { Ticket } from "./ticket.ts";
import {
  type CheckedTicket,
  checkPasteTicket,
  checkTicket,
  type PeerRequest,
  type TicketOptions,
} from "./ticket-options.ts";
import type { TicketStore } from "./ticket-store.ts";

/** What a listener tells. */
export interface ListenerEvents {
  /** A peer is connected: its keys are confirmed. Its first stream follows at once. */
  connection: (connection: Connection) => void;
  /** The first stream of a connection; its `connection` opens more. */
  stream: (stream: PeerStream) => void;
  /** How it stands with one of its servers, by the place in the list of the option `server`. */
  server: (server: number, state: ServerState) => void;
  /** In paste mode: our address has changed, and nobody comes by the tickets any more; begin anew. */
  moved: () => void;
  /** Nobody new gets in. Comes once, and last. */
  closed: () => void;
}

/** How to close a listener. */
export interface ListenerCloseOptions {
  /** Closes the connections that it accepted, too, with code 0; default false: they live on. */
  readonly connections?: boolean;
}

/** What a listener is made of. */
export interface ListenerSetup {
  readonly identity: Identity;
  /** Public keys in hexadecimal that may connect; all if absent. */
  readonly allow: ReadonlySet<string> | undefined;
  readonly accept: ((peer: PeerRequest) => boolean | Promise<boolean>) | undefined;
  /**
   * Addresses for tickets; a port of 0 stands for the port of the first socket of that family. Those of this machine if
   * absent, or none if there are servers.
   */
  readonly addresses: readonly Address[] | undefined;
  /** Servers through which peers find us; they go into tickets. */
  readonly servers: readonly ServerRecord[];
  /** Puts the addresses of this machine into tickets, although there are servers. */
  readonly lan: boolean;
  /** Whether callers are told of by {@link Listener.answer}. */
  readonly paste: boolean;
  /** Whether peers find us by a channel of the application. */
  readonly channel: boolean;
  /** Whether tickets say that relayed paths are not wanted. */
  readonly directOnly: boolean;
  /** Where tickets outlive the process. */
  readonly store: TicketStore | undefined;
}

// Implementation

/** Connections whose first stream nobody has taken yet: beyond it the application is too slow, and peers are told so. */
const MAX_WAITING_STREAMS = 128;

const SECRET_SIZE = 16;

/** A listener whose servers have not taken it after this long, in ms, tells the caller instead of waiting on. */
const REGISTRATION_TIMEOUT = 10_000;

/**
 * Waits for peers that hold a ticket.
 *
 * `for await (const stream of listener)` yields the first stream of each connection as soon as the peer's key is
 * confirmed; either side may speak first. Streams are kept for the iteration (128 at most, then new peers are turned
 * away with the code `busy`) unless the application listens to `connection` or `stream` instead.
 *
 * `await using` stops listening; connections live on.
 */
export class Listener extends EventEmitter<ListenerEvents> {
  readonly #setup: ListenerSetup;
  readonly #endpoint: Endpoint;
  readonly #streams = new AsyncQueue<PeerStream>(MAX_WAITING_STREAMS, (stream) => stream.start());
  #ticket: Ticket;
  readonly #serverStates = new Map<number, ServerState>();
  #onServerState: () => void = () => {};
  #isIterated = false;
  #isClosed = false;

  /** Listeners come from `listen`. @internal */
  constructor(endpoint: Endpoint, setup: ListenerSetup, first: CheckedTicket | undefined) {
    super();
    this.#endpoint = endpoint;
    this.#setup = setup;
    for (const kept of setup.store?.tickets() ?? []) {
      endpoint.addTicket(kept.fields, kept.usesLeft);
      if (kept.isRevoked) endpoint.revokeTicket(kept.id);
    }
    const again = first === undefined ? setup.store?.mainTicket() : undefined;
    // A ticket for pasting is of no use to whoever starts again with the same file.
    const kind = setup.paste ? "further" : "main";
    this.#ticket =
      again === undefined
        ? this.#issue(first ?? checkTicket({}), kind)
        : new Ticket({ ...again, servers: setup.servers, addresses: this.#ticketAddresses() });
  }

  /** Input: a peer asks to be let in. @internal */
  async onRequest(request: ConnectionRequest): Promise<void> {
    this.#endpoint.answer(request, await this.#judge(request));
  }

  /** Input: a peer is connected. @internal */
  onIncoming(connection: Connection): void {
    this.emit("connection", connection);
  }

  /** Input: the first stream of a connection. @internal */
  onFirstStream(stream: PeerStream): void {
    const { connection } = stream;
    const isHeard = this.listenerCount("stream") > 0 || this.listenerCount("connection") > 0;
    if (isHeard) stream.start();
    this.emit("stream", stream);
    if (isHeard && !this.#isIterated) return;
    if (this.#streams.push(stream)) {
      // A stream that ended before anybody took it is nobody's concern any more.
      stream.once("close", () => this.#streams.remove(stream));
    } else if (!isHeard) {
      connection.turnAway();
    }
  }

  /** Input: how it stands with a server. @internal */
  onServer(server: number, state: ServerState): void {
    this.#serverStates.set(server, state);
    this.#onServerState();
    this.emit("server", server, state);
  }

  /**
   * Makes this listener known to its servers. Resolves when one of them has taken it.
   *
   * @throws {@link PunchlineError} `ERR_SERVER` if none has within ten seconds.
   * @internal
   */
  async register(signal: AbortSignal | undefined): Promise<void> {
    const { servers } = this.#setup;
    if (servers.length === 0) return;
    const resolved = await resolveServers(servers);
    if (resolved.length === 0) {
      const names = servers.map(({ host }) => host).join(", ");
      throw new PunchlineError("ERR_SERVER", `no name of a server leads to an address: ${names}`);
    }
    this.#endpoint.useServers(resolved);
    await this.#untilRegistered(signal);
    signal?.throwIfAborted();
    if ([...this.#serverStates.values()].includes("registered")) return;
    const places = servers.map(({ host, port }) => `${host} port ${port}`).join(", ");
    const isRefused = [...this.#serverStates.values()].includes("refused");
    throw new PunchlineError("ERR_SERVER", `${isRefused ? "refused" : "no answer"} by ${places}`, {
      origin: "network",
      ...(isRefused ? { hint: "the server has no room for more listeners; try another one" } : {}),
    });
  }

  /** Input: in paste mode, our address has changed. @internal */
  onMoved(): void {
    if (!this.#isClosed) this.emit("moved");
  }

  /** Input: a use of a ticket was counted. @internal */
  onTicketUsed(ticketId: string, usesLeft: number): void {
    this.#setup.store?.used(ticketId, usesLeft);
  }

  /**
   * Makes another ticket for this listener.
   *
   * @throws {@link PunchlineError} `ERR_OPTION`, `ERR_CLOSED`, or `ERR_IDENTITY` if it cannot be kept.
   */
  createTicket(options: TicketOptions = {}): Ticket {
    if (this.#isClosed) throw new PunchlineError("ERR_CLOSED", "the listener is closed");
    return this.#issue(this.#setup.paste ? checkPasteTicket(options) : checkTicket(options), "further");
  }

  /**
   * In paste mode: takes the string that the other side's `connect` has made. The connection follows as any other does.
   *
   * @throws {@link PunchlineError} `ERR_PASTED` if the string cannot be used, `ERR_CLOSED`.
   */
  answer(text: string): void {
    if (this.#isClosed) throw new PunchlineError("ERR_CLOSED", "the listener is closed");
    if (!this.#setup.paste) {
      throw new PunchlineError("ERR_PASTED", "this listener takes no strings", {
        hint: "listen with the option paste",
      });
    }
    const reason = this.#endpoint.onPasted(readPasted(text));
    if (reason !== undefined) throw pastedError(reason);
  }

  /**
   * Refuses a ticket from now on: whoever comes with it is told so. Connections that it opened live on.
   *
   * @returns False if the ticket is not one of this listener.
   * @throws {@link PunchlineError} `ERR_TICKET` for a text that is no ticket, `ERR_IDENTITY` if it cannot be kept.
   */
  revoke(ticket: Ticket | string): boolean {
    const { id } = typeof ticket === "string" ? Ticket.parse(ticket) : ticket;
    const isKnown = this.#endpoint.revokeTicket(id);
    if (isKnown) this.#setup.store?.revoked(id);
    return isKnown;
  }

  /**
   * Lets nobody in any more: whoever comes now meets silence. Streams that nobody has taken can still be iterated.
   *
   * @returns A promise that resolves when the sockets are closed, or at once if they are still needed: by connections
   * that live on, or for a last word to peers that have closed. Never rejects.
   */
  async close(options: ListenerCloseOptions = {}): Promise<void> {
    if (!this.#isClosed) {
      this.#isClosed = true;
      this.#endpoint.stopListening();
      this.#setup.store?.close();
      this.#streams.end();
      this.emit("closed");
    }
    const { connections } = this.#endpoint;
    if (options.connections === true) await Promise.all(connections.map((connection) => connection.close()));
    this.#endpoint.release();
    if (this.#endpoint.isOver) await this.#endpoint.ended;
  }

  /** The first stream of each connection; ends when the listener is closed. */
  [Symbol.asyncIterator](): AsyncIterableIterator<PeerStream> {
    this.#isIterated = true;
    return this.#streams[Symbol.asyncIterator]();
  }

  /** Stops listening; connections live on. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** The ticket that was made at the start. */
  get ticket(): Ticket {
    return this.#ticket;
  }

  /** The listener's public key: 64 hexadecimal digits. */
  get key(): string {
    return this.#setup.identity.key;
  }

  /** Where the first socket is bound. */
  get address(): Address {
    return this.addresses[0]!;
  }

  /** Where the sockets are bound. */
  get addresses(): readonly Address[] {
    return this.#endpoint.addresses;
  }

  /** Connections that are not over. */
  get connections(): readonly Connection[] {
    return this.#endpoint.connections;
  }

  #untilRegistered(signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve) => {
      const end = (): void => {
        clearTimeout(timer);
        signal?.removeEventListener("abort", end);
        this.#onServerState = () => {};
        resolve();
      };
      const timer = setTimeout(end, REGISTRATION_TIMEOUT);
      signal?.addEventListener("abort", end, { once: true });
      this.#onServerState = () => {
        if ([...this.#serverStates.values()].includes("registered")) end();
      };
    });
  }

  #issue(checked: CheckedTicket, kind: "main" | "further"): Ticket {
    const fields: TicketFields = {
      key: this.#setup.identity.keyPair.publicKey,
      secret: randomBytes(SECRET_SIZE),
      expiresAt: checked.expiresAt,
      singleUse: checked.uses === 1,
      directOnly: this.#setup.directOnly,
      relayOnly: false,
      paste: this.#setup.paste,
      servers: this.#setup.servers,
      addresses: this.#ticketAddresses(),
    };
    const ticket = new Ticket(fields);
    // Kept first: a ticket that is given out and then forgotten would be worse than none.
    this.#setup.store?.add({
      id: ticket.id,
      fields,
      usesLeft: checked.uses,
      isRevoked: false,
      isMain: kind === "main",
    });
    this.#endpoint.addTicket(fields, checked.uses);
    return ticket;
  }

  #ticketAddresses(): readonly Address[] {
    const bound = this.addresses;
    const { addresses: chosen, servers, channel, lan } = this.#setup;
    // Where a server or a channel tells the way, a ticket gives away no more than it must.
    if (chosen === undefined) return (servers.length > 0 || channel) && !lan ? [] : reachableAddresses(bound);
    const portOf = (family: 4 | 6): number => (bound.find((each) => each.family === family) ?? bound[0]!).port;
    return chosen.map((each) => (each.port === 0 ? { ...each, port: portOf(each.family) } : each));
  }

  /** The reason to turn a peer away, `undefined` to let it in. */
  async #judge(request: ConnectionRequest): Promise<string | undefined> {
    const { allow, accept } = this.#setup;
    const key = toHex(request.peerKey);
    const refusal = "this key is not allowed in";
    if (allow !== undefined && !allow.has(key)) return refusal;
    if (accept === undefined) return undefined;
    try {
      const { metadata, from: address, ticketId } = request;
      return (await accept({ key, metadata, address, ticketId })) === true ? undefined : refusal;
    } catch {
      // An application that cannot decide has not said yes.
      return refusal;
    }
  }
}

/** Connects an endpoint's handlers to a listener that is made after it. */
export class ListenerHandlers implements EndpointHandlers {
  readonly asksFirst: boolean;
  /** Set before the endpoint gets to receive anything. */
  listener: Listener | undefined;

  constructor(options: { readonly asksFirst: boolean }) {
    this.asksFirst = options.asksFirst;
  }

  onRequest(request: ConnectionRequest): void {
    void this.listener?.onRequest(request);
  }

  onIncoming(connection: Connection): void {
    this.listener?.onIncoming(connection);
  }

  onFirstStream(stream: PeerStream): void {
    this.listener?.onFirstStream(stream);
  }

  onTicketUsed(ticketId: string, usesLeft: number): void {
    this.listener?.onTicketUsed(ticketId, usesLeft);
  }

  onServer(server: number, state: ServerState): void {
    this.listener?.onServer(server, state);
  }

  onMoved(): void {
    this.listener?.onMoved();
  }
}
