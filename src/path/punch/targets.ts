/**
 * Which candidates are probed from which sockets, and in which order (spec/paths.md#targets).
 *
 * @module
 */
import { type Address, type SocketId, sameAddress } from "../../util/machine.ts";
import type { Candidate } from "../../wire/candidate.ts";
import type { NatProfile } from "../../wire/nat-profile.ts";
import { isAllowedTarget, scopeOf, type TargetRules } from "./address-rules.ts";
import type { Target } from "./volleys.ts";

/** One of our sockets. */
export interface PunchSocket {
  readonly via: SocketId;
  /** The number that its candidates carry. */
  readonly group: number;
  readonly family: 4 | 6;
}

/** What decides about targets. */
export interface TargetChoice {
  readonly remote: readonly Candidate[];
  readonly sockets: readonly PunchSocket[];
  readonly rules: TargetRules;
  /** Whether reflexive addresses get openers only. */
  readonly isQuiet: boolean;
}

/** The targets, the likeliest first, and the candidates that must not be probed. */
export function chooseTargets(choice: TargetChoice): {
  readonly targets: readonly Target[];
  readonly refused: readonly Candidate[];
} {
  const { remote, sockets, rules, isQuiet } = choice;
  const named = remote.filter((candidate) => candidate.kind !== "predicted" && !isRepeated(candidate, remote));
  const allowed = named.filter((candidate) => isAllowedTarget(candidate.address, rules));
  const refused = named.filter((candidate) => !allowed.includes(candidate));
  // Deviates from RFC 8445 §6.1.2.3: the order follows the kind of the peer's candidate alone, as most sides have one socket.
  const ordered = [...allowed].sort((a, b) => rank(a) - rank(b));
  const targets: Target[] = [];
  for (const { address, kind } of ordered) {
    for (const socket of sockets) {
      if (socket.family !== address.family) continue;
      if (targets.some((target) => target.via === socket.via && sameAddress(target.to, address))) continue;
      const isOpened = !(kind === "host" && scopeOf(address.host) !== "global");
      const isHeldBack = isQuiet && kind === "reflexive" && address.family === 4;
      targets.push({ via: socket.via, to: address, kind, isOpened, isQuiet: isHeldBack });
    }
  }
  return { targets, refused };
}

/**
 * Whether the same socket of the peer appears at an earlier port of the same address. Its NAT gives each destination a port
 * of its own, so one is as good as the other, and probes to both would only make it change between them.
 */
function isRepeated(candidate: Candidate, remote: readonly Candidate[]): boolean {
  const { kind, group, address } = candidate;
  if (kind !== "reflexive") return false;
  const first = remote.find((each) => each.kind === kind && each.group === group && each.address.host === address.host);
  return first !== candidate;
}

/** Neighbours first: they are nearest. Then what needs no translation, what is open, what must be opened, what is rare. */
function rank({ kind, address }: Candidate): number {
  if (kind === "host" && scopeOf(address.host) !== "global") return 0;
  if (address.family === 6) return 1;
  return { host: 2, mapped: 2, reflexive: 3, carrier: 4, predicted: 5 }[kind];
}

/**
 * The addresses that guesses go between. Each side takes the first of the other's candidates that can be one, and sends
 * from the socket of its own first; as both lists are known to both, they agree.
 */
export interface GuessingPair {
  /** The socket whose address the peer knows and expects. */
  readonly via: SocketId;
  /** That of the peer. */
  readonly to: Address;
}

/** See {@link GuessingPair}; `undefined` if one side has nothing of the kind, or nothing could come back. */
export function guessingPair(options: {
  readonly local: readonly Candidate[];
  readonly remote: readonly Candidate[];
  readonly sockets: readonly PunchSocket[];
  readonly rules: TargetRules;
  /** Whether the NAT turns packets to its own address around, if both sides are behind the same one. */
  readonly hairpins: boolean;
}): GuessingPair | undefined {
  const to = mainCandidate(options.remote)?.address;
  if (to !== undefined && !isAllowedTarget(to, options.rules)) return undefined;
  const own = mainCandidate(options.local);
  if (own !== undefined && own.address.host === to?.host && !options.hairpins) return undefined;
  const ipv4 = options.sockets.filter((socket) => socket.family === 4);
  const socket = ipv4.find((each) => each.group === own?.group) ?? ipv4[0];
  return to === undefined || socket === undefined ? undefined : { via: socket.via, to };
}

/** The first reflexive IPv4 address; a host without NAT may have announced it as its own. */
function mainCandidate(candidates: readonly Candidate[]): Candidate | undefined {
  const global = candidates.filter(({ address }) => address.family === 4 && scopeOf(address.host) === "global");
  return global.find((each) => each.kind === "reflexive") ?? global.find((each) => each.kind === "host");
}

/**
 * Whether the two are likely to meet without guessing, whatever their NATs do: one has a mapped port, or both speak IPv6.
 */
export function hasOpenRoute(options: {
  readonly local: readonly Candidate[];
  readonly remote: readonly Candidate[];
  readonly localProfile: NatProfile;
  readonly remoteProfile: NatProfile;
}): boolean {
  const { local, remote, localProfile, remoteProfile } = options;
  if ([...local, ...remote].some((candidate) => candidate.kind === "mapped")) return true;
  if (localProfile.isIpv6Blocked || remoteProfile.isIpv6Blocked) return false;
  return [local, remote].every((side) => side.some((each) => isGlobalIpv6(each.address)));
}

function isGlobalIpv6({ family, host }: Address): boolean {
  return family === 6 && scopeOf(host) === "global";
}
