/**
 * What one pair of NATs allows, once nothing about them is left open (spec/doctor.md#verdict).
 *
 * Theory of operation. Both sides send to the address at which a server saw the other, and answer to wherever packets
 * really come from. Call a side *fixed* if the peer sees it at that address too, because its mapping is
 * endpoint-independent or its NAT keeps the port; any other side shows up at another port. Two fixed sides always meet:
 * each has sent to where the other comes from. A side that shows up elsewhere gets through a filter that does not look
 * at the port. And it takes packets at the address that the server saw, although it never sent to the peer from there,
 * if its filter is endpoint-independent, or goes by address and remembers for the endpoint rather than for the mapping.
 * Either is enough, for the answer goes back to a source that is then known.
 *
 * Where neither holds, the plan that both sides make says what else they try, and this says whether that can work: a
 * sequential port can be foretold, of a random one many are opened and tried, two small blocks are swept. A right guess
 * counts only if the filter of its target lets it in, because the sprayer is fixed or the filter ignores ports.
 *
 * @module
 */
import { GUESSING_DELAY } from "../path/punch/guessing.ts";
import type { Plan, PlannedRung, PortPool, Role } from "../path/punch/plan.ts";
import { ROUND_STARTS } from "../path/punch/puncher.ts";
import {
  BIRTHDAY_STAGES,
  MAX_BIRTHDAY_PROBES,
  MAX_SWEEP_PROBES,
  SWEEP_PASSES,
  SWEEP_STAGES,
  sprayDuration,
} from "../path/punch/spray.ts";
import type { Duration } from "../util/time.ts";
import type { NatBehavior, PortAllocator } from "../wire/nat-profile.ts";

/** Ways for two sides to meet. */
export type Technique =
  | "host"
  | "ipv6"
  | "port-mapping"
  | "simple-open"
  | "prediction"
  | "strides"
  | "birthday"
  | "block-sweep";

/** What a filter's permissions belong to. RFC 4787 §5 speaks of the internal endpoint; many NATs keep them by mapping. */
export type FilterScope = "endpoint" | "mapping";

/** One side, with nothing left open. */
export interface Side {
  readonly mapping: NatBehavior;
  readonly filtering: NatBehavior;
  readonly allocator: PortAllocator;
  /** New mappings of others in a second. */
  readonly foreignFlows: number;
  readonly filterScope: FilterScope;
}

/** Two sides, by who calls whom; it matters to the plan only. */
export type Sides = Readonly<Record<Role, Side>>;

/** How a pair meets, how probably, and how long that takes in the median beyond what every connection takes. */
export interface Outcome {
  /** `undefined`: not at all. */
  readonly technique: Technique | undefined;
  readonly chance: number;
  readonly extra: Duration;
}

/** They do not meet. */
export const NO_WAY: Outcome = { technique: undefined, chance: 0, extra: 0 };

// Specification

/** How much later than a round trip rungs of hundreds of flows begin (spec/paths.md#plan). */
const ROUND_TRIP_MARGIN = 50;

// Implementation: what is left for losses and for what nobody foresees.

const SIMPLE_CHANCE = 0.99;
const KEPT_PORT_CHANCE = 0.97;
const PREDICTION_CHANCE = 0.98;
const SPRAY_CHANCE = 0.98;
const SWEEP_CHANCE = 0.93;

/** Time to walk to the next port of a NAT that counts, as simulated with up to 10 foreign flows a second: 5 to 25 ms. */
const PREDICTION_TIME = 20;

/**
 * Median time and chance of strides by foreign flows a second, both sides together, as simulated. From about 60 on the
 * first round mostly fails.
 */
const STRIDES: readonly { readonly flows: number; readonly extra: Duration; readonly chance: number }[] = [
  { flows: 0, extra: 20, chance: 0.99 },
  { flows: 4, extra: 40, chance: 0.99 },
  { flows: 20, extra: 130, chance: 0.96 },
  { flows: 40, extra: 220, chance: 0.96 },
  { flows: 60, extra: 300, chance: 0.9 },
  { flows: 120, extra: 1_750, chance: 0.8 },
  { flows: 180, extra: 1_750, chance: 0.6 },
];

/** How two sides meet that follow this plan, over a path with this round-trip time. */
export function outcomeOf(sides: Sides, plan: Plan, rtt: Duration): Outcome {
  const { initiator, responder } = sides;
  if (isSimple(initiator, responder)) {
    const keeps = [initiator, responder].some((side) => isDependent(side) && side.allocator === "preserving");
    return guess("simple-open", keeps ? KEPT_PORT_CHANCE : SIMPLE_CHANCE, 0);
  }
  return plan.rungs.map((rung) => attempt(rung, sides, rtt)).reduce(better, NO_WAY);
}

/** Whether opening at the same moment is enough; see the module. It does not matter which side is which. */
export function isSimple(a: Side, b: Side): boolean {
  if (isFixed(a) && isFixed(b)) return true;
  if (isFixed(a)) return ignoresPorts(a) || takesAtServersAddress(b);
  if (isFixed(b)) return ignoresPorts(b) || takesAtServersAddress(a);
  return takesAtServersAddress(a) || takesAtServersAddress(b);
}

/** Whether the NAT may show different peers different ports. */
export function isDependent(side: Side): boolean {
  return side.mapping !== "endpoint-independent";
}

/** The more probable of two outcomes, and of equals the faster one. */
export function better(a: Outcome, b: Outcome): Outcome {
  if (a.chance !== b.chance) return a.chance > b.chance ? a : b;
  return a.extra <= b.extra ? a : b;
}

/** Whether the peer sees the side where the server saw it. */
function isFixed(side: Side): boolean {
  return !isDependent(side) || side.allocator === "preserving";
}

function ignoresPorts(side: Side): boolean {
  return side.filtering !== "address-and-port-dependent";
}

/** Whether packets of the peer get in at the address that a server saw. */
function takesAtServersAddress({ filtering, filterScope }: Side): boolean {
  if (filtering === "address-dependent") return filterScope === "endpoint";
  return filtering === "endpoint-independent";
}

/** What comes of one rung. */
function attempt(rung: PlannedRung, sides: Sides, rtt: Duration): Outcome {
  const round = ROUND_STARTS[rung.round - 1] ?? 0;
  const start = round + GUESSING_DELAY;
  const sprayStart = round + Math.max(GUESSING_DELAY, rtt + ROUND_TRIP_MARGIN);
  switch (rung.technique) {
    case "prediction": {
      const isPossible = sides[rung.target].allocator === "sequential" && hitCounts(rung.target, sides);
      return isPossible ? guess("prediction", PREDICTION_CHANCE, start + PREDICTION_TIME) : NO_WAY;
    }
    case "strides":
      return strides(sides.initiator.foreignFlows + sides.responder.foreignFlows, start);
    case "birthday":
      return hitCounts(rung.target, sides) ? birthday(rung.sockets, rung.pool, sprayStart) : NO_WAY;
    case "sweep":
      return sweep(rung.pools.initiator, rung.pools.responder, sprayStart);
  }
}

/** So many of the pool's ports are open: k probes miss them all with a probability of about e^(−k · sockets / ports). */
function birthday(sockets: number, pool: PortPool, start: Duration): Outcome {
  const share = Math.min(sockets / pool.size, 1);
  const hit = 1 - Math.exp(-share * MAX_BIRTHDAY_PROBES);
  const median = Math.ceil(-Math.log(1 - hit / 2) / share);
  return guess("birthday", SPRAY_CHANCE * hit, start + sprayDuration(median, BIRTHDAY_STAGES));
}

/** A flow of one side is met by one of the other with a probability of 1 − e^(−k² / (ports · ports)) after k packets of each. */
function sweep(a: PortPool, b: PortPool, start: Duration): Outcome {
  const pairs = a.size * b.size;
  const [fromA, fromB] = [b, a].map((pool) => Math.min(SWEEP_PASSES * pool.size, MAX_SWEEP_PROBES));
  const hit = 1 - Math.exp(-(fromA! * fromB!) / pairs);
  const median = Math.ceil(Math.sqrt(-Math.log(1 - hit / 2) * pairs));
  return guess("block-sweep", SWEEP_CHANCE * hit, start + sprayDuration(median, SWEEP_STAGES));
}

/** Whether a right guess of the target's port gets through its filter. */
function hitCounts(target: Role, sides: Sides): boolean {
  const sprayer = sides[target === "initiator" ? "responder" : "initiator"];
  return isFixed(sprayer) || ignoresPorts(sides[target]);
}

function strides(flows: number, start: Duration): Outcome {
  const row = STRIDES.find((each) => flows <= each.flows);
  return row === undefined ? NO_WAY : guess("strides", row.chance, start + row.extra);
}

function guess(technique: Technique, chance: number, extra: Duration): Outcome {
  return { technique, chance, extra };
}
