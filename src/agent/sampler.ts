/**
 * Where servers see sockets that were opened a moment ago: samples of what the NAT does right now.
 *
 * @module
 */
import { StunClient } from "../stun/client.ts";
import { timingFor } from "../stun/discovery/context.ts";
import type { BufferPool } from "../util/buffer-pool.ts";
import { type Address, type Datagram, type SocketId, sameAddress, type Transmit } from "../util/machine.ts";
import type { Duration, Instant } from "../util/time.ts";

/** What is known of one socket. */
interface Sample {
  readonly mapped: Address[];
  /** Questions that have not come to an end. */
  pending: number;
}

/** See the module. */
export class Sampler {
  readonly #client: StunClient;
  readonly #samples = new Map<SocketId, Sample>();
  #hasChanged = false;

  constructor(options: { readonly random: (size: number) => Uint8Array; readonly pool: BufferPool }) {
    this.#client = new StunClient(options);
  }

  /** Input: a STUN message. */
  receive(datagram: Datagram, now: Instant): void {
    if (this.#samples.size === 0) return;
    this.#client.receive(datagram, now);
    this.#proceed();
  }

  /** Input: time has passed. */
  handleTimeout(now: Instant): void {
    this.#client.handleTimeout(now);
    this.#proceed();
  }

  /** Command: asks servers where they see the socket; `rtt` is the time that the nearest takes to answer. */
  sample(via: SocketId, servers: readonly Address[], rtt: Duration | undefined, now: Instant): void {
    const sample: Sample = { mapped: [], pending: 0 };
    this.#samples.set(via, sample);
    for (const server of servers) {
      if (this.#client.request({ via, server, timing: timingFor(rtt) }, now) !== undefined) sample.pending += 1;
    }
  }

  /** Command: the socket is of no more interest. */
  forget(via: SocketId): void {
    if (this.#samples.delete(via)) this.#client.cancelSocket(via);
  }

  /** Output: part of the machine's contract. */
  pollTransmit(now: Instant): Transmit | undefined {
    return this.#samples.size === 0 ? undefined : this.#client.pollTransmit(now);
  }

  /** Output: part of the machine's contract. */
  nextTimeout(): Instant | undefined {
    return this.#samples.size === 0 ? undefined : this.#client.nextTimeout();
  }

  /** Output: whether a sample has changed since the last question. */
  takeChange(): boolean {
    const hasChanged = this.#hasChanged;
    this.#hasChanged = false;
    return hasChanged;
  }

  /** Where the socket is seen so far, in the order of the answers. */
  mapped(via: SocketId): readonly Address[] {
    return this.#samples.get(via)?.mapped ?? [];
  }

  /** Whether every server that was asked about the socket has answered, or never will. */
  isComplete(via: SocketId): boolean {
    return (this.#samples.get(via)?.pending ?? 0) === 0;
  }

  #proceed(): void {
    for (let event = this.#client.pollEvent(); event !== undefined; event = this.#client.pollEvent()) {
      const sample = this.#samples.get(event.via);
      if (sample === undefined) continue;
      sample.pending -= 1;
      this.#hasChanged = true;
      if (event.type !== "answered") continue;
      const { mapped } = event;
      if (!sample.mapped.some((each) => sameAddress(each, mapped))) sample.mapped.push(mapped);
    }
  }
}
