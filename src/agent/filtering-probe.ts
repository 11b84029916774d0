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
const EARLY_QUESTIONS = 4;

/** How long after such a question nothing more is expected to come, in ms beyond a round trip. */
const STRAGGLER_WAIT: Duration = 100;

/** How long after the last question silence is an answer, in ms, or a round trip and a half if that is longer. */
const LAST_WAIT: Duration = 250;

// Implementation

/** A server that has not answered after this long will not, in ms. */
const PATIENCE: Duration = 6_000;

/** When to look again whether the server has heard what it was asked, in ms. */
const HEARING_INTERVAL: Duration = 50;

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
  isAnswered: boolean;
}

/** See the module. It is over when {@link verdict} or {@link hasFailed} says so; close it then. */
export class FilteringProbe {
  readonly link: ServerLink;
  readonly via: SocketId;
  readonly #questions: readonly Question[];
  readonly #givesUpAt: Instant;
  #asked = 0;
  #firstAskedAt: Instant | undefined;
  /** When to ask again, or to take silence for an answer. */
  #nextAt: Instant | undefined;
  /** When the answer from the other port may be taken for the only one. */
  #settlesAt: Instant | undefined;
  #verdict: NatBehavior | undefined;
  #hasAnswered = false;
  #hasFailed = false;

  constructor({ endpoint, target, via, random }: FilteringProbeOptions, now: Instant) {
    this.via = via;
    this.#questions = (["both", "other-port"] as const).map((which) => {
      return { which, token: random(WITNESS_TOKEN_SIZE), isAnswered: false };
    });
    this.#givesUpAt = after(now, PATIENCE);
    this.link = new ServerLink({ endpoint, target, via, random });
    this.link.hold(now);
  }

  /** Input: a datagram of the kind. Others' are passed over. */
  receive(datagram: Datagram): void {
    const token = datagram.via === this.via ? decodeWitness(datagram.payload) : undefined;
    const question = this.#questions.find((each) => token !== undefined && equalBytes(each.token, token));
    if (question === undefined) return;
    question.isAnswered = true;
    if (question.which === "both") this.#verdict = "endpoint-independent";
  }

  /** Input: an event of the session's connection. */
  onEvent(event: ConnectionEvent, now: Instant): void {
    this.link.onEvent(event, now);
    this.#proceed(now);
  }

  /** Input: time has passed. */
  handleTimeout(now: Instant): void {
    this.link.handleTimeout(now);
    if (isDue(this.#settlesAt, now)) this.#settle(now);
    if (isDue(this.#nextAt, now)) this.#ask(now);
    if (now >= this.#givesUpAt) this.#hasFailed ||= this.#verdict === undefined;
    this.#proceed(now);
  }

  /** Command: ends the session. The socket is the owner's to close, once {@link isClosed}. */
  close(now: Instant): void {
    this.#nextAt = undefined;
    this.#settlesAt = undefined;
    if (this.link.isHeld) this.link.release(now);
  }

  /** Output: when to call {@link handleTimeout}. */
  nextTimeout(): Instant | undefined {
    if (this.isOver) return undefined;
    return earliest(earliest(this.link.nextTimeout(), this.#nextAt), earliest(this.#settlesAt, this.#givesUpAt));
  }

  /** What was found out. */
  get verdict(): NatBehavior | undefined {
    return this.#verdict;
  }

  /** Whether the server has opened the session. */
  get hasAnswered(): boolean {
    return this.#hasAnswered;
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
      if (event.type === "up") this.#hasAnswered = true;
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
      this.#nextAt = this.link.isHeard ? undefined : after(now, HEARING_INTERVAL);
      if (this.link.isHeard) this.#verdict ??= this.#silenceMeans();
      return;
    }
    this.#firstAskedAt ??= now;
    this.#asked += 1;
    for (const { which, token, isAnswered } of this.#questions) {
      if (!isAnswered) this.link.client.probe(which, token, now);
    }
    this.link.flush(now);
    const rtt = this.link.rtt ?? 0;
    const time = QUESTION_TIMES[this.#asked];
    this.#nextAt = time === undefined ? after(now, Math.max(LAST_WAIT, 1.5 * rtt)) : after(this.#firstAskedAt, time);
    if (this.#asked >= EARLY_QUESTIONS) this.#settlesAt = after(now, rtt + STRAGGLER_WAIT);
  }

  /** What has come so far is all, if something has: both were sent at the same moments. */
  #settle(now: Instant): void {
    const isKnown = this.#silenceMeans() === "address-dependent";
    this.#settlesAt = isKnown && !this.link.isHeard ? after(now, HEARING_INTERVAL) : undefined;
    if (isKnown && this.link.isHeard) this.#verdict ??= "address-dependent";
  }

  /** The filter, if nothing comes from the other address. */
  #silenceMeans(): NatBehavior {
    const fromPort = this.#questions.find(({ which }) => which === "other-port");
    return fromPort?.isAnswered === true ? "address-dependent" : "address-and-port-dependent";
  }
}

function isDue(at: Instant | undefined, now: Instant): boolean {
  return at !== undefined && at <= now;
}
