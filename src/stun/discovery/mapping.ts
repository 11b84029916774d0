/**
 * What the outer port of one socket depends on, from how several servers see it (RFC 5780 §4.3).
 *
 * @module
 */
import { type Address, sameAddress } from "../../util/machine.ts";
import type { NatBehavior } from "../../wire/nat-profile.ts";

/** How one server sees the socket. */
export interface Observation {
  readonly server: Address;
  readonly mapped: Address;
}

/**
 * The behaviour that the observations show. Two servers on different hosts that see the same prove independence; two ports
 * of one host that see different things prove dependence on both. `isComplete` says that no further answers are expected:
 * then what is known to depend on the address, and may depend on the port, counts as the worse of the two.
 */
export function mappingOf(observations: readonly Observation[], isComplete: boolean): NatBehavior | undefined {
  const compared = { hostsAgree: false, hostsDiffer: false, portsAgree: false, portsDiffer: false };
  for (const [index, a] of observations.entries()) {
    for (const b of observations.slice(0, index)) {
      const agree = sameAddress(a.mapped, b.mapped);
      if (a.server.host !== b.server.host) compared[agree ? "hostsAgree" : "hostsDiffer"] = true;
      else if (a.server.port !== b.server.port) compared[agree ? "portsAgree" : "portsDiffer"] = true;
    }
  }
  if (compared.portsDiffer) return "address-and-port-dependent";
  if (compared.hostsDiffer) {
    if (compared.portsAgree) return "address-dependent";
    return isComplete ? "address-and-port-dependent" : undefined;
  }
  return compared.hostsAgree ? "endpoint-independent" : undefined;
}
