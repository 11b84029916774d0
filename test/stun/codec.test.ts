/**
 * Requests and answers, field by field, and what is refused.
 *
 * @module
 */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { address as anyAddress, exactBytes } from "../../fuzz/arbitraries.ts";
import { type BindingRequest, decodeStunMessage, encodeBindingRequest } from "../../src/stun/codec.ts";
import { fingerprintOf } from "../../src/stun/integrity.ts";
import {
  ATTRIBUTE,
  isClassicRequest,
  isStun,
  MAX_ATTRIBUTES,
  MESSAGE_TYPE,
  readAttributes,
} from "../../src/stun/message.ts";
import { address } from "../../src/testing/index.ts";
import { addressValue, attribute, message, xorAddressValue } from "./messages.ts";

const ID = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12);
const MAPPED = address("203.0.113.7", 40_000);
const mapped = attribute(ATTRIBUTE.XOR_MAPPED_ADDRESS, xorAddressValue(MAPPED, ID));

const response = (...attributes: readonly Uint8Array[]): Uint8Array => message(MESSAGE_TYPE.RESPONSE, ID, attributes);

describe("what is STUN", () => {
  const bare = message(MESSAGE_TYPE.REQUEST, ID);

  test("a whole message with the cookie (STUN-1)", () => {
    expect(isStun(bare)).toBe(true);
    expect(isStun(response(mapped))).toBe(true);
  });

  test.each([
    ["no byte", new Uint8Array(0)],
    ["three stray bytes", Uint8Array.of(1, 2, 3)],
    ["a byte less", bare.subarray(0, 19)],
    ["a byte more", Uint8Array.of(...bare, 0)],
    ["four bytes more than stated", Uint8Array.of(...bare, 0, 0, 0, 0)],
    ["four bytes less than stated", Uint8Array.of(0, 1, 0, 4, ...bare.subarray(4))],
    ["a length that is no multiple of 4", Uint8Array.of(0, 1, 0, 2, ...bare.subarray(4), 0, 0)],
    ["one of our own datagrams", Uint8Array.of(0x80, ...bare.subarray(1))],
    ["the second bit set", Uint8Array.of(0x40, ...bare.subarray(1))],
    ["another cookie", Uint8Array.of(...bare.subarray(0, 4), 0x21, 0x12, 0xa4, 0x43, ...bare.subarray(8))],
  ])("not %s (STUN-1)", (_, bytes) => {
    expect(isStun(bytes)).toBe(false);
    expect(decodeStunMessage(bytes)).toBeUndefined();
  });

  test("a request without the cookie is a classic one", () => {
    expect(isClassicRequest(message(MESSAGE_TYPE.REQUEST, ID, [], [0, 0, 0, 0]))).toBe(true);
    expect(isClassicRequest(bare)).toBe(false);
    expect(isClassicRequest(message(MESSAGE_TYPE.RESPONSE, ID, [], [0, 0, 0, 0]))).toBe(false);
  });
});

describe("requests", () => {
  test("without wishes are a header alone", () => {
    expect(encodeBindingRequest({ transactionId: ID })).toEqual(message(MESSAGE_TYPE.REQUEST, ID));
  });

  test("say what they ask for (RFC 5780 §7.2, §7.5, §7.6)", () => {
    const bytes = encodeBindingRequest({
      transactionId: ID,
      change: { address: true, port: true },
      responsePort: 4000,
      padding: 8,
      software: "name",
    });
    expect(bytes).toEqual(
      message(MESSAGE_TYPE.REQUEST, ID, [
        attribute(ATTRIBUTE.CHANGE_REQUEST, [0, 0, 0, 6]),
        attribute(ATTRIBUTE.RESPONSE_PORT, [0x0f, 0xa0]),
        attribute(ATTRIBUTE.PADDING, new Uint8Array(8)),
        attribute(ATTRIBUTE.SOFTWARE, [...new TextEncoder().encode("name")]),
      ]),
    );
  });

  test("survive a round trip", () => {
    const request = fc.record<BindingRequest>(
      {
        transactionId: exactBytes(12),
        change: fc.record({ address: fc.boolean(), port: fc.boolean() }, { noNullPrototype: true }),
        responsePort: fc.integer({ min: 1, max: 65_535 }),
        padding: fc.nat(300).map((words) => 4 * words),
        software: fc.string({ maxLength: 100 }),
      },
      { requiredKeys: ["transactionId"], noNullPrototype: true },
    );
    fc.assert(
      fc.property(request, (fields) => {
        const read = decodeStunMessage(encodeBindingRequest(fields))!;
        expect(read.kind).toBe("request");
        expect(Uint8Array.from(read.transactionId)).toEqual(fields.transactionId);
        expect(read).toMatchObject({
          change: fields.change,
          responsePort: fields.responsePort,
          padding: fields.padding ?? 0,
          software: fields.software,
          unknownAttributes: [],
        });
      }),
      { numRuns: 200 },
    );
  });

  test.each([
    { transactionId: new Uint8Array(16) },
    { transactionId: ID, responsePort: 0 },
    { transactionId: ID, responsePort: 65_536 },
    { transactionId: ID, padding: 2 },
    { transactionId: ID, padding: 4000 },
    { transactionId: ID, software: "x".repeat(764) },
  ])("out of range throw: %o", (request) => {
    expect(() => encodeBindingRequest(request)).toThrow(RangeError);
  });
});

describe("answers", () => {
  test("give any address as it is, in canonical text (RFC 8489 §14.1, §14.2; RFC 5952 §4)", () => {
    fc.assert(
      fc.property(anyAddress, anyAddress, exactBytes(12), (outer, other, id) => {
        fc.pre(outer.port > 0 && other.port > 0);
        const bytes = message(MESSAGE_TYPE.RESPONSE, id, [
          attribute(ATTRIBUTE.XOR_MAPPED_ADDRESS, xorAddressValue(outer, id)),
          attribute(ATTRIBUTE.OTHER_ADDRESS, addressValue(other)),
        ]);
        expect(decodeStunMessage(bytes)).toMatchObject({ kind: "response", mapped: outer, other });
      }),
      { numRuns: 500 },
    );
  });

  test("prefer the XORed address, take the plain one of old servers, and their other attributes", () => {
    const [elsewhere, source, changed] = [
      address("10.0.0.1", 1),
      address("192.0.2.1", 3478),
      address("192.0.2.2", 3479),
    ];
    const plain = attribute(ATTRIBUTE.MAPPED_ADDRESS, addressValue(elsewhere));
    expect(decodeStunMessage(response(plain, mapped))?.mapped).toEqual(MAPPED);
    const classic = decodeStunMessage(
      response(
        plain,
        attribute(ATTRIBUTE.SOURCE_ADDRESS, addressValue(source)),
        attribute(ATTRIBUTE.CHANGED_ADDRESS, addressValue(changed)),
      ),
    );
    expect(classic).toMatchObject({ mapped: elsewhere, origin: source, other: changed });
  });

  test("of an old server with one address only name none", () => {
    const none = attribute(ATTRIBUTE.CHANGED_ADDRESS, addressValue(address("0.0.0.0", 0)));
    expect(decodeStunMessage(response(mapped, none))).toMatchObject({ mapped: MAPPED, other: undefined });
  });

  test("that refuse say why (RFC 8489 §14.8, §14.9)", () => {
    const bytes = message(MESSAGE_TYPE.ERROR, ID, [
      attribute(ATTRIBUTE.ERROR_CODE, [0, 0, 4, 20, ...new TextEncoder().encode("Unknown Attribute")]),
      attribute(ATTRIBUTE.UNKNOWN_ATTRIBUTES, [0, 3, 0, 0x27]),
    ]);
    expect(decodeStunMessage(bytes)).toMatchObject({ kind: "error", errorCode: 420, refusedAttributes: [3, 0x27] });
  });

  test("with attributes that must be understood and are not say so; others are passed over", () => {
    const message = decodeStunMessage(response(attribute(0x7abc, [1]), attribute(0xfabc, [1]), mapped));
    expect(message).toMatchObject({ mapped: MAPPED, unknownAttributes: [0x7abc] });
  });

  test("count the first of two attributes, and none behind MESSAGE-INTEGRITY (STUN-2)", () => {
    const forged = attribute(ATTRIBUTE.XOR_MAPPED_ADDRESS, xorAddressValue(address("198.51.100.1", 1), ID));
    expect(decodeStunMessage(response(mapped, forged))?.mapped).toEqual(MAPPED);
    const proof = attribute(ATTRIBUTE.MESSAGE_INTEGRITY, new Uint8Array(20));
    const other = attribute(ATTRIBUTE.OTHER_ADDRESS, addressValue(MAPPED));
    expect(decodeStunMessage(response(mapped, proof, other))).toMatchObject({ mapped: MAPPED, other: undefined });
    expect(decodeStunMessage(response(proof, mapped))?.mapped).toBeUndefined();
  });
});

describe("what is dropped (STUN-1)", () => {
  const header = (type: number, length: number): Uint8Array =>
    Uint8Array.of(type >>> 8, type & 0xff, length >>> 8, length);

  test.each([
    ["an attribute beyond the end", response(header(0x8022, 4))],
    ["an attribute of 65,535 bytes", response(header(0x8022, 0xffff))],
    ["an address of a family that is not its size", response(attribute(1, [0, 2, 0, 1, 1, 2, 3, 4]))],
    ["an address of an unknown family", response(attribute(0x20, [0, 3, 0, 1, 1, 2, 3, 4]))],
    ["an address of five bytes", response(attribute(0x20, [0, 1, 0, 1, 1]))],
    ["a CHANGE-REQUEST of two bytes", response(attribute(3, [0, 6]))],
    ["an ERROR-CODE of two bytes", response(attribute(9, [0, 0]))],
    ["an odd list", response(attribute(10, [0, 0, 1]))],
    ["a wrong FINGERPRINT", response(mapped, attribute(0x8028, [1, 2, 3, 4]))],
    ["another method", message(0x0003, ID)],
    ["too many attributes", response(...Array.from({ length: MAX_ATTRIBUTES + 1 }, () => attribute(0x8022, [])))],
  ])("%s", (_, bytes) => {
    expect(isStun(bytes)).toBe(true);
    expect(decodeStunMessage(bytes)).toBeUndefined();
  });

  test("a right FINGERPRINT that is not the last", () => {
    const last = response(mapped, attribute(ATTRIBUTE.FINGERPRINT, [0, 0, 0, 0]));
    const sum = fingerprintOf(last.subarray(0, last.length - 8));
    last.set([sum >>> 24, sum >>> 16, sum >>> 8, sum], last.length - 4);
    expect(decodeStunMessage(last)?.mapped).toEqual(MAPPED);
    const longer = Uint8Array.of(...last, ...attribute(0x8022, []));
    longer[3]! += 4;
    expect(readAttributes(longer)).toHaveLength(3);
    expect(decodeStunMessage(longer)).toBeUndefined();
  });

  test("any bytes at all, without a throw", () => {
    const framed = fc
      .uint8Array({ maxLength: 200 })
      .map((bytes) => message(0x0101, ID, [bytes.subarray(0, bytes.length & ~3)]));
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 200 }), framed), (bytes) => void decodeStunMessage(bytes)),
    );
  });
});
