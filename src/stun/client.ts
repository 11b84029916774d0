/**
 * Asks STUN servers, several at a time, on sockets that others use as well (RFC 8489 §6).
 *
 * Theory of operation. Each request is a transaction with an unpredictable id of 96 bits. An answer counts if it has the
 * id of a transaction that is under way, came in by the socket that it was to come to, and from the address that was
 * asked or, after a CHANGE-REQUEST, from the one that was to answer. Everything else is passed over without a trace, so
 * whoever cannot read the requests can neither end one nor forge an answer, and copies of an answer do nothing.
 *
 * At most ten transactions go to one address at a time; the others wait for their turn.
 *
 * @module
 */
import type { BufferPool } from "../util/buffer-pool.ts";
import { toHex } from "../util/bytes.ts";
import { Deque } from "../util/deque.ts";
import {
  type Address,
  type Datagram,
  type Machine,
  type SocketId,
  sameAddress,
  type Transmit,
} from "../util/machine.ts";
import { type Duration, earliest, type Instant } from "../util/time.ts";
import { decodeStunMessage, encodeBindingRequest, type StunMessage } from "./codec.ts";
import { isStun, TRANSACTION_ID_SIZE, transactionIdOf } from "./message.ts";
import { RtoCache } from "./rto-cache.ts";
import { STANDARD_TIMING, StunTransaction, type TransactionTiming } from "./transaction.ts";

// Specification

/** Transactions with one address at a time (RFC 8489 §6.2). */
export const MAX_TRANSACTIONS_PER_SERVER = 10;

// Implementation

/** Transactions under way and waiting: some servers with all the samples of a discovery, over both families. */
export const MAX_TRANSACTIONS = 128;

/** What is asked of whom. */
export interface StunRequest {
  readonly via: SocketId;
  readonly server: Address;
  /** Ask for the answer from another place (RFC 5780 §7.2), which is `from`. */
  readonly change?: { readonly address: boolean; readonly port: boolean; readonly from: Address };
  /** Ask for the answer to another port of ours, which belongs to the socket `via` (RFC 5780 §7.5). */
  readonly response?: { readonly port: number; readonly via: SocketId };
  /** Bytes of padding, a multiple of 4 (RFC 5780 §7.6). */
  readonly padding?: number;
  /** Exactly this patience, whatever is known of the server. */
  readonly timing?: TransactionTiming;
}

/** What became of a request, which is named by the number that {@link StunClient.request} gave it. */
export type StunClientEvent =
  | {
      readonly type: "answered";
      readonly request: number;
      readonly via: SocketId;
      readonly server: Address;
      readonly mapped: Address;
      readonly origin: Address | undefined;
      /** The server's other address, if it has one. */
      readonly other: Address | undefined;
      /** `undefined` if the request was repeated. */
      readonly rtt: Duration | undefined;
      /** When the first request was sent. */
      readonly askedAt: Instant;
    }
  /** The server takes no notice of CHANGE-REQUEST. */
  | { readonly type: "unchanged"; readonly request: number; readonly via: SocketId; readonly server: Address }
  /** `errorCode` is `undefined` for an answer that demands to be understood and is not. */
  | {
      readonly type: "refused";
      readonly request: number;
      readonly via: SocketId;
      readonly server: Address;
      readonly errorCode: number | undefined;
    }
  | { readonly type: "timed-out"; readonly request: number; readonly via: SocketId; readonly server: Address };

interface Pending {
  readonly number: number;
  readonly request: StunRequest;
  readonly key: string;
  readonly bytes: Uint8Array;
  /** `undefined` while it waits for its turn. */
  transaction: StunTransaction | undefined;
}

/** See the module. */
export class StunClient implements Machine<StunClientEvent> {
  readonly #random: (size: number) => Uint8Array;
  readonly #pool: BufferPool;
  readonly #timing: TransactionTiming;
  readonly #rtos = new RtoCache();
  /** By transaction id, in the order in which they were asked. */
  readonly #pending = new Map<string, Pending>();
  readonly #outgoing = new Deque<Pending>();
  readonly #events = new Deque<StunClientEvent>();
  #requests = 0;
  #now = 0 as Instant;

  /** `timing` is for requests without one of their own, to servers of which nothing is known. */
  constructor(options: {
    readonly random: (size: number) => Uint8Array;
    readonly pool: BufferPool;
    readonly timing?: TransactionTiming;
  }) {
    this.#random = options.random;
    this.#pool = options.pool;
    this.#timing = options.timing ?? STANDARD_TIMING;
  }

  /** Input: part of the contract. What is no answer to a request of ours is passed over. */
  receive(datagram: Datagram, now: Instant): void {
    this.#tick(now);
    const { payload, segmentSize } = datagram;
    for (let start = 0; start < payload.length; start += segmentSize) {
      this.#receiveOne(datagram, payload.subarray(start, start + segmentSize));
    }
    this.#startWaiting();
  }

  /** Input: part of the contract. */
  handleTimeout(now: Instant): void {
    this.#tick(now);
    for (const pending of [...this.#pending.values()]) this.#advance(pending);
    this.#startWaiting();
  }

  /**
   * Command: asks. Returns the number of the request, or `undefined` if {@link MAX_TRANSACTIONS} are under way.
   *
   * @throws RangeError if a field is out of range.
   */
  request(request: StunRequest, now: Instant): number | undefined {
    this.#tick(now);
    if (this.#pending.size >= MAX_TRANSACTIONS) return undefined;
    const transactionId = this.#random(TRANSACTION_ID_SIZE);
    const { change, response, padding = 0 } = request;
    const bytes = encodeBindingRequest({
      transactionId,
      ...(change === undefined ? {} : { change }),
      ...(response === undefined ? {} : { responsePort: response.port }),
      padding,
    });
    this.#requests += 1;
    const key = toHex(transactionId);
    this.#pending.set(key, { number: this.#requests, request, key, bytes, transaction: undefined });
    this.#startWaiting();
    return this.#requests;
  }

  /** Command: forgets a request; nothing is heard of it any more. */
  cancel(request: number): void {
    for (const pending of this.#pending.values()) {
      if (pending.number === request) this.#pending.delete(pending.key);
    }
    this.#startWaiting();
  }

  /** Command: forgets all requests that went out by this socket, or whose answer was to come in by it. */
  cancelSocket(via: SocketId): void {
    for (const pending of this.#pending.values()) {
      if (pending.request.via === via || viaOfAnswer(pending.request) === via) this.#pending.delete(pending.key);
    }
    this.#startWaiting();
  }

  /** Output: part of the contract. */
  pollTransmit(now: Instant): Transmit | undefined {
    this.#tick(now);
    for (;;) {
      const pending = this.#outgoing.shift();
      if (pending === undefined) return undefined;
      // It may have been answered or cancelled since.
      if (!this.#pending.has(pending.key)) continue;
      const payload = this.#pool.take().subarray(0, pending.bytes.length);
      payload.set(pending.bytes);
      const { via, server } = pending.request;
      return { via, to: server, payload, segmentSize: payload.length, ttl: undefined };
    }
  }

  /** Output: part of the contract. */
  pollEvent(): StunClientEvent | undefined {
    return this.#events.shift();
  }

  /** Output: part of the contract. */
  nextTimeout(): Instant | undefined {
    let next: Instant | undefined;
    for (const { transaction } of this.#pending.values()) next = earliest(next, transaction?.deadline);
    return next;
  }

  /** Requests under way and waiting. */
  get pending(): number {
    return this.#pending.size;
  }

  #receiveOne({ via, from }: Datagram, bytes: Uint8Array): void {
    if (!isStun(bytes)) return;
    const pending = this.#pending.get(toHex(transactionIdOf(bytes)));
    if (pending?.transaction === undefined) return;
    const { request, transaction } = pending;
    const isFromServer = sameAddress(from, request.server);
    const isExpected = sameAddress(from, request.change?.from ?? request.server);
    if (via !== viaOfAnswer(request) || !(isFromServer || isExpected)) return;
    const message = decodeStunMessage(bytes);
    if (message === undefined) return;
    const event = this.#eventOf(message, { pending, transaction, isExpected });
    if (event === undefined) return;
    this.#pending.delete(pending.key);
    this.#events.push(event);
  }

  #eventOf(
    message: StunMessage,
    { pending, transaction, isExpected }: { pending: Pending; transaction: StunTransaction; isExpected: boolean },
  ): StunClientEvent | undefined {
    const { via, server } = pending.request;
    const common = { request: pending.number, via, server };
    const { kind, mapped, origin, other, errorCode, unknownAttributes } = message;
    if (kind === "error") return { type: "refused", ...common, errorCode };
    if (kind !== "response") return undefined;
    // RFC 8489 §6.3.3: what must be understood and is not makes the transaction fail.
    if (unknownAttributes.length > 0) return { type: "refused", ...common, errorCode: undefined };
    if (mapped === undefined) return undefined;
    if (!isExpected) return { type: "unchanged", ...common };
    const rtt = transaction.roundTrip(this.#now);
    if (rtt !== undefined) this.#rtos.onSample(server.host, rtt, this.#now);
    return { type: "answered", ...common, mapped, origin, other, rtt, askedAt: transaction.startedAt };
  }

  /** Starts all transactions whose turn has come, in the order in which they were asked for. */
  #startWaiting(): void {
    const started = new Map<string, number>();
    for (const pending of this.#pending.values()) {
      const { server, timing } = pending.request;
      const place = `${server.host}|${server.port}`;
      const count = started.get(place) ?? 0;
      if (count === MAX_TRANSACTIONS_PER_SERVER) continue;
      started.set(place, count + 1);
      if (pending.transaction !== undefined) continue;
      const rto = this.#rtos.rto(server.host, this.#timing.rto, this.#now);
      pending.transaction = new StunTransaction(timing ?? { ...this.#timing, rto }, this.#now);
      this.#advance(pending);
    }
  }

  #advance(pending: Pending): void {
    switch (pending.transaction?.advance(this.#now)) {
      case "send":
        this.#outgoing.push(pending);
        return;
      case "failed": {
        this.#pending.delete(pending.key);
        const { via, server } = pending.request;
        this.#events.push({ type: "timed-out", request: pending.number, via, server });
        return;
      }
      case undefined:
    }
  }

  #tick(now: Instant): void {
    if (now > this.#now) this.#now = now;
  }
}

function viaOfAnswer({ via, response }: StunRequest): SocketId {
  return response?.via ?? via;
}
