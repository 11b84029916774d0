/**
 * Random inputs for codecs: bytes, integers at the edges, and valid frames, datagrams and parameters.
 *
 * @module
 */
import fc from "fast-check";
import type { Address } from "../src/util/machine.ts";
import { MAX_ACK_RANGES } from "../src/wire/ack-frame.ts";
import { formatHost } from "../src/wire/address.ts";
import { CANDIDATE_KINDS, type Candidate, MAX_CANDIDATES, MAX_SOCKET_GROUP } from "../src/wire/candidate.ts";
import type { AckFrame, CloseFrame, Frame, StreamFrame } from "../src/wire/frame.ts";
import { MAX_STREAM_COUNT } from "../src/wire/frame-codec.ts";
import { NAT_PROFILE_SIZE, type NatProfile, readNatProfile } from "../src/wire/nat-profile.ts";
import { MAX_CONNECTION_IDS, MAX_METADATA_BYTES, type Parameters } from "../src/wire/parameters.ts";
import { Reader } from "../src/wire/reader.ts";
import { MAX_REASON_BYTES } from "../src/wire/text.ts";
import { MAX_VARINT } from "../src/wire/varint.ts";

/** Up to `maxLength` bytes, long ones as likely as short ones. */
export function bytes(maxLength: number, minLength = 0): fc.Arbitrary<Uint8Array> {
  return fc.uint8Array({ minLength, maxLength, size: "max" });
}

/** Exactly `length` bytes. */
export function exactBytes(length: number): fc.Arbitrary<Uint8Array> {
  return fc.uint8Array({ minLength: length, maxLength: length });
}

/** A record like those that code makes; fast-check's own may lack a prototype. */
export function record<Fields>(model: { [Name in keyof Fields]: fc.Arbitrary<Fields[Name]> }): fc.Arbitrary<Fields> {
  return fc.record<Fields>(model, { noNullPrototype: true });
}

const EDGES = [
  0,
  1,
  62,
  63,
  64,
  65,
  16_382,
  16_383,
  16_384,
  2 ** 30 - 1,
  2 ** 30,
  2 ** 31,
  2 ** 32 - 1,
  2 ** 32,
  2 ** 53 - 1,
];

/** An integer from 0 to `max`, of every encoded length, often at the edges of one. */
export function varint(max = MAX_VARINT): fc.Arbitrary<number> {
  return fc.oneof(
    fc.nat({ max: Math.min(max, 63) }),
    fc.nat({ max: Math.min(max, 2 ** 14 - 1) }),
    fc.maxSafeNat().map((value) => value % (max + 1)),
    fc.constantFrom(...EDGES.filter((edge) => edge <= max), max),
  );
}

/** Text whose UTF-8 form a reason holds whole, so that it survives a round trip. */
export const reason: fc.Arbitrary<string> = fc
  .string({ unit: "binary", maxLength: MAX_REASON_BYTES })
  .filter((text) => new TextEncoder().encode(text).length <= MAX_REASON_BYTES);

/** An address in canonical form. */
export const address: fc.Arbitrary<Address> = fc.oneof(
  record({ host: exactBytes(4).map(formatHost), port: fc.nat(65_535), family: fc.constant<4>(4) }),
  record({ host: sparseHost().map(formatHost), port: fc.nat(65_535), family: fc.constant<6>(6) }),
);

/** 16 bytes with runs of zeros, as IPv6 addresses have them. */
function sparseHost(): fc.Arbitrary<Uint8Array> {
  const group = fc.oneof(
    { weight: 2, arbitrary: fc.constant(0) },
    { weight: 1, arbitrary: fc.nat(0xffff) },
    fc.constant(0xffff),
  );
  return fc
    .array(group, { minLength: 8, maxLength: 8 })
    .map((groups) => Uint8Array.from(groups.flatMap((each) => [each >>> 8, each & 0xff])));
}

/** A valid candidate. */
export const candidate: fc.Arbitrary<Candidate> = record({
  kind: fc.constantFrom(...CANDIDATE_KINDS),
  address: address.filter(({ port }) => port > 0),
  group: fc.nat(MAX_SOCKET_GROUP),
});

/** A NAT profile, as any ten bytes are one. */
export const natProfile: fc.Arbitrary<NatProfile> = exactBytes(NAT_PROFILE_SIZE).map((profile) =>
  readNatProfile(new Reader(profile)),
);

/** A valid ACK frame: descending ranges that do not touch. */
export const ackFrame: fc.Arbitrary<AckFrame> = record({
  largest: varint(),
  delay: varint(),
  spans: fc.array(fc.tuple(varint(), varint()), { minLength: 1, maxLength: MAX_ACK_RANGES, size: "max" }),
  ecn: fc.option(record({ ect0: varint(), ect1: varint(), ce: varint() }), { nil: undefined }),
}).map(({ largest, delay, spans, ecn }) => {
  const ranges: number[] = [];
  let end = largest + 1;
  for (const [length, gap] of spans) {
    if (end < 1) break;
    const start = Math.max(0, end - 1 - length);
    ranges.push(start, end);
    end = start - 1 - gap;
  }
  return { type: "ack", largest, delayUs: Math.floor(delay / 8) * 8, ranges, ecn };
});

/** A valid STREAM frame. */
export const streamFrame: fc.Arbitrary<StreamFrame> = record({
  streamId: varint(),
  offset: varint(),
  fin: fc.boolean(),
  data: bytes(80),
}).map((fields) => ({ type: "stream", ...fields, offset: Math.min(fields.offset, MAX_VARINT - fields.data.length) }));

const closeFrame: fc.Arbitrary<CloseFrame> = record({
  application: fc.boolean(),
  code: varint(),
  cause: varint(),
  reason,
}).map((fields) => ({ type: "close", ...fields, cause: fields.application ? 0 : fields.cause }));

const direction = fc.constantFrom("bidi" as const, "uni" as const);
const streamCount = varint(MAX_STREAM_COUNT);

function kind<Type extends string>(type: Type): fc.Arbitrary<Type> {
  return fc.constant(type);
}

/** Any valid frame. */
export const frame: fc.Arbitrary<Frame> = fc.oneof(
  ackFrame,
  streamFrame,
  closeFrame,
  record({ type: kind("padding"), count: fc.integer({ min: 1, max: 40 }) }),
  record({ type: kind("ping") }),
  record({ type: kind("reset-stream"), streamId: varint(), code: varint(), finalSize: varint() }),
  record({ type: kind("stop-sending"), streamId: varint(), code: varint() }),
  record({ type: kind("max-data"), limit: varint() }),
  record({ type: kind("max-stream-data"), streamId: varint(), limit: varint() }),
  record({ type: kind("max-streams"), direction, limit: streamCount }),
  record({ type: kind("data-blocked"), limit: varint() }),
  record({ type: kind("stream-data-blocked"), streamId: varint(), limit: varint() }),
  record({ type: kind("streams-blocked"), direction, limit: streamCount }),
  record({ type: kind("new-connection-id"), sequence: varint(), back: varint(), connectionId: exactBytes(8) }).map(
    ({ back, ...rest }) => ({ ...rest, retirePriorTo: Math.max(0, rest.sequence - back) }),
  ),
  record({ type: kind("retire-connection-id"), sequence: varint() }),
  record({ type: kind("path-challenge"), token: exactBytes(8) }),
  record({ type: kind("path-response"), token: exactBytes(8) }),
  record({ type: kind("immediate-ack") }),
  record({ type: kind("observed-address"), address }),
  record({
    type: kind("candidates"),
    generation: varint(),
    seenGeneration: varint(),
    candidates: fc.array(candidate, { maxLength: MAX_CANDIDATES }),
    profile: fc.option(natProfile, { nil: undefined }),
  }),
  record({
    type: kind("ack-frequency"),
    sequence: varint(),
    threshold: varint(),
    maxAckDelayUs: varint(),
    reorderingThreshold: varint(),
  }),
  record({ type: kind("datagram"), data: bytes(80) }),
  record({ type: kind("extension"), id: varint(2 ** 40).map((n) => 0x40 + 2 * n), body: bytes(40) }),
);

/** Valid parameters. */
export const parameters: fc.Arbitrary<Parameters> = record({
  connectionIds: fc.uniqueArray(exactBytes(8), {
    minLength: 1,
    maxLength: MAX_CONNECTION_IDS,
    selector: (id) => id.join(),
  }),
  aeads: fc.array(fc.nat(255), { minLength: 1, maxLength: 16 }),
  versions: fc.array(fc.nat(255), { minLength: 1, maxLength: 16 }),
  maxData: varint(),
  maxStreamData: varint(),
  maxStreamsBidi: streamCount,
  maxStreamsUni: streamCount,
  lingerMs: varint(),
  maxAckDelayMs: fc.nat(2 ** 14 - 1),
  minAckDelayUs: varint(),
  maxDatagramSize: varint().map((value) => Math.max(1200, value)),
  maxDatagramFrame: varint(),
  candidates: fc.option(record({ generation: varint(), list: fc.array(candidate, { maxLength: 8 }) }), {
    nil: undefined,
  }),
  natProfile: fc.option(natProfile, { nil: undefined }),
  pathPolicy: fc.nat(255),
  refused: fc.option(record({ code: varint(), reason }), { nil: undefined }),
  metadata: bytes(MAX_METADATA_BYTES),
  observedAddress: fc.option(address, { nil: undefined }),
  attempt: fc.option(exactBytes(8), { nil: undefined }),
  keepalive: fc.tuple(varint(), varint()),
}).map(({ keepalive: [a, b], ...rest }) => ({
  ...rest,
  keepaliveMinMs: Math.min(a, b),
  keepaliveMaxMs: Math.max(a, b),
}));
