/**
 * Turns the description of a router into rules for nftables.
 *
 * Linux by itself translates port-preserving, with a mapping that depends on nothing and a filter that depends on address
 * and port. All else is made of that with tables of our own, which the rules fill as packets go by:
 *
 * - `outer`, from the inner endpoint (with the destination's address, if the mapping depends on it) to the outer port. A new
 *   flow whose key is in it gets that port, any other one is given a port by the allocator; a chain behind the translation
 *   writes down what came of it. A mapping that depends on address and port needs no table: each flow is a new one.
 * - `inner`, from the outer port back to the inner endpoint. Flows from outside that connection tracking does not know are
 *   translated by it, and then filtered; without it only answers come in, which is filtering by address and port.
 * - `contacted`, which addresses an inner endpoint or an outer port has sent to: filtering by address.
 *
 * A datagram that is dropped on its way never enters connection tracking for good. One that the router takes for its own
 * does, and then holds the pair of addresses and ports that an inner host may need a moment later. That is why all rules but
 * one kind of masquerading drop what they did not ask for.
 *
 * Needs nftables 1.0.6 or newer.
 *
 * @module
 */
import type { NatBehavior } from "../../../src/wire/nat-profile.ts";

/** How the outer port of a new mapping is chosen. */
export type Allocator =
  /** The inner port, as long as it is free. */
  | { readonly kind: "preserving" }
  /** Any of `size` ports from `first` on; default nearly all. A small range is a port block. */
  | { readonly kind: "random"; readonly first?: number; readonly size?: number }
  /** The last one plus `step`, 1 by default. */
  | { readonly kind: "sequential"; readonly step?: number };

/** A router that translates by the book (RFC 4787 §4, §5). */
export interface Translation {
  readonly kind: "translation";
  readonly mapping: NatBehavior;
  readonly filtering: NatBehavior;
  readonly allocator: Allocator;
  /**
   * Where it is kept which addresses were sent to, for filtering by address: for the inner endpoint, as RFC 4787 §5 has it
   * and by default, or for each mapping apart.
   */
  readonly filterScope?: "endpoint" | "mapping";
  /** Whether inner hosts reach each other by outer addresses; default no. */
  readonly hairpin?: boolean;
  /**
   * What becomes of unsolicited datagrams: dropped (the default); answered with an ICMP error; or dropped, and all that
   * comes later from this address to this port as well, for 30 s, whatever inner hosts send.
   */
  readonly unsolicited?: "drop" | "reject" | "blacklist";
}

/** A Linux router with nothing but `masquerade`. */
export interface Masquerade {
  readonly kind: "masquerade";
  /** Whether the router takes unsolicited datagrams for its own, and so enters them into connection tracking. */
  readonly acceptsInput: boolean;
}

/** A router that lets no UDP through, nor answers it. */
export interface UdpBlocked {
  readonly kind: "udp-blocked";
}

/** What a router does with IPv4. */
export type Rules = Translation | Masquerade | UdpBlocked;

/** What the rules must know of the router's place. */
export interface RouterPlace {
  /** Its outer address. */
  readonly outerAddress: string;
  /** The inner network, `address/bits`. */
  readonly innerNetwork: string;
  /** How long a mapping without traffic lives, in seconds. */
  readonly lifetime: number;
}

/** Names of each router's devices. */
export const OUTER = "wan";
export const INNER = "lan";

/** Ports of sequential allocators. More make a ruleset slow to load: 4096 take 50 ms. */
export const SEQUENCE = { first: 20_000, count: 4096 };

/** How long a blacklisted flow stays so, in seconds. */
const BLACKLIST_LIFETIME = 30;

const TABLE_SIZE = 65_535;

/** The complete ruleset for IPv4, as a text for `nft -f`. */
export function rulesetOf(rules: Rules, place: RouterPlace): string {
  switch (rules.kind) {
    case "translation":
      return translation(rules, place);
    case "masquerade":
      return masquerade(rules);
    case "udp-blocked":
      return table("ip nat", [...masqueradeAll(), chain("forward", HOOKS.forward, ["meta l4proto udp drop"])]);
  }
}

/** A firewall for IPv6: only what inner hosts have asked for comes in. */
export function firewall6(): string {
  const established = `iifname ${OUTER} ct state established,related accept`;
  return table("ip6 firewall", [chain("forward", HOOKS.forward, [established, `iifname ${OUTER} drop`])]);
}

const HOOKS = {
  prefilter: "type filter hook prerouting priority dstnat - 5",
  inward: "type nat hook prerouting priority dstnat",
  outward: "type nat hook postrouting priority srcnat",
  learn: "type filter hook postrouting priority srcnat + 50",
  forward: "type filter hook forward priority filter",
  input: "type filter hook input priority filter",
} as const;

function table(name: string, parts: readonly string[]): string {
  return `table ${name} {\n${parts.join("\n")}\n}\n`;
}

function chain(name: string, hook: string | undefined, statements: readonly string[]): string {
  const head = hook === undefined ? [] : [`${hook}; policy accept;`];
  return [`  chain ${name} {`, ...[...head, ...statements].map((line) => `    ${line}`), "  }"].join("\n");
}

/** A map or set that rules fill; entries that are not renewed vanish after `lifetime` seconds. */
function memory(what: "map" | "set", name: string, type: string, lifetime: number): string {
  return `  ${what} ${name} { type ${type}; flags dynamic,timeout; timeout ${lifetime}s; size ${TABLE_SIZE}; }`;
}

function masqueradeAll(): string[] {
  return [chain("outward", HOOKS.outward, [`oifname ${OUTER} masquerade`])];
}

function masquerade({ acceptsInput }: Masquerade): string {
  const forward = [`iifname ${OUTER} ct state established,related accept`, `iifname ${OUTER} drop`];
  const input = acceptsInput ? [] : [`iifname ${OUTER} meta l4proto udp ct state new drop`];
  return table("ip nat", [
    ...masqueradeAll(),
    chain("forward", HOOKS.forward, forward),
    chain("input", HOOKS.input, input),
  ]);
}

function translation(rules: Translation, place: RouterPlace): string {
  if (rules.unsolicited === "blacklist" && !filtersByPort(rules))
    throw new RangeError("a blacklist is kept only by filters that depend on address and port");
  return table("ip nat", [
    ...memories(rules, place),
    ...prefilter(rules),
    chain("inward", HOOKS.inward, inward(rules, place)),
    chain("allocate", undefined, allocate(rules, place)),
    chain("outward", HOOKS.outward, [
      ...translated(rules, place).map((selector) => `${selector} jump allocate`),
      `oifname ${OUTER} masquerade`,
    ]),
    chain("learn", HOOKS.learn, learn(rules, place)),
    chain("forward", HOOKS.forward, forward(rules, place)),
    chain("input", HOOKS.input, input(rules)),
  ]);
}

function filtersByPort({ filtering }: Translation): boolean {
  return filtering === "address-and-port-dependent";
}

/** What a mapping is found by, before and behind the translation alike; `undefined` if each flow has its own. */
function mappingKey({ mapping }: Translation): { readonly type: string; readonly key: string } | undefined {
  const endpoint = "ct original ip saddr . ct original proto-src";
  switch (mapping) {
    case "endpoint-independent":
      return { type: "ipv4_addr . inet_service", key: endpoint };
    case "address-dependent":
      return { type: "ipv4_addr . inet_service . ipv4_addr", key: `${endpoint} . ct original ip daddr` };
    case "address-and-port-dependent":
      return undefined;
  }
}

function memories(rules: Translation, { lifetime }: RouterPlace): string[] {
  const key = mappingKey(rules);
  const found = [memory("map", "inner", "inet_service : ipv4_addr . inet_service", lifetime)];
  if (key !== undefined) found.push(memory("map", "outer", `${key.type} : inet_service`, lifetime));
  if (rules.filtering === "address-dependent") {
    const owner = rules.filterScope === "mapping" ? "inet_service" : "ipv4_addr . inet_service";
    found.push(memory("set", "contacted", `${owner} . ipv4_addr`, lifetime));
  }
  if (rules.unsolicited === "blacklist")
    found.push(memory("set", "blacklist", "ipv4_addr . inet_service", BLACKLIST_LIFETIME));
  return found;
}

/** Filters that need the outer port, which the translation would replace. */
function prefilter({ filtering, filterScope, unsolicited }: Translation): string[] {
  const statements: string[] = [];
  if (unsolicited === "blacklist") statements.push(`iifname ${OUTER} ip saddr . udp dport @blacklist drop`);
  if (filtering === "address-dependent" && filterScope === "mapping")
    statements.push(`iifname ${OUTER} meta l4proto udp ct state new udp dport . ip saddr != @contacted drop`);
  return statements.length === 0 ? [] : [chain("prefilter", HOOKS.prefilter, statements)];
}

function inward(rules: Translation, { outerAddress }: RouterPlace): string[] {
  if (rules.hairpin) return [`ip daddr ${outerAddress} meta l4proto udp dnat to udp dport map @inner`];
  return filtersByPort(rules) ? [] : [`iifname ${OUTER} meta l4proto udp dnat to udp dport map @inner`];
}

/** The known mapping, or a new port. One chain for all flows, so that a sequence is one sequence. */
function allocate(rules: Translation, { outerAddress }: RouterPlace): string[] {
  const key = mappingKey(rules);
  const known = key === undefined ? [] : [`${outerAddress} : ${key.key} map @outer`];
  return [...known, newPort(rules.allocator, outerAddress)].map((to) => `meta l4proto udp snat to ${to}`);
}

function newPort(allocator: Allocator, address: string): string {
  switch (allocator.kind) {
    case "preserving":
      return address;
    case "random": {
      const { first = 1024, size = 65_536 - first } = allocator;
      return `${address}:${first}-${first + size - 1} fully-random`;
    }
    case "sequential": {
      // The counter is in the processor's byte order and a port in the network's. Only a map translates one to the other.
      const { step = 1 } = allocator;
      const ports = Array.from({ length: SEQUENCE.count }, (_, index) => `${index} : ${SEQUENCE.first + index * step}`);
      return `${address} : numgen inc mod ${SEQUENCE.count} map { ${ports.join(", ")} }`;
    }
  }
}

/** Which packets leave with an outer address: those to the outside, and those from one inner host to another by hairpin. */
function translated({ hairpin }: Translation, { innerNetwork }: RouterPlace): string[] {
  const outside = `oifname ${OUTER}`;
  return hairpin ? [outside, `oifname ${INNER} ip saddr ${innerNetwork} ct status dnat`] : [outside];
}

/** Behind the translation the source's port is the outer one. Every packet to the outside renews what it goes by. */
function learn(rules: Translation, place: RouterPlace): string[] {
  const key = mappingKey(rules);
  const endpoint = (direction: "original" | "reply"): string => `ct ${direction} ip saddr . ct ${direction} proto-src`;
  const statements: string[] = [];
  for (const selector of translated(rules, place)) {
    const original = `${selector} meta l4proto udp ct direction original`;
    if (key !== undefined) statements.push(`${original} update @outer { ${key.key} : udp sport }`);
    statements.push(`${original} update @inner { udp sport : ${endpoint("original")} }`);
  }
  const outside = `oifname ${OUTER} meta l4proto udp ct direction`;
  statements.push(`${outside} reply update @inner { udp sport : ${endpoint("reply")} }`);
  if (rules.filtering === "address-dependent")
    for (const direction of ["original", "reply"] as const) {
      const owner = rules.filterScope === "mapping" ? "udp sport" : endpoint(direction);
      statements.push(`${outside} ${direction} update @contacted { ${owner} . ip daddr }`);
    }
  return statements;
}

function forward(rules: Translation, { innerNetwork }: RouterPlace): string[] {
  return [
    `iifname ${OUTER} ct state established,related accept`,
    ...uninvited(rules),
    ...(rules.hairpin ? [`ip saddr ${innerNetwork} accept`] : []),
    `iifname ${OUTER} ${refusal(rules)}`,
  ];
}

/** Which new flows from outside are let in. */
function uninvited({ filtering, filterScope }: Translation): string[] {
  switch (filtering) {
    case "endpoint-independent":
      return [`iifname ${OUTER} ct status dnat accept`];
    case "address-dependent":
      // Kept for each mapping, the filter has done its work before the translation.
      if (filterScope === "mapping") return [`iifname ${OUTER} ct status dnat accept`];
      return [`iifname ${OUTER} ip daddr . udp dport . ip saddr @contacted accept`];
    case "address-and-port-dependent":
      return [];
  }
}

function refusal({ unsolicited }: Translation): string {
  return unsolicited === "reject" ? "reject with icmp type port-unreachable" : "drop";
}

function input(rules: Translation): string[] {
  const unsolicited = `iifname ${OUTER} meta l4proto udp ct state new`;
  const remember =
    rules.unsolicited === "blacklist" ? [`${unsolicited} update @blacklist { ip saddr . udp dport }`] : [];
  return [...remember, `${unsolicited} ${refusal(rules)}`];
}
