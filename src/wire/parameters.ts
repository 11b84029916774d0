/**
 * What the two sides of a handshake tell each other: the payload of both of its messages (spec/wire.md#parameters).
 *
 * ```
 * +--------+------------+-----------+
 * | id (v) | length (v) | value (…) |   … ascending by id, each at most once; unknown ids are passed over
 * +--------+------------+-----------+
 * ```
 *
 * A parameter that has its default value is left out.
 *
 * @module
 */
import { equalBytes } from "../util/bytes.ts";
import type { Address } from "../util/machine.ts";
import { addressLength, readAddress, writeAddress } from "./address.ts";
import { type Candidate, candidatesLength, MAX_CANDIDATES, readCandidate, writeCandidate } from "./candidate.ts";
import { BASE_DATAGRAM_SIZE, MAX_DATAGRAM_SIZE } from "./datagram.ts";
import { MAX_STREAM_COUNT } from "./frame-codec.ts";
import { NAT_PROFILE_SIZE, type NatProfile, readNatProfile, writeNatProfile } from "./nat-profile.ts";
import { CONNECTION_ID_SIZE } from "./packet-header.ts";
import { Reader } from "./reader.ts";
import { decodeReason, encodeReason, MAX_REASON_BYTES } from "./text.ts";
import { MAX_VARINT, varintLength } from "./varint.ts";
import { Writer } from "./writer.ts";

// Specification

/** Connection ids that one side may have given out at a time: one for each network it may be on, and one to spare. */
export const MAX_CONNECTION_IDS = 4;

/** Bytes that an initiator may send along for the listener's decision, and the listener back. */
export const MAX_METADATA_BYTES = 256;

/** Bytes of the id that two handshakes of one attempt to connect share. */
export const ATTEMPT_SIZE = 8;

/** Entries in the lists of AEADs and versions; far more than will ever be defined. */
export const MAX_CHOICES = 16;

/** Bits of `pathPolicy`. */
export const PATH_POLICY = { DIRECT: 1, RELAY: 2, CONCEAL: 4 } as const;

/** RFC 9000 §18.2: a max_ack_delay from here on is malformed. */
const ACK_DELAY_LIMIT_MS = 2 ** 14;

const ID = {
  CONNECTION_IDS: 0x01,
  AEADS: 0x02,
  VERSIONS: 0x03,
  MAX_DATA: 0x04,
  MAX_STREAM_DATA: 0x05,
  MAX_STREAMS_BIDI: 0x06,
  MAX_STREAMS_UNI: 0x07,
  LINGER: 0x08,
  MAX_ACK_DELAY: 0x09,
  MIN_ACK_DELAY: 0x0a,
  MAX_DATAGRAM_SIZE: 0x0b,
  MAX_DATAGRAM_FRAME: 0x0c,
  CANDIDATES: 0x0d,
  NAT_PROFILE: 0x0e,
  PATH_POLICY: 0x0f,
  REFUSED: 0x10,
  METADATA: 0x11,
  OBSERVED_ADDRESS: 0x12,
  ATTEMPT: 0x13,
  KEEPALIVE: 0x14,
} as const;

/** Ids of this form mean nothing, now and ever; they keep receivers used to unknown ones. */
const greaseId = (n: number) => 31 * n + 27;

/** What one side announces. */
export interface Parameters {
  /** By which the sender can be reached, with the sequence numbers 0, 1, …; each of 8 bytes. Empty only in a refusal. */
  readonly connectionIds: readonly Uint8Array[];
  /** AEADs by preference, or the one that was picked. Empty only in a refusal. */
  readonly aeads: readonly number[];
  /** Protocol versions that the sender speaks. */
  readonly versions: readonly number[];
  /** Credit for all streams together, in bytes. */
  readonly maxData: number;
  /** Credit for each stream, in bytes. */
  readonly maxStreamData: number;
  readonly maxStreamsBidi: number;
  readonly maxStreamsUni: number;
  /** How long the sender keeps a connection whose peer is silent; the smaller of both sides' holds. */
  readonly lingerMs: number;
  /** Longest time for which the sender withholds an acknowledgement. */
  readonly maxAckDelayMs: number;
  /** Shortest such time that the sender can be asked for. */
  readonly minAckDelayUs: number;
  /** Largest UDP payload that the sender takes. */
  readonly maxDatagramSize: number;
  /** Largest DATAGRAM frame that the sender takes; 0 for none. */
  readonly maxDatagramFrame: number;
  /** Where the sender may be reached, and the generation of that list; `undefined` if it says nothing of it. */
  readonly candidates: { readonly generation: number; readonly list: readonly Candidate[] } | undefined;
  /** What the sender knows of its NAT. */
  readonly natProfile: NatProfile | undefined;
  /** {@link PATH_POLICY} bits: what paths the sender agrees to. */
  readonly pathPolicy: number;
  /** The responder turns the initiator away; the reason is for people. */
  readonly refused: { readonly code: number; readonly reason: string } | undefined;
  /** For the application of the other side. */
  readonly metadata: Uint8Array;
  /** Where the responder saw the initiator's datagram come from. */
  readonly observedAddress: Address | undefined;
  /** Names the attempt to connect; the initiator's only. */
  readonly attempt: Uint8Array | undefined;
  /** Between which bounds the sender wishes keepalives. */
  readonly keepaliveMinMs: number;
  readonly keepaliveMaxMs: number;
}

/** What holds for whatever is left out. */
export const DEFAULT_PARAMETERS: Parameters = {
  connectionIds: [],
  aeads: [],
  versions: [1],
  maxData: 768 * 1024,
  maxStreamData: 256 * 1024,
  maxStreamsBidi: 100,
  maxStreamsUni: 100,
  lingerMs: 300_000,
  maxAckDelayMs: 25,
  minAckDelayUs: 1_000,
  maxDatagramSize: MAX_DATAGRAM_SIZE,
  maxDatagramFrame: MAX_DATAGRAM_SIZE,
  candidates: undefined,
  natProfile: undefined,
  pathPolicy: PATH_POLICY.DIRECT | PATH_POLICY.RELAY,
  refused: undefined,
  metadata: new Uint8Array(0),
  observedAddress: undefined,
  attempt: undefined,
  keepaliveMinMs: 10_000,
  keepaliveMaxMs: 110_000,
};

/** The parameters that are one integer each, in the order of their ids, with the values that are not malformed. */
const INTEGERS = [
  { id: ID.MAX_DATA, name: "maxData", min: 0, max: MAX_VARINT },
  { id: ID.MAX_STREAM_DATA, name: "maxStreamData", min: 0, max: MAX_VARINT },
  { id: ID.MAX_STREAMS_BIDI, name: "maxStreamsBidi", min: 0, max: MAX_STREAM_COUNT },
  { id: ID.MAX_STREAMS_UNI, name: "maxStreamsUni", min: 0, max: MAX_STREAM_COUNT },
  { id: ID.LINGER, name: "lingerMs", min: 0, max: MAX_VARINT },
  { id: ID.MAX_ACK_DELAY, name: "maxAckDelayMs", min: 0, max: ACK_DELAY_LIMIT_MS - 1 },
  { id: ID.MIN_ACK_DELAY, name: "minAckDelayUs", min: 0, max: MAX_VARINT },
  { id: ID.MAX_DATAGRAM_SIZE, name: "maxDatagramSize", min: BASE_DATAGRAM_SIZE, max: MAX_VARINT },
  { id: ID.MAX_DATAGRAM_FRAME, name: "maxDatagramFrame", min: 0, max: MAX_VARINT },
] as const;

/** The one integer that comes after the candidates. */
const POLICY = { id: ID.PATH_POLICY, name: "pathPolicy", min: 0, max: 0xff } as const;

// Implementation

/**
 * All parameters at their largest. A handshake message holds some 1,050 bytes: metadata and candidates must not both be as
 * long as they may.
 */
const MAX_ENCODED_SIZE = 1_280;

/**
 * The payload that announces `parameters`; what is left out has its default. `grease`, a random byte, makes one
 * parameter that means nothing.
 *
 * @throws RangeError if a value is out of its bounds.
 */
export function encodeParameters(parameters: Partial<Parameters>, grease: number): Uint8Array {
  const all: Parameters = { ...DEFAULT_PARAMETERS, ...parameters };
  const writer = new Writer(new Uint8Array(MAX_ENCODED_SIZE));
  writeLists(writer, all);
  for (const integer of INTEGERS) writeInteger(writer, all, integer);
  writeTraversal(writer, all);
  writeInteger(writer, all, POLICY);
  writeOptional(writer, all);
  writeGrease(writer, grease);
  return writer.buffer.slice(0, writer.offset);
}

/** The parameters in a payload, or `undefined` if it is malformed or lacks what it needs. */
export function decodeParameters(bytes: Uint8Array): Parameters | undefined {
  const reader = new Reader(bytes);
  const value = new Reader();
  const draft: Draft = { ...DEFAULT_PARAMETERS };
  for (let last = -1; reader.remaining > 0; ) {
    const id = reader.varint();
    if (id <= last) return undefined;
    last = id;
    value.reset(reader.bytes(reader.varint()));
    if (!readParameter(draft, id, value)) continue;
    if (value.failed || value.remaining > 0) return undefined;
  }
  if (reader.failed || !isComplete(draft)) return undefined;
  return draft;
}

type Draft = { -readonly [Name in keyof Parameters]: Parameters[Name] };

/** Only a refusal can do without connection ids and AEAD. */
function isComplete(draft: Draft): boolean {
  return draft.refused !== undefined || (draft.connectionIds.length > 0 && draft.aeads.length > 0);
}

function writeLists(writer: Writer, parameters: Parameters): void {
  const { connectionIds, aeads, versions } = parameters;
  check(connectionIds.length <= MAX_CONNECTION_IDS, `${connectionIds.length} connection ids`);
  if (connectionIds.length > 0) {
    writeHead(writer, ID.CONNECTION_IDS, connectionIds.length * CONNECTION_ID_SIZE);
    for (const connectionId of connectionIds) {
      check(connectionId.length === CONNECTION_ID_SIZE, `connection id of ${connectionId.length} bytes`);
      writer.bytes(connectionId);
    }
  }
  check(aeads.length <= MAX_CHOICES, `${aeads.length} AEADs`);
  if (aeads.length > 0) writeBytes(writer, ID.AEADS, Uint8Array.from(aeads));
  check(versions.length > 0 && versions.length <= MAX_CHOICES, `${versions.length} versions`);
  const isDefault = versions.length === 1 && versions[0] === DEFAULT_PARAMETERS.versions[0];
  if (!isDefault) writeBytes(writer, ID.VERSIONS, Uint8Array.from(versions));
}

function writeInteger(
  writer: Writer,
  parameters: Parameters,
  { id, name, min, max }: (typeof INTEGERS)[number] | typeof POLICY,
): void {
  const value = parameters[name];
  if (value === DEFAULT_PARAMETERS[name]) return;
  check(value >= min && value <= max, `${name} of ${value}`);
  writeHead(writer, id, varintLength(value));
  writer.varint(value);
}

function writeTraversal(writer: Writer, { candidates, natProfile }: Parameters): void {
  if (candidates !== undefined) {
    const { generation, list } = candidates;
    check(list.length <= MAX_CANDIDATES, `${list.length} candidates`);
    const length = varintLength(generation) + varintLength(list.length) + candidatesLength(list);
    writeHead(writer, ID.CANDIDATES, length);
    writer.varint(generation);
    writer.varint(list.length);
    for (const candidate of list) writeCandidate(writer, candidate);
  }
  if (natProfile !== undefined) {
    writeHead(writer, ID.NAT_PROFILE, NAT_PROFILE_SIZE);
    writeNatProfile(writer, natProfile);
  }
}

function writeOptional(writer: Writer, parameters: Parameters): void {
  const { refused, metadata, observedAddress, attempt, keepaliveMinMs, keepaliveMaxMs } = parameters;
  if (refused !== undefined) {
    const reason = encodeReason(refused.reason);
    writeHead(writer, ID.REFUSED, varintLength(refused.code) + reason.length);
    writer.varint(refused.code);
    writer.bytes(reason);
  }
  check(metadata.length <= MAX_METADATA_BYTES, `metadata of ${metadata.length} bytes`);
  if (metadata.length > 0) writeBytes(writer, ID.METADATA, metadata);
  if (observedAddress !== undefined) {
    writeHead(writer, ID.OBSERVED_ADDRESS, addressLength(observedAddress));
    writeAddress(writer, observedAddress);
  }
  if (attempt !== undefined) {
    check(attempt.length === ATTEMPT_SIZE, `attempt of ${attempt.length} bytes`);
    writeBytes(writer, ID.ATTEMPT, attempt);
  }
  check(keepaliveMinMs <= keepaliveMaxMs, `keepalive from ${keepaliveMinMs} to ${keepaliveMaxMs}`);
  const { keepaliveMinMs: defaultMin, keepaliveMaxMs: defaultMax } = DEFAULT_PARAMETERS;
  if (keepaliveMinMs !== defaultMin || keepaliveMaxMs !== defaultMax) {
    writeHead(writer, ID.KEEPALIVE, varintLength(keepaliveMinMs) + varintLength(keepaliveMaxMs));
    writer.varint(keepaliveMinMs);
    writer.varint(keepaliveMaxMs);
  }
}

/** One to eight bytes under an id above all that are in use. */
function writeGrease(writer: Writer, grease: number): void {
  const length = 1 + (grease & 7);
  writeHead(writer, greaseId(grease), length);
  writer.fill(grease, length);
}

function writeHead(writer: Writer, id: number, length: number): void {
  writer.varint(id);
  writer.varint(length);
}

function writeBytes(writer: Writer, id: number, bytes: Uint8Array): void {
  writeHead(writer, id, bytes.length);
  writer.bytes(bytes);
}

/** Takes over one parameter; false if it is unknown. */
function readParameter(draft: Draft, id: number, value: Reader): boolean {
  switch (id) {
    case ID.CONNECTION_IDS:
      draft.connectionIds = readConnectionIds(value);
      return true;
    case ID.AEADS:
      draft.aeads = readChoices(value);
      return true;
    case ID.VERSIONS:
      draft.versions = readChoices(value);
      return true;
    case ID.CANDIDATES:
      draft.candidates = readCandidates(value);
      return true;
    case ID.NAT_PROFILE:
      draft.natProfile = readNatProfile(value);
      return true;
    case ID.REFUSED:
      draft.refused = { code: value.varint(), reason: readReason(value) };
      return true;
    case ID.METADATA:
      if (value.remaining > MAX_METADATA_BYTES) value.fail();
      draft.metadata = value.rest();
      return true;
    case ID.OBSERVED_ADDRESS:
      draft.observedAddress = readAddress(value);
      return true;
    case ID.ATTEMPT:
      draft.attempt = value.bytes(ATTEMPT_SIZE);
      return true;
    case ID.KEEPALIVE:
      draft.keepaliveMinMs = value.varint();
      draft.keepaliveMaxMs = value.varint();
      if (draft.keepaliveMinMs > draft.keepaliveMaxMs) value.fail();
      return true;
    default:
      return readInteger(draft, id, value);
  }
}

function readInteger(draft: Draft, id: number, value: Reader): boolean {
  const parameter = id === POLICY.id ? POLICY : INTEGERS.find((each) => each.id === id);
  if (parameter === undefined) return false;
  const integer = value.varint();
  if (integer < parameter.min || integer > parameter.max) value.fail();
  draft[parameter.name] = integer;
  return true;
}

function readConnectionIds(value: Reader): Uint8Array[] {
  const connectionIds: Uint8Array[] = [];
  do {
    const connectionId = value.bytes(CONNECTION_ID_SIZE);
    if (connectionIds.some((each) => equalBytes(each, connectionId))) value.fail();
    connectionIds.push(connectionId);
    if (connectionIds.length > MAX_CONNECTION_IDS) value.fail();
  } while (value.remaining > 0);
  return connectionIds;
}

function readCandidates(value: Reader): Parameters["candidates"] {
  const generation = value.varint();
  const count = value.varint();
  if (count > MAX_CANDIDATES) value.fail();
  const list: Candidate[] = [];
  for (let i = 0; i < count && !value.failed; i++) list.push(readCandidate(value));
  return { generation, list };
}

function readChoices(value: Reader): number[] {
  if (value.remaining < 1 || value.remaining > MAX_CHOICES) value.fail();
  return Array.from(value.rest());
}

function readReason(value: Reader): string {
  if (value.remaining > MAX_REASON_BYTES) value.fail();
  return decodeReason(value.rest());
}

function check(holds: boolean, message: string): void {
  if (!holds) throw new RangeError(message);
}
