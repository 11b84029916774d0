/**
 * Control messages: any stream of bytes, in any pieces, is read without a throw and in bounded memory; any messages
 * survive the way over a stream that is cut anywhere.
 *
 * @module
 */
import { deepStrictEqual } from "node:assert";
import fc from "fast-check";
import { decodeEnvelope, encodeEnvelope } from "../../src/signal/envelope.ts";
import { decodeBody, encodeMessage } from "../../src/signal/message-codec.ts";
import { MessageDecoder } from "../../src/signal/message-decoder.ts";
import {
  FAILURES,
  MAX_BODY_SIZE,
  type Message,
  PROBE_SOURCES,
  REGISTER_RESULTS,
  type Relay,
} from "../../src/signal/messages.ts";
import { assert } from "../../src/util/invariant.ts";
import { formatHost } from "../../src/wire/address.ts";
import { address, bytes, exactBytes, record, varint } from "../arbitraries.ts";
import { mutate, mutation } from "../mutation.ts";
import type { FuzzTarget } from "../target.ts";

const flags = fc.nat(255);
const slot = exactBytes(16);
const envelope = bytes(1_300);
const seen = fc.oneof(fc.constant(undefined), exactBytes(4).map(formatHost), exactBytes(16).map(formatHost));
const relay: fc.Arbitrary<Relay> = fc.oneof(
  record({
    status: fc.constantFrom<"none" | "denied" | "full" | "key-needed">("none", "denied", "full", "key-needed"),
  }),
  record({
    status: fc.constant<"granted">("granted"),
    channel: exactBytes(8),
    bytesPerSecond: varint(),
    maxBytes: varint(),
    lifetime: varint(),
  }),
);

function of<Type extends Message["type"]>(type: Type): fc.Arbitrary<Type> {
  return fc.constant(type);
}

/** Any message. */
const message: fc.Arbitrary<Message> = fc.oneof(
  record({ type: of("hello"), flags: varint(), token: bytes(100) }),
  record({
    type: of("welcome"),
    flags: varint(),
    alive: fc.nat(255),
    maxSlots: varint(),
    address,
    clock: fc.maxSafeNat(),
  }),
  record({
    type: of("register"),
    request: varint(),
    preimages: fc.array(exactBytes(32), { maxLength: 5 }),
    proof: bytes(300),
  }),
  record({
    type: of("registered"),
    request: varint(),
    results: fc.array(fc.constantFrom(...REGISTER_RESULTS), { maxLength: 70 }),
  }),
  record({ type: of("unregister"), slots: fc.array(slot, { maxLength: 5 }) }),
  record({ type: of("invite"), call: varint(), slot, flags, envelope }),
  record({ type: of("invited"), call: varint(), slot, flags, rtt: varint(), seen, envelope }),
  record({ type: of("answer"), call: varint(), flags, envelope }),
  record({ type: of("answered"), call: varint(), flags, wait: varint(), rtt: varint(), seen, relay, envelope }),
  record({ type: of("go"), call: varint(), wait: varint(), relay }),
  record({ type: of("signal"), call: varint(), flags, envelope }),
  record({ type: of("failed"), id: varint(), failure: fc.constantFrom(...FAILURES), retry: varint() }),
  record({ type: of("cancel"), call: varint() }),
  record({ type: of("release"), channel: exactBytes(8) }),
  record({ type: of("goaway"), drain: varint() }),
  record({ type: of("probe"), request: varint(), which: fc.constantFrom(...PROBE_SOURCES), token: exactBytes(8) }),
);

/** Sizes of pieces, used in turn. */
const sizes = fc.array(fc.integer({ min: 1, max: 2_000 }), { minLength: 1, maxLength: 8 });

export const target: FuzzTarget = {
  name: "rendezvous",
  property: () =>
    fc.property(
      bytes(3_000),
      fc.nat(0x12),
      fc.array(message, { maxLength: 6 }),
      sizes,
      mutation,
      (raw, type, messages, pieces, change) => {
        readAll(raw, pieces);
        readBody(type, raw);
        const stream = Uint8Array.from(messages.flatMap((each) => [...encodeMessage(each)]));
        deepStrictEqual(readAll(stream, pieces), messages);
        readAll(mutate(stream, change), pieces);
      },
    ),
};

/** All messages of a stream that arrives in pieces; each can be written again. */
function readAll(stream: Uint8Array, sizesOfPieces: readonly number[]): Message[] {
  const decoder = new MessageDecoder();
  const messages: Message[] = [];
  for (let offset = 0, i = 0; offset < stream.length; i++) {
    const size = sizesOfPieces[i % sizesOfPieces.length]!;
    decoder.push(stream.slice(offset, offset + size));
    offset += size;
    for (let each = decoder.next(); each !== undefined; each = decoder.next()) messages.push(each);
    assert(decoder.held <= MAX_BODY_SIZE + 16, `${decoder.held} bytes held`);
    if (decoder.failed) assert(decoder.next() === undefined && decoder.held === 0, "goes on after a failure");
  }
  for (const each of messages) encodeMessage(each);
  return messages;
}

function readBody(type: number, body: Uint8Array): void {
  const decoded = decodeBody(type, body);
  if (decoded === undefined || decoded === "malformed" || !("envelope" in decoded)) return;
  const inner = decodeEnvelope(decoded.envelope);
  if (inner !== undefined) deepStrictEqual(encodeEnvelope(inner), Uint8Array.from(decoded.envelope));
}
