/**
 * Keeps the bindings of the transport's own sockets alive while people carry strings, and notices when one has changed
 * (spec/paste.md#waiting).
 *
 * Theory of operation. A question to a STUN server makes the NAT keep the mapping, and the answer tells whether it did.
 * Towards the peer the NAT is kept open by datagrams that mean nothing and end before the peer's NAT: one that came so far
 * would be an unsolicited one there, and some routers then keep that port from the peer for half a minute.
 *
 * @module
 */
import { type Address, sameAddress, type Transmit } from "../util/machine.ts";
import { after, type Duration, earliest, type Instant } from "../util/time.ts";
import { encodePad } from "../wire/pad.ts";
import type { Sampler } from "./sampler.ts";
import type { MainSocket } from "./surroundings.ts";

// Specification

/** Time between two questions to each server, in ms: half of 30 s, as long as routers remember that ignore RFC 4787 §4.3. */
export const ASK_INTERVAL: Duration = 15_000;

/** Time between two openers to each address of the peer, in ms: some are lost, and nobody tells when the peer begins. */
export const OPEN_INTERVAL: Duration = 5_000;

/** Hop limit of openers: past a home router, as in the first round of punching. */
const OPENER_TTL = 2;

/** Bytes of an opener: of no use to anybody. */
const OPENER_SIZE = 16;

/** What a keeper needs. */
export interface BindingKeeperOptions {
  readonly sampler: Sampler;
  readonly random: (size: number) => Uint8Array;
  readonly sockets: readonly MainSocket[];
  readonly servers: readonly Address[];
  /** Addresses of the peer, 8 at most, towards which the NAT is kept open. */
  readonly openTo: readonly Address[];
}

/** See the module. */
export class BindingKeeper {
  readonly #options: BindingKeeperOptions;
  readonly #outgoing: Transmit[] = [];
  #askAt: Instant;
  #openAt: Instant;
  #isOver = false;

  constructor(options: BindingKeeperOptions, now: Instant) {
    this.#options = options;
    // Discovery asks at the beginning.
    this.#askAt = after(now, ASK_INTERVAL);
    this.#openAt = after(now, OPEN_INTERVAL);
    this.#open();
  }

  /** Input: time has passed. */
  handleTimeout(now: Instant): void {
    if (this.#isOver) return;
    if (this.#askAt <= now) {
      this.#askAt = after(now, ASK_INTERVAL);
      this.#ask(now);
    }
    if (this.#openAt <= now) {
      this.#openAt = after(now, OPEN_INTERVAL);
      this.#open();
    }
  }

  /** Command: there is nothing to wait for any more. */
  end(): void {
    this.#isOver = true;
    this.#outgoing.length = 0;
    for (const { id } of this.#options.sockets) this.#options.sampler.forget(id);
  }

  /** Output: the next opener. */
  pollTransmit(): Transmit | undefined {
    return this.#outgoing.shift();
  }

  /** Output: when to call {@link handleTimeout}. */
  nextTimeout(): Instant | undefined {
    return this.#isOver ? undefined : earliest(this.#askAt, this.#openAt);
  }

  /** Where a server sees one of the sockets now, if that is none of the places that are known. */
  movedFrom(known: readonly Address[]): Address | undefined {
    if (this.#isOver) return undefined;
    return this.#options.sockets
      .flatMap(({ id }) => this.#options.sampler.mapped(id))
      .find((address) => !known.some((each) => sameAddress(each, address)));
  }

  #ask(now: Instant): void {
    const { sampler, sockets, servers } = this.#options;
    for (const { id, family } of sockets) {
      const asked = servers.filter((each) => each.family === family);
      // What was not answered until now never will be.
      sampler.forget(id);
      if (asked.length > 0) sampler.sample(id, asked, undefined, now);
    }
  }

  #open(): void {
    const { sockets, openTo, random } = this.#options;
    for (const to of openTo) {
      const via = sockets.find(({ family }) => family === to.family)?.id;
      if (via === undefined) continue;
      const payload = encodePad(random, OPENER_SIZE);
      this.#outgoing.push({ via, to, payload, segmentSize: payload.length, ttl: OPENER_TTL });
    }
  }
}
