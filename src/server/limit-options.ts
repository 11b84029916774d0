/**
 * Limits as an operator names them: one whole number each, from which rates and counts are made.
 *
 * @module
 */
import type { Rate } from "../connection/rate-limit.ts";
import { type AdmissionLimits, DEFAULT_ADMISSION } from "./admission.ts";
import { DEFAULT_LIMITS, type ServerLimits } from "./limits.ts";
import { DEFAULT_STUN_RATES, type StunRates } from "./stun-rates.ts";

/** What may be had at once, or done in a second. Each is a whole number from 1; {@link SERVER_LIMITS} says up to what. */
export interface LimitOptions {
  /** Sessions at once: of all, of one source (an IPv4 address, an IPv6 /64), and in which one key is registered. */
  readonly sessions?: number;
  readonly sessionsPerSource?: number;
  readonly sessionsPerKey?: number;
  /** Slots at once: of all, and of one session. */
  readonly slots?: number;
  readonly slotsPerSession?: number;
  /** Open calls that one session began, and that it was invited to. */
  readonly callsBegun?: number;
  readonly callsInvited?: number;
  /** Invitations a second: by one session, and to one slot. */
  readonly invitesPerSession?: number;
  readonly invitesPerSlot?: number;
  /** Handshakes a second that are worked on for one source. */
  readonly handshakesPerSource?: number;
  /** Answers of STUN a second: to one source, and to all. */
  readonly stunPerSource?: number;
  readonly stunTotal?: number;
}

/** Name of a limit. */
export type LimitName = keyof LimitOptions;

/** Bounds of one limit. The least is 1. */
export interface LimitRange {
  readonly default: number;
  readonly max: number;
}

// Implementation

/** As many sessions, or slots for them, as a process of Node with a large heap can hold. */
const MAX_HELD = 2 ** 20;

/** More than one processor does in a second. */
const MAX_RATE = 1_000_000;

/** Every limit, what it is by default, and the most that it may be. */
export const SERVER_LIMITS: Readonly<Record<LimitName, LimitRange>> = {
  sessions: { default: DEFAULT_LIMITS.maxSessions, max: MAX_HELD },
  sessionsPerSource: { default: DEFAULT_LIMITS.maxSessionsPerSource, max: MAX_HELD },
  sessionsPerKey: { default: DEFAULT_LIMITS.maxSessionsPerKey, max: MAX_HELD },
  slots: { default: DEFAULT_LIMITS.maxSlots, max: MAX_HELD },
  slotsPerSession: { default: DEFAULT_LIMITS.maxSlotsPerSession, max: MAX_HELD },
  callsBegun: { default: DEFAULT_LIMITS.maxCallsBegun, max: MAX_HELD },
  callsInvited: { default: DEFAULT_LIMITS.maxCallsInvited, max: MAX_HELD },
  invitesPerSession: { default: DEFAULT_LIMITS.inviteRate.perSecond, max: MAX_RATE },
  invitesPerSlot: { default: DEFAULT_LIMITS.inviteRatePerSlot.perSecond, max: MAX_RATE },
  handshakesPerSource: { default: DEFAULT_ADMISSION.perSource.perSecond, max: MAX_RATE },
  stunPerSource: { default: DEFAULT_STUN_RATES.perSource.perSecond, max: MAX_RATE },
  stunTotal: { default: DEFAULT_STUN_RATES.total.perSecond, max: MAX_RATE },
};

/** The limits of all parts of a server. */
export interface AllLimits {
  readonly limits: ServerLimits;
  readonly admission: AdmissionLimits;
  readonly stunRates: StunRates;
}

/** What `options` allow, with defaults for the rest. */
export function limitsFrom(options: LimitOptions): AllLimits {
  const value = (name: LimitName): number => options[name] ?? SERVER_LIMITS[name].default;
  const perSource = scaled(DEFAULT_ADMISSION.perSource, value("handshakesPerSource"));
  const { unprovenPerSource } = DEFAULT_ADMISSION;
  return {
    limits: {
      ...DEFAULT_LIMITS,
      maxSessions: value("sessions"),
      maxSessionsPerSource: value("sessionsPerSource"),
      maxSessionsPerKey: value("sessionsPerKey"),
      maxSlots: value("slots"),
      maxSlotsPerSession: value("slotsPerSession"),
      maxCallsBegun: value("callsBegun"),
      maxCallsInvited: value("callsInvited"),
      inviteRate: scaled(DEFAULT_LIMITS.inviteRate, value("invitesPerSession")),
      inviteRatePerSlot: scaled(DEFAULT_LIMITS.inviteRatePerSlot, value("invitesPerSlot")),
    },
    admission: {
      ...DEFAULT_ADMISSION,
      perSource,
      // Nobody gets more without a cookie than with one.
      unprovenPerSource: {
        perSecond: Math.min(unprovenPerSource.perSecond, perSource.perSecond),
        burst: Math.min(unprovenPerSource.burst, perSource.burst),
      },
    },
    stunRates: {
      perSource: scaled(DEFAULT_STUN_RATES.perSource, value("stunPerSource")),
      total: scaled(DEFAULT_STUN_RATES.total, value("stunTotal")),
    },
  };
}

/** So much a second, and as many seconds' worth at once as by default. */
function scaled({ perSecond: usual, burst }: Rate, perSecond: number): Rate {
  return { perSecond, burst: (burst / usual) * perSecond };
}
