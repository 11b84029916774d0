/**
 * Sockets beside the transport's own: who asked for them, and for which connection they must stay open.
 *
 * Discovery, samples and rounds of punching each need sockets that nothing was sent from before. The owner of the machine
 * opens them; this keeps the account, so that every socket that was opened is closed once.
 *
 * @module
 */
import type { ConnectionMachine } from "../connection/connection.ts";
import { Deque } from "../util/deque.ts";
import type { SocketId } from "../util/machine.ts";
import type { Instant } from "../util/time.ts";

/** A socket that nothing was sent from before. */
export interface FreshSocket {
  readonly via: SocketId;
  readonly localPort: number;
}

/** Takes the sockets that were asked for, or as many as there are. */
export type SocketTaker = (sockets: readonly FreshSocket[], now: Instant) => void;

/** What is asked of the owner of the machine. */
export type SocketWish =
  | { readonly type: "sockets-wanted"; readonly request: number; readonly count: number; readonly family: 4 | 6 }
  | { readonly type: "sockets-unwanted"; readonly sockets: readonly SocketId[] };

/** See the module. */
export class SocketDesk {
  readonly #takers = new Map<number, SocketTaker>();
  readonly #open = new Set<SocketId>();
  /** Sockets of connections, open for as long as these may use them. */
  readonly #owned = new Map<ConnectionMachine, Set<SocketId>>();
  readonly #wishes = new Deque<SocketWish>();
  #lastRequest = 0;

  /** Command: asks for sockets. Whoever wants them no longer when they come closes them. */
  ask(count: number, family: 4 | 6, taker: SocketTaker): void {
    this.#lastRequest += 1;
    this.#takers.set(this.#lastRequest, taker);
    this.#wishes.push({ type: "sockets-wanted", request: this.#lastRequest, count, family });
  }

  /** Input: the sockets of a request. */
  onSockets(request: number, sockets: readonly FreshSocket[], now: Instant): void {
    for (const { via } of sockets) this.#open.add(via);
    const taker = this.#takers.get(request);
    this.#takers.delete(request);
    if (taker === undefined) this.close(sockets.map(({ via }) => via));
    else taker(sockets, now);
  }

  /** Command: these are of no more use; what is not open any more, or was never ours, is passed over. */
  close(sockets: readonly SocketId[]): void {
    const ours = sockets.filter((via) => this.#open.delete(via));
    if (ours.length > 0) this.#wishes.push({ type: "sockets-unwanted", sockets: ours });
  }

  /** Command: the socket belongs to a connection. */
  own(connection: ConnectionMachine, via: SocketId): void {
    const owned = this.#owned.get(connection);
    if (owned === undefined) this.#owned.set(connection, new Set([via]));
    else owned.add(via);
  }

  /** Command: closes what belongs to the connection but for the socket that it uses; all, if it uses none. */
  prune(connection: ConnectionMachine, used: SocketId | undefined): void {
    const owned = this.#owned.get(connection);
    if (owned === undefined) return;
    this.close([...owned].filter((via) => via !== used));
    if (used !== undefined && owned.has(used)) this.#owned.set(connection, new Set([used]));
    else this.#owned.delete(connection);
  }

  /** Output: the next wish. */
  pollWish(): SocketWish | undefined {
    return this.#wishes.shift();
  }

  /** Sockets that are open. */
  get size(): number {
    return this.#open.size;
  }
}
