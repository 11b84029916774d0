/**
 * Which first messages an endpoint works on: each costs above a millisecond of Diffie-Hellman.
 *
 * @module
 */
import type { Instant } from "../util/time.ts";
import { type Rate, RateLimiter, sourceKey } from "./rate-limit.ts";

/** What is known about a first message before any Diffie-Hellman. Its sender holds the ticket, or knows the server's pin. */
export interface Arrival {
  /** Literal address that it came from; `undefined` if a carrier brought it. */
  readonly host: string | undefined;
  /** Names the ticket; `undefined` for a client of a server. */
  readonly ticketId: string | undefined;
  /** Whether it carries a right cookie for its address. */
  readonly hasCookie: boolean;
  /** Half-open connections at present, in all and of this source. */
  readonly halfOpen: number;
  readonly halfOpenOfSource: number;
}

/** What to do with a first message: work on it, ask for proof of its address, or drop it for a reason. */
export type Admission = "accept" | "cookie" | "half-open-limit" | "rate-limit";

/** Decides about first messages. */
export interface AdmissionPolicy {
  /** Input: a first message whose seal has opened. */
  judge(arrival: Arrival, now: Instant): Admission;
}

// Implementation

/** Bounds memory (some 20 KiB each) and unfinished Diffie-Hellman work. */
const MAX_HALF_OPEN = 256;

/** An office behind one NAT whose members all dial in the same second. */
const MAX_HALF_OPEN_PER_SOURCE = 64;

/** Handshakes of all above which sources must prove their address. */
const COOKIE_THRESHOLD: Rate = { perSecond: 50, burst: 150 };

/** Handshakes in all, from one source, and with one ticket: a fifth of a core goes to them at the worst. */
const TOTAL: Rate = { perSecond: 200, burst: 400 };
const PER_SOURCE: Rate = { perSecond: 20, burst: 128 };
const PER_TICKET: Rate = { perSecond: 50, burst: 256 };

/** A listener's: whoever comes this far holds a ticket. */
export class ListenerAdmission implements AdmissionPolicy {
  readonly #load = new RateLimiter(COOKIE_THRESHOLD);
  readonly #total = new RateLimiter(TOTAL);
  readonly #perSource = new RateLimiter(PER_SOURCE);
  readonly #perTicket = new RateLimiter(PER_TICKET);

  judge(arrival: Arrival, now: Instant): Admission {
    const { host, ticketId, hasCookie, halfOpen, halfOpenOfSource } = arrival;
    // What carriers bring has no source that could prove anything: whoever runs the carrier limits its users.
    if (host !== undefined && !this.#load.take("", now) && !hasCookie) return "cookie";
    if (halfOpen >= MAX_HALF_OPEN) return "half-open-limit";
    if (host !== undefined && halfOpenOfSource >= MAX_HALF_OPEN_PER_SOURCE) return "half-open-limit";
    const isGranted =
      (host === undefined || this.#perSource.take(sourceKey(host), now)) &&
      (ticketId === undefined || this.#perTicket.take(ticketId, now)) &&
      this.#total.take("", now);
    return isGranted ? "accept" : "rate-limit";
  }
}
