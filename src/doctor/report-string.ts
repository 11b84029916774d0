/**
 * Reports as one word to paste into a chat (spec/doctor.md#string).
 *
 * ```
 * +--------+-------------+------------------+--------------+----------+-------------+-----------+
 * | has (8)| mapping (8) | family [n] × 0–2 | buffer [0,8] | mtu [0,2]| lans [1+2n] | check [4] |
 * +--------+-------------+------------------+--------------+----------+-------------+-----------+
 *   has: 1 IPv4, 2 IPv6, 4 buffer, 8 MTU         mapping: state (4 bits) | protocol (4 bits)
 *
 *   family:  udp (2) translated (2) hairpin (2) double NAT (2) | carrier-grade (2) site (1) rtt (1) 0 (4)
 *            profile [10] ‖ site [0,2] ‖ rtt [0,2]
 * ```
 *
 * The text form is `pr1` and the bytes in base 62. Addresses are left out.
 *
 * @module
 */
import { sha256 } from "../crypto/primitives.ts";
import { decodeWord, encodeWord, type WordKind, type WordProblem } from "../ticket/word.ts";
import { toHex } from "../util/bytes.ts";
import { NAT_PROFILE_SIZE, readNatProfile, writeNatProfile } from "../wire/nat-profile.ts";
import { Reader } from "../wire/reader.ts";
import { Writer } from "../wire/writer.ts";
import { classicNameOf } from "./classic-name.ts";
import type { PortMappingProtocol } from "./facts.ts";
import {
  type Answer,
  MAX_LAN_TAGS,
  MAX_REPORT_RTT,
  type NatReport,
  type NetworkReport,
  type PortMappingReport,
  profileOf,
  REPORT_SCHEMA,
  type UdpState,
} from "./report.ts";

// Specification

/** Characters of a report; bounds the work on what a user pastes. */
export const MAX_REPORT_LENGTH = 256;

/** The prefix tells the version. */
const WORD: WordKind = { prefix: "pr1", minSize: 3, maxLength: MAX_REPORT_LENGTH };

const TAG_SIZE = 2;

const HAS = { IPV4: 1, IPV6: 2, BUFFER: 4, MTU: 8 } as const;
const ANSWERS: readonly Answer[] = ["unknown", "yes", "no"];
const UDP_STATES: readonly UdpState[] = ["unknown", "open", "blocked"];
const MAPPING_STATES: readonly PortMappingReport["state"][] = ["not-asked", "available", "useless", "unavailable"];
const PROTOCOLS: readonly (PortMappingProtocol | undefined)[] = [undefined, "nat-pmp", "pcp", "upnp"];
const SITE_BIT = 0x20;
const RTT_BIT = 0x10;

/** Bytes of a report with everything in it: head, two families, buffer, MTU, tags. */
const MAX_SIZE = 2 + 2 * (2 + NAT_PROFILE_SIZE + TAG_SIZE + 2) + 8 + 2 + 1 + MAX_LAN_TAGS * TAG_SIZE;

/** Why a text is no report: a word for programs, and a sentence for people. */
export interface ReportProblem {
  readonly code: WordProblem | "malformed";
  readonly hint: string;
}

const HINTS: Readonly<Record<ReportProblem["code"], string>> = {
  prefix: `a report begins with ${WORD.prefix}; punchline doctor prints it`,
  case: "capital and small letters differ in a report; something changed them",
  characters: "a report has only letters and digits; copy it as one word",
  length: "the report is not complete; copy it to the last character",
  checksum: "a character of the report was changed, lost or swapped",
  malformed: "the report was made by another version of this program; both sides should run the same one",
};

/** The text of a report, without the addresses. */
export function encodeReport(report: NetworkReport): string {
  const { nat, portMapping, receiveBuffer, mtu } = report;
  const writer = new Writer(new Uint8Array(MAX_SIZE));
  writer.u8(
    (nat.ipv4 === undefined ? 0 : HAS.IPV4) |
      (nat.ipv6 === undefined ? 0 : HAS.IPV6) |
      (receiveBuffer === undefined ? 0 : HAS.BUFFER) |
      (mtu === undefined ? 0 : HAS.MTU),
  );
  writer.u8((MAPPING_STATES.indexOf(portMapping.state) << 4) | PROTOCOLS.indexOf(portMapping.protocol));
  if (nat.ipv4 !== undefined) writeFamily(writer, nat.ipv4);
  if (nat.ipv6 !== undefined) writeFamily(writer, nat.ipv6);
  if (receiveBuffer !== undefined) {
    writer.u32(receiveBuffer.asked);
    writer.u32(receiveBuffer.granted);
  }
  if (mtu !== undefined) writer.u16(mtu);
  const lans = report.lans.slice(0, MAX_LAN_TAGS);
  writer.u8(lans.length);
  for (const each of lans) writer.u16(Number.parseInt(each, 16));
  return encodeWord(WORD, writer.buffer.subarray(0, writer.offset), sha256);
}

/** The report in a text, or why there is none. Space around it is the pasting's fault and ignored. */
export function decodeReport(pasted: string): NetworkReport | ReportProblem {
  const content = decodeWord(WORD, pasted.trim(), sha256);
  if (!(content instanceof Uint8Array)) return problem(content);
  return readReport(new Reader(content)) ?? problem("malformed");
}

function readReport(reader: Reader): NetworkReport | undefined {
  const has = reader.u8();
  const mapping = reader.u8();
  const state = MAPPING_STATES[mapping >>> 4];
  const protocol = PROTOCOLS[mapping & 0x0f];
  const ipv4 = (has & HAS.IPV4) === 0 ? undefined : readFamily(reader);
  const ipv6 = (has & HAS.IPV6) === 0 ? undefined : readFamily(reader);
  const buffer = (has & HAS.BUFFER) === 0 ? undefined : { asked: reader.u32(), granted: reader.u32() };
  const mtu = (has & HAS.MTU) === 0 ? undefined : reader.u16();
  const count = reader.u8();
  if (state === undefined || count > MAX_LAN_TAGS) return undefined;
  const lans = Array.from({ length: count }, () => toHex(reader.bytes(TAG_SIZE)));
  // What follows is for later versions.
  if (reader.failed) return undefined;
  return {
    schema: REPORT_SCHEMA,
    udp: eitherUdp(ipv4?.udp, ipv6?.udp),
    nat: { ...(ipv4 === undefined ? {} : { ipv4 }), ...(ipv6 === undefined ? {} : { ipv6 }) },
    portMapping: { state, ...(protocol === undefined ? {} : { protocol }) },
    ...(buffer === undefined ? {} : { receiveBuffer: buffer }),
    ...(mtu === undefined ? {} : { mtu }),
    lans,
  };
}

function writeFamily(writer: Writer, report: NatReport): void {
  const { udp, translated, hairpin, doubleNat, carrierGrade, site, rtt } = report;
  writer.u8(
    (UDP_STATES.indexOf(udp) << 6) |
      (ANSWERS.indexOf(translated) << 4) |
      (ANSWERS.indexOf(hairpin) << 2) |
      ANSWERS.indexOf(doubleNat),
  );
  writer.u8(
    (ANSWERS.indexOf(carrierGrade) << 6) | (site === undefined ? 0 : SITE_BIT) | (rtt === undefined ? 0 : RTT_BIT),
  );
  writeNatProfile(writer, profileOf(report));
  if (site !== undefined) writer.u16(Number.parseInt(site, 16));
  if (rtt !== undefined) writer.u16(rtt);
}

function readFamily(reader: Reader): NatReport {
  const [first, second] = [reader.u8(), reader.u8()];
  const profile = readNatProfile(reader);
  const site = (second & SITE_BIT) === 0 ? undefined : toHex(reader.bytes(TAG_SIZE));
  const rtt = (second & RTT_BIT) === 0 ? undefined : Math.min(reader.u16(), MAX_REPORT_RTT);
  const [udp, translated] = [UDP_STATES[first >>> 6] ?? "unknown", answer(first >>> 4)] as const;
  const [mapping, filtering] = [profile.mapping ?? "unknown", profile.filtering ?? "unknown"] as const;
  return {
    udp,
    translated,
    mapping,
    filtering,
    allocator: profile.allocator ?? "unknown",
    step: profile.step,
    ...(profile.poolSize === 0 ? {} : { pool: { first: profile.poolFirst, size: profile.poolSize } }),
    hairpin: answer(first >>> 2),
    carrierGrade: answer(second >>> 6),
    doubleNat: answer(first),
    foreignFlows: profile.foreignFlows,
    ...(profile.bindingLifetime === 0 ? {} : { bindingLifetime: profile.bindingLifetime }),
    classicName: classicNameOf({ udp, translated, mapping, filtering }),
    ...(rtt === undefined ? {} : { rtt }),
    ...(site === undefined ? {} : { site }),
  };
}

/** An answer in the low two bits; one that is not known yet counts as missing. */
function answer(bits: number): Answer {
  return ANSWERS[bits & 3] ?? "unknown";
}

function eitherUdp(ipv4: UdpState | undefined, ipv6: UdpState | undefined): UdpState {
  if (ipv4 === "open" || ipv6 === "open") return "open";
  return ipv4 === "blocked" || ipv6 === "blocked" ? "blocked" : "unknown";
}

function problem(code: ReportProblem["code"]): ReportProblem {
  return { code, hint: HINTS[code] };
}
