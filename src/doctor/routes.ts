/**
 * The ways that lead from one network to another: the local network that both are in, IPv6, IPv4.
 *
 * What reports leave open is filled in every possible way, and each route says what happens at best and at worst.
 *
 * @module
 */

import { planOf } from "../path/punch/plan.ts";
import type { Duration } from "../util/time.ts";
import type { NatProfile } from "../wire/nat-profile.ts";
import { completionsOf } from "./completions.ts";
import { better, isSimple, NO_WAY, type Outcome, outcomeOf, type Side, type Sides, type Technique } from "./odds.ts";
import { type NatReport, type NetworkReport, type PortMappingReport, profileOf } from "./report.ts";

// Implementation

/** Neighbours in one local network nearly always reach each other; guests of a café do not. */
const NEIGHBOURS: Outcome = { technique: "host", chance: 0.96, extra: 0 };

/** One way to the other side, with what is left open filled in for the best and for the worst. */
export interface Route {
  readonly best: Outcome;
  readonly worst: Outcome;
  /** Of those that lead to the other side, the one that takes longest; equal to `best` if none does. */
  readonly slowest: Outcome;
  readonly techniques: readonly Technique[];
  /** Whether it matters what the permissions of a filter belong to (RFC 4787 §5). */
  readonly dependsOnScope: boolean;
}

/** All routes that two networks have at this round-trip time; the first one is preferred if several are as good. */
export function routesOf(a: NetworkReport, b: NetworkReport, rtt: Duration): readonly Route[] {
  const ipv6 = familyRoute({ nat: a.nat.ipv6 }, { nat: b.nat.ipv6 }, rtt);
  const ipv4 = familyRoute(
    { nat: a.nat.ipv4, portMapping: a.portMapping },
    { nat: b.nat.ipv4, portMapping: b.portMapping },
    rtt,
  );
  return [localRoute(a, b), ipv6 === undefined ? undefined : throughFirewalls(ipv6), ipv4].filter(
    (route) => route !== undefined,
  );
}

/** Whether both lie behind the same outer address, as their tags say. */
export function isSameSite(a: NatReport | undefined, b: NatReport | undefined): boolean {
  return a?.site !== undefined && a.site === b?.site;
}

/** Whether both lie behind one NAT that turns nothing around, as far as is known. */
export function hairpinOf(a: NatReport, b: NatReport): "needless" | "yes" | "no" | "unknown" {
  if (!isSameSite(a, b) || (a.translated === "no" && b.translated === "no")) return "needless";
  if (a.hairpin === "yes" || b.hairpin === "yes") return "yes";
  return a.hairpin === "no" && b.hairpin === "no" ? "no" : "unknown";
}

interface FamilyEnd {
  readonly nat: NatReport | undefined;
  readonly portMapping?: PortMappingReport;
}

function localRoute(a: NetworkReport, b: NetworkReport): Route | undefined {
  if (!isSameSite(a.nat.ipv4, b.nat.ipv4) && !isSameSite(a.nat.ipv6, b.nat.ipv6)) return undefined;
  // Behind one carrier's NAT two homes have one outer address, and often the same inner ones.
  const isShared = [a, b].some(({ nat }) => nat.ipv4?.carrierGrade === "yes" || nat.ipv4?.doubleNat === "yes");
  const isSurely = isSameSite(a.nat.ipv6, b.nat.ipv6) || (!isShared && a.lans.some((lan) => b.lans.includes(lan)));
  return route([NEIGHBOURS, ...(isSurely ? [] : [NO_WAY])]);
}

function familyRoute(a: FamilyEnd, b: FamilyEnd, rtt: Duration): Route | undefined {
  if (a.nat === undefined || b.nat === undefined) return undefined;
  const hairpin = hairpinOf(a.nat, b.nat);
  if (a.nat.udp === "blocked" || b.nat.udp === "blocked" || hairpin === "no") return undefined;
  const isOpen = a.nat.udp === "open" && b.nat.udp === "open" && hairpin !== "unknown";
  const plan = planOf(effectiveProfile(a.nat), effectiveProfile(b.nat), "initiator");
  const [left, right] = [completionsOf(a.nat, a.portMapping), completionsOf(b.nat, b.portMapping)];
  const pairs = left.flatMap((initiator) => right.map((responder) => ({ initiator, responder })));
  const found = route([...pairs.map((sides) => outcomeOf(sides, plan, rtt)), ...(isOpen ? [] : [NO_WAY])]);
  const isMapped = a.portMapping?.state === "available" || b.portMapping?.state === "available";
  return { ...found, dependsOnScope: scopeMatters(pairs), ...(isMapped ? mapped(found, a.nat, b.nat) : {}) };
}

/** What the side tells its peer. Who has no NAT knows the mapping without a test. */
function effectiveProfile(report: NatReport): NatProfile {
  const profile = profileOf(report);
  return report.translated === "no" ? { ...profile, mapping: "endpoint-independent" } : profile;
}

/** The route whose outcome is one of these. */
function route(outcomes: readonly Outcome[]): Route {
  const best = outcomes.reduce(better);
  const worst = outcomes.reduce((x, y) => (better(x, y) === x ? y : x));
  const passing = outcomes.filter(({ technique }) => technique !== undefined);
  const slowest = passing.reduce((x, y) => (y.extra > x.extra ? y : x), best);
  const techniques = [...new Set(passing.toSorted((x, y) => x.extra - y.extra).map(({ technique }) => technique!))];
  return { best, worst, slowest, techniques, dependsOnScope: false };
}

/** Where nothing is translated, simple opening passes the firewalls: people know that as IPv6. */
function throughFirewalls(route: Route): Route {
  return renamed(route, "ipv6");
}

/** The mapped port is what lets others in, unless simple opening did so without. */
function mapped(route: Route, a: NatReport, b: NatReport): Route {
  const outcomes = completionsOf(a, undefined).flatMap((x) => completionsOf(b, undefined).map((y) => isSimple(x, y)));
  return outcomes.every((isEnough) => isEnough) ? route : renamed(route, "port-mapping");
}

function renamed(route: Route, name: Technique): Route {
  const rename = (technique: Technique) => (technique === "simple-open" ? name : technique);
  const change = (outcome: Outcome) =>
    outcome.technique === undefined ? outcome : { ...outcome, technique: rename(outcome.technique) };
  const { best, worst, slowest, techniques, dependsOnScope } = route;
  return {
    best: change(best),
    worst: change(worst),
    slowest: change(slowest),
    techniques: techniques.map(rename),
    dependsOnScope,
  };
}

/** Whether two ways to fill in a pair differ in the scope of filters only, and yet in what they allow. */
function scopeMatters(pairs: readonly Sides[]): boolean {
  return pairs.some(({ initiator, responder }) => {
    const wide = isSimple({ ...initiator, filterScope: "endpoint" }, { ...responder, filterScope: "endpoint" });
    return wide !== isSimple(narrow(initiator), narrow(responder));
  });
}

/** The side with permissions that belong to mappings, where that is a question at all. */
function narrow(side: Side): Side {
  return side.filtering === "address-dependent" && side.mapping !== "endpoint-independent"
    ? { ...side, filterScope: "mapping" }
    : side;
}
