/**
 * Ports that a NAT which counts is expected to give next (spec/paths.md#guessing).
 *
 * Theory of operation. The last port that was seen and the step give the next one; meanwhile others behind the same NAT
 * have taken some. They come independently of each other, μ = rate · age of them on average, with a standard deviation of
 * √μ. A walk therefore begins at the μ − 2√μ-th port. To begin later would lose: ports that are passed over never come
 * again.
 *
 * Two walks at once (Klinec and Matyáš, "Traversing symmetric NAT with predictable port allocation function", SIN 2014).
 * Let both sides send from a new port each time, a to the ports q + 1, q + 2, … and b to p + 1, p + 3, …, where p and q
 * are the ports seen last, and let e of a's ports and f of b's have been taken meanwhile. The k-th packet of b goes from
 * q + f + k to p + 2k − 1, the i-th of a from p + e + i to q + i: they are two ends of one flow for i = f + k and
 * k = e + f + 1, whatever e and f are. With equal strides only e + f = 0 would do.
 *
 * @module
 */
import type { Address } from "../../util/machine.ts";
import type { Duration } from "../../util/time.ts";
import type { Candidate } from "../../wire/candidate.ts";
import type { NatProfile } from "../../wire/nat-profile.ts";
import { poolOf } from "./plan.ts";

// Specification

/** Ports of a walk towards one target, where nobody else takes any: its own openers and volleys, and some fresh sockets. */
const WALK_PORTS = 16;

/** Ports of any walk. */
export const MAX_WALK_PORTS = 64;

// Implementation

/**
 * Time from when the ports were sampled to the walk, in ms, if nobody knows better: the exchange by a server, and 150 ms;
 * and at the least, since a walk that begins too late never meets.
 */
const DEFAULT_SAMPLE_AGE: Duration = 500;
const LEAST_SAMPLE_AGE: Duration = 150;

/** Ports to try at a target that sends from few ports of its own, in order. Empty if its last port is not known. */
export function walkPorts(
  target: { readonly candidates: readonly Candidate[]; readonly profile: NatProfile; readonly host: string },
  age?: Duration,
): readonly number[] {
  const expected = foreignPorts(target.profile, age ?? DEFAULT_SAMPLE_AGE);
  const count = Math.min(WALK_PORTS + Math.ceil(4 * Math.sqrt(expected)), MAX_WALK_PORTS);
  return portsFrom(target, { skip: leastForeignPorts(target.profile, age), stride: 1, count });
}

/** Ports to try where both sides walk, in order. Empty if the peer's last port is not known. */
export function stridePorts(
  target: { readonly candidates: readonly Candidate[]; readonly profile: NatProfile; readonly host: string },
  { stride, age }: { readonly stride: number; readonly age?: Duration | undefined },
): readonly number[] {
  return portsFrom(target, { skip: leastForeignPorts(target.profile, age), stride, count: MAX_WALK_PORTS });
}

/** Ports that others have taken since, on average. */
function foreignPorts(profile: NatProfile, age: Duration): number {
  return (profile.foreignFlows * age) / 1000;
}

/** Ports that others have taken since, at the least: fewer are seen in 2 of 100 cases. */
function leastForeignPorts(profile: NatProfile, age: Duration = LEAST_SAMPLE_AGE): number {
  const expected = foreignPorts(profile, age);
  return Math.max(0, Math.floor(expected - 2 * Math.sqrt(expected)));
}

function portsFrom(
  target: { readonly candidates: readonly Candidate[]; readonly profile: NatProfile; readonly host: string },
  { skip, stride, count }: { readonly skip: number; readonly stride: number; readonly count: number },
): readonly number[] {
  const { profile } = target;
  const next = nextPort(target.candidates, profile, target.host);
  if (next === undefined) return [];
  const { first, size } = poolOf(profile);
  return Array.from({ length: count }, (_, index) => {
    const offset = next + profile.step * (skip + stride * index) - first;
    return first + (((offset % size) + size) % size);
  });
}

/** The port that the next mapping gets: what the peer expects, else one step beyond the furthest that was seen. */
function nextPort(candidates: readonly Candidate[], profile: NatProfile, host: string): number | undefined {
  const ofKind = (kind: Candidate["kind"]): readonly Address[] =>
    candidates.filter((each) => each.kind === kind && each.address.host === host).map((each) => each.address);
  const [expected] = ofKind("predicted");
  if (expected !== undefined) return expected.port;
  const seen = ofKind("reflexive").map((address) => address.port);
  if (seen.length === 0) return undefined;
  return (profile.step > 0 ? Math.max(...seen) : Math.min(...seen)) + profile.step;
}
