/**
 * What a server answers, and to whom.
 *
 * @module
 */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { address as anyAddress } from "../../fuzz/arbitraries.ts";
import { decodeStunMessage, encodeBindingRequest } from "../../src/stun/codec.ts";
import { fingerprintOf, isFingerprintAcceptable } from "../../src/stun/integrity.ts";
import { ATTRIBUTE, isStun, MESSAGE_TYPE, readAttributes } from "../../src/stun/message.ts";
import { MAX_ANSWER_SIZE, StunResponder } from "../../src/stun/responder.ts";
import { address } from "../../src/testing/index.ts";
import type { Address } from "../../src/util/machine.ts";
import { addressValue, attribute, message } from "./messages.ts";

const ID = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12);
const CLIENT = address("203.0.113.7", 40_000);
const PLACES = { primary: address("192.0.2.1", 3478), other: address("192.0.2.2", 3479) };
const FOUR: readonly Address[] = [PLACES.primary, address("192.0.2.1", 3479), address("192.0.2.2", 3478), PLACES.other];

function ask(
  request: Uint8Array,
  {
    from = CLIENT,
    place = 0,
    responder = new StunResponder(),
  }: { from?: Address; place?: number; responder?: StunResponder } = {},
) {
  const out = new Uint8Array(MAX_ANSWER_SIZE).fill(0xee);
  const answer = responder.answer(request, from, place, out);
  if (answer === undefined) return undefined;
  return { ...answer, bytes: out.slice(0, answer.length) };
}

const typesOf = (bytes: Uint8Array): readonly number[] => readAttributes(bytes)!.map((each) => each.type);
const diagnostic = (): StunResponder => new StunResponder({ diagnostics: PLACES });

describe("strangers", () => {
  test("learn their address and nothing else, in 32 bytes or 44 (STUN-4)", () => {
    fc.assert(
      fc.property(anyAddress, (from) => {
        const answer = ask(encodeBindingRequest({ transactionId: ID }), { from, place: 1 })!;
        expect(answer).toMatchObject({ place: 1, port: from.port, length: from.family === 4 ? 32 : 44 });
        expect(typesOf(answer.bytes)).toEqual([ATTRIBUTE.XOR_MAPPED_ADDRESS]);
        const read = from.port === 0 ? undefined : decodeStunMessage(answer.bytes);
        if (read !== undefined) expect(read).toMatchObject({ kind: "response", mapped: from, transactionId: ID });
      }),
    );
  });

  test("with attributes are answered alike (STUN-4)", () => {
    const request = encodeBindingRequest({ transactionId: ID, software: "somebody" });
    expect(ask(request)?.bytes).toEqual(ask(encodeBindingRequest({ transactionId: ID }))?.bytes);
    const credentials = message(1, ID, [attribute(ATTRIBUTE.USERNAME, [65]), attribute(8, new Uint8Array(20))]);
    expect(ask(credentials)?.bytes).toEqual(ask(encodeBindingRequest({ transactionId: ID }))?.bytes);
  });

  test("who know no cookie get theirs back, and the plain address (RFC 8489 §11, STUN-4)", () => {
    const cookie = [9, 8, 7, 6];
    const { bytes } = ask(message(1, ID, [], cookie))!;
    expect(bytes).toEqual(message(0x101, ID, [attribute(ATTRIBUTE.MAPPED_ADDRESS, addressValue(CLIENT))], cookie));
  });

  test.each([
    ["an answer", message(0x101, ID)],
    ["an error", message(0x111, ID)],
    ["an indication", message(0x11, ID)],
    ["another method", message(0x3, ID)],
    ["a classic answer", message(0x101, ID, [], [0, 0, 0, 0])],
    ["half a request", message(1, ID).subarray(0, 12)],
    ["attributes beyond the end", message(1, ID, [Uint8Array.of(0x80, 0x22, 0, 8)])],
    ["a wrong FINGERPRINT", message(1, ID, [attribute(ATTRIBUTE.FINGERPRINT, [0, 0, 0, 0])])],
    ["more than a packet holds", message(1, ID, [attribute(0x8022, new Uint8Array(1700))])],
  ])("who send %s are not answered (STUN-4)", (_, bytes) => {
    expect(ask(bytes)).toBeUndefined();
    expect(ask(bytes, { responder: diagnostic() })).toBeUndefined();
  });

  test("who send a FINGERPRINT get one (STUN-4)", () => {
    const request = message(1, ID, [attribute(ATTRIBUTE.FINGERPRINT, [0, 0, 0, 0])]);
    const sum = fingerprintOf(request.subarray(0, 20));
    request.set([sum >>> 24, sum >>> 16, sum >>> 8, sum], 24);
    const { bytes } = ask(request)!;
    expect(typesOf(bytes)).toEqual([ATTRIBUTE.XOR_MAPPED_ADDRESS, ATTRIBUTE.FINGERPRINT]);
    expect(isFingerprintAcceptable(bytes)).toBe(true);
    expect(decodeStunMessage(bytes)?.mapped).toEqual(CLIENT);
  });

  test("who ask for diagnostics, or what nobody knows, are refused (RFC 5780 §6, STUN-5)", () => {
    const refused = (attributes: readonly Uint8Array[]) => decodeStunMessage(ask(message(1, ID, attributes))!.bytes);
    const wishes = [attribute(3, [0, 0, 0, 6]), attribute(0x26, [1, 2, 3, 4]), attribute(0x27, [1, 1])];
    expect(refused(wishes)).toMatchObject({ kind: "error", errorCode: 420, refusedAttributes: [3, 0x26, 0x27, 3] });
    expect(refused([attribute(0x24, [1])])).toMatchObject({ errorCode: 420, refusedAttributes: [0x24, 0x24] });
    const many = Array.from({ length: 20 }, (_, i) => attribute(0x4000 + i, []));
    expect(refused(many)?.refusedAttributes).toHaveLength(8);
  });

  test("whatever they send, get no more than 68 bytes, and no throw (STUN-4, STUN-5)", () => {
    const body = fc.uint8Array({ maxLength: 300 }).map((bytes) => bytes.subarray(0, bytes.length & ~3));
    fc.assert(
      fc.property(body, fc.boolean(), (content, isClassic) => {
        const answer = ask(message(1, ID, [content], isClassic ? [1, 2, 3, 4] : undefined));
        expect(answer?.length ?? 0).toBeLessThanOrEqual(68);
      }),
    );
  });
});

describe("diagnostics", () => {
  test.each([0, 1, 2, 3])("answer at place %i from where CHANGE-REQUEST says (RFC 5780 §6.1, STUN-6)", (place) => {
    for (const changes of [0, 1, 2, 3]) {
      const change = { port: (changes & 1) !== 0, address: (changes & 2) !== 0 };
      const answer = ask(encodeBindingRequest({ transactionId: ID, change }), { place, responder: diagnostic() })!;
      const from = place ^ changes;
      expect(answer).toMatchObject({ place: from, port: CLIENT.port });
      const read = decodeStunMessage(answer.bytes)!;
      expect(read).toMatchObject({ mapped: CLIENT, origin: FOUR[from], other: FOUR[place ^ 3] });
      expect(typesOf(answer.bytes)[0]).toBe(ATTRIBUTE.MAPPED_ADDRESS);
    }
  });

  test("without wishes name both addresses too (RFC 5780 §6.1, STUN-6)", () => {
    const { bytes } = ask(encodeBindingRequest({ transactionId: ID }), { responder: diagnostic() })!;
    expect(bytes).toHaveLength(68);
    expect(decodeStunMessage(bytes)).toMatchObject({ origin: PLACES.primary, other: PLACES.other });
  });

  test("answer to the port that is asked for, of the same host (RFC 5780 §7.5, STUN-6)", () => {
    const request = encodeBindingRequest({ transactionId: ID, responsePort: 1234 });
    const answer = ask(request, { responder: diagnostic() })!;
    expect(answer.port).toBe(1234);
    expect(decodeStunMessage(answer.bytes)?.mapped).toEqual(CLIENT);
  });

  test("pad as the request does (RFC 5780 §7.6, STUN-6)", () => {
    const request = encodeBindingRequest({ transactionId: ID, padding: 1500 });
    const { bytes } = ask(request, { responder: diagnostic() })!;
    expect(decodeStunMessage(bytes)?.padding).toBe(1500);
    expect(bytes.length).toBeLessThanOrEqual(request.length + 48);
  });

  test.each([
    ["PADDING with RESPONSE-PORT", [attribute(0x26, [0, 0, 0, 0]), attribute(0x27, [1, 1])]],
    ["port 0", [attribute(0x27, [0, 0])]],
    ["no port", [attribute(0x27, [])]],
    ["a short CHANGE-REQUEST", [attribute(3, [6])]],
  ])("refuse %s (STUN-6)", (_, attributes) => {
    const answer = ask(message(1, ID, attributes), { responder: diagnostic() })!;
    expect(answer).toMatchObject({ place: 0, port: CLIENT.port });
    expect(decodeStunMessage(answer.bytes)).toMatchObject({ kind: "error", errorCode: 400 });
  });

  test("serve classic clients (STUN-6)", () => {
    const cookie = [9, 8, 7, 6];
    const request = message(1, ID, [attribute(3, [0, 0, 0, 2])], cookie);
    const answer = ask(request, { responder: diagnostic() })!;
    expect(answer.place).toBe(1);
    const attributes = [
      attribute(ATTRIBUTE.MAPPED_ADDRESS, addressValue(CLIENT)),
      attribute(ATTRIBUTE.SOURCE_ADDRESS, addressValue(FOUR[1]!)),
      attribute(ATTRIBUTE.CHANGED_ADDRESS, addressValue(FOUR[3]!)),
    ];
    expect(answer.bytes).toEqual(message(MESSAGE_TYPE.RESPONSE, ID, attributes, cookie));
  });

  test("never answer to another host, as classic clients might ask (STUN-6)", () => {
    const request = message(1, ID, [attribute(2, addressValue(address("198.51.100.1", 9)))], [9, 8, 7, 6]);
    const answer = ask(request, { responder: diagnostic() })!;
    expect(isStun(answer.bytes)).toBe(false);
    expect(answer.bytes[1]).toBe(0x11);
    expect(answer.port).toBe(CLIENT.port);
  });

  test("need two hosts and two ports", () => {
    const diagnostics = { primary: PLACES.primary, other: FOUR[1]! };
    expect(() => new StunResponder({ diagnostics })).toThrow(RangeError);
  });
});
