/**
 * What differs between PCP and NAT-PMP for a client that wants one UDP port mapped.
 *
 * @module
 */
import type { Duration } from "../util/time.ts";
import { type EpochRule, pcpEpochRule, pmpEpochRule } from "./epoch.ts";
import { fraction, type MappingProtocol, type Random } from "./mapping.ts";
import {
  decodePmpAnswer,
  encodePmpAddressRequest,
  encodePmpMapRequest,
  PMP_UNSUPPORTED_VERSION,
  pmpResultText,
} from "./nat-pmp.ts";
import {
  decodePcpAnswer,
  encodePcpAnnounce,
  encodePcpMapRequest,
  PCP_NONCE_SIZE,
  PCP_UNSUPPORTED_VERSION,
  PCP_VERSION,
  pcpResultText,
} from "./pcp.ts";

/** Which mapping is asked for; all of it is a wish except `lifetime` 0, which removes. */
export interface MapWish {
  readonly externalPort: number;
  /** IPv4 address, `0.0.0.0` for any. */
  readonly externalHost: string;
  /** Seconds. */
  readonly lifetime: number;
}

/** What a gateway said, and is known to have said about our request. Lifetimes in seconds. */
export type LaneAnswer =
  | { readonly kind: "probed"; readonly host: string | undefined; readonly epoch: number }
  | {
      readonly kind: "map";
      /** `undefined` where the protocol tells it by another message. */
      readonly host: string | undefined;
      readonly port: number;
      readonly lifetime: number;
      readonly epoch: number;
    }
  | {
      readonly kind: "refused";
      /** Which requests it may answer. */
      readonly step: "probe" | "map" | "any";
      readonly reason: string;
      readonly lifetime: number;
      /** `undefined` where it is that of another protocol. */
      readonly epoch: number | undefined;
    };

/** One of the two protocols. */
export interface Dialect {
  readonly protocol: MappingProtocol;
  readonly epochRule: EpochRule;
  /** The external address is asked for first, by the probe. */
  readonly probesFirst: boolean;
  /** Answers prove that they concern our mapping, so that they count unasked (RFC 6887 §14.2). */
  readonly takesUpdates: boolean;
  /** How long to wait for an answer to the given try, counted from 1; `undefined` after the last one. */
  pause(attempt: number, previous: Duration, random: Random): Duration | undefined;
  /** A request that changes nothing. */
  encodeProbe(): Uint8Array;
  encodeMap(wish: MapWish): Uint8Array;
  /** Reads a datagram from the gateway; `undefined` if it does not concern us. */
  read(payload: Uint8Array): LaneAnswer | undefined;
}

// Specification

/** RFC 6886 §3.1: the first wait, which doubles with each of the tries. */
const PMP_FIRST_PAUSE: Duration = 250;
const PMP_TRIES = 9;

/** RFC 6887 §8.1.1: IRT and MRT; there is no last try. */
const PCP_FIRST_PAUSE: Duration = 3_000;
const PCP_MAX_PAUSE: Duration = 1_024_000;

/** RFC 6887 §8.1.1: RAND is at most this far from 0. */
const PCP_JITTER = 0.1;

/** NAT-PMP for one internal port. */
export function pmpDialect(internalPort: number): Dialect {
  return {
    protocol: "nat-pmp",
    epochRule: pmpEpochRule,
    probesFirst: true,
    takesUpdates: false,
    pause: (attempt) => (attempt > PMP_TRIES ? undefined : PMP_FIRST_PAUSE * 2 ** (attempt - 1)),
    encodeProbe: encodePmpAddressRequest,
    // RFC 6886 §3.4: a removal names no external port.
    encodeMap: ({ externalPort, lifetime }) =>
      encodePmpMapRequest({ internalPort, externalPort: lifetime === 0 ? 0 : externalPort, lifetime }),
    read: (payload) => readPmp(payload, internalPort),
  };
}

/** PCP for one internal port, from one local IPv4 address, with a nonce of its own. */
export function pcpDialect(
  { internalPort, clientHost }: { readonly internalPort: number; readonly clientHost: string },
  random: Random,
): Dialect {
  const nonce = random(PCP_NONCE_SIZE);
  return {
    protocol: "pcp",
    epochRule: pcpEpochRule,
    probesFirst: false,
    takesUpdates: true,
    pause(_attempt, previous) {
      const base = previous === 0 ? PCP_FIRST_PAUSE : Math.min(2 * previous, PCP_MAX_PAUSE);
      return base * (1 + PCP_JITTER * (2 * fraction(random) - 1));
    },
    encodeProbe: () => encodePcpAnnounce(clientHost),
    encodeMap: (wish) => encodePcpMapRequest({ clientHost, nonce, internalPort, ...wish }),
    read: (payload) => readPcp(payload, { internalPort, nonce }),
  };
}

function readPmp(payload: Uint8Array, internalPort: number): LaneAnswer | undefined {
  if (payload[0] !== 0) {
    // RFC 6887 §9: a server without NAT-PMP answers our version 0 with a version of its own.
    const answer = decodePcpAnswer(payload);
    if (answer?.kind !== "unsupported-version" || answer.version !== PCP_VERSION) return undefined;
    const reason = pmpResultText(PMP_UNSUPPORTED_VERSION);
    return { kind: "refused", step: "any", reason, lifetime: answer.lifetime, epoch: undefined };
  }
  const answer = decodePmpAnswer(payload);
  // What a gateway without PCP says to our version 2.
  if (answer === undefined || answer.kind === "unsupported-version") return undefined;
  if (answer.kind === "map" && answer.internalPort !== internalPort) return undefined;
  const { epoch, result } = answer;
  if (result !== 0) {
    const step = answer.kind === "map" ? "map" : "probe";
    return { kind: "refused", step, reason: pmpResultText(result), lifetime: 0, epoch };
  }
  if (answer.kind === "address") return { kind: "probed", host: answer.host, epoch };
  return { kind: "map", host: undefined, port: answer.externalPort, lifetime: answer.lifetime, epoch };
}

function readPcp(
  payload: Uint8Array,
  ours: { readonly internalPort: number; readonly nonce: Uint8Array },
): LaneAnswer | undefined {
  if (payload[0] === 0) {
    // RFC 6886 §3.5: a gateway without PCP answers our version 2 with version 0.
    if (decodePmpAnswer(payload)?.kind !== "unsupported-version") return undefined;
    const reason = pcpResultText(PCP_UNSUPPORTED_VERSION);
    return { kind: "refused", step: "any", reason, lifetime: 0, epoch: undefined };
  }
  const answer = decodePcpAnswer(payload);
  if (answer === undefined) return undefined;
  const { lifetime, epoch } = answer;
  if (answer.kind === "unsupported-version") {
    if (answer.version === PCP_VERSION) return undefined;
    return { kind: "refused", step: "any", reason: pcpResultText(PCP_UNSUPPORTED_VERSION), lifetime, epoch: undefined };
  }
  if (answer.kind === "announce") {
    if (answer.result === 0) return { kind: "probed", host: undefined, epoch };
    return { kind: "refused", step: "probe", reason: pcpResultText(answer.result), lifetime, epoch };
  }
  // RFC 6887 §11.4: answers to others, or forged without sight of our request.
  if (answer.internalPort !== ours.internalPort || !sameBytes(answer.nonce, ours.nonce)) return undefined;
  if (answer.result !== 0) {
    return { kind: "refused", step: "map", reason: pcpResultText(answer.result), lifetime, epoch };
  }
  return { kind: "map", host: answer.externalHost, port: answer.externalPort, lifetime, epoch };
}

/** The nonce travels in the clear, so the time that this takes tells nothing. */
function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}
