/**
 * What two sides do beyond sending to each other's candidates, from what each knows of its NATs (spec/paths.md#plan).
 *
 * Theory of operation. Each side has a mapping that depends on the destination, or has none that does, or nobody knows.
 * Two independent ones need no more than that both send; neither does one whose filter lets everybody in, nor an
 * independent one that filters by address. What is left has a side whose new port must be guessed, the *target*, and
 * another that guesses, the *sprayer*. A guess that is right passes the target's filter in two cases: the filter looks at
 * addresses only, or the sprayer's own port is known, so that the target has sent to it before.
 *
 * Which technique guesses follows from how the target's NAT chooses ports: sequential ones are predicted; random ones are
 * hit by chance, if the target opens many at once. Where neither case holds, both ports must be guessed at the same time:
 * two sequential ones are walked at different strides, two small blocks are swept; for anything else there is no hope.
 *
 * Both sides compute the plan from the same two profiles, so nothing needs to be negotiated.
 *
 * @module
 */
import type { NatBehavior, NatProfile } from "../../wire/nat-profile.ts";

/** Who called, who was called. */
export type Role = "initiator" | "responder";

/** Ports that mappings may get: `size` of them, from `first` on. */
export interface PortPool {
  readonly first: number;
  readonly size: number;
}

/** One technique, and from which round on it is tried. */
export type PlannedRung =
  /** The target's next port follows from its last one; the other side tries some of them. */
  | { readonly technique: "prediction"; readonly target: Role; readonly round: number }
  /** Both next ports follow from the last ones; both walk, the responder at `responderStride`. */
  | { readonly technique: "strides"; readonly responderStride: 1 | 2; readonly round: number }
  /** The target opens `sockets` sockets, the other side tries ports of the pool at random. */
  | {
      readonly technique: "birthday";
      readonly target: Role;
      readonly sockets: number;
      readonly pool: PortPool;
      readonly round: number;
    }
  /** Both try all ports of the other's block. */
  | {
      readonly technique: "sweep";
      readonly pools: { readonly initiator: PortPool; readonly responder: PortPool };
      readonly round: number;
    };

/** See the module. */
export interface Plan {
  readonly rungs: readonly PlannedRung[];
  /** Nothing that is known can work, and everything is known. */
  readonly isHopeless: boolean;
  /**
   * The side whose packets the other's filter drops until the other has guessed right. It sends only what dies on the
   * way, because a dropped packet may spoil the other's NAT for the right guess.
   */
  readonly quiet: Role | undefined;
}

// Specification

/** Ports that a NAT may use: all but the well-known ones (RFC 4787 §4.2.2). */
export const FULL_POOL: PortPool = { first: 1024, size: 64_512 };

/**
 * Largest block that is swept, and largest pool for which few sockets suffice. Carriers give their subscribers 512 to 4,096
 * ports; more could not be swept within the budget.
 */
export const MAX_BLOCK_SIZE = 4096;

/** Sockets of a target whose ports may be anywhere: 1 − e^(−256 k / 64,512) is 0.5 after k = 175 guesses, 0.99 after 1,160. */
export const BIRTHDAY_SOCKETS = 256;

/** Sockets of a target whose pool is small: as good a chance, and a block of 512 ports is not used up. */
export const SMALL_POOL_SOCKETS = 64;

/** The first round: openers and plain volleys decide nearly everything. */
const FIRST_ROUND = 1;

/** What rests on guesses about the NATs waits until the first round has failed. */
const SECOND_ROUND = 2;

/** Whether the port that others see depends on whom the side talks to. */
type Dependence = "no" | "maybe" | "yes";

interface Side {
  readonly role: Role;
  readonly profile: NatProfile;
  readonly dependence: Dependence;
  readonly filtering: NatBehavior | undefined;
}

const SIMPLE: Plan = { rungs: [], isHopeless: false, quiet: undefined };

/** The plan for the side in `role` that has `local` in front of it; its peer computes the same from its own view. */
export function planOf(local: NatProfile, remote: NatProfile, role: Role): Plan {
  const other: Role = role === "initiator" ? "responder" : "initiator";
  const sides = [sideOf(local, role), sideOf(remote, other)].sort((a) => (a.role === "initiator" ? -1 : 1));
  const [initiator, responder] = sides as [Side, Side];
  if (isEnoughToSend(initiator, responder)) return SIMPLE;
  const pairs = [
    { target: responder, sprayer: initiator },
    { target: initiator, sprayer: responder },
  ];
  const certain = pairs.filter(({ target, sprayer }) => hitCounts(target, sprayer) === "yes").sort(byEffort)[0];
  if (certain !== undefined) {
    const { target, sprayer } = certain;
    return {
      rungs: [guessingRung(target)],
      isHopeless: false,
      quiet: isQuiet(target, sprayer) ? target.role : undefined,
    };
  }
  const both = bothGuess(initiator, responder);
  const possible = pairs.filter(({ target, sprayer }) => hitCounts(target, sprayer) === "maybe");
  const rungs = both === undefined ? possible.map(({ target }) => guessingRung(target, SECOND_ROUND)) : [both];
  return { rungs, isHopeless: rungs.length === 0, quiet: undefined };
}

/** The pool of the profile, or all ports. A pool that runs beyond the last port ends there. */
export function poolOf(profile: NatProfile): PortPool {
  const { poolFirst, poolSize } = profile;
  if (poolSize === 0) return FULL_POOL;
  const first = Math.max(poolFirst, FULL_POOL.first);
  const end = Math.min(poolFirst + poolSize, FULL_POOL.first + FULL_POOL.size);
  return end > first ? { first, size: end - first } : FULL_POOL;
}

function sideOf(profile: NatProfile, role: Role): Side {
  return { role, profile, dependence: dependenceOf(profile), filtering: profile.filtering };
}

function dependenceOf({ mapping, allocator }: NatProfile): Dependence {
  if (mapping === "endpoint-independent") return "no";
  // A NAT that keeps ports and lets destinations share them has the same one for all, and was not seen to depend on any.
  // One that was keeps a port for the first destination only.
  if (allocator === "preserving") return mapping === undefined ? "no" : "maybe";
  return mapping === undefined ? "maybe" : "yes";
}

/** Whether each side gets through by sending to what the other announced, and answering where packets come from. */
function isEnoughToSend(a: Side, b: Side): boolean {
  if (a.filtering === "endpoint-independent" || b.filtering === "endpoint-independent") return true;
  if (a.dependence === "no" && b.dependence === "no") return true;
  return [a, b].some((side) => side.dependence === "no" && side.filtering === "address-dependent");
}

/** Whether a right guess of the target's port gets through its filter. */
function hitCounts(target: Side, sprayer: Side): Dependence {
  if (target.dependence === "no") return "no";
  if (target.filtering === "address-dependent" || sprayer.dependence === "no") return "yes";
  return target.filtering === undefined || sprayer.dependence === "maybe" ? "maybe" : "no";
}

interface Pair {
  readonly target: Side;
  readonly sprayer: Side;
}

/** Of two pairs that both work, the cheaper goes first; of equal ones, that in which the responder is the target. */
function byEffort(a: Pair, b: Pair): number {
  return effort(a.target) - effort(b.target);
}

/** Ports among which the target's is. A sequential one is nearly known. */
function effort({ profile }: Side): number {
  return profile.allocator === "sequential" ? 0 : poolOf(profile).size;
}

function guessingRung(target: Side, earliest: number = FIRST_ROUND): PlannedRung {
  const { profile, role } = target;
  if (profile.allocator === "sequential" && profile.step !== 0) {
    return { technique: "prediction", target: role, round: FIRST_ROUND };
  }
  const pool = poolOf(profile);
  const sockets = pool.size <= MAX_BLOCK_SIZE ? SMALL_POOL_SOCKETS : BIRTHDAY_SOCKETS;
  const round = target.dependence === "maybe" ? SECOND_ROUND : earliest;
  return { technique: "birthday", target: role, sockets, pool, round };
}

/** What is tried when both ports must be guessed at once. */
function bothGuess(initiator: Side, responder: Side): PlannedRung | undefined {
  const sides = [initiator, responder];
  if (!sides.every((side) => side.dependence === "yes")) return undefined;
  if (sides.every(({ profile }) => profile.allocator === "sequential" && profile.step !== 0)) {
    return { technique: "strides", responderStride: stride(initiator, responder), round: FIRST_ROUND };
  }
  if (sides.every(({ profile }) => isProvenBlock(profile))) {
    const pools = { initiator: poolOf(initiator.profile), responder: poolOf(responder.profile) };
    return { technique: "sweep", pools, round: FIRST_ROUND };
  }
  return undefined;
}

/**
 * The responder's stride. If every packet of both sides leaves by a new port, equal strides keep two walks that are out
 * of step out of step forever; with 1 and 2 they meet once. A side whose mapping depends on the address only has one port
 * for the whole walk, and both must leave out none.
 */
function stride(initiator: Side, responder: Side): 1 | 2 {
  const isByPort = (side: Side): boolean => side.profile.mapping === "address-and-port-dependent";
  return isByPort(initiator) && isByPort(responder) ? 2 : 1;
}

/** A block is small, and was seen to be one: a guess would cost thousands of packets for nothing. */
function isProvenBlock({ allocator, poolSize }: NatProfile): boolean {
  return allocator === "block" && poolSize > 0 && poolSize <= MAX_BLOCK_SIZE;
}

/** Whether nothing that the target sends can get through before the sprayer has guessed right. */
function isQuiet(target: Side, sprayer: Side): boolean {
  const isFiltered = sprayer.filtering === "address-and-port-dependent";
  return target.dependence === "yes" && sprayer.dependence === "no" && isFiltered;
}
