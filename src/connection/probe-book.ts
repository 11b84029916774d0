/**
 * The probes of hole punching that may still be answered: which token went where.
 *
 * A path is proven by an answer that comes from the very address that was asked, on the socket that asked (RFC 9000 §8.2.3
 * allows others; a path behind a NAT is only worth having if it works both ways).
 *
 * @module
 */
import { equalBytes } from "../util/bytes.ts";
import { type Address, type SocketId, sameAddress } from "../util/machine.ts";
import type { Duration, Instant } from "../util/time.ts";
import { connectionIdKey } from "../wire/packet-header.ts";

// Implementation

/** Probes that are remembered: a whole spray, and all volleys beside it. The oldest go first. */
const MAX_PROBES = 4_096;

/** How long an answer counts, in ms; as for other challenges. */
const PROBE_LIFETIME: Duration = 5_000;

interface Probe {
  readonly token: Uint8Array;
  readonly via: SocketId;
  readonly to: Address;
  readonly sentAt: Instant;
}

/** See the module. */
export class ProbeBook {
  /** By a number made of the token, oldest first. */
  readonly #probes = new Map<number, Probe>();

  /** Input: a probe leaves. */
  onSent(token: Uint8Array, via: SocketId, to: Address, now: Instant): void {
    this.#probes.set(keyOf(token), { token, via, to, sentAt: now });
    for (const [key, { sentAt }] of this.#probes) {
      // A Map iterates in order of insertion.
      if (this.#probes.size <= MAX_PROBES && now - sentAt <= PROBE_LIFETIME) break;
      this.#probes.delete(key);
    }
  }

  /** Input: a token came back. Returns the round-trip time in ms if that proves the path; each token does so once. */
  onAnswer(token: Uint8Array, via: SocketId, from: Address, now: Instant): Duration | undefined {
    const key = keyOf(token);
    const probe = this.#probes.get(key);
    if (probe === undefined || !equalBytes(probe.token, token)) return undefined;
    if (probe.via !== via || !sameAddress(probe.to, from)) return undefined;
    this.#probes.delete(key);
    return now - probe.sentAt > PROBE_LIFETIME ? undefined : now - probe.sentAt;
  }
}

/** A token is as long as a connection id, and as random. */
function keyOf(token: Uint8Array): number {
  return connectionIdKey(token, 0);
}
