/**
 * The rounds of hole punching for one connection: when they begin, with which sockets, and what the peer is told.
 *
 * Theory of operation. The first round begins with the transport's own sockets, as soon as the handshake is there. Before
 * each later one a fresh socket is opened, servers are asked where they see it, and the peer is told; then the initiator
 * asks the server to release both sides once more. A side that hears nothing of that begins by its own clock. Whatever
 * becomes known in between is told the peer as well: both compute their plan from what both know (spec/paths.md#rounds).
 *
 * @module
 */
import type { ConnectionMachine } from "../connection/connection.ts";
import type { Situation } from "../connection/situation.ts";
import type { InvitationBudget } from "../path/punch/budget.ts";
import { ROUND_STARTS } from "../path/punch/puncher.ts";
import type { Envelope } from "../signal/envelope.ts";
import type { SocketId } from "../util/machine.ts";
import { after, type Duration, earliest, type Instant } from "../util/time.ts";
import type { AgentContext } from "./context.ts";
import type { Announcement } from "./surroundings.ts";

// Implementation

/** Time for a fresh socket to be opened, sampled and told of, beyond two round trips to the server, in ms. */
const PREPARATION: Duration = 200;
/** Longest preparation, in ms: the round before it must have had its chance. */
const MAX_PREPARATION: Duration = 1_000;

/** Assumed if nobody knows the round trip to the server, in ms. */
const DEFAULT_RTT: Duration = 100;

/** A round begins so long after its time if nobody has released it, in ms. */
const GO_PATIENCE: Duration = 300;

/** What is new is told so long afterwards, in ms: news come in groups. */
const NEWS_DELAY: Duration = 10;

/** How often a peer is told of news; each costs the server a message. */
const MAX_UPDATES = 16;

/** What rounds are for. */
export interface RoundsOptions {
  readonly connection: ConnectionMachine;
  readonly budget: InvitationBudget;
  /** Hosts at which a server has seen the peer. */
  readonly attestedHosts: readonly string[];
  /** Round-trip time to the server, and a guess at that to the peer, in ms. */
  readonly serverRtt: Duration | undefined;
  readonly roundTrip: Duration | undefined;
  /** When both sides know of each other: of the first round, one that nobody releases begins a round trip to the server later. */
  readonly answeredAt: Instant;
  /** Whether the peer is told the addresses of our interfaces, whatever it is. */
  readonly tellsHosts: boolean;
  /**
   * Brings an envelope to the peer; nothing if there is no way at present. `undefined` if there never is one: nobody could
   * be told of fresh sockets then, so each round has those that there are.
   */
  readonly signal: ((envelope: Envelope, options: { readonly wantsGo: boolean }, now: Instant) => void) | undefined;
}

/** See the module. */
export class Rounds {
  readonly #context: AgentContext;
  readonly #options: RoundsOptions;
  readonly #sockets: SocketId[] = [];
  #base: Instant | undefined;
  /** Rounds that have begun. */
  #begun = 0;
  /** Rounds that were prepared: one more than have begun, while the next is near. */
  #prepared = 1;
  /** The fresh socket of the round that was prepared last; `undefined` if there is none. */
  #fresh: SocketId | undefined;
  #isSampled = true;
  #hasAskedGo = false;
  #updates = 0;
  #newsAt: Instant | undefined;
  #isOver = false;

  constructor(context: AgentContext, options: RoundsOptions) {
    this.#context = context;
    this.#options = options;
  }

  // Inputs

  /** Input: the server, or somebody in its place, says when to begin. */
  onGo(startAt: Instant, now: Instant): void {
    if (this.#isOver) return;
    if (this.#base === undefined) this.#base = startAt;
    if (this.#begun < this.#prepared) this.#begin(startAt, now);
  }

  /**
   * Command: opens our NATs at once, and begins the first round when the peer has, or at `startAt`. For a side that nobody
   * tells when the other one begins.
   */
  open(startAt: Instant, now: Instant): void {
    if (this.#isOver || this.#begun > 0) return;
    this.#begin(startAt, now, now);
  }

  /** Input: the peer has begun, or is about to. */
  onPeerBegun(now: Instant): void {
    if (this.#isOver || this.#base === undefined || this.#base <= now) return;
    this.#base = now;
    this.#options.connection.beginRound(now);
  }

  /** Input: more is known of where we are than before. */
  onNews(now: Instant): void {
    if (this.#isOver || this.#begun === 0) return;
    this.#newsAt ??= after(now, NEWS_DELAY);
  }

  /** Input: a sample may be complete. */
  onSamples(now: Instant): void {
    if (this.#isOver || this.#isSampled || this.#fresh === undefined) return;
    if (!this.#context.sampler.isComplete(this.#fresh)) return;
    this.#isSampled = true;
    // The initiator tells it with its wish to go.
    if (this.#options.connection.role === "responder") this.#tell({ wantsGo: false }, now);
  }

  /** Input: time has passed. */
  handleTimeout(now: Instant): void {
    if (this.#isOver) return;
    if (isDue(this.#prepareAt, now)) this.#prepare(now);
    if (isDue(this.#askGoAt, now)) {
      this.#hasAskedGo = true;
      this.#tell({ wantsGo: true }, now);
    }
    if (isDue(this.#latestBegin, now)) this.#begin(now, now);
    if (isDue(this.#newsAt, now)) {
      this.#newsAt = undefined;
      this.#tell({ wantsGo: false }, now);
    }
  }

  // Commands

  /** Tells the peer where we are now; what it says is authentic, so it confirms our key as well. */
  tellNow(now: Instant): void {
    this.#tell({ wantsGo: false }, now);
  }

  /** Nothing more is begun or told. The sockets belong to the connection. */
  end(): void {
    this.#isOver = true;
    this.#options.budget.end();
    for (const via of this.#sockets) this.#context.sampler.forget(via);
  }

  // Outputs

  /** Output: when to call {@link handleTimeout}. */
  nextTimeout(): Instant | undefined {
    if (this.#isOver) return undefined;
    return earliest(earliest(this.#prepareAt, this.#askGoAt), earliest(this.#latestBegin, this.#newsAt));
  }

  // Getters

  /** Rounds that have begun, and whether there are no more. */
  get begun(): number {
    return this.#begun;
  }

  get isLast(): boolean {
    return this.#begun === ROUND_STARTS.length;
  }

  /** When the next round should begin. */
  get #nextStart(): Instant | undefined {
    const delay = ROUND_STARTS[this.#begun];
    return this.#base === undefined || delay === undefined ? undefined : after(this.#base, delay);
  }

  get #prepareAt(): Instant | undefined {
    const start = this.#nextStart;
    if (start === undefined || this.#begun < this.#prepared) return undefined;
    const lead = Math.min(PREPARATION + 2 * (this.#options.serverRtt ?? DEFAULT_RTT), MAX_PREPARATION);
    return after(start, -lead);
  }

  get #askGoAt(): Instant | undefined {
    const start = this.#nextStart;
    if (start === undefined || this.#begun === this.#prepared || this.#hasAskedGo) return undefined;
    if (this.#options.connection.role === "responder") return undefined;
    return after(start, -(this.#options.serverRtt ?? DEFAULT_RTT));
  }

  get #latestBegin(): Instant | undefined {
    const { answeredAt, serverRtt = DEFAULT_RTT } = this.#options;
    const start = this.#base === undefined ? after(answeredAt, serverRtt) : this.#nextStart;
    return start === undefined || this.#begun === this.#prepared ? undefined : after(start, GO_PATIENCE);
  }

  #prepare(now: Instant): void {
    const { desk, sampler, surroundings } = this.#context;
    this.#prepared = this.#begun + 1;
    this.#options.connection.prepareRound();
    this.#hasAskedGo = false;
    this.#fresh = undefined;
    this.#isSampled = false;
    const servers = surroundings.samplingServers;
    if (servers.length === 0 || this.#options.signal === undefined) return;
    const round = this.#prepared;
    desk.ask(1, 4, ([socket], openedAt) => {
      if (socket === undefined) return;
      if (this.#isOver || this.#prepared !== round) {
        desk.close([socket.via]);
        return;
      }
      this.#sockets.push(socket.via);
      desk.own(this.#options.connection, socket.via);
      this.#fresh = socket.via;
      sampler.sample(socket.via, servers, this.#options.serverRtt, openedAt);
      this.onSamples(openedAt);
    });
    this.handleTimeout(now);
  }

  #begin(startAt: Instant, now: Instant, opensAt?: Instant): void {
    this.#base ??= startAt;
    this.#begun += 1;
    const { connection, budget, attestedHosts, roundTrip } = this.#options;
    const { situation: local, sockets } = this.#announce();
    this.#context.journal(connection)?.add({ type: "round", round: this.#begun, techniques: [] }, now);
    const round = this.#begun;
    connection.punch({ round, startAt, opensAt, local, sockets, attestedHosts, roundTrip }, budget, now);
  }

  #tell(options: { readonly wantsGo: boolean }, now: Instant): void {
    const { connection, signal } = this.#options;
    if (signal === undefined) return;
    if (!options.wantsGo && this.#updates >= MAX_UPDATES) return;
    this.#updates += 1;
    const { situation }: { readonly situation: Situation } = this.#announce();
    const packet = connection.sealSituation(situation, now);
    if (packet !== undefined) signal({ kind: "probe", content: packet }, options, now);
  }

  #announce(): Announcement {
    const { surroundings, sampler } = this.#context;
    const withHosts = this.#options.tellsHosts || this.sharesNat;
    const via = this.#fresh;
    const mapped = via === undefined ? [] : sampler.mapped(via);
    // Without a fresh socket that somebody has seen, the one that there is gets another chance.
    if (via === undefined || mapped.length === 0) return surroundings.announce({ withHosts });
    return surroundings.announce({ withHosts, sampled: [{ via, mapped }] });
  }

  /** Whether both sides appear at the same address: then they may be neighbours. */
  get sharesNat(): boolean {
    const { candidates } = this.#options.connection.peerSituation;
    const own = this.#context.surroundings.reflexive;
    return candidates.some(
      ({ kind, address }) => kind === "reflexive" && own.some(({ host }) => host === address.host),
    );
  }
}

function isDue(at: Instant | undefined, now: Instant): boolean {
  return at !== undefined && at <= now;
}
