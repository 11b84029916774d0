/**
 * What the two handshake payloads settle: the parameters of each side, and the AEAD that both use (spec/handshake.md).
 *
 * @module
 */
import { DEFAULT_PARAMETERS, type Parameters } from "../wire/parameters.ts";
import type { Config } from "./config.ts";

// Specification

/** AEAD ids on the wire. */
export const AES_128_GCM = 1;
export const CHACHA20_POLY1305 = 2;

/** The version of the protocol that this code speaks. */
export const PROTOCOL_VERSION = 1;

/** The parameters that a side with this configuration announces. */
export function localParameters(config: Config, connectionIds: readonly Uint8Array[]): Parameters {
  return {
    ...DEFAULT_PARAMETERS,
    connectionIds,
    aeads: config.aeads,
    versions: [PROTOCOL_VERSION],
    maxData: config.maxData,
    maxStreamData: config.maxStreamData,
    maxStreamsBidi: config.maxStreamsBidi,
    maxStreamsUni: config.maxStreamsUni,
    lingerMs: config.linger,
    maxAckDelayMs: config.maxAckDelay,
    minAckDelayUs: config.minAckDelay * 1000,
  };
}

/**
 * The AEAD for a connection: AES-128-GCM if both sides prefer it, else ChaCha20-Poly1305, which everybody has
 * (spec/handshake.md#aead). `undefined` if the offer lacks even that.
 */
export function chooseAead(offered: readonly number[], preferred: readonly number[]): 1 | 2 | undefined {
  if (offered[0] === AES_128_GCM && preferred[0] === AES_128_GCM) return AES_128_GCM;
  if (offered.includes(CHACHA20_POLY1305) && preferred.includes(CHACHA20_POLY1305)) return CHACHA20_POLY1305;
  if (offered.includes(AES_128_GCM) && preferred.includes(AES_128_GCM)) return AES_128_GCM;
  return undefined;
}
