/**
 * The places of a server at which STUN is asked.
 *
 * @module
 */
import type { DiscoveryServer } from "../stun/discovery/discovery.ts";
import type { Address } from "../util/machine.ts";

/**
 * Whom discovery asks. A server with two addresses of a family has two ports as well, and answers at all four places, so
 * that one round trip tells what mappings depend on (RFC 5780 §4.3).
 */
export function discoveryServers(
  servers: readonly { readonly addresses: readonly Address[] }[],
): readonly DiscoveryServer[] {
  return servers.flatMap(({ addresses }) =>
    addresses.map((address): DiscoveryServer => {
      const second = addresses.find(({ family, host }) => family === address.family && host !== address.host);
      return second === undefined ? { address } : { address, other: { ...second, port: second.port + 1 } };
    }),
  );
}
