/**
 * Datagrams before decryption: any bytes are classified, cut and decoded without a throw; headers, handshake datagrams
 * and parameters survive a round trip; merged datagrams are separated.
 *
 * @module
 */
import { deepStrictEqual } from "node:assert";
import fc from "fast-check";
import { assert } from "../../src/util/invariant.ts";
import { classify, cut, MAX_SEGMENTS, recut, statedLength } from "../../src/wire/datagram.ts";
import {
  decodeCookie,
  decodeInit,
  decodeResp,
  encodeCookie,
  encodeInit,
  encodeResp,
  MAX_CORE_SIZE,
} from "../../src/wire/handshake-datagram.ts";
import {
  connectionIdKey,
  HEADER_SIZE,
  isDataPacket,
  keyPhaseOf,
  type PacketHeader,
  truncatedPacketNumber,
  writePacketHeader,
} from "../../src/wire/packet-header.ts";
import { decodeParameters, encodeParameters, type Parameters } from "../../src/wire/parameters.ts";
import { parameters as anyParameters, bytes, exactBytes, record, varint } from "../arbitraries.ts";
import type { FuzzTarget } from "../target.ts";

const firstByte = fc.constantFrom(0x00, 0x01, 0x40, 0x81, 0x82, 0x83, 0x9f, 0xa0, 0xc0, 0xe0);

/** Bytes that begin like a datagram of some kind and state some length. */
const typedBytes = fc
  .tuple(firstByte, fc.nat(2_000), bytes(1_300))
  .map(([first, length, rest]) => Uint8Array.of(first, length >>> 8, length, ...rest));

const header: fc.Arbitrary<PacketHeader> = record({
  space: fc.constantFrom("probe" as const, "data" as const),
  keyPhase: fc.constantFrom(0 as const, 1 as const),
  length: fc.nat(65_507),
  connectionId: exactBytes(8),
  packetNumber: varint(),
});

const merged = record({
  size: fc.integer({ min: 40, max: 1_452 }),
  count: fc.integer({ min: 1, max: 40 }),
  tail: fc.nat(1_452),
  space: fc.constantFrom(0xc0, 0xe0),
});

export const target: FuzzTarget = {
  name: "header",
  property: () =>
    fc.property(
      fc.oneof(bytes(1_300), typedBytes),
      fc.nat(2_000),
      header,
      record({ core: bytes(MAX_CORE_SIZE), a: exactBytes(8), b: exactBytes(8), c: exactBytes(8) }),
      anyParameters,
      merged,
      (raw, hint, head, handshake, parameters, batch) => {
        readRaw(raw, hint);
        roundTripHeader(head);
        roundTripHandshake(handshake);
        roundTripParameters(parameters, hint);
        separate(batch);
      },
    ),
};

function readRaw(raw: Uint8Array, hint: number): void {
  const out: Uint8Array[] = [];
  for (const count of [cut(raw, hint, out), recut(raw, hint, out)]) assert(count <= MAX_SEGMENTS, `${count} pieces`);
  const count = cut(raw, hint, out);
  assert(out.length === count, "pieces and count differ");
  for (const piece of out) {
    assert(piece.length > 0 && piece.buffer === raw.buffer, "a piece that is no view");
    assert(statedLength(piece, 0, piece.length) === piece.length, "a piece of another length than it states");
    assert(classify(piece[0]!).length > 0, "a piece of no kind");
  }
  decodeInit(raw);
  decodeResp(raw);
  decodeCookie(raw);
  const parameters = decodeParameters(raw);
  if (parameters !== undefined && parameters.refused === undefined) roundTripParameters(parameters, hint);
}

function roundTripHeader(head: PacketHeader): void {
  const encoded = new Uint8Array(HEADER_SIZE);
  writePacketHeader(encoded, 0, head);
  assert(classify(encoded[0]!) === "protected", "not protected");
  assert(isDataPacket(encoded[0]!) === (head.space === "data"), "space");
  assert(keyPhaseOf(encoded[0]!) === head.keyPhase, "key phase");
  assert(statedLength(encoded, 0, encoded.length) === head.length, "length");
  assert(connectionIdKey(encoded, 3) === connectionIdKey(head.connectionId, 0), "connection id");
  assert(truncatedPacketNumber(encoded, 0) === head.packetNumber % 2 ** 32, "packet number");
}

interface HandshakeFields {
  readonly core: Uint8Array;
  readonly a: Uint8Array;
  readonly b: Uint8Array;
  readonly c: Uint8Array;
}

function roundTripHandshake({ core, a, b, c }: HandshakeFields): void {
  const init = { core, token: a, mac2: Uint8Array.of(...b, ...c) };
  deepStrictEqual(decodeInit(encodeInit(init)), init);
  const resp = { connectionId: a, echo: b, token: c, core };
  deepStrictEqual(decodeResp(encodeResp(resp)), resp);
  const cookie = {
    echo: a,
    nonce: Uint8Array.of(...b, ...c.subarray(4)),
    sealed: Uint8Array.of(...a, ...b, ...c, ...a),
  };
  deepStrictEqual(decodeCookie(encodeCookie(cookie)), cookie);
}

function roundTripParameters(parameters: Parameters, grease: number): void {
  deepStrictEqual(decodeParameters(encodeParameters(parameters, grease)), parameters);
}

/** A batch as the kernel merges it comes apart into its packets. */
function separate(batch: {
  readonly size: number;
  readonly count: number;
  readonly tail: number;
  readonly space: number;
}): void {
  const sizes = new Array<number>(batch.count).fill(batch.size);
  if (batch.tail >= 3 && batch.tail < batch.size) sizes.push(batch.tail);
  const buffer = new Uint8Array(sizes.reduce((total, size) => total + size, 0));
  let offset = 0;
  for (const size of sizes) {
    buffer.set([batch.space, size >>> 8, size], offset);
    offset += size;
  }
  const out: Uint8Array[] = [];
  cut(buffer, 0, out);
  deepStrictEqual(
    out.map((piece) => piece.length),
    sizes,
  );
}
