/**
 * STUN: any bytes are read, answered or passed over without a throw; what is read has addresses that can be written
 * again; answers stay small and go to whoever asked; a client ends a transaction only for bytes with its id.
 *
 * @module
 */
import fc from "fast-check";
import { StunClient } from "../../src/stun/client.ts";
import { type BindingRequest, decodeStunMessage, encodeBindingRequest } from "../../src/stun/codec.ts";
import { Discovery } from "../../src/stun/discovery/discovery.ts";
import { fingerprintOf } from "../../src/stun/integrity.ts";
import { isStun, readAttributes } from "../../src/stun/message.ts";
import { MAX_ANSWER_SIZE, StunResponder } from "../../src/stun/responder.ts";
import { BufferPool } from "../../src/util/buffer-pool.ts";
import { concatBytes, equalBytes } from "../../src/util/bytes.ts";
import { assert } from "../../src/util/invariant.ts";
import type { Address, Datagram } from "../../src/util/machine.ts";
import type { Instant } from "../../src/util/time.ts";
import { parseHost } from "../../src/wire/address.ts";
import { address, bytes, exactBytes, record } from "../arbitraries.ts";
import { type Mutation, mutate, mutation } from "../mutation.ts";
import type { FuzzTarget } from "../target.ts";

const COOKIE = Uint8Array.of(0x21, 0x12, 0xa4, 0x42);
const ID = Uint8Array.from({ length: 12 }, (_, index) => index);
const SERVER: Address = { host: "192.0.2.1", port: 3478, family: 4 };
const OTHER: Address = { host: "192.0.2.2", port: 3479, family: 4 };
const CLIENT: Address = { host: "203.0.113.7", port: 40_000, family: 4 };

/** Answer without diagnostics: an error that names eight attributes, with a FINGERPRINT. */
const MAX_PLAIN_ANSWER = 68;

/** Longest any answer exceeds its request with diagnostics, over IPv6: four addresses. */
const MAX_GAIN = 96;

const pool = new BufferPool();
const responders = [new StunResponder(), new StunResponder({ diagnostics: { primary: SERVER, other: OTHER } })];

/** An attribute of any type, of those that mean something as likely as of others. */
const attribute = fc
  .tuple(
    fc.oneof(
      fc.constantFrom(1, 3, 4, 5, 6, 8, 9, 10, 0x14, 0x15, 0x20, 0x24, 0x26, 0x27, 0x8022, 0x802b, 0x802c),
      fc.nat(0xffff),
    ),
    fc.oneof(
      bytes(40),
      exactBytes(6).map((rest) => Uint8Array.of(0, 1, ...rest)),
      exactBytes(18).map((rest) => Uint8Array.of(0, 2, ...rest)),
      exactBytes(4),
    ),
  )
  .map(([type, value]) => {
    const padding = new Uint8Array(-value.length & 3);
    return concatBytes(Uint8Array.of(type >>> 8, type & 0xff, value.length >>> 8, value.length & 0xff), value, padding);
  });

/** A framed message: right up to its attributes. */
const framed = fc
  .tuple(
    fc.oneof(fc.constantFrom(0x0001, 0x0011, 0x0101, 0x0111), fc.nat(0x3fff)),
    fc.oneof(fc.constant(COOKIE), exactBytes(4)),
    fc.oneof(fc.constant(ID), exactBytes(12)),
    fc.array(attribute, { maxLength: 6 }),
    fc.boolean(),
  )
  .map(([type, cookie, id, attributes, hasFingerprint]) => {
    const body = concatBytes(...attributes);
    const length = body.length + (hasFingerprint ? 8 : 0);
    const head = Uint8Array.of(type >>> 8, type & 0xff, length >>> 8, length & 0xff);
    const message = concatBytes(head, cookie, id, body);
    if (!hasFingerprint) return message;
    const sum = fingerprintOf(message);
    return concatBytes(message, Uint8Array.of(0x80, 0x28, 0, 4, sum >>> 24, sum >>> 16, sum >>> 8, sum));
  });

const request: fc.Arbitrary<BindingRequest> = fc.record<BindingRequest>(
  {
    transactionId: exactBytes(12),
    change: record({ address: fc.boolean(), port: fc.boolean() }),
    responsePort: fc.integer({ min: 1, max: 0xffff }),
    padding: fc.nat(30).map((words) => 4 * words),
    software: fc.string({ unit: "binary", maxLength: 30 }),
  },
  { requiredKeys: ["transactionId"], noNullPrototype: true },
);

export const target: FuzzTarget = {
  name: "stun",
  property: () =>
    fc.property(
      bytes(120),
      framed,
      request,
      mutation,
      address,
      fc.nat(3),
      (raw, message, valid, change, from, place) => {
        const written = encodeBindingRequest(valid);
        for (const each of [raw, message, written, mutate(written, change)]) {
          read(each);
          answer(each, from, place);
        }
        const decoded = decodeStunMessage(written);
        assert(decoded?.kind === "request", "an own request is not read");
        assert(equalBytes(decoded.transactionId, valid.transactionId), "another id");
        assert(decoded.responsePort === valid.responsePort, "another port");
        listen([raw, message, mutate(message, change)], change);
      },
    ),
};

function read(message: Uint8Array): void {
  const decoded = decodeStunMessage(message);
  if (decoded === undefined) return;
  assert(isStun(message) && readAttributes(message) !== undefined, "read, but no STUN");
  for (const each of [decoded.mapped, decoded.origin, decoded.other]) {
    if (each === undefined) continue;
    assert(parseHost(each.host)?.length === (each.family === 4 ? 4 : 16), `no address: ${each.host}`);
    assert(each.port > 0 && each.port <= 0xffff, `no port: ${each.port}`);
  }
  assert(decoded.errorCode === undefined || (decoded.errorCode >= 300 && decoded.errorCode < 700), "no error code");
}

function answer(message: Uint8Array, from: Address, place: number): void {
  const out = new Uint8Array(MAX_ANSWER_SIZE);
  for (const [index, responder] of responders.entries()) {
    const given = responder.answer(message, from, index === 0 ? 0 : place, out);
    if (given === undefined) continue;
    const limit = index === 0 ? MAX_PLAIN_ANSWER : Math.max(MAX_PLAIN_ANSWER, message.length + MAX_GAIN);
    assert(given.length <= limit && given.length % 4 === 0, `an answer of ${given.length} bytes`);
    assert(given.place >= 0 && given.place <= 3, "no place");
    assert(equalBytes(out.subarray(4, 20), message.subarray(4, 20)), "another transaction");
    const decoded = decodeStunMessage(out.subarray(0, given.length));
    assert(decoded === undefined || decoded.kind !== "request", "an answer that asks");
  }
}

/** Feeds bytes to a client and a discovery that wait for an answer with the id {@link ID}. */
function listen(messages: readonly Uint8Array[], change: Mutation): void {
  const random = (size: number): Uint8Array => ID.slice(0, size);
  const client = new StunClient({ random, pool });
  client.request({ via: 0, server: SERVER }, 0 as Instant);
  const discovery = new Discovery({ family: 4, via: 0, localPort: 1, random, pool });
  discovery.addServer({ address: SERVER }, 0 as Instant);
  for (const machine of [client, discovery]) {
    for (const payload of messages) {
      const segmentSize = change.kind === "swap" ? 20 : Math.max(payload.length, 1);
      const from = change.kind === "cut" ? CLIENT : SERVER;
      const datagram: Datagram = { via: 0, from, payload: payload.slice(), segmentSize };
      machine.receive(datagram, 1 as Instant);
      while (machine.pollTransmit(1 as Instant) !== undefined);
    }
    const isAnswered = messages.some((each) => each.length >= 20 && includes(each, ID));
    if (!isAnswered) assert(machine.pollEvent() === undefined, "an answer without the id");
    for (let next = machine.nextTimeout(); next !== undefined && next < 1000; next = machine.nextTimeout()) {
      machine.handleTimeout(next);
      const later = machine.nextTimeout();
      assert(later === undefined || later > next, "a timer that does not move");
    }
  }
}

function includes(message: Uint8Array, id: Uint8Array): boolean {
  for (let at = 0; at + id.length <= message.length; at++) {
    if (equalBytes(message.subarray(at, at + id.length), id)) return true;
  }
  return false;
}
