/**
 * How much one key may protect (RFC 9001 §6.6).
 *
 * @module
 */
import { MAX_PACKET_NUMBER } from "../wire/packet-number.ts";
import type { AeadId } from "./key-schedule.ts";

// Specification

/** How often keys may be used. */
export interface ProtectionLimits {
  /** Data packets sealed under one key. */
  readonly sealedPerPhase: number;
  /** Probe packets sealed in the life of a connection, since their key never changes. */
  readonly sealedProbes: number;
  /** Packets that failed to open in the life of a connection. */
  readonly failedOpens: number;
}

/** Probe packets of one connection: at one in 15 s these last for two years. */
const MAX_PROBES = 2 ** 22;

/** The limits of RFC 9001 §6.6, by the id of the AEAD. */
export const PROTECTION_LIMITS: Readonly<Record<AeadId, ProtectionLimits>> = {
  1: { sealedPerPhase: 2 ** 23, sealedProbes: MAX_PROBES, failedOpens: 2 ** 52 },
  2: { sealedPerPhase: MAX_PACKET_NUMBER, sealedProbes: MAX_PROBES, failedOpens: 2 ** 36 },
};
