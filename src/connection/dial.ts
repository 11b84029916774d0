/**
 * The initiator's side of the handshake over direct addresses (spec/handshake.md).
 *
 * Theory of operation. The same first message goes to every address of the ticket, at once and then at growing
 * intervals, each copy with a token of its own. The first answer that opens wins; it has to echo the token that was sent
 * to the very address it came from, so the handshake proves the path as well. A message is never built twice from one
 * ephemeral key: after 15 seconds a new handshake begins, before the listener forgets the old one.
 *
 * @module
 */
import { type CookieKeys, macOfCookie, openCookie } from "../crypto/cookie.ts";
import type { Opened } from "../crypto/handshake.ts";
import type { SessionSecrets } from "../crypto/key-schedule.ts";
import { equalConstantTime } from "../crypto/primitives.ts";
import { equalBytes } from "../util/bytes.ts";
import { type Address, type SocketId, sameAddress, type Transmit } from "../util/machine.ts";
import { after, type Duration, earliest, type Instant } from "../util/time.ts";
import { type CookieDatagram, encodeInit, type RespDatagram } from "../wire/handshake-datagram.ts";
import { decodeParameters, type Parameters } from "../wire/parameters.ts";
import type { Attempt } from "./events.ts";

// Specification

/** When the first message is sent to an address, in ms after the start (spec/handshake.md#sending). */
export const INIT_SCHEDULE: readonly Duration[] = [0, 200, 500, 1_000, 2_000, 4_000, 7_000, 11_000];

/** A new ephemeral key after this long, in ms: the listener keeps a half-open handshake for 20 s. */
export const HANDSHAKE_LIFETIME: Duration = 15_000;

/** Addresses that are tried; a ticket holds no more. */
export const MAX_TARGETS = 8;

// Implementation

/** Each interval varies by this share, so that many clients of one listener do not march in step. */
const JITTER = 0.1;

const NO_MAC = new Uint8Array(16);
const TOKEN_SIZE = 8;

/** A first message, and what reads the answer to it: of a peer, or of a server, which has told its key then. */
export interface Question {
  readonly core1: Uint8Array;
  readCore2(core2: Uint8Array): (Opened & { readonly serverKey?: Uint8Array }) | undefined;
}

/** What the second message of a handshake settles. */
export type Answer =
  | {
      readonly type: "established";
      readonly secrets: SessionSecrets;
      readonly parameters: Parameters;
      /** Of a server, whose key is not known before. */
      readonly serverKey: Uint8Array | undefined;
    }
  | { readonly type: "refused"; readonly code: number; readonly message: string };

/** What an answer to a dial settles beside. */
export interface DialResult {
  readonly answer: Answer;
  /** Token of the listener, to be returned on this path. */
  readonly token: Uint8Array;
  /** Round-trip time of the handshake in ms, unless it was sent more than once. */
  readonly rtt: Duration | undefined;
}

interface Target {
  readonly address: Address;
  readonly via: SocketId | undefined;
  token: Uint8Array;
  mac2: Uint8Array;
  sent: number;
  received: number;
  /** Index into the schedule of the current handshake. */
  step: number;
  firstSentAt: Instant | undefined;
  lastSentAt: Instant | undefined;
  nextAt: Instant | undefined;
  outcome: Attempt["outcome"];
}

/** What a dial needs. */
export interface DialOptions {
  /** Makes a handshake with a fresh ephemeral key. */
  readonly newHandshake: () => Question;
  /** Of the ticket or server: opens cookies. */
  readonly cookieKeys: CookieKeys;
  readonly addresses: readonly Address[];
  /** The local socket for an address family. */
  readonly socketFor: (family: 4 | 6) => SocketId | undefined;
  readonly random: (size: number) => Uint8Array;
}

/** Dials all addresses of a ticket; see the module's theory of operation. */
export class Dial {
  readonly #options: DialOptions;
  readonly #targets: Target[];
  #handshake: Question;
  #startedAt: Instant;

  constructor(options: DialOptions, now: Instant) {
    this.#options = options;
    this.#startedAt = now;
    this.#handshake = options.newHandshake();
    this.#targets = options.addresses.slice(0, MAX_TARGETS).map((address) => this.#newTarget(address, now));
  }

  /**
   * Input: an answer. `undefined` if it is not one to our message, or if it does not echo the token that was sent to the
   * very address it came from; nothing has changed then, and a copy of our message will bring another answer.
   */
  onResponse(response: RespDatagram, via: SocketId, from: Address, now: Instant): DialResult | undefined {
    const target = this.#targets.find((each) => each.via === via && sameAddress(each.address, from));
    if (target === undefined || !equalBytes(target.token, response.echo)) return undefined;
    const answer = readAnswer(this.#handshake, response.core);
    if (answer === undefined) return undefined;
    target.received += 1;
    target.outcome = answer.type === "refused" ? "refused" : "connected";
    const rtt = target.sent === 1 ? now - target.lastSentAt! : undefined;
    return { answer, token: response.token, rtt };
  }

  /** Input: the listener is busy and wants proof of our address first. False if it does not answer our message. */
  onCookie(datagram: CookieDatagram, now: Instant): boolean {
    const target = this.#targets.find((each) => equalBytes(each.token, datagram.echo));
    if (target === undefined) return false;
    const core = this.#handshake.core1;
    const cookie = openCookie(this.#options.cookieKeys, datagram, core);
    if (cookie === undefined) return false;
    const mac2 = macOfCookie(cookie, core, target.token);
    // A copy of the cookie brings no copy of our message, which is longer by far.
    if (equalConstantTime(mac2, target.mac2)) return false;
    target.mac2 = mac2;
    target.nextAt = now;
    return true;
  }

  /** Output: the next copy of the first message, if one is due. */
  pollTransmit(now: Instant): Transmit | undefined {
    if (now - this.#startedAt >= HANDSHAKE_LIFETIME) this.#restart(now);
    for (const target of this.#targets) {
      if (target.via === undefined || target.nextAt === undefined || target.nextAt > now) continue;
      target.sent += 1;
      target.step += 1;
      target.firstSentAt ??= now;
      target.lastSentAt = now;
      target.nextAt = this.#nextSending(target.step);
      const payload = encodeInit({ core: this.#handshake.core1, token: target.token, mac2: target.mac2 });
      return { via: target.via, to: target.address, payload, segmentSize: payload.length, ttl: undefined };
    }
    return undefined;
  }

  /** Output: when to poll again. */
  nextTimeout(): Instant | undefined {
    let next: Instant | undefined = after(this.#startedAt, HANDSHAKE_LIFETIME);
    for (const target of this.#targets) if (target.via !== undefined) next = earliest(next, target.nextAt);
    return next;
  }

  /** What became of each address so far. */
  attempts(now: Instant): Attempt[] {
    return this.#targets.map((target) => ({
      address: target.address,
      kind: "ticket",
      sent: target.sent,
      received: target.received,
      elapsed: target.firstSentAt === undefined ? 0 : now - target.firstSentAt,
      outcome: target.outcome,
    }));
  }

  #newTarget(address: Address, now: Instant): Target {
    const via = this.#options.socketFor(address.family);
    return {
      address,
      via,
      token: this.#options.random(TOKEN_SIZE),
      mac2: NO_MAC,
      sent: 0,
      received: 0,
      step: 0,
      firstSentAt: undefined,
      lastSentAt: undefined,
      nextAt: via === undefined ? undefined : now,
      outcome: via === undefined ? "unsent" : "no-answer",
    };
  }

  /** Begins anew with a fresh ephemeral key: one key never makes two messages (spec/handshake.md). */
  #restart(now: Instant): void {
    this.#startedAt = now;
    this.#handshake = this.#options.newHandshake();
    for (const target of this.#targets) {
      target.token = this.#options.random(TOKEN_SIZE);
      target.mac2 = NO_MAC;
      target.step = 0;
      target.nextAt = target.via === undefined ? undefined : now;
    }
  }

  #nextSending(step: number): Instant | undefined {
    const delay = INIT_SCHEDULE[step];
    if (delay === undefined) return undefined;
    const unit = this.#options.random(1)[0]! / 255;
    return after(this.#startedAt, delay * (1 + JITTER * (2 * unit - 1)));
  }
}

/** What the second message of a handshake says; `undefined` if it is no answer to it. Nothing has changed then. */
export function readAnswer(handshake: Question, core2: Uint8Array): Answer | undefined {
  const opened = handshake.readCore2(core2);
  const parameters = opened === undefined ? undefined : decodeParameters(opened.payload);
  if (opened === undefined || parameters === undefined) return undefined;
  const { refused } = parameters;
  if (refused !== undefined) return { type: "refused", code: refused.code, message: refused.reason };
  return { type: "established", secrets: opened.session, parameters, serverKey: opened.serverKey };
}
