/**
 * Hosts that only punch: they learn their mapped addresses from a server, and answer each other's authentic probes.
 *
 * Packets are the least that serves: a first byte, a token, and a key that only the two sides know. How the sides come to
 * know each other's candidates, profiles and start is the test's business; here they just do.
 *
 * @module
 */
import { type InvitationBudget, PunchBudget } from "../../src/path/punch/budget.ts";
import { type PunchAction, Puncher, type PuncherOptions } from "../../src/path/punch/puncher.ts";
import {
  type Address,
  type BufferPool,
  type Datagram,
  type Instant,
  type Machine,
  type SocketId,
  sameAddress,
  type Transmit,
} from "../../src/testing/index.ts";
import { earliest } from "../../src/util/time.ts";

/** First bytes: as on the real wire, none of them can be taken for another. */
const KIND = { ASK: 1, TELL: 2, OPENER: 0x9f, CHALLENGE: 0x80, RESPONSE: 0x81 } as const;

const TOKEN_SIZE = 4;

/** What a host tells. */
export type PunchEvent =
  | { readonly type: "open-sockets"; readonly puncher: Puncher; readonly requestId: number; readonly count: number }
  | { readonly type: "close-sockets"; readonly vias: readonly SocketId[] }
  | { readonly type: "exhausted"; readonly round: number; readonly reason: string; readonly at: Instant }
  | { readonly type: "connected"; readonly via: SocketId; readonly remote: Address; readonly at: Instant };

interface Outgoing {
  readonly via: SocketId;
  readonly to: Address;
  readonly ttl: number | undefined;
  readonly payload: Uint8Array;
}

/** A server that tells everybody where their datagrams come from. */
export class TellMachine implements Machine<never> {
  readonly #pool: BufferPool;
  readonly #outgoing: Outgoing[] = [];

  constructor(pool: BufferPool) {
    this.#pool = pool;
  }

  receive({ via, from, payload }: Datagram): void {
    if (payload[0] !== KIND.ASK) return;
    const text = new TextEncoder().encode(JSON.stringify(from));
    this.#outgoing.push({ via, to: from, ttl: undefined, payload: new Uint8Array([KIND.TELL, ...text]) });
  }

  handleTimeout(): void {}

  pollTransmit(): Transmit | undefined {
    return transmit(this.#pool, this.#outgoing.shift());
  }

  pollEvent(): undefined {
    return undefined;
  }

  nextTimeout(): undefined {
    return undefined;
  }
}

/** One peer; see the module. */
export class PunchMachine implements Machine<PunchEvent> {
  readonly budget: PunchBudget;
  readonly invitation: InvitationBudget;
  /** Mapped addresses, in the order in which they came, with the socket that they belong to. */
  readonly mapped: { via: SocketId; at: Address }[] = [];
  readonly punchers: Puncher[] = [];
  /** Everything that the ladder has asked to send, for counting. */
  readonly sent: { action: PunchAction & { type: "opener" | "probe" }; at: Instant }[] = [];
  /** Datagrams that were not authentic: openers, forgeries. */
  ignored = 0;
  /** The first path that was proven, and when. */
  connected: { via: SocketId; remote: Address; at: Instant } | undefined;

  readonly #pool: BufferPool;
  readonly #random: (size: number) => Uint8Array;
  readonly #key: Uint8Array;
  readonly #outgoing: Outgoing[] = [];
  readonly #events: PunchEvent[] = [];
  readonly #challenges = new Map<string, Address>();
  readonly #rounds = new Map<Puncher, number>();

  constructor(options: { pool: BufferPool; random: (size: number) => Uint8Array; key: Uint8Array }) {
    this.#pool = options.pool;
    this.#random = options.random;
    this.#key = options.key;
    this.budget = new PunchBudget();
    this.invitation = this.budget.invite()!;
  }

  /** Command: asks the server where the socket appears. */
  ask(via: SocketId, server: Address): void {
    this.#outgoing.push({ via, to: server, ttl: undefined, payload: new Uint8Array([KIND.ASK]) });
  }

  /** Command: begins a round, unless a path is proven. */
  punch(options: Omit<PuncherOptions, "budget" | "random">, now: Instant): void {
    if (this.connected !== undefined) return;
    const puncher = new Puncher({ ...options, budget: this.invitation, random: this.#random }, now);
    this.punchers.push(puncher);
    this.#rounds.set(puncher, options.round);
  }

  receive({ via, from, payload }: Datagram, now: Instant): void {
    if (payload[0] === KIND.TELL) {
      this.mapped.push({ via, at: JSON.parse(new TextDecoder().decode(payload.subarray(1))) as Address });
      return;
    }
    const isAuthentic = this.#key.every((byte, index) => payload[1 + TOKEN_SIZE + index] === byte);
    if (!isAuthentic || (payload[0] !== KIND.CHALLENGE && payload[0] !== KIND.RESPONSE)) {
      this.ignored += 1;
      return;
    }
    const token = payload.subarray(1, 1 + TOKEN_SIZE);
    if (payload[0] === KIND.RESPONSE) this.#onResponse(via, from, token, now);
    else this.#onChallenge(via, from, payload.length, token, now);
  }

  handleTimeout(now: Instant): void {
    for (const puncher of this.punchers) puncher.handleTimeout(now);
  }

  pollTransmit(now: Instant): Transmit | undefined {
    for (const puncher of this.punchers) {
      for (let action = puncher.pollAction(now); action !== undefined; action = puncher.pollAction(now)) {
        this.#take(action, puncher, now);
      }
    }
    return transmit(this.#pool, this.#outgoing.shift());
  }

  pollEvent(): PunchEvent | undefined {
    return this.#events.shift();
  }

  nextTimeout(): Instant | undefined {
    return this.punchers.map((puncher) => puncher.nextTimeout()).reduce(earliest, undefined);
  }

  #take(action: PunchAction, puncher: Puncher, now: Instant): void {
    switch (action.type) {
      case "open-sockets":
        this.#events.push({ ...action, puncher });
        return;
      case "close-sockets":
        this.#events.push(action);
        return;
      case "exhausted":
        this.#events.push({ ...action, round: this.#rounds.get(puncher)!, at: now });
        return;
      case "opener":
      case "probe": {
        this.sent.push({ action, at: now });
        const { via, to, ttl, size } = action;
        const payload = this.#random(size);
        payload[0] = KIND.OPENER;
        if (action.type === "probe") {
          payload[0] = KIND.CHALLENGE;
          payload.set(this.#key, 1 + TOKEN_SIZE);
          this.#challenges.set(payload.subarray(1, 1 + TOKEN_SIZE).join(), to);
        }
        this.#outgoing.push({ via, to, ttl, payload });
      }
    }
  }

  #onChallenge(via: SocketId, from: Address, size: number, token: Uint8Array, now: Instant): void {
    const payload = new Uint8Array(size);
    payload[0] = KIND.RESPONSE;
    payload.set(token, 1);
    payload.set(this.#key, 1 + TOKEN_SIZE);
    this.#outgoing.push({ via, to: from, ttl: undefined, payload });
    for (const puncher of this.punchers) puncher.onContact(via, from, now);
  }

  #onResponse(via: SocketId, from: Address, token: Uint8Array, now: Instant): void {
    const challenged = this.#challenges.get(token.join());
    if (challenged === undefined) return;
    if (!sameAddress(challenged, from)) {
      for (const puncher of this.punchers) puncher.onContact(via, from, now);
      return;
    }
    for (const puncher of this.punchers) puncher.onSuccess({ via, remote: from }, now);
    if (this.connected !== undefined) return;
    this.connected = { via, remote: from, at: now };
    this.#events.push({ type: "connected", via, remote: from, at: now });
  }
}

function transmit(pool: BufferPool, outgoing: Outgoing | undefined): Transmit | undefined {
  if (outgoing === undefined) return undefined;
  const payload = pool.take().subarray(0, outgoing.payload.length);
  payload.set(outgoing.payload);
  return { via: outgoing.via, to: outgoing.to, payload, segmentSize: payload.length, ttl: outgoing.ttl };
}
