/**
 * The listener's answer to a message that came by hand: datagrams to where the message says that the initiator may be
 * reached, and the rounds of hole punching beside them (spec/paste.md#answer).
 *
 * @module
 */
import type { ConnectionMachine } from "../connection/connection.ts";
import type { ConnectionEvent } from "../connection/events.ts";
import { targetRules } from "../path/punch/address-rules.ts";
import type { InvitationBudget } from "../path/punch/budget.ts";
import { chooseTargets } from "../path/punch/targets.ts";
import type { Address, SocketId, Transmit } from "../util/machine.ts";
import { after, type Duration, earliest, type Instant } from "../util/time.ts";
import { encodeResp, HANDSHAKE_TOKEN_SIZE } from "../wire/handshake-datagram.ts";
import type { AgentContext } from "./context.ts";
import { Rounds } from "./rounds.ts";

// Specification

/** When the answer is sent to each target, in ms after {@link RESPONSE_DELAY}; from then on every {@link LAST_INTERVAL}. */
export const RESPONSE_TIMES: readonly Duration[] = [0, 50, 100, 200, 400, 800, 1_600];
const LAST_INTERVAL: Duration = 2_000;

/** Openers go first: the answer follows so much later, in ms. */
const RESPONSE_DELAY: Duration = 15;

/** How long the answer is repeated, in ms: as long as the half-open connection lives. */
export const ANSWER_LIFETIME: Duration = 20_000;

/** Addresses that are answered. */
export const MAX_RESPONSE_TARGETS = 4;

// Implementation

/** Bytes of answers: the rest of what an invitation may cost is for the probes beside them. */
const MAX_RESPONSE_BYTES = 6 * 1024;

/** There was no token to be repeated. */
const NO_ECHO = new Uint8Array(HANDSHAKE_TOKEN_SIZE);

/** What an answer needs. */
export interface PastedAnswerOptions {
  readonly connection: ConnectionMachine;
  readonly core2: Uint8Array;
  readonly budget: InvitationBudget;
  readonly random: (size: number) => Uint8Array;
  readonly tellsHosts: boolean;
}

/** See the module. */
export class PastedAnswer {
  readonly connection: ConnectionMachine;
  readonly #options: PastedAnswerOptions;
  readonly #rounds: Rounds;
  readonly #targets: readonly { readonly via: SocketId; readonly to: Address }[];
  readonly #connectionId: Uint8Array;
  readonly #startedAt: Instant;
  /** How often the answer was sent, and to how many targets of the time that is due. */
  #repetitions = 0;
  #served = 0;
  #sendAt: Instant | undefined;
  #bytes = 0;
  #isOver = false;

  constructor(context: AgentContext, options: PastedAnswerOptions, now: Instant) {
    const { connection, budget, tellsHosts } = options;
    this.#options = options;
    this.connection = connection;
    this.#connectionId = connection.peerConnectionId;
    const { situation, sockets } = context.surroundings.announce({ withHosts: tellsHosts });
    const remote = connection.peerSituation.candidates;
    const rules = targetRules({
      ...{ local: situation.candidates, remote, attestedRemoteHosts: [], allowsLowPorts: false },
    });
    this.#targets = chooseTargets({ remote, sockets, rules, isQuiet: false }).targets.slice(0, MAX_RESPONSE_TARGETS);
    this.#startedAt = after(now, RESPONSE_DELAY);
    this.#sendAt = this.#targets.length === 0 ? undefined : this.#startedAt;
    this.#rounds = new Rounds(context, {
      ...{ connection, budget, tellsHosts, attestedHosts: [], serverRtt: undefined, roundTrip: undefined },
      ...{ answeredAt: now, signal: undefined },
    });
    this.#rounds.onGo(now, now);
  }

  /** Input: an event of the connection. */
  onConnectionEvent(event: ConnectionEvent): void {
    if (event.type === "connected" || event.type === "closed") this.end();
  }

  /** Input: samples of fresh sockets have changed. */
  onSamples(now: Instant): void {
    this.#rounds.onSamples(now);
  }

  /** Input: time has passed. */
  handleTimeout(now: Instant): void {
    if (this.#isOver) return;
    // A connection that never opened ends without a word.
    if (this.connection.state === "closed" || now >= this.#endsAt) this.end();
    else this.#rounds.handleTimeout(now);
  }

  /** Command: the connection is open, or over. */
  end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#rounds.end();
  }

  /** Output: the next copy of the answer, if one is due and affordable. */
  pollTransmit(now: Instant): Transmit | undefined {
    if (this.#isOver || this.#sendAt === undefined || this.#sendAt > now) return undefined;
    const { core2, budget, random } = this.#options;
    const { via, to } = this.#targets[this.#served]!;
    const token = random(HANDSHAKE_TOKEN_SIZE);
    const payload = encodeResp({ connectionId: this.#connectionId, echo: NO_ECHO, token, core: core2 });
    const size = payload.length;
    const readyAt = budget.endpoint.readyAt(size, now);
    if (readyAt > now) {
      this.#sendAt = readyAt;
      return undefined;
    }
    if (this.#bytes + size > MAX_RESPONSE_BYTES || !budget.takeForCandidate(size)) {
      this.#sendAt = undefined;
      return undefined;
    }
    budget.endpoint.take(size, now);
    this.#bytes += size;
    this.#advance();
    return { via, to, payload, segmentSize: size, ttl: undefined };
  }

  /** Output: when to call {@link handleTimeout}. */
  nextTimeout(): Instant | undefined {
    if (this.#isOver) return undefined;
    return earliest(earliest(this.#rounds.nextTimeout(), this.#sendAt), this.#endsAt);
  }

  /** Whether nothing more will come of it. */
  get isOver(): boolean {
    return this.#isOver;
  }

  get #endsAt(): Instant {
    return after(this.#startedAt, ANSWER_LIFETIME);
  }

  #advance(): void {
    this.#served += 1;
    if (this.#served < this.#targets.length) return;
    this.#served = 0;
    this.#repetitions += 1;
    const more = this.#repetitions - (RESPONSE_TIMES.length - 1);
    const delay = RESPONSE_TIMES[this.#repetitions] ?? RESPONSE_TIMES.at(-1)! + more * LAST_INTERVAL;
    this.#sendAt = after(this.#startedAt, delay);
  }
}
