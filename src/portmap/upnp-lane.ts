/**
 * One attempt to get, keep and remove a mapping by UPnP, whose HTTP is somebody else's work.
 *
 * Theory of operation. The lane asks for one piece of work at a time and waits for its result: find the gateway's service,
 * which changes nothing; add a mapping; remove it. What comes next depends on the goal at that time, so a lane whose goal
 * was given up while it added still learns what it has to remove. A failed renewal makes it look for the service anew,
 * because gateways move theirs to another port when they restart.
 *
 * Errors are those of the service WANIPConnection:1 §2.4.16 and WANIPConnection:2 §2.5.16.
 *
 * @module
 */
import { earliest, type Instant } from "../util/time.ts";
import {
  type Grant,
  type LaneReport,
  MIN_RENEWAL_INTERVAL,
  nextRenewal,
  type Random,
  REQUESTED_LIFETIME,
  RETRY_INTERVAL,
  randomPort,
  toGrant,
} from "./mapping.ts";

/** Work for whoever speaks HTTP; each piece is answered by exactly one {@link UpnpResult} with its `id`. */
export type UpnpRequest =
  | { readonly kind: "discover"; readonly id: number }
  | {
      readonly kind: "add";
      readonly id: number;
      readonly internalPort: number;
      readonly externalPort: number;
      /** Seconds; 0 for gateways that know no leases. */
      readonly lifetime: number;
    }
  | { readonly kind: "remove"; readonly id: number; readonly externalPort: number };

/** What came of a {@link UpnpRequest}. */
export type UpnpResult =
  | { readonly kind: "found"; readonly id: number; readonly externalHost: string | undefined }
  | { readonly kind: "added"; readonly id: number; readonly externalHost: string; readonly externalPort: number }
  | { readonly kind: "removed"; readonly id: number }
  | {
      readonly kind: "failed";
      readonly id: number;
      readonly reason: string;
      /** The service's error; `undefined` if none came, so that nobody knows what was done. */
      readonly code: number | undefined;
    };

// Specification

const ERROR_INVALID_ARGUMENTS = 402;
const ERROR_CONFLICT = 718;
const ERROR_SAME_PORTS_REQUIRED = 724;
const ERROR_ONLY_PERMANENT_LEASES = 725;

// Implementation

/** Ports tried before giving up: a random one is hardly ever taken. */
const MAX_PORT_TRIES = 4;

/** See the module. */
export class UpnpLane {
  readonly protocol = "upnp";
  readonly #internalPort: number;
  readonly #random: Random;
  #goal: "nothing" | "map" | "probe" | "remove" = "nothing";
  #nextId = 1;
  #inFlight: UpnpRequest | undefined;
  #outgoing: UpnpRequest | undefined;
  #isFound = false;
  /** A renewal has failed, and the service is searched for, or was found, because of that. */
  #isFoundAnew = false;
  #externalHost: string | undefined;
  #externalPort: number;
  #portTries = 0;
  /** The gateway knows mappings without an end only. */
  #isPermanent = false;
  #grant: Grant | undefined;
  #renewAt: Instant | undefined;
  /** A mapping whose fate is unknown: it was asked for, and no answer came. */
  #mayExist = false;
  #refusal: { readonly reason: string; readonly retryAt: Instant } | undefined;

  /** Asks for `externalPort` first, and for others if it is taken. */
  constructor(internalPort: number, externalPort: number, random: Random) {
    this.#internalPort = internalPort;
    this.#externalPort = externalPort;
    this.#random = random;
  }

  /** Input: what came of the work asked for; anything else is ignored. */
  onResult(result: UpnpResult, now: Instant): void {
    const request = this.#inFlight;
    if (request === undefined || result.id !== request.id) return;
    this.#inFlight = undefined;
    if (result.kind === "found" && request.kind === "discover") {
      this.#isFound = true;
      this.#externalHost = result.externalHost;
    } else if (result.kind === "added" && request.kind === "add") this.#onAdded(result, request, now);
    else if (request.kind === "remove") this.#mayExist = false;
    else if (result.kind === "failed") this.#onFailed(result, request, now);
    this.#advance(now);
  }

  /** Input: time has passed. */
  handleTimeout(now: Instant): void {
    if (this.#grant !== undefined && now >= this.#grant.expiresAt) {
      this.#grant = undefined;
      this.#renewAt = undefined;
      this.#mayExist = this.#isPermanent;
    }
    if (this.#refusal !== undefined && this.#goal === "map" && now >= this.#refusal.retryAt) this.ask(now);
    this.#advance(now);
  }

  /** Command: get a mapping, and keep it. */
  ask(now: Instant): void {
    this.#goal = "map";
    this.#refusal = undefined;
    this.#portTries = 0;
    this.#advance(now);
  }

  /** Command: find out whether there is a gateway, and change nothing. */
  probe(now: Instant): void {
    this.#goal = "probe";
    this.#advance(now);
  }

  /** Command: ask no more. A mapping that exists stays, and is not renewed. */
  rest(): void {
    this.#goal = "nothing";
    this.#renewAt = undefined;
    this.#withdraw();
  }

  /** Command: remove the mapping, if there may be one. */
  remove(now: Instant): void {
    this.rest();
    this.#goal = "remove";
    if (this.#grant !== undefined) this.#mayExist = true;
    this.#grant = undefined;
    this.#advance(now);
  }

  /** Command: make sure of the mapping, and make it anew if need be. */
  renew(now: Instant): void {
    if (this.#grant === undefined || this.#goal !== "map") return;
    this.#renewAt = now;
    this.#advance(now);
  }

  /** Output: the next piece of work. */
  pollRequest(): UpnpRequest | undefined {
    const request = this.#outgoing;
    this.#outgoing = undefined;
    return request;
  }

  /** Output: when to call {@link handleTimeout}. */
  nextTimeout(): Instant | undefined {
    const retryAt = this.#goal === "map" ? this.#refusal?.retryAt : undefined;
    const renewAt = this.#inFlight === undefined ? this.#renewAt : undefined;
    return earliest(earliest(renewAt, retryAt), this.#grant?.expiresAt);
  }

  get grant(): Grant | undefined {
    return this.#grant;
  }

  /** Whether work is under way that may end in the removal of a mapping. */
  get isRemoving(): boolean {
    return this.#goal === "remove" && (this.#mayExist || this.#inFlight?.kind === "add");
  }

  /** Whether it is worth waiting for that. */
  get isRemovalAwaited(): boolean {
    return this.isRemoving;
  }

  /** Whether nothing more comes of the present goal for now. */
  get isSettled(): boolean {
    return this.#refusal !== undefined || (this.#goal === "probe" && this.#isFound);
  }

  /** The external address, where the gateway told it. */
  get externalHost(): string | undefined {
    return this.#externalHost;
  }

  get report(): LaneReport {
    const { protocol } = this;
    if (this.#grant !== undefined) return { protocol, state: "mapped", reason: undefined };
    if (this.#refusal !== undefined) return { protocol, state: "refused", reason: this.#refusal.reason };
    if (this.#goal === "probe" && this.#isFound) return { protocol, state: "available", reason: undefined };
    if (this.#goal === "nothing") return { protocol, state: "idle", reason: undefined };
    return { protocol, state: "asking", reason: this.#isFound ? "no answer" : "no gateway found" };
  }

  #onAdded(result: UpnpResult & { kind: "added" }, request: UpnpRequest & { kind: "add" }, now: Instant): void {
    this.#mayExist = true;
    this.#externalPort = result.externalPort;
    // A lease without an end is renewed all the same, so that a gateway that restarted gets it again.
    const lifetime = request.lifetime === 0 ? REQUESTED_LIFETIME : request.lifetime;
    const grant = toGrant({ host: result.externalHost, port: result.externalPort, lifetime }, now);
    if (typeof grant === "string") {
      this.#refuse(grant, now);
      this.#goal = "remove";
      return;
    }
    if (this.#goal === "remove") return;
    this.#externalHost = result.externalHost;
    this.#isFoundAnew = false;
    this.#grant = grant;
    this.#renewAt = this.#goal === "map" ? nextRenewal(grant.expiresAt, this.#random, now) : undefined;
  }

  #onFailed(result: UpnpResult & { kind: "failed" }, request: UpnpRequest, now: Instant): void {
    if (request.kind === "add" && result.code === undefined) this.#mayExist = true;
    if (this.#grant !== undefined && result.code !== ERROR_CONFLICT) this.#onRenewalFailed(request, now);
    else if (request.kind !== "add" || !this.#canTryOtherwise(result.code, request)) this.#refuse(result.reason, now);
  }

  /** The mapping may have lost nothing but its renewal, so it stays until its end. */
  #onRenewalFailed(request: UpnpRequest, now: Instant): void {
    // A gateway that has restarted has its service at another port: it is searched for at once, but only once.
    const isMoved = request.kind === "add" && !this.#isFoundAnew;
    this.#isFound = false;
    this.#isFoundAnew = isMoved;
    this.#renewAt = isMoved ? now : nextRenewal(this.#grant?.expiresAt ?? now, this.#random, now);
  }

  /** Whether another request may succeed, which is then the next one. */
  #canTryOtherwise(code: number | undefined, request: UpnpRequest & { kind: "add" }): boolean {
    if (code === ERROR_ONLY_PERMANENT_LEASES || code === ERROR_INVALID_ARGUMENTS) {
      // Some gateways call a lease an invalid argument.
      this.#isPermanent = true;
      return request.lifetime !== 0;
    }
    if (code === ERROR_SAME_PORTS_REQUIRED) {
      this.#externalPort = this.#internalPort;
      return request.externalPort !== this.#internalPort;
    }
    if (code !== ERROR_CONFLICT) return false;
    // In a renewal: the gateway has restarted, and somebody else was faster.
    this.#grant = undefined;
    this.#renewAt = undefined;
    this.#portTries += 1;
    this.#externalPort = randomPort(this.#random);
    return this.#portTries < MAX_PORT_TRIES;
  }

  #refuse(reason: string, now: Instant): void {
    this.#isFound = false;
    this.#refusal = { reason, retryAt: (now + RETRY_INTERVAL) as Instant };
  }

  /** Takes back what nobody has begun to work on. */
  #withdraw(): void {
    if (this.#outgoing === undefined) return;
    this.#outgoing = undefined;
    this.#inFlight = undefined;
  }

  /** Asks for the next piece of work. */
  #advance(now: Instant): void {
    if (this.#inFlight !== undefined) return;
    const id = this.#nextId;
    if (this.#goal === "remove") {
      if (this.#mayExist) this.#request({ kind: "remove", id, externalPort: this.#externalPort });
      return;
    }
    if (this.#goal === "nothing" || this.#refusal !== undefined) return;
    const isDue = this.#renewAt !== undefined && now >= this.#renewAt;
    if (this.#grant !== undefined && !isDue) return;
    if (!this.#isFound) this.#request({ kind: "discover", id });
    else if (this.#goal === "map") {
      const lifetime = this.#isPermanent ? 0 : REQUESTED_LIFETIME;
      // Should the result never come, the next renewal is later.
      if (isDue) this.#renewAt = (now + MIN_RENEWAL_INTERVAL) as Instant;
      this.#request({
        kind: "add",
        id,
        internalPort: this.#internalPort,
        externalPort: this.#externalPort,
        lifetime,
      });
    }
  }

  #request(request: UpnpRequest): void {
    this.#nextId += 1;
    this.#inFlight = request;
    this.#outgoing = request;
  }
}
