/**
 * Whether neighbours behind one NAT reach each other by their outer addresses: two sockets try it (RFC 5780 §3.4).
 *
 * Each sends Binding requests to the other's outer address; nobody answers them, and one that arrives is proof. Both
 * send, and repeatedly, because a filter that looks at ports lets the first one die but the second one in.
 *
 * @module
 */
import type { BufferPool } from "../../util/buffer-pool.ts";
import { equalBytes } from "../../util/bytes.ts";
import { Deque } from "../../util/deque.ts";
import type { Datagram, SocketId, Transmit } from "../../util/machine.ts";
import { after, type Duration, type Instant } from "../../util/time.ts";
import { encodeBindingRequest } from "../codec.ts";
import { isStun, MESSAGE_TYPE, messageType, TRANSACTION_ID_SIZE, transactionIdOf } from "../message.ts";
import type { MappedSocket } from "./allocator-test.ts";

// Implementation

/** When both send, in ms from the start; the NAT is near, or belongs to the carrier. */
const ATTEMPTS: readonly Duration[] = [0, 50, 150, 350];

/** When silence counts as an answer, in ms from the start. */
const PATIENCE: Duration = 600;

/** See the module. */
export class HairpinTest {
  readonly #pool: BufferPool;
  readonly #sockets: readonly [MappedSocket, MappedSocket];
  readonly #request: Uint8Array;
  readonly #startedAt: Instant;
  readonly #outgoing = new Deque<{ readonly via: SocketId; readonly to: MappedSocket["mapped"] }>();
  #attempts = 0;
  #isHairpinning = false;
  #isFinished = false;

  constructor(options: {
    readonly random: (size: number) => Uint8Array;
    readonly pool: BufferPool;
    readonly sockets: readonly [MappedSocket, MappedSocket];
    readonly now: Instant;
  }) {
    this.#pool = options.pool;
    this.#sockets = options.sockets;
    this.#request = encodeBindingRequest({ transactionId: options.random(TRANSACTION_ID_SIZE) });
    this.#startedAt = options.now;
    this.handleTimeout(options.now);
  }

  /** Input: one datagram. Whether it was one of this test. */
  receive(via: Datagram["via"], bytes: Uint8Array): boolean {
    if (!isStun(bytes) || messageType(bytes) !== MESSAGE_TYPE.REQUEST) return false;
    if (!equalBytes(transactionIdOf(bytes), transactionIdOf(this.#request))) return false;
    if (!this.#sockets.some((each) => each.via === via)) return false;
    this.#isHairpinning = true;
    this.#isFinished = true;
    return true;
  }

  /** Input: time has passed. */
  handleTimeout(now: Instant): void {
    if (this.#isFinished) return;
    const elapsed = now - this.#startedAt;
    const due = ATTEMPTS.filter((attempt) => attempt <= elapsed).length;
    if (due > this.#attempts) {
      this.#attempts = due;
      const [a, b] = this.#sockets;
      this.#outgoing.push({ via: a.via, to: b.mapped });
      this.#outgoing.push({ via: b.via, to: a.mapped });
    }
    if (elapsed >= PATIENCE) this.#isFinished = true;
  }

  /** Output: the next datagram. */
  pollTransmit(): Transmit | undefined {
    const next = this.#outgoing.shift();
    if (next === undefined) return undefined;
    const payload = this.#pool.take().subarray(0, this.#request.length);
    payload.set(this.#request);
    return { ...next, payload, segmentSize: payload.length, ttl: undefined };
  }

  /** Output: when {@link handleTimeout} has something to do. */
  nextTimeout(): Instant | undefined {
    return this.#isFinished ? undefined : after(this.#startedAt, ATTEMPTS[this.#attempts] ?? PATIENCE);
  }

  /** The answer; `undefined` until there is one. */
  get verdict(): boolean | undefined {
    return this.#isFinished ? this.#isHairpinning : undefined;
  }
}
