/**
 * What a listener has told of its network, as a report (spec/doctor.md#asking-a-listener).
 *
 * A listener tells peers what helps them to reach it, which is less than it knows: whoever reads this must not take what is
 * missing for something that was found out.
 *
 * @module
 */
import type { Address } from "../util/machine.ts";
import type { Duration } from "../util/time.ts";
import type { Candidate, CandidateKind } from "../wire/candidate.ts";
import { type NatProfile, UNKNOWN_NAT } from "../wire/nat-profile.ts";
import type { FamilyFacts } from "./facts.ts";
import { type NetworkReport, type PortMappingReport, reportOf } from "./report.ts";

/** What was told, and what the server knows of the way to the listener. */
export interface PeerFacts {
  readonly candidates: readonly Candidate[];
  readonly profile: NatProfile | undefined;
  /** Round-trip time between the server and the listener, in ms; 0 if unknown. */
  readonly rtt: Duration;
}

/** See the module. */
export function peerReport({ candidates, profile = UNKNOWN_NAT, rtt }: PeerFacts): NetworkReport {
  const addresses = (family: 4 | 6, ...kinds: readonly CandidateKind[]): readonly Address[] =>
    candidates
      .filter((each) => each.address.family === family && kinds.includes(each.kind))
      .map(({ address }) => address);
  const facts = (family: 4 | 6, nat: NatProfile): FamilyFacts | undefined => {
    const [hosts, reflexive] = [addresses(family, "host"), addresses(family, "reflexive")];
    const isBlocked = family === 6 && profile.isIpv6Blocked;
    if (hosts.length === 0 && reflexive.length === 0 && !isBlocked) return undefined;
    const answered = reflexive.length > 0 ? true : isBlocked ? false : undefined;
    return { nat, hosts, reflexive, answered, hairpinTried: false, rtts: rtt > 0 ? [rtt] : [] };
  };
  const ipv4 = facts(4, profile);
  return {
    ...reportOf({
      ipv4,
      // The profile is that of IPv4, where there is any.
      ipv6: facts(6, ipv4 === undefined ? profile : UNKNOWN_NAT),
      portMapping: { state: "not-asked" },
      secondNat: undefined,
      receiveBuffer: undefined,
      mtu: undefined,
      servers: [],
    }),
    portMapping: portMappingOf(candidates),
  };
}

function portMappingOf(candidates: readonly Candidate[]): PortMappingReport {
  if (candidates.some(({ kind }) => kind === "mapped")) return { state: "available" };
  return { state: candidates.some(({ kind }) => kind === "carrier") ? "useless" : "not-asked" };
}
