/**
 * Whether two networks can connect directly, how, and how soon (spec/doctor.md#verdict).
 *
 * The verdict is that of the best route. What would help is found by trying it: the verdict for a network that has it.
 *
 * @module
 */
import type { Duration } from "../util/time.ts";
import { completionsOf } from "./completions.ts";
import { isDependent, type Outcome } from "./odds.ts";
import {
  type AssumptionCode,
  type DirectVerdict,
  type HelpCode,
  type PairNames,
  type PairSide,
  type PairVerdict,
  type ReasonCode,
  VERDICT_SCHEMA,
} from "./pair-verdict.ts";
import type { NatReport, NetworkReport } from "./report.ts";
import { hairpinOf, type Route, routesOf } from "./routes.ts";
import { assumptionNote, helpNote, reasonNote, verdictWords } from "./verdict-words.ts";

// Specification

/** From here on a chance counts as certain, as worth expecting, as worth trying. */
const SURE = 0.95;
const PROBABLE = 0.5;
const SLIGHT = 0.05;

/** Round trips from the call of `connect` to the first byte at the listener, and what is waited for beside them. */
const OPENING_TRIPS = 4;
const OPENING_TIME = 60;

// Implementation

/** Taken for the round-trip time if neither side has measured one, in milliseconds. */
const TYPICAL_RTT = 40;

const DEFAULT_NAMES: PairNames = { a: "the first network", b: "the second network" };

/** A code, and whom it concerns if not both. */
interface Cause<Code> {
  readonly code: Code;
  readonly side?: PairSide;
}

/** The verdict on two networks. It is the same whichever comes first, but for the names. */
export function verdictOf(a: NetworkReport, b: NetworkReport, names: PairNames = DEFAULT_NAMES): PairVerdict {
  const rtt = rttOf(a, b);
  const route = bestRoute(a, b, rtt);
  const direct = directOf(route);
  const reasons = direct === "yes" ? [] : reasonsOf(a, b, route);
  const help = direct === "yes" ? [] : helpOf(a, b, direct);
  const verdict: Omit<PairVerdict, "words"> = {
    schema: VERDICT_SCHEMA,
    direct,
    ...waysOf(direct === "no" ? undefined : route, rtt ?? TYPICAL_RTT),
    chance: { least: percent(route?.worst), most: percent(route?.best) },
    reasons: reasons.map(({ code, side }) => reasonNote(code, side, names)),
    help: help.map(({ code, side }) => helpNote(code, side, names)),
    assumptions: direct === "no" ? [] : assumptionsOf(route, rtt).map(assumptionNote),
  };
  return { ...verdict, words: verdictWords(verdict) };
}

function bestRoute(a: NetworkReport, b: NetworkReport, rtt: Duration | undefined): Route | undefined {
  const [first, ...others] = routesOf(a, b, rtt ?? TYPICAL_RTT);
  return others.reduce((best, each) => (best === undefined || rank(each) > rank(best) ? each : best), first);
}

/** What is sure comes before what may be better. */
function rank({ best, worst }: Route): number {
  return Math.min(worst.chance, SURE) + Math.min(best.chance, SURE) / 1_000;
}

function directOf(route: Route | undefined): DirectVerdict {
  if (route === undefined || route.best.chance < SLIGHT) return "no";
  if (route.worst.chance >= SURE) return "yes";
  return route.worst.chance >= PROBABLE ? "likely" : "possible";
}

function waysOf(route: Route | undefined, rtt: Duration): Pick<PairVerdict, "how" | "ms"> {
  if (route === undefined) return { how: [] };
  const opening = OPENING_TRIPS * rtt + OPENING_TIME;
  const least = Math.round(opening + route.best.extra);
  return { how: route.techniques, ms: { least, most: Math.max(least, Math.round(opening + route.slowest.extra)) } };
}

/** Both speak through the server, so the longer of the two round trips to it sets the pace. */
function rttOf(a: NetworkReport, b: NetworkReport): Duration | undefined {
  const measured = [a, b].flatMap(({ nat }) => nat.ipv4?.rtt ?? nat.ipv6?.rtt ?? []);
  return measured.length === 0 ? undefined : Math.max(...measured);
}

function reasonsOf(a: NetworkReport, b: NetworkReport, route: Route | undefined): readonly Cause<ReasonCode>[] {
  const blocked = sidesWith(a, b, ({ udp }) => udp === "blocked");
  if (blocked.length > 0) return blocked.map((side) => ({ code: "udp-blocked", side }));
  const unknown = sidesWith(a, b, isOpenQuestion).map((side) => ({ code: "unknown", side }) as const);
  const [left, right] = [a.nat.ipv4, b.nat.ipv4];
  if (left === undefined || right === undefined) {
    return route === undefined ? [{ code: "no-common-family" }, ...unknown] : unknown;
  }
  const hairpin = hairpinOf(left, right);
  if (hairpin === "no" || hairpin === "unknown") return [{ code: "same-nat" }];
  if (left.udp === "blocked" || right.udp === "blocked") return [{ code: "no-common-family" }, ...unknown];
  if (route !== undefined && route.worst.technique !== undefined) return [{ code: "chance" }, ...unknown];
  return [{ code: areBothCounting(left, right) ? "busy-nat" : "unpredictable-ports" }, ...unknown];
}

/** Whether anything that matters to others was not found out about a network. */
function isOpenQuestion({ udp, nat, portMapping }: NetworkReport): boolean {
  const { ipv4 } = nat;
  if (udp === "unknown") return true;
  if (ipv4 === undefined || ipv4.udp === "blocked" || ipv4.translated === "no") return false;
  if (portMapping.state === "available") return false;
  const isFixed = ipv4.mapping === "endpoint-independent";
  return ipv4.mapping === "unknown" || ipv4.filtering === "unknown" || (!isFixed && ipv4.allocator === "unknown");
}

function areBothCounting(a: NatReport, b: NatReport): boolean {
  return [a, b].every((each) => each.allocator === "sequential" && completionsOf(each, undefined).every(isDependent));
}

function helpOf(a: NetworkReport, b: NetworkReport, direct: DirectVerdict): readonly Cause<HelpCode>[] {
  const help: Cause<HelpCode>[] = [];
  const blocked = sidesWith(a, b, ({ udp }) => udp === "blocked");
  for (const side of blocked) help.push({ code: "allow-udp", side });
  if (blocked.length === 0) {
    for (const side of sidesWith(a, b, isOpenQuestion)) help.push({ code: "measure", side });
    const mapping = [helps(withMapping(a), b), helps(a, withMapping(b))];
    if (mapping.every((does) => does)) help.push({ code: "port-mapping" });
    else if (mapping.some((does) => does)) help.push({ code: "port-mapping", side: mapping[0] ? "a" : "b" });
    if (helps(withIpv6(a), withIpv6(b))) help.push({ code: "ipv6" });
  }
  if (direct === "no" || direct === "possible") help.push({ code: "relay" });
  return help;
}

function helps(a: NetworkReport, b: NetworkReport): boolean {
  return directOf(bestRoute(a, b, undefined)) === "yes";
}

/** The network with a router that opens ports; unchanged if it was asked in vain because another NAT lies in front. */
function withMapping(network: NetworkReport): NetworkReport {
  return network.portMapping.state === "useless" ? network : { ...network, portMapping: { state: "available" } };
}

/** The network with IPv6 behind a firewall that answers pass. */
function withIpv6(network: NetworkReport): NetworkReport {
  const ipv6: NatReport = {
    udp: "open",
    translated: "no",
    mapping: "endpoint-independent",
    filtering: "address-and-port-dependent",
    allocator: "preserving",
    step: 0,
    hairpin: "unknown",
    carrierGrade: "no",
    doubleNat: "no",
    foreignFlows: 0,
    classicName: "symmetric firewall",
  };
  return network.nat.ipv6?.udp === "open" ? network : { ...network, nat: { ...network.nat, ipv6 } };
}

function assumptionsOf(route: Route | undefined, rtt: Duration | undefined): readonly AssumptionCode[] {
  return [
    ...(route?.best.technique === "host" ? (["neighbours"] as const) : []),
    ...(route?.dependsOnScope === true ? (["filter-scope"] as const) : []),
    ...(rtt === undefined ? (["rtt"] as const) : []),
  ];
}

function sidesWith(a: NetworkReport, b: NetworkReport, test: (network: NetworkReport) => boolean): readonly PairSide[] {
  return [...(test(a) ? (["a"] as const) : []), ...(test(b) ? (["b"] as const) : [])];
}

function percent(outcome: Outcome | undefined): number {
  return Math.round(100 * (outcome?.chance ?? 0)) / 100;
}
