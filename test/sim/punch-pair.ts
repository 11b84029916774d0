/**
 * Two hosts behind any two NATs and a server that both know: three rounds of punching, as two connections would do them.
 *
 * @module
 */

import type { Attempt } from "../../src/path/punch/attempts.ts";
import type { Role } from "../../src/path/punch/plan.ts";
import { ROUND_STARTS } from "../../src/path/punch/puncher.ts";
import type { PunchSocket } from "../../src/path/punch/targets.ts";
import {
  address,
  type Behavior,
  type DuplexLinkOptions,
  type Host,
  type Nat,
  type NatOptions,
  type PortAllocation,
  World,
} from "../../src/testing/index.ts";
import type { Candidate } from "../../src/wire/candidate.ts";
import { type NatProfile, UNKNOWN_NAT } from "../../src/wire/nat-profile.ts";
import { PunchMachine, TellMachine } from "./punching.ts";

/** What lies in front of a peer: nothing, or a NAT, perhaps with another one in front of it. */
export interface SideOptions {
  readonly nat?: Partial<NatOptions>;
  /** The carrier's, in front of the home's. */
  readonly carrier?: Partial<NatOptions>;
  /** What the peer believes; by default the truth. */
  readonly profile?: NatProfile;
  /** Start of the first round later than agreed, in ms. */
  readonly lateBy?: number;
  /** Whether the peer's key is confirmed at the start; by default it is. */
  readonly isConfirmed?: boolean;
}

/** A pair to be tried. */
export interface PairOptions {
  readonly seed: number | string;
  readonly initiator: SideOptions;
  readonly responder: SideOptions;
  /** Link of both hosts: by default 10 ms each way, so that the round trip between them is 40 ms. */
  readonly link?: DuplexLinkOptions;
  /** Time from learning the mapped addresses to the start, in ms. */
  readonly sampleAge?: number;
  readonly maxRounds?: number;
  /** Both live behind this NAT instead, and announce the addresses that they have there too. */
  readonly sharedNat?: Partial<NatOptions>;
  /** Both have IPv6 addresses alone, and their NATs are firewalls. */
  readonly isIpv6?: boolean;
}

/** How it went. */
export interface PairResult {
  readonly world: World;
  /** From the start of the first round until both had proven a path, in ms; `undefined` if they never did. */
  readonly ms: number | undefined;
  readonly peers: readonly [Host<PunchMachine>, Host<PunchMachine>];
  readonly nats: readonly (Nat | undefined)[];
  /** Reasons of both, by round. */
  readonly reasons: readonly string[];
  /** When the last ladder that found nothing gave up, in ms from the start. */
  readonly gaveUpAfter: number;
  /** Techniques that were begun: kinds of what was sent, and sockets that were opened. */
  readonly socketsOpened: number;
  readonly probes: number;
  readonly attempts: readonly (readonly Attempt[])[];
}

const SERVER = address("198.51.100.10", 3478);
const OTHER_SERVER = address("198.51.100.11", 3478);
const ROLES: readonly Role[] = ["initiator", "responder"];

/** How long fresh sockets have to learn their addresses before a round, in ms. */
const SAMPLING_LEAD = 200;

/** How often a socket asks where it appears, in case of loss, and the time between, in ms. */
const ASKED_TIMES = 4;
const ASK_INTERVAL = 25;

/** The profile of such a NAT, as discovery would find it. */
export function profileOf(nat: Partial<NatOptions> | undefined): NatProfile {
  if (nat === undefined) return { ...UNKNOWN_NAT, mapping: "endpoint-independent", filtering: "endpoint-independent" };
  const { mapping = "endpoint-independent", filtering = "address-and-port-dependent", ports, foreignFlows = 0 } = nat;
  return { ...UNKNOWN_NAT, mapping, filtering, ...allocatorOf(ports), foreignFlows };
}

function allocatorOf(ports: PortAllocation = { kind: "preserving" }): Partial<NatProfile> {
  switch (ports.kind) {
    case "preserving":
      return { allocator: "preserving" };
    case "sequential":
      return { allocator: "sequential", step: ports.step ?? 1 };
    case "random":
      return { allocator: "random" };
    case "block":
      return { allocator: "block", poolFirst: ports.low ?? 1024, poolSize: ports.size };
  }
}

/** A NAT as tests name it: mapping and filtering, with random ports unless others are given. */
export function kind(mapping: Behavior, filtering: Behavior, more: Partial<NatOptions> = {}): Partial<NatOptions> {
  // As Linux does: answers leave as the question came; ports that differ in the remote are not exclusive.
  const overloading = mapping === "address-and-port-dependent" && filtering === "address-and-port-dependent";
  return { mapping, filtering, ports: { kind: "random" }, replyAffinity: true, overloading, ...more };
}

/** Tries a pair: three rounds, or until both have proven a path. */
export function punchPair(options: PairOptions): PairResult {
  const pair = new Pair(options);
  return pair.run();
}

class Pair {
  readonly #options: PairOptions;
  readonly #world: World;
  readonly #peers: readonly [Host<PunchMachine>, Host<PunchMachine>];
  readonly #nats: (Nat | undefined)[] = [];
  readonly #sharedNat: Nat | undefined;
  #opened = 0;
  #lastPort = 5000;
  #startedAt = 0;

  constructor(options: PairOptions) {
    this.#options = options;
    this.#world = new World({ seed: options.seed });
    this.#world.addHost({
      name: "server",
      machine: new TellMachine(this.#world.pool),
      addresses: [SERVER, OTHER_SERVER],
      link: { delay: 10 },
    });
    const { sharedNat } = options;
    this.#sharedNat = sharedNat && this.#world.addNat({ name: "nat", address: "203.0.113.1", ...sharedNat });
    const key = this.#world.rng.fork("key").random(8);
    this.#peers = [this.#addPeer(0, key), this.#addPeer(1, key)];
  }

  run(): PairResult {
    const { maxRounds = ROUND_STARTS.length, sampleAge = SAMPLING_LEAD } = this.#options;
    this.#startedAt = this.#world.now + sampleAge;
    for (const [index, delay] of ROUND_STARTS.slice(0, maxRounds).entries()) {
      const startAt = this.#startedAt + delay;
      this.#world.at(startAt - (index === 0 ? sampleAge : SAMPLING_LEAD), () => this.#sample(index + 1));
      // Both know each other's candidates some time before the start.
      this.#world.at(startAt - 50, () => this.#startRound(index + 1, startAt));
    }
    this.#world.run({ for: sampleAge });
    const isDone = (): boolean => this.#peers.every(({ machine }) => machine.connected !== undefined);
    const isOver = (): boolean =>
      this.#peers.every(
        ({ machine }) => machine.punchers.length === maxRounds && machine.punchers.every((p) => p.isOver),
      );
    this.#world.run({ until: () => isDone() || isOver() });
    return this.#result(isDone());
  }

  #result(isConnected: boolean): PairResult {
    const { now } = this.#world;
    const events = this.#peers.flatMap((peer) => peer.events);
    const ends = events.flatMap((event) => (event.type === "exhausted" ? [event] : []));
    const times = this.#peers.map(({ machine }) => (machine.connected?.at ?? now) - this.#startedAt);
    return {
      world: this.#world,
      ms: isConnected ? Math.max(...times) : undefined,
      peers: this.#peers,
      nats: this.#nats,
      reasons: ends.map((end) => end.reason),
      gaveUpAfter: Math.max(0, ...ends.map((end) => end.at - this.#startedAt)),
      socketsOpened: this.#opened,
      probes: this.#peers.reduce((sum, { machine }) => sum + machine.sent.length, 0),
      attempts: this.#peers.map(({ machine }) => machine.punchers.flatMap((puncher) => [...puncher.attempts(now)])),
    };
  }

  #addPeer(index: 0 | 1, key: Uint8Array): Host<PunchMachine> {
    const world = this.#world;
    const { nat, carrier } = this.#side(index);
    const outer = carrier && world.addNat({ name: `carrier ${index}`, address: `203.0.113.${index + 11}`, ...carrier });
    const home = { name: `nat ${index}`, address: outer ? "100.64.0.2" : `203.0.113.${index + 1}` };
    const inner = this.#sharedNat ?? (nat && world.addNat({ ...home, ...(outer && { behind: outer }), ...nat }));
    this.#nats.push(inner);
    const behind = inner ?? outer;
    const ipv4 = behind === undefined ? `192.0.2.${index + 1}` : `10.0.0.${index + 2}`;
    const host = this.#options.isIpv6 ? `2001:db8:${index + 1}::2` : ipv4;
    return world.addHost({
      name: ROLES[index]!,
      machine: new PunchMachine({ pool: world.pool, random: world.rng.fork(ROLES[index]!).random, key }),
      addresses: [address(host, this.#nextPort())],
      ...(behind && { behind }),
      link: this.#options.link ?? { delay: 10 },
      onEvent: (event, peer) => {
        if (event.type === "close-sockets") for (const via of event.vias) peer.unbind(via);
        if (event.type !== "open-sockets") return;
        this.#opened += event.count;
        const vias = Array.from({ length: event.count }, () => peer.bind(address(host, this.#nextPort())));
        event.puncher.onSockets(event.requestId, vias, world.now);
      },
    });
  }

  /** Learns where the sockets of the round appear: the first one of the host, fresh ones later. */
  #sample(round: number): void {
    for (const peer of this.#peers) {
      const { machine } = peer;
      if (machine.connected !== undefined) continue;
      const via = round === 1 ? 0 : peer.bind(address(peer.address(0).host, this.#nextPort()));
      if (this.#options.isIpv6) continue;
      for (let i = 0; i < ASKED_TIMES; i++) {
        this.#world.after(i * ASK_INTERVAL, () => {
          machine.ask(via, SERVER);
          machine.ask(via, OTHER_SERVER);
        });
      }
    }
  }

  #startRound(round: number, startAt: number): void {
    const known = this.#peers.map((peer) => this.#candidates(peer));
    for (const [index, { machine }] of this.#peers.entries()) {
      const { lateBy: lateness = 0, isConfirmed = true } = this.#side(index as 0 | 1);
      const lateBy = round === 1 ? lateness : 0;
      const [own, other] = [known[index]!, known[1 - index]!];
      if (machine.connected !== undefined) continue;
      this.#world.at(startAt - 50 + lateBy, () => {
        const instant = (startAt + lateBy) as never;
        machine.punch(
          {
            role: ROLES[index]!,
            local: own.candidates,
            remote: other.candidates,
            localProfile: this.#profile(index as 0 | 1),
            remoteProfile: this.#profile((1 - index) as 0 | 1),
            startAt: instant,
            round,
            sockets: own.sockets,
            attestedRemoteHosts: other.candidates.map((each) => each.address.host),
            isConfirmed,
            sampleAge: this.#options.sampleAge ?? SAMPLING_LEAD,
          },
          this.#world.now,
        );
      });
    }
  }

  /** What the newest socket of the peer has learned. */
  #candidates(peer: Host<PunchMachine>): { candidates: Candidate[]; sockets: PunchSocket[] } {
    const { mapped } = peer.machine;
    const via = mapped.at(-1)?.via ?? 0;
    const seen = mapped.filter((each) => each.via === via).map((each) => each.at);
    const distinct = seen.filter((at, index) => seen.findIndex((each) => each.port === at.port) === index);
    const reflexive = distinct.map((at): Candidate => ({ kind: "reflexive", address: at, group: 0 }));
    const own: Candidate = { kind: "host", address: peer.address(via), group: 0 };
    const isToldOwn = this.#sharedNat !== undefined || this.#options.isIpv6 === true;
    const candidates = isToldOwn ? [...reflexive, own] : reflexive;
    return { candidates, sockets: [{ via, group: 0, family: own.address.family }] };
  }

  #profile(index: 0 | 1): NatProfile {
    const { nat, profile } = this.#side(index);
    return profile ?? profileOf(this.#options.sharedNat ?? nat);
  }

  #side(index: 0 | 1): SideOptions {
    return index === 0 ? this.#options.initiator : this.#options.responder;
  }

  #nextPort(): number {
    this.#lastPort += 1;
    return this.#lastPort;
  }
}
