/**
 * How an initiator calls: by datagrams to the addresses of the ticket, and by whatever carrier leads to the listener.
 *
 * Each way has a handshake of its own, because one ephemeral key never makes two messages and only a carrier's tells where
 * we may be reached. Whichever is answered first wins; the other is forgotten, here and at the listener
 * (spec/paths.md#punching).
 *
 * @module
 */
import type { SessionSecrets } from "../crypto/key-schedule.ts";
import { equalBytes } from "../util/bytes.ts";
import type { Address, SocketId, Transmit } from "../util/machine.ts";
import type { Instant } from "../util/time.ts";
import { REFUSED_CODE } from "../wire/codes.ts";
import { type CookieDatagram, HANDSHAKE_TOKEN_SIZE, type RespDatagram } from "../wire/handshake-datagram.ts";
import type { Parameters } from "../wire/parameters.ts";
import { type Answer, type Dial, type DialResult, type Question, readAnswer } from "./dial.ts";
import type { Attempt, Refusal } from "./events.ts";
import type { Keys } from "./keys.ts";
import type { Situation } from "./situation.ts";

/** Makes the keys of a connection once the listener has picked the AEAD. */
export type MakeKeys = (secrets: SessionSecrets, aead: 1 | 2) => Keys;

/** How an initiator calls. */
export interface CallingOptions {
  readonly dial: Dial;
  readonly deadline: Instant;
  /** Of the listener; a server's is not known before it has answered. */
  readonly peerKey: Uint8Array | undefined;
  readonly makeKeys: MakeKeys;
  /** Begins the handshake for carriers; nobody carries calls to a server. */
  readonly invite?: (situation: Situation) => Question;
}

/** The handshake's outcome, from which a connection is made. */
export interface Established {
  readonly keys: Keys;
  readonly parameters: Parameters;
  /** `undefined` for an anonymous client. */
  readonly peerKey: Uint8Array | undefined;
  /** Of a session between a client and a server. */
  readonly handshakeHash?: Uint8Array | undefined;
}

// Specification

/** Stands in a RESP for the token of an INIT where there was none: the message came by hand (spec/handshake.md#pasted). */
const NO_ECHO = new Uint8Array(HANDSHAKE_TOKEN_SIZE);

/** One call; see the module. */
export class Calling {
  readonly #options: CallingOptions;
  #invitation: Question | undefined;
  /** Whether the answer to the invitation comes by datagram, from wherever. */
  #isPasted = false;

  constructor(options: CallingOptions) {
    this.#options = options;
  }

  /** Input: an answer by datagram; `undefined` if it is none, or proves nothing of where it came from. */
  onResponse(response: RespDatagram, via: SocketId, from: Address, now: Instant): DialResult | undefined {
    return this.#options.dial.onResponse(response, via, from, now);
  }

  /**
   * Input: a datagram that answers a message which went by hand. It proves nothing of where it came from. `undefined` if it
   * is none, or if no message of ours went that way.
   */
  onPastedResponse({ echo, core }: RespDatagram): Answer | undefined {
    return this.#isPasted && equalBytes(echo, NO_ECHO) ? this.onAnswer(core) : undefined;
  }

  /** Input: an answer by a carrier; `undefined` if it is none to our newest message. */
  onAnswer(core2: Uint8Array): Answer | undefined {
    return this.#invitation === undefined ? undefined : readAnswer(this.#invitation, core2);
  }

  /** Input: a listener asks for proof of our address. False if it is not an answer to this call. */
  onCookie(datagram: CookieDatagram, now: Instant): boolean {
    return this.#options.dial.onCookie(datagram, now);
  }

  /** The first message for a carrier, another one with each call; `undefined` if nobody carries calls there. */
  invite(situation: Situation, { isPasted }: { readonly isPasted: boolean }): Uint8Array | undefined {
    this.#isPasted = isPasted;
    this.#invitation = this.#options.invite?.(situation);
    return this.#invitation?.core1;
  }

  /** What comes of an answer that does not refuse; `undefined` if its parameters are of no use. */
  settle({ parameters, secrets, serverKey }: Extract<Answer, { type: "established" }>): Established | undefined {
    const aead = parameters.aeads[0];
    if (parameters.connectionIds.length === 0 || (aead !== 1 && aead !== 2)) return undefined;
    // Every connection begins with a stream of the initiator (spec/connection.md).
    if (parameters.maxStreamsBidi === 0) return undefined;
    const { peerKey, makeKeys } = this.#options;
    // The secrets are erased when the keys are made.
    const handshakeHash = serverKey === undefined ? undefined : secrets.handshakeHash.slice();
    return { keys: makeKeys(secrets, aead), parameters, peerKey: serverKey ?? peerKey, handshakeHash };
  }

  /** Output: the next datagram to send. */
  pollTransmit(now: Instant): Transmit | undefined {
    return this.#options.dial.pollTransmit(now);
  }

  /** Output: when to poll again. */
  nextTimeout(): Instant | undefined {
    return this.#options.dial.nextTimeout();
  }

  /** What became of the addresses so far. */
  attempts(now: Instant): readonly Attempt[] {
    return this.#options.dial.attempts(now);
  }
}

/** The refusal behind a code on the wire; codes of later versions read as "not allowed". */
export function refusalOf(code: number): Refusal {
  for (const [refusal, known] of Object.entries(REFUSED_CODE)) if (known === code) return refusal as Refusal;
  return "not-allowed";
}
