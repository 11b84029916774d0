/**
 * How a NAT filters, learned by a server that answers from elsewhere (spec/stun.md#filtering-by-a-witness).
 *
 * Theory of operation. A fresh socket opens a session with one place of the server and sends to no other, so the NAT has
 * seen it write to one address and one port only. The server is then asked for datagrams from its other address and port,
 * and from its other port alone, both at once: each that arrives says what the filter lets in, and the arrival of one
 * opens nothing for the other. Silence is believed after the last question, once the server is known to have heard it: a
 * session that has died in between says nothing about filters.
 *
 * @module
 */
import type { EndpointMachine } from "../connection/endpoint.ts";
import type { ConnectionEvent } from "../connection/events.ts";
import type { ProbeSource } from "../signal/messages.ts";
import { equalBytes } from "../util/bytes.ts";
import type { Datagram, SocketId } from "../util/machine.ts";
import { after, type Duration, earliest, type Instant } from "../util/time.ts";
import type { NatBehavior } from "../wire/nat-profile.ts";
import { decodeWitness, WITNESS_TOKEN_SIZE } from "../wire/witness.ts";
import { ServerLink, type ServerTarget } from "./server-link.ts";

// Specification

/**
 * When each place is asked for a datagram, in ms from the first time. The first four come before the verdict that only the
 * port does not matter, all of them before the verdict that it does: where a tenth is lost on each of two links, that is
 * wrong once in 700 and once in 20,000 times.
 */
const QUESTION_TIMES: readonly Duration[] = [0, 50, 100, 150, 400, 800];

/** How long after the last question silence is an answer, in ms, or a round trip and a half if that is longer. */
const LAST_WAIT: Duration = 250;

/** How much later than the datagram from the other port the one from the other address may come, in ms, beyond a round trip. */
const STRAGGLER_WAIT: Duration = 150;

// Implementation

/** A server that has not answered after this long will not, in ms. */
const PATIENCE: Duration = 6_000;

/** What a probe needs. */
export interface FilteringProbeOptions {
  readonly endpoint: EndpointMachine;
  /** With one address: the place that the socket writes to. */
  readonly target: ServerTarget;
  /** Nothing was sent by it before. */
  readonly via: SocketId;
  readonly random: (size: number) => Uint8Array;
}

interface Question {
  readonly which: ProbeSource;
  readonly token: Uint8Array;
  /** Since when the answer is there. */
  answeredAt: Instant | undefined;
}

/** See the module. It is over when {@link verdict} or {@link hasFailed} says so; close it then. */
export class FilteringProbe {
  readonly link: ServerLink;
  readonly via: SocketId;
  readonly #questions: readonly Question[];
  readonly #givesUpAt: Instant;
  #asked = 0;
  #firstAskedAt: Instant | undefined;
  #nextAt: Instant | undefined;
  #verdict: NatBehavior | undefined;
  #hasFailed = false;

  constructor({ endpoint, target, via, random }: FilteringProbeOptions, now: Instant) {
    this.via = via;
    this.#questions = (["both", "other-port"] as const).map((which) => {
      return { which, token: random(WITNESS_TOKEN_SIZE), answeredAt: undefined };
    });
    this.#givesUpAt = after(now, PATIENCE);
    this.link = new ServerLink({ endpoint, target, via, random });
    this.link.hold(now);
  }

  /** Input: a datagram of the kind. Others' are passed over. */
  receive(datagram: Datagram, now: Instant): void {
    const token = datagram.via === this.via ? decodeWitness(datagram.payload) : undefined;
    const question = this.#questions.find((each) => token !== undefined && equalBytes(each.token, token));
    if (question === undefined) return;
    question.answeredAt ??= now;
    this.#conclude(now);
  }

  /** Input: an event of the session's connection. */
  onEvent(event: ConnectionEvent, now: Instant): void {
    this.link.onEvent(event, now);
    this.#proceed(now);
  }

  /** Input: time has passed. */
  handleTimeout(now: Instant): void {
    this.link.handleTimeout(now);
    if (this.#nextAt !== undefined && this.#nextAt <= now) this.#ask(now);
    if (now >= this.#givesUpAt) this.#hasFailed ||= this.#verdict === undefined;
    this.#proceed(now);
    this.#conclude(now);
  }

  /** Command: ends the session. The socket is the owner's to close, once {@link isClosed}. */
  close(now: Instant): void {
    this.#nextAt = undefined;
    if (this.link.isHeld) this.link.release(now);
  }

  /** Output: when to call {@link handleTimeout}. */
  nextTimeout(): Instant | undefined {
    if (this.isOver) return undefined;
    const straggler = this.#answeredAt("other-port");
    const next = earliest(earliest(this.link.nextTimeout(), this.#nextAt), this.#givesUpAt);
    return straggler === undefined ? next : earliest(next, after(straggler, this.#stragglerWait));
  }

  /** What was found out. */
  get verdict(): NatBehavior | undefined {
    return this.#verdict;
  }

  /** Whether nothing more will be found out. */
  get isOver(): boolean {
    return this.#verdict !== undefined || this.#hasFailed;
  }

  /** Whether the session has ended. */
  get isClosed(): boolean {
    return this.link.connection === undefined;
  }

  #proceed(now: Instant): void {
    this.link.flush(now);
    for (let event = this.link.pollEvent(); event !== undefined; event = this.link.pollEvent()) {
      if (event.type === "welcome") {
        // Without another address there is nothing to learn.
        if (event.hasOtherPort && event.hasOtherAddress) this.#ask(now);
        else this.#hasFailed = true;
      } else if (event.type === "down" || event.type === "violation") {
        this.#hasFailed ||= this.#verdict === undefined;
      }
    }
  }

  #ask(now: Instant): void {
    if (this.#asked === QUESTION_TIMES.length) {
      this.#nextAt = this.link.isHeard ? undefined : after(now, LAST_WAIT);
      if (this.link.isHeard) this.#verdict ??= this.#silenceMeans();
      return;
    }
    this.#firstAskedAt ??= now;
    this.#asked += 1;
    for (const { which, token, answeredAt } of this.#questions) {
      if (answeredAt === undefined) this.link.client.probe(which, token, now);
    }
    this.link.flush(now);
    const time = QUESTION_TIMES[this.#asked];
    this.#nextAt =
      time === undefined
        ? after(now, Math.max(LAST_WAIT, 1.5 * (this.link.rtt ?? 0)))
        : after(this.#firstAskedAt, time);
  }

  #conclude(now: Instant): void {
    if (this.#verdict !== undefined) return;
    if (this.#answeredAt("both") !== undefined) {
      this.#verdict = "endpoint-independent";
      return;
    }
    const heardAt = this.#answeredAt("other-port");
    // Both were sent at the same moment, and again soon after.
    if (heardAt !== undefined && now >= after(heardAt, this.#stragglerWait)) this.#verdict = "address-dependent";
  }

  #silenceMeans(): NatBehavior {
    return this.#answeredAt("other-port") === undefined ? "address-and-port-dependent" : "address-dependent";
  }

  #answeredAt(which: ProbeSource): Instant | undefined {
    return this.#questions.find((each) => each.which === which)?.answeredAt;
  }

  get #stragglerWait(): Duration {
    return STRAGGLER_WAIT + (this.link.rtt ?? 0);
  }
}
