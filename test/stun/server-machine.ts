/**
 * A STUN server as a machine, for the simulator: sockets 0 to 3 are its four places.
 *
 * @module
 */
import { MAX_ANSWER_SIZE, StunResponder } from "../../src/stun/responder.ts";
import type { BufferPool } from "../../src/util/buffer-pool.ts";
import type { Address, Datagram, Machine, SocketId, Transmit } from "../../src/util/machine.ts";
import type { Instant } from "../../src/util/time.ts";

/** The addresses of the four places of a server with two hosts and two ports. */
export function fourPlaces(primary: Address, other: Address): readonly Address[] {
  return [primary, { ...primary, port: other.port }, { ...other, port: primary.port }, other];
}

/** Answers at one place, or at four; with diagnostics if asked. */
export class ServerMachine implements Machine<never> {
  readonly #responder: StunResponder;
  readonly #pool: BufferPool;
  readonly #answers: Transmit[] = [];
  /** Requests so far, by place. */
  readonly requests: number[] = [0, 0, 0, 0];

  constructor(options: {
    readonly pool: BufferPool;
    readonly places: readonly Address[];
    readonly diagnostics?: boolean;
  }) {
    const [primary, , , other] = options.places;
    this.#pool = options.pool;
    this.#responder =
      options.diagnostics === true && primary !== undefined && other !== undefined
        ? new StunResponder({ diagnostics: { primary, other } })
        : new StunResponder();
  }

  receive({ via, from, payload }: Datagram): void {
    this.requests[via]! += 1;
    const out = this.#pool.take();
    const answer = this.#responder.answer(payload, from, via, out.subarray(0, MAX_ANSWER_SIZE));
    if (answer === undefined) {
      this.#pool.give(out);
      return;
    }
    const { length, place, port } = answer;
    const to = { ...from, port };
    this.#answers.push({
      via: place as SocketId,
      to,
      payload: out.subarray(0, length),
      segmentSize: length,
      ttl: undefined,
    });
  }

  handleTimeout(): void {}

  pollTransmit(): Transmit | undefined {
    return this.#answers.shift();
  }

  pollEvent(): undefined {
    return undefined;
  }

  nextTimeout(): Instant | undefined {
    return undefined;
  }
}
