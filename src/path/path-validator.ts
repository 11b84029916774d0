/**
 * Proves that a peer receives at an address: a challenge goes out, the right answer comes back (RFC 9000 §8.2).
 *
 * Theory of operation. One validator serves one path. `start` draws a token; `pollChallenge` hands out each token once,
 * when its time has come; `onResponse` recognises the tokens of the last few challenges, each at most once. Challenges
 * are repeated with doubling intervals until one is answered or the schedule is over. A path that was proven by the
 * handshake's own tokens is marked valid without a challenge (spec/handshake.md).
 *
 * @module
 */
import { equalBytes } from "../util/bytes.ts";
import { after, type Duration, type Instant } from "../util/time.ts";

// Specification

/** Bytes of a token (RFC 9000 §19.17). */
export const TOKEN_SIZE = 8;

// Implementation

/** Challenges before a path counts as silent: at 30 % loss each way, all of them fail once in 29 times. */
const MAX_CHALLENGES = 5;

/** Doubling base of the repetitions before the path has a round-trip time, in ms. */
const FIRST_INTERVAL: Duration = 500;

/** How long an answer to an old token still counts, in ms: a round trip of the longest paths in use. */
const TOKEN_LIFETIME: Duration = 5_000;

interface Outstanding {
  readonly token: Uint8Array;
  readonly sentAt: Instant;
}

/** What is known of a path: nothing asked, asked, proven, or asked in vain. */
export type PathState = "unknown" | "validating" | "valid" | "silent";

/** Validation of one path; see the module's theory of operation. */
export class PathValidator {
  readonly #random: (size: number) => Uint8Array;
  #state: PathState = "unknown";
  #outstanding: Outstanding[] = [];
  #sent = 0;
  #nextAt: Instant | undefined;

  constructor(random: (size: number) => Uint8Array) {
    this.#random = random;
  }

  /** Command: the handshake proved this path. */
  markValid(): void {
    this.#state = "valid";
    this.#nextAt = undefined;
    this.#sent = 0;
  }

  /** Command: asks the peer to prove that it is (still) there. A valid path stays valid while it is asked. */
  start(now: Instant): void {
    if (this.#nextAt !== undefined) return;
    if (this.#state !== "valid") this.#state = "validating";
    this.#sent = 0;
    this.#nextAt = now;
  }

  /** Command: like {@link start}, but again at once, unless a challenge was sent less than `interval` ms ago. */
  ask(now: Instant, interval: Duration): void {
    const newest = this.#outstanding.at(-1);
    if (newest !== undefined && now - newest.sentAt < interval) return;
    this.#nextAt = undefined;
    this.start(now);
  }

  /** Input: a PATH_RESPONSE. Returns the round-trip time in ms if it answers an open challenge. */
  onResponse(token: Uint8Array, now: Instant): Duration | undefined {
    const index = this.#outstanding.findIndex((challenge) => equalBytes(challenge.token, token));
    const found = this.#outstanding[index];
    if (found === undefined || now - found.sentAt > TOKEN_LIFETIME) return undefined;
    this.#outstanding.splice(index, 1);
    this.markValid();
    return now - found.sentAt;
  }

  /** Output: a token to send now, if one is due. */
  pollChallenge(now: Instant): Uint8Array | undefined {
    if (this.#nextAt === undefined || now < this.#nextAt) return undefined;
    if (this.#sent >= MAX_CHALLENGES) {
      this.#nextAt = undefined;
      if (this.#state !== "valid") this.#state = "silent";
      return undefined;
    }
    const token = this.#random(TOKEN_SIZE);
    this.#outstanding = this.#outstanding.filter((challenge) => now - challenge.sentAt <= TOKEN_LIFETIME);
    this.#outstanding.push({ token, sentAt: now });
    this.#nextAt = after(now, FIRST_INTERVAL * 2 ** this.#sent);
    this.#sent += 1;
    return token;
  }

  /** Output: when to call {@link pollChallenge} again. */
  nextTimeout(): Instant | undefined {
    return this.#nextAt;
  }

  /** What is known of the path. */
  get state(): PathState {
    return this.#state;
  }

  /** Challenges sent since the last answer. */
  get unanswered(): number {
    return this.#sent;
  }
}
