/**
 * The responder's side of the handshake: what a listener does with the first message of a stranger.
 *
 * Theory of operation. The checks run in the order of their cost (spec/handshake.md#accepting): shape, the masked hint
 * of the ticket, the list of messages seen, the outer seal, load, limits, and only then Diffie-Hellman. Whatever fails
 * is dropped without an answer and without a trace, so to anybody without a ticket a listener looks like nothing at
 * all. A verified message makes a half-open connection and is answered with at most its own size; copies of it are
 * answered with the same bytes. The application hears of the connection only when a packet of it has opened.
 *
 * An endpoint may also be a server (spec/rendezvous.md): then who knows its pin is let in without a ticket, and stays
 * anonymous.
 *
 * A message may also come by a carrier, which is whatever else leads to the initiator: a rendezvous server, a channel of
 * the application, people who paste. It is answered there, by the same rules but for the proof of an address.
 *
 * @module
 */
import { type CookieKeys, cookieFor, macOfCookie, sealCookie } from "../crypto/cookie.ts";
import { CORE1_OVERHEAD, ResponderHandshake } from "../crypto/handshake.ts";
import { equalConstantTime, type KeyPair, keyPairFromSeed, sha256 } from "../crypto/primitives.ts";
import { type AnonymousInit, SERVER_CORE1_OVERHEAD, ServerHandshake } from "../crypto/server-handshake.ts";
import type { ServerKeys } from "../crypto/server-keys.ts";
import { type HintCipher, hintCipher, unmaskHint } from "../crypto/ticket-keys.ts";
import { equalBytes } from "../util/bytes.ts";
import { type Address, formatAddress, type SocketId, sameAddress, type Transmit } from "../util/machine.ts";
import { Tally } from "../util/tally.ts";
import { after, type Duration, type Instant } from "../util/time.ts";
import { REFUSED_CODE } from "../wire/codes.ts";
import { encodeCookie, encodeResp, type InitDatagram } from "../wire/handshake-datagram.ts";
import { connectionIdKey } from "../wire/packet-header.ts";
import { decodeParameters, encodeParameters, type Parameters } from "../wire/parameters.ts";
import { type Admission, type AdmissionPolicy, type Arrival, ListenerAdmission } from "./admission.ts";
import type { Config } from "./config.ts";
import type { ConnectionMachine } from "./connection.ts";
import type { ConnectionRequest } from "./endpoint-events.ts";
import type { Refusal } from "./events.ts";
import { localParameters, PROTOCOL_VERSION } from "./negotiation.ts";
import type { HandshakeSource } from "./paths.ts";
import { type Rate, RateLimiter, sourceKey } from "./rate-limit.ts";
import { SeenHandshakes } from "./seen-handshakes.ts";
import { type TicketEntry, TicketTable } from "./ticket-table.ts";

// Specification

/** How long a half-open connection waits for the initiator's first packet, in ms. */
const HALF_OPEN_LIFETIME: Duration = 20_000;

/** Fastest repetition of an answer, in ms: the initiator's own schedule is slower. */
const RESEND_INTERVAL: Duration = 100;

/** Source addresses that one message is answered to: as many as a ticket can make an initiator use. */
const MAX_ANSWERED_SOURCES = 8;

/** How long a cookie stays valid at least, in ms (spec/handshake.md#cookie). */
const COOKIE_LIFETIME: Duration = 120_000;

// Implementation

/** Ways back by carriers that one message is answered on: the servers of a ticket. */
const MAX_CARRIERS = 4;

/** Refusals of one dead ticket: a holder deserves an answer, a flood does not. */
const REFUSAL_RATE: Rate = { perSecond: 1, burst: 4 };

/** A verified first message for which a connection is to be made. */
export interface HalfOpenOptions {
  readonly received: AnonymousInit;
  /** The key that the initiator claims; `undefined` for a client of a server. */
  readonly peerKey: Uint8Array | undefined;
  readonly offer: Parameters;
  /** `undefined` for a client of a server. */
  readonly entry: TicketEntry | undefined;
  /** Ways by which the message came, if carriers brought it. */
  readonly carriers: readonly CarrierRef[];
}

/** What making a connection yields. */
export interface HalfOpened {
  readonly connection: ConnectionMachine;
  readonly core2: Uint8Array;
}

/** What the acceptor needs of its endpoint. */
export interface AcceptorHost {
  readonly random: (size: number) => Uint8Array;
  readonly unixTime: () => number;
  /** Makes the connection and the second message; `undefined` if the two sides share no AEAD. */
  openHalf(options: HalfOpenOptions, now: Instant): HalfOpened | undefined;
  /** Sends the second message of a connection, or a refusal, by a carrier. */
  answerByCarrier(ref: CarrierRef, core2: Uint8Array, connection: ConnectionMachine | undefined): void;
  /** Ends a connection that never opened. */
  dropHalf(connection: ConnectionMachine): void;
  /** Asks the application. */
  request(request: ConnectionRequest): void;
}

/** Names an answer's way back by a carrier; the owner of the endpoint chooses it. */
export type CarrierRef = number;

/** Where a message came from. */
type Origin =
  | { readonly init: InitDatagram; readonly size: number; readonly via: SocketId; readonly from: Address }
  | CarrierRef;

/** How an acceptor works. */
export interface AcceptorOptions {
  /** Whether the application decides on each peer. */
  readonly acceptHook: boolean;
  /** Lets in who knows the pin of these; they belong to the identity. */
  readonly server?: ServerKeys | undefined;
  /** A listener's unless given. */
  readonly admission?: AdmissionPolicy | undefined;
}

/** A source address of a message, and what its answer has to repeat. */
interface Source extends Omit<HandshakeSource, "credit"> {
  /** Of the newest copy: it lies outside of the seal, so an earlier one may have arrived damaged. */
  token: Uint8Array;
  /** Bytes of the message that came from there. */
  readonly size: number;
  answeredAt: Instant | undefined;
}

interface Pending extends HalfOpenOptions {
  readonly coreHash: Uint8Array;
  readonly fingerprint: number;
  /** `undefined` if a carrier brought it. */
  readonly sourceKey: string | undefined;
  readonly expiresAt: Instant;
  readonly sources: Source[];
  readonly carriers: CarrierRef[];
  /** Set once accepted. */
  opened: HalfOpened | undefined;
  /** Set once refused. */
  refusal: Uint8Array | undefined;
}

/** Accepts first messages; see the module's theory of operation. */
export class Acceptor {
  readonly tickets = new TicketTable();
  readonly #host: AcceptorHost;
  readonly #identity: KeyPair;
  readonly #config: Config;
  readonly #acceptHook: boolean;
  readonly #server: ServerKeys | undefined;
  readonly #hintCipher: HintCipher;
  readonly #seen = new SeenHandshakes();
  readonly #pending = new Map<number, Pending>();
  /** How many of them came from each source. */
  readonly #pendingOfSource = new Tally<string | undefined>();
  readonly #requests = new Map<number, Pending>();
  readonly #outgoing: Transmit[] = [];
  readonly #admission: AdmissionPolicy;
  readonly #refusals = new RateLimiter(REFUSAL_RATE);
  #nextRequestId = 1;
  #cookieSecrets: { current: Uint8Array; previous: Uint8Array; turnedAt: Instant } | undefined;

  constructor(host: AcceptorHost, identity: KeyPair, config: Config, options: AcceptorOptions) {
    this.#host = host;
    this.#identity = identity;
    this.#config = config;
    this.#acceptHook = options.acceptHook;
    this.#server = options.server;
    this.#admission = options.admission ?? new ListenerAdmission();
    this.#hintCipher = hintCipher(identity.publicKey);
  }

  /** Input: a first message, of `size` bytes on the wire. Returns why it was dropped, for the statistics. */
  receive(init: InitDatagram, size: number, via: SocketId, from: Address, now: Instant): string | undefined {
    return this.#receive(init.core, { init, size, via, from }, now);
  }

  /** Input: a first message by a carrier, to be answered by {@link AcceptorHost.answerByCarrier}. */
  receiveByCarrier(core: Uint8Array, ref: CarrierRef, now: Instant): string | undefined {
    return this.#receive(core, ref, now);
  }

  #receive(core: Uint8Array, origin: Origin, now: Instant): string | undefined {
    if (core.length < (this.#server === undefined ? CORE1_OVERHEAD : SERVER_CORE1_OVERHEAD)) return "malformed";
    const entry = this.tickets.find(unmaskHint(this.#hintCipher, core), this.#host.unixTime());
    const keys = entry?.keys ?? this.#serverKeysFor(core);
    if (keys === undefined) return "no-ticket";
    const fingerprint = connectionIdKey(sha256(core.subarray(8, 40)), 0);
    const coreHash = sha256(core);
    const known = this.#pending.get(fingerprint);
    if (known !== undefined && equalBytes(known.coreHash, coreHash)) return this.#again(known, origin, now);
    if (known !== undefined || this.#seen.has(fingerprint)) return "replayed";
    // Everything above costs two blocks of AES and two hashes; from here on the sender has proven to hold the ticket, or to
    // know the pin.
    const noise1 =
      entry === undefined
        ? ServerHandshake.openSeal(core, this.#server!)
        : ResponderHandshake.openSeal(core, entry.keys);
    if (noise1 === undefined) return "bad-seal";
    const isDatagram = typeof origin !== "number";
    const admission = this.#judge(entry, origin, now);
    if (admission === "cookie" && isDatagram) this.#sendCookie(origin.init, keys, origin.via, origin.from, now);
    if (admission !== "accept") return admission;
    const peer = entry === undefined ? undefined : ResponderHandshake.read(noise1, entry.keys, this.#identity);
    const received = entry === undefined ? ServerHandshake.read(noise1, this.#server!, this.#identity) : peer;
    if (received === undefined) return "bad-handshake";
    const offer = decodeParameters(received.payload);
    if (offer === undefined || offer.connectionIds.length === 0) return "bad-parameters";
    this.#seen.add(fingerprint, now);
    const pending: Pending = {
      coreHash,
      fingerprint,
      sourceKey: isDatagram ? sourceKey(origin.from.host) : undefined,
      expiresAt: after(now, HALF_OPEN_LIFETIME),
      received,
      peerKey: peer?.peerKey,
      offer,
      entry,
      sources: isDatagram ? [this.#source(origin.init, origin.size, origin.via, origin.from)] : [],
      carriers: isDatagram ? [] : [origin],
      opened: undefined,
      refusal: undefined,
    };
    this.#pending.set(fingerprint, pending);
    this.#pendingOfSource.add(pending.sourceKey);
    this.#decide(pending, now);
    return undefined;
  }

  /** Input: time has passed; half-open connections that nobody finished are forgotten. */
  handleTimeout(now: Instant): void {
    for (const pending of this.#pending.values()) {
      // Entries are in order of age: the first young one ends the walk.
      if (pending.expiresAt > now) return;
      this.#forget(pending);
    }
  }

  /** Command: the application's answer to a request. Unknown or late answers are ignored. */
  answer(requestId: number, verdict: { readonly accept: boolean; readonly message: string }, now: Instant): void {
    const pending = this.#requests.get(requestId);
    if (pending === undefined) return;
    this.#requests.delete(requestId);
    if (this.#pending.get(pending.fingerprint) !== pending) return;
    if (verdict.accept) this.#open(pending, now);
    else this.#refuse(pending, "not-allowed", verdict.message, now);
  }

  /** Command: the keys of a half-open connection are confirmed; its siblings are dropped. */
  confirm(connection: ConnectionMachine): void {
    const confirmed = this.#pendingOf(connection);
    if (confirmed === undefined) return;
    this.#remove(confirmed);
    for (const other of this.#pending.values()) if (isSibling(other, confirmed)) this.#forget(other);
  }

  /** Command: refuses everybody from now on, by silence. Who was answered already may count on the answer. */
  stop(): void {
    this.tickets.clear();
    for (const pending of this.#pending.values()) if (pending.opened === undefined) this.#forget(pending);
  }

  /** Output: the next answer to send. */
  pollTransmit(): Transmit | undefined {
    return this.#outgoing.shift();
  }

  /** Output: when the oldest half-open connection is forgotten. */
  nextTimeout(): Instant | undefined {
    for (const pending of this.#pending.values()) return pending.expiresAt;
    return undefined;
  }

  #decide(pending: Pending, now: Instant): void {
    const { entry } = pending;
    const refusal = entry === undefined ? undefined : this.tickets.refusal(entry, this.#host.unixTime());
    if (refusal !== undefined) {
      this.#refuse(pending, refusal, "", now);
    } else if (!pending.offer.versions.includes(PROTOCOL_VERSION)) {
      this.#refuse(pending, "version", "", now);
    } else if (this.#acceptHook && entry !== undefined && pending.peerKey !== undefined) {
      const id = this.#nextRequestId++;
      this.#requests.set(id, pending);
      this.#host.request({
        id,
        ticketId: entry.id,
        peerKey: pending.peerKey,
        metadata: pending.offer.metadata,
        from: pending.sources[0]?.from,
      });
    } else {
      this.#open(pending, now);
    }
  }

  #open(pending: Pending, now: Instant): void {
    pending.opened = this.#host.openHalf(pending, now);
    if (pending.opened === undefined) {
      this.#refuse(pending, "version", "no common cipher", now);
      return;
    }
    this.#answer(pending, now);
  }

  /** Refuses with an answer that only the holder of the ticket can read, at a rate that no flood can raise. */
  #refuse(pending: Pending, refusal: Refusal, message: string, now: Instant): void {
    if (!this.#refusals.take(pending.entry?.id ?? "", now)) {
      // It must not take the place of others either; copies of it count as replayed.
      this.#forget(pending);
      return;
    }
    const own = {
      ...localParameters(this.#config, [new Uint8Array(8)]),
      refused: { code: REFUSED_CODE[refusal], reason: message },
    };
    const ephemeral = keyPairFromSeed(this.#host.random(32));
    pending.refusal = pending.received.respond(encodeParameters(own, this.#host.random(1)[0]!), ephemeral).core2;
    this.#answer(pending, now);
  }

  /** A copy of a message that was answered, or is about to be. */
  #again(pending: Pending, origin: Origin, now: Instant): string | undefined {
    if (typeof origin === "number") {
      if (pending.carriers.length >= MAX_CARRIERS || pending.carriers.includes(origin)) return "replayed";
      pending.carriers.push(origin);
      this.#answerCarrier(pending, origin);
      return undefined;
    }
    const { init, size, via, from } = origin;
    let source = pending.sources.find((each) => each.via === via && sameAddress(each.from, from));
    if (source === undefined) {
      if (pending.sources.length >= MAX_ANSWERED_SOURCES) return "replayed";
      source = this.#source(init, size, via, from);
      pending.sources.push(source);
    }
    if (source.answeredAt !== undefined && now - source.answeredAt < RESEND_INTERVAL) return "replayed";
    source.token = init.token.slice();
    this.#answerSource(pending, source, now);
    return undefined;
  }

  /** The answer is there: it goes to everywhere that the message came from. */
  #answer(pending: Pending, now: Instant): void {
    for (const source of pending.sources) this.#answerSource(pending, source, now);
    for (const ref of pending.carriers) this.#answerCarrier(pending, ref);
  }

  #answerCarrier({ opened, refusal }: Pending, ref: CarrierRef): void {
    const core = opened?.core2 ?? refusal;
    if (core !== undefined) this.#host.answerByCarrier(ref, core, opened?.connection);
  }

  #answerSource(pending: Pending, source: Source, now: Instant): void {
    const core = pending.opened?.core2 ?? pending.refusal;
    if (core === undefined) return;
    const connectionId = pending.offer.connectionIds[0]!;
    const payload = encodeResp({ connectionId, echo: source.token, token: source.ownToken, core });
    if (payload.length > source.size) return;
    // The first answer tells the connection where its peer may come from, and with which proof. What the message has
    // paid for the answer is spent.
    const isFirst = source.answeredAt === undefined;
    if (isFirst) pending.opened?.connection.expectSource({ ...source, credit: source.size - payload.length });
    source.answeredAt = now;
    this.#send(payload, source.via, source.from);
  }

  #source(init: InitDatagram, size: number, via: SocketId, from: Address): Source {
    const token = init.token.slice();
    return { via, from, token, size, ownToken: this.#host.random(8), answeredAt: undefined };
  }

  /** Our keys as a server, if the message is for one. */
  #serverKeysFor(core: Uint8Array): ServerKeys | undefined {
    const server = this.#server;
    return server !== undefined && equalBytes(unmaskHint(server.hintCipher, core), server.hint) ? server : undefined;
  }

  /** What the policy makes of a first message whose seal has opened. */
  #judge(entry: TicketEntry | undefined, origin: Origin, now: Instant): Admission {
    const isDatagram = typeof origin !== "number";
    const source = isDatagram ? sourceKey(origin.from.host) : undefined;
    const arrival: Arrival = {
      host: isDatagram ? origin.from.host : undefined,
      ticketId: entry?.id,
      hasCookie: isDatagram && this.#hasCookie(origin.init, origin.from, now),
      halfOpen: this.#pending.size,
      halfOpenOfSource: this.#pendingOfSource.of(source),
    };
    return this.#admission.judge(arrival, now);
  }

  #hasCookie(init: InitDatagram, from: Address, now: Instant): boolean {
    const secrets = this.#currentSecrets(now);
    const address = formatAddress(from);
    return [secrets.current, secrets.previous].some((secret) =>
      equalConstantTime(macOfCookie(cookieFor(secret, address), init.core, init.token), init.mac2),
    );
  }

  #sendCookie(init: InitDatagram, keys: CookieKeys, via: SocketId, from: Address, now: Instant): void {
    const cookie = cookieFor(this.#currentSecrets(now).current, formatAddress(from));
    const nonce = this.#host.random(12);
    const sealed = sealCookie(keys, { cookie, nonce, core: init.core });
    this.#send(encodeCookie({ echo: init.token, nonce, sealed }), via, from);
  }

  #currentSecrets(now: Instant): { current: Uint8Array; previous: Uint8Array } {
    const secrets = this.#cookieSecrets;
    if (secrets !== undefined && now - secrets.turnedAt < COOKIE_LIFETIME) return secrets;
    const current = this.#host.random(32);
    this.#cookieSecrets = { current, previous: secrets?.current ?? current, turnedAt: now };
    return this.#cookieSecrets;
  }

  #send(payload: Uint8Array, via: SocketId, to: Address): void {
    this.#outgoing.push({ via, to, payload, segmentSize: payload.length, ttl: undefined });
  }

  #pendingOf(connection: ConnectionMachine): Pending | undefined {
    for (const pending of this.#pending.values()) if (pending.opened?.connection === connection) return pending;
    return undefined;
  }

  #remove(pending: Pending): void {
    if (this.#pending.delete(pending.fingerprint)) this.#pendingOfSource.remove(pending.sourceKey);
  }

  #forget(pending: Pending): void {
    this.#remove(pending);
    if (pending.opened !== undefined) this.#host.dropHalf(pending.opened.connection);
    for (const [id, each] of this.#requests) if (each === pending) this.#requests.delete(id);
  }
}

/** Whether two half-open connections belong to one call of the same initiator, who will confirm only one. */
function isSibling(a: Pending, b: Pending): boolean {
  const attempt = b.offer.attempt;
  if (attempt === undefined || a.offer.attempt === undefined) return false;
  if (a.peerKey === undefined || b.peerKey === undefined) return false;
  return equalBytes(a.peerKey, b.peerKey) && equalBytes(a.offer.attempt, attempt);
}
