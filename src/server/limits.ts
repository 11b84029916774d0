/**
 * What a rendezvous server allows (spec/rendezvous.md#limits).
 *
 * @module
 */
import type { Rate } from "../connection/rate-limit.ts";

/** All limits; an operator may change each. */
export interface ServerLimits {
  readonly maxSessions: number;
  readonly maxSessionsPerSource: number;
  readonly maxSlots: number;
  readonly maxSlotsPerSession: number;
  /** Sessions in which one key is registered at a time. */
  readonly maxSessionsPerKey: number;
  /** Open calls that one session began, and that it was invited to. */
  readonly maxCallsBegun: number;
  readonly maxCallsInvited: number;
  /** Each costs two Diffie-Hellman. */
  readonly registerRate: Rate;
  readonly inviteRate: Rate;
  readonly inviteRatePerSlot: Rate;
  readonly probeRate: Rate;
  /** Bytes of control messages from one session. */
  readonly controlRate: Rate;
  /** Bytes that wait for a session before nothing more is forwarded to it; twice as many end it. */
  readonly maxBacklog: number;
}

export const DEFAULT_LIMITS: ServerLimits = {
  maxSessions: 65_536,
  maxSessionsPerSource: 256,
  maxSlots: 262_144,
  maxSlotsPerSession: 64,
  maxSessionsPerKey: 16,
  maxCallsBegun: 16,
  maxCallsInvited: 1_024,
  registerRate: { perSecond: 2, burst: 8 },
  inviteRate: { perSecond: 20, burst: 40 },
  inviteRatePerSlot: { perSecond: 20, burst: 100 },
  probeRate: { perSecond: 4, burst: 16 },
  controlRate: { perSecond: 65_536, burst: 131_072 },
  maxBacklog: 65_536,
};
