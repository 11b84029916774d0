/**
 * The kinds of NAT that tests and acceptance rows go through, and which pairs of them connect how.
 *
 * @module
 */
import type { NatBehavior } from "../../../src/wire/nat-profile.ts";
import type { Allocator, Translation } from "./ruleset.ts";

/** What mappings and filters depend on, from the least to the most. */
export const BEHAVIORS: readonly NatBehavior[] = [
  "endpoint-independent",
  "address-dependent",
  "address-and-port-dependent",
];

/** Where filters keep what was contacted; see {@link Translation.filterScope}. */
export const FILTER_SCOPES = ["endpoint", "mapping"] as const;
export type FilterScope = (typeof FILTER_SCOPES)[number];

/** One kind of NAT; without one, a host is public. */
export interface Kind {
  /** Such as `EIM/APDF`: mapping and filter, in the initials of RFC 4787 §4.1 and §5; or `public`. */
  readonly name: string;
  readonly nat: Pick<Translation, "mapping" | "filtering"> | undefined;
}

const INITIALS: Readonly<Record<NatBehavior, string>> = {
  "endpoint-independent": "EI",
  "address-dependent": "AD",
  "address-and-port-dependent": "APD",
};

/** Public, and each mapping with each filter. */
export const KINDS: readonly Kind[] = [
  { name: "public", nat: undefined },
  ...BEHAVIORS.flatMap((mapping) =>
    BEHAVIORS.map((filtering) => ({
      name: `${INITIALS[mapping]}M/${INITIALS[filtering]}F`,
      nat: { mapping, filtering },
    })),
  ),
];

/** The kind of this name. */
export function kind(name: string): Kind {
  const found = KINDS.find((each) => each.name === name);
  if (found === undefined) throw new RangeError(`no kind of NAT is called ${name}`);
  return found;
}

/** Each kind with itself and with all that come after it. */
export const PAIRS: readonly (readonly [Kind, Kind])[] = KINDS.flatMap((first, index) =>
  KINDS.slice(index).map((second) => [first, second] as const),
);

/** The rules of a kind with random ports. */
export function rulesOf(each: Kind, filterScope: FilterScope = "endpoint"): Translation | undefined {
  if (each.nat === undefined) return undefined;
  return { kind: "translation", ...each.nat, allocator: { kind: "random" }, filterScope };
}

/**
 * What it takes to connect two kinds with random ports:
 *
 * - `simple`: both send to the address that a server saw, and answer to where datagrams come from;
 * - `guess`: one side's port must be hit by chance among all;
 * - `hopeless`: both sides' ports must be hit at once.
 */
export type Difficulty = "simple" | "guess" | "hopeless";

/** How hard a pair is. */
export function difficulty([a, b]: readonly [Kind, Kind], scope: FilterScope): Difficulty {
  if (admits(a, b, scope) || admits(b, a, scope)) return "simple";
  return bothWays(a, b, (nat) => isDependent(nat) && nat.filtering === "address-and-port-dependent")
    ? "hopeless"
    : "guess";
}

type Nat = NonNullable<Kind["nat"]>;

function isDependent({ mapping }: Nat): boolean {
  return mapping !== "endpoint-independent";
}

function bothWays(a: Kind, b: Kind, holds: (nat: Nat) => boolean): boolean {
  return a.nat !== undefined && holds(a.nat) && b.nat !== undefined && holds(b.nat);
}

/**
 * Whether the first datagram of `sender` reaches `receiver`, who has sent to the address that a server saw of `sender`. All
 * else follows, as the answer goes to where the datagram came from.
 */
function admits(receiver: Kind, sender: Kind, scope: FilterScope): boolean {
  const [into, from] = [receiver.nat, sender.nat];
  if (into === undefined) return true;
  // What the receiver has sent to the sender's address opened another mapping than the one that the sender knows of.
  const opensAnother = isDependent(into);
  switch (into.filtering) {
    case "endpoint-independent":
      return true;
    case "address-dependent":
      return !(opensAnother && scope === "mapping");
    case "address-and-port-dependent":
      // Connection tracking keeps this filter for each mapping: the sender would have to know the new one.
      return !opensAnother && (from === undefined || !isDependent(from));
  }
}

/** A ruleset with a name, for tests that go through all of them. */
export interface NamedRules {
  readonly name: string;
  readonly rules: Translation;
  /** What it looks like from outside: a mapping that keeps ports seems to depend on nothing while they are free. */
  readonly seenMapping: NatBehavior;
}

const ALLOCATORS: readonly { readonly allocator: Allocator; readonly hairpin: boolean }[] = [
  { allocator: { kind: "preserving" }, hairpin: false },
  { allocator: { kind: "random" }, hairpin: false },
  { allocator: { kind: "random" }, hairpin: true },
  { allocator: { kind: "sequential" }, hairpin: false },
];

/** Every mapping with every filter and every allocator, and with random ports also with hairpin: 36. */
export const RULESETS: readonly NamedRules[] = KINDS.flatMap(({ name, nat }) =>
  nat === undefined
    ? []
    : ALLOCATORS.map(({ allocator, hairpin }) => ({
        name: `${name} ${allocator.kind}${hairpin ? " hairpin" : ""}`,
        rules: { kind: "translation", ...nat, allocator, hairpin } as const,
        seenMapping: allocator.kind === "preserving" ? "endpoint-independent" : nat.mapping,
      })),
);
