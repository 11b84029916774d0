/**
 * A channel of the application, and what goes with it.
 *
 * @module
 */
import type { Signalling } from "../signal/carrier.ts";
import type { Address } from "../util/machine.ts";
import { lookUpServers, type ServerName } from "./server-names.ts";

/** Nobody on the channel tells where we are, so STUN servers do. */
export interface ChannelUse {
  readonly signalling: Signalling;
  readonly servers: readonly Address[];
}

/**
 * Finds out where the STUN servers are; there may be none, for peers that need none.
 *
 * @throws {@link PunchlineError} `ERR_SERVER` if some are named, but no name leads to an address.
 */
export async function channelUse(signalling: Signalling, stun: readonly ServerName[]): Promise<ChannelUse> {
  return { signalling, servers: stun.length === 0 ? [] : await lookUpServers(stun) };
}
