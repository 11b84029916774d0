/**
 * One attempt to get, keep and remove a mapping by PCP or NAT-PMP.
 *
 * Theory of operation. A lane has a goal and at most one exchange with the gateway at a time. NAT-PMP asks for the external
 * address first, which makes nothing, and for the mapping only if nobody else has got one by then; PCP does both at once.
 * Until there is a mapping, and when the gateway has evidently lost it, requests are repeated as the protocol says. A lease
 * is renewed by single requests, halfway to its end, halfway through the rest, and so on. A lane that asked for a mapping
 * and heard nothing may have one all the same: it still takes the answer, and its owner removes what came of it.
 *
 * @module
 */
import { earliest, type Instant } from "../util/time.ts";
import type { Dialect, LaneAnswer, MapWish } from "./dialect.ts";
import { GatewayEpoch } from "./epoch.ts";
import {
  type Grant,
  type LaneReport,
  MAX_LIFETIME,
  type MappingProtocol,
  MIN_RENEWAL_INTERVAL,
  nextRenewal,
  type Random,
  REQUESTED_LIFETIME,
  RETRY_INTERVAL,
  toGrant,
} from "./mapping.ts";

// Implementation

/** First wait for the answer to a removal, in ms; it doubles. A gateway in the same network answers within a few ms. */
const REMOVAL_PAUSE = 250;

/** Tries of a removal: whoever closes does not wait for long, and the lease ends by itself. */
const REMOVAL_TRIES = 3;

const ANY_HOST = "0.0.0.0";

type Step = "probe" | "map" | "remove";

/** A request that waits for its answer. */
interface Exchange {
  readonly step: Step;
  /** Requests sent so far. */
  readonly attempt: number;
  /** The current wait in ms; 0 for a request that is not repeated. */
  readonly pause: number;
  /** When to repeat it; `undefined` for never. */
  readonly repeatAt: Instant | undefined;
}

interface Refusal {
  readonly reason: string;
  readonly retryAt: Instant;
}

/** See the module. */
export class DatagramLane {
  readonly #dialect: Dialect;
  readonly #random: Random;
  readonly #epoch: GatewayEpoch;
  #goal: "nothing" | "map" | "probe" | "remove" = "nothing";
  #exchange: Exchange | undefined;
  #outgoing: Uint8Array | undefined;
  /** Suggested, and asked for again in renewals. */
  #externalPort: number;
  #externalHost = ANY_HOST;
  #grant: Grant | undefined;
  #renewAt: Instant | undefined;
  #renewedAt: Instant | undefined;
  /** The gateway has restarted again so soon that the answer on its way may be older than that. */
  #recheckAt: Instant | undefined;
  /** A mapping was asked for and not seen to be refused, removed or expired. */
  #mayExist = false;
  #refusal: Refusal | undefined;
  #isAvailable = false;
  /** The gateway speaks this protocol. */
  #isHeard = false;

  /** Suggests `externalPort` to the gateway. */
  constructor(dialect: Dialect, externalPort: number, random: Random) {
    this.#dialect = dialect;
    this.#externalPort = externalPort;
    this.#random = random;
    this.#epoch = new GatewayEpoch(dialect.epochRule);
  }

  /** Input: a datagram from the gateway. */
  receive(payload: Uint8Array, now: Instant): void {
    const answer = this.#dialect.read(payload);
    if (answer === undefined) return;
    this.#isHeard = true;
    if (answer.kind === "probed") this.#onProbed(answer, now);
    else if (answer.kind === "map") this.#onMapAnswer(answer, now);
    else this.#onRefused(answer, now);
  }

  /** Input: time has passed. */
  handleTimeout(now: Instant): void {
    if (this.#grant !== undefined && now >= this.#grant.expiresAt) this.#forget();
    const exchange = this.#exchange;
    if (exchange?.repeatAt !== undefined) {
      if (now >= exchange.repeatAt) this.#repeat(exchange, now);
    } else if (this.#renewAt !== undefined && now >= this.#renewAt) this.#renewOnce(now);
    if (this.#refusal !== undefined && this.#goal === "map" && now >= this.#refusal.retryAt) this.ask(now);
  }

  /** Command: get a mapping, and keep it. */
  ask(now: Instant): void {
    this.#goal = "map";
    this.#refusal = undefined;
    this.#start(this.#dialect.probesFirst ? "probe" : "map", now);
  }

  /** Command: find out whether the protocol is spoken, and change nothing. */
  probe(now: Instant): void {
    this.#goal = "probe";
    this.#start("probe", now);
  }

  /** Command: ask no more. A mapping that exists stays, and is not renewed. */
  rest(): void {
    this.#goal = "nothing";
    this.#exchange = undefined;
    this.#outgoing = undefined;
    this.#renewAt = undefined;
  }

  /** Command: remove the mapping, if there may be one. */
  remove(now: Instant): void {
    this.rest();
    this.#grant = undefined;
    if (!this.#mayExist) return;
    this.#goal = "remove";
    this.#start("remove", now);
  }

  /** Command: find out whether the mapping is still there, and make it anew if not. */
  renew(now: Instant): void {
    if (this.#grant === undefined || this.#goal !== "map" || this.#exchange?.repeatAt !== undefined) return;
    const last = this.#renewedAt;
    // RFC 6887 §11.2.1: however often the gateway seems to restart.
    if (last !== undefined && now - last < MIN_RENEWAL_INTERVAL) {
      this.#recheckAt = (last + MIN_RENEWAL_INTERVAL) as Instant;
      this.#renewAt = earliest(this.#renewAt, this.#recheckAt);
      return;
    }
    this.#renewedAt = now;
    this.#recheckAt = undefined;
    this.#start(this.#dialect.probesFirst ? "probe" : "map", now);
  }

  /** Output: the next datagram for the gateway. */
  pollTransmit(): Uint8Array | undefined {
    const payload = this.#outgoing;
    this.#outgoing = undefined;
    return payload;
  }

  /** Output: when to call {@link handleTimeout}. */
  nextTimeout(): Instant | undefined {
    const exchangeAt = this.#exchange?.repeatAt ?? this.#renewAt;
    const retryAt = this.#goal === "map" ? this.#refusal?.retryAt : undefined;
    return earliest(earliest(exchangeAt, retryAt), this.#grant?.expiresAt);
  }

  get protocol(): MappingProtocol {
    return this.#dialect.protocol;
  }

  get grant(): Grant | undefined {
    return this.#grant;
  }

  /** Whether a removal waits for its answer. */
  get isRemoving(): boolean {
    return this.#exchange?.step === "remove";
  }

  /** Whether it is worth waiting for that: a gateway that has never answered has most likely not made a mapping either. */
  get isRemovalAwaited(): boolean {
    return this.isRemoving && this.#isHeard;
  }

  /** Whether nothing more comes of the present goal for now. */
  get isSettled(): boolean {
    return this.#refusal !== undefined || this.#isAvailable;
  }

  /** The external address, where a probe learned it. */
  get externalHost(): string | undefined {
    return this.#externalHost === ANY_HOST ? undefined : this.#externalHost;
  }

  get report(): LaneReport {
    const { protocol } = this;
    if (this.#grant !== undefined) return { protocol, state: "mapped", reason: undefined };
    if (this.#isAvailable) return { protocol, state: "available", reason: undefined };
    if (this.#refusal !== undefined) return { protocol, state: "refused", reason: this.#refusal.reason };
    if (this.#exchange === undefined) return { protocol, state: "idle", reason: undefined };
    return { protocol, state: "asking", reason: "no answer" };
  }

  #onProbed(answer: LaneAnswer & { kind: "probed" }, now: Instant): void {
    const exchange = this.#exchange;
    if (exchange?.step !== "probe") {
      // RFC 6887 §14.1.3: a server that has restarted announces itself.
      if (answer.host === undefined && !this.#epoch.accept(answer.epoch, now)) this.renew(now);
      return;
    }
    const hasState = this.#epoch.accept(answer.epoch, now);
    if (answer.host !== undefined) this.#externalHost = answer.host;
    if (this.#goal === "probe") {
      this.#exchange = undefined;
      this.#isAvailable = true;
    } else if (exchange.pause === 0 && hasState) this.#sendOnce("map");
    else this.#start("map", now);
  }

  #onMapAnswer(answer: LaneAnswer & { kind: "map" }, now: Instant): void {
    if (!this.#mayExist || !this.#isExpected()) return;
    this.#epoch.accept(answer.epoch, now);
    if (answer.lifetime === 0 || this.#goal === "remove") {
      if (answer.lifetime === 0 && this.#exchange?.step === "remove") this.#forget();
      return;
    }
    const grant = toGrant(
      { host: answer.host ?? this.#externalHost, port: answer.port, lifetime: answer.lifetime },
      now,
    );
    if (typeof grant === "string") {
      this.#refuse(grant, 0, now);
      return;
    }
    this.#grant = grant;
    this.#refusal = undefined;
    this.#exchange = undefined;
    this.#externalPort = grant.external.port;
    this.#externalHost = grant.external.host;
    const renewAt = nextRenewal(grant.expiresAt, this.#random, now);
    this.#renewAt = this.#goal === "map" ? earliest(renewAt, this.#recheckAt) : undefined;
  }

  #onRefused(answer: LaneAnswer & { kind: "refused" }, now: Instant): void {
    const step = this.#exchange?.step;
    if (step === undefined || (answer.step !== "any" && answer.step !== (step === "remove" ? "map" : step))) return;
    const hasState = answer.epoch === undefined || this.#epoch.accept(answer.epoch, now);
    if (step === "remove") this.#forget();
    // A lease that is not renewed lasts until its end (RFC 6887 §11.2.1), unless the gateway has lost it.
    else if (this.#grant !== undefined && hasState) this.#exchange = undefined;
    else {
      this.#forget();
      this.#refuse(answer.reason, answer.lifetime, now);
    }
  }

  /** Whether a mapping may be granted now: one was asked for, or the answer proves by itself that it concerns ours. */
  #isExpected(): boolean {
    return this.#grant === undefined || this.#exchange?.step === "map" || this.#dialect.takesUpdates;
  }

  #refuse(reason: string, lifetime: number, now: Instant): void {
    this.#exchange = undefined;
    // RFC 6887 §7.2: the same request meets the same error for so long.
    const pause = Math.max(RETRY_INTERVAL, Math.min(lifetime, MAX_LIFETIME) * 1000);
    this.#refusal = { reason, retryAt: (now + pause) as Instant };
  }

  /** There is no mapping any more. */
  #forget(): void {
    this.#grant = undefined;
    this.#renewAt = undefined;
    this.#exchange = undefined;
    this.#mayExist = false;
  }

  #start(step: Step, now: Instant): void {
    this.#send({ step, attempt: 0, pause: 0, repeatAt: undefined }, now);
  }

  #repeat(exchange: Exchange, now: Instant): void {
    this.#send(exchange, now);
    if (this.#exchange !== undefined) return;
    if (exchange.step === "remove") this.#forget();
    else if (this.#grant === undefined) this.#refuse("no answer", 0, now);
  }

  /** Sends the request once more, or ends the exchange if it has been sent often enough. */
  #send({ step, attempt, pause }: Exchange, now: Instant): void {
    const next = step === "remove" ? removalPause(attempt + 1) : this.#dialect.pause(attempt + 1, pause, this.#random);
    if (next === undefined) {
      this.#exchange = undefined;
      return;
    }
    this.#outgoing = this.#encode(step);
    this.#exchange = { step, attempt: attempt + 1, pause: next, repeatAt: (now + next) as Instant };
  }

  #sendOnce(step: Step): void {
    this.#outgoing = this.#encode(step);
    this.#exchange = { step, attempt: 1, pause: 0, repeatAt: undefined };
  }

  #renewOnce(now: Instant): void {
    this.#recheckAt = undefined;
    this.#renewedAt = now;
    this.#renewAt = nextRenewal(this.#grant?.expiresAt ?? now, this.#random, now);
    this.#sendOnce(this.#dialect.probesFirst ? "probe" : "map");
  }

  #encode(step: Step): Uint8Array {
    if (step === "probe") return this.#dialect.encodeProbe();
    const lifetime = step === "remove" ? 0 : REQUESTED_LIFETIME;
    if (step === "map") this.#mayExist = true;
    const wish: MapWish = { externalPort: this.#externalPort, externalHost: this.#externalHost, lifetime };
    return this.#dialect.encodeMap(wish);
  }
}

/** Deviates from RFC 6887 §8.1.1: whoever closes can't wait for 3 s, so a removal is repeated sooner, and twice at most. */
function removalPause(attempt: number): number | undefined {
  return attempt > REMOVAL_TRIES ? undefined : REMOVAL_PAUSE * 2 ** (attempt - 1);
}
