/**
 * Control messages byte by byte, in pieces, damaged, and too long.
 *
 * @module
 */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { decodeEnvelope, encodeEnvelope, MAX_ENVELOPE_SIZE } from "../../src/signal/envelope.ts";
import { decodeBody, encodeMessage } from "../../src/signal/message-codec.ts";
import { MessageDecoder } from "../../src/signal/message-decoder.ts";
import { MAX_BODY_SIZE, MESSAGE_TYPE, type Message } from "../../src/signal/messages.ts";
import { SAMPLES } from "./samples.ts";

interface FrozenMessage {
  readonly type: string;
  readonly bytes: string;
}

const url = new URL("../../spec/vectors/rendezvous.json", import.meta.url);
const frozen: readonly FrozenMessage[] = JSON.parse(readFileSync(url, "utf8")).messages;

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}

function decodeAll(...pieces: readonly Uint8Array[]): { messages: Message[]; decoder: MessageDecoder } {
  const decoder = new MessageDecoder();
  const messages: Message[] = [];
  for (const piece of pieces) {
    decoder.push(piece);
    for (let each = decoder.next(); each !== undefined; each = decoder.next()) messages.push(each);
  }
  return { messages, decoder };
}

const ALL = Uint8Array.from(SAMPLES.flatMap((sample) => [...encodeMessage(sample)]));

describe("the bytes of", () => {
  test.each(SAMPLES.map((sample, i) => [sample.type, sample, frozen[i]!] as const))(
    "%s are the frozen ones",
    (type, sample, vector) => {
      expect(vector.type).toBe(type);
      expect(hex(encodeMessage(sample))).toBe(vector.bytes);
      expect(decodeAll(encodeMessage(sample)).messages).toEqual([sample]);
    },
  );

  test("an invitation, written by hand (RDV-9)", () => {
    const invite = SAMPLES.find((sample) => sample.type === "invite")!;
    expect(hex(encodeMessage(invite))).toBe(`06${"17"}02${"101112131415161718191a1b1c1d1e1f"}02${"04"}01aabbcc`);
  });

  test("every type are among the samples, and no number has two names", () => {
    const numbers = SAMPLES.map((sample) => encodeMessage(sample)[0]);
    expect(new Set(numbers)).toEqual(new Set(Object.values(MESSAGE_TYPE)));
    expect(new Set(numbers).size).toBe(SAMPLES.length);
  });
});

describe("a decoder", () => {
  test("finds the same messages wherever the stream is cut in two (RDV-9)", () => {
    for (let at = 0; at <= ALL.length; at++) {
      expect(decodeAll(ALL.slice(0, at), ALL.slice(at)).messages).toEqual(SAMPLES);
    }
  });

  test("finds them byte by byte, and holds no more than one of them in part (RDV-9)", () => {
    const { messages, decoder } = decodeAll(...Array.from(ALL, (byte) => Uint8Array.of(byte)));
    expect(messages).toEqual(SAMPLES);
    expect(decoder.held).toBe(0);
    decoder.push(ALL.slice(0, 3));
    expect(decoder.next()).toBeUndefined();
    expect(decoder.held).toBe(3);
  });

  test("does not keep what it was lent: a piece that changes later changes nothing", () => {
    const decoder = new MessageDecoder();
    const piece = ALL.slice(0, 3);
    decoder.push(piece);
    expect(decoder.next()).toBeUndefined();
    piece.fill(0xff);
    decoder.push(ALL.slice(3));
    expect(decoder.next()).toEqual(SAMPLES[0]);
  });

  test("passes over types that it does not know, and over what follows the known fields (RDV-9)", () => {
    const unknown = Uint8Array.of(0x40, 0x42, 0x03, 1, 2, 3);
    const longer = Uint8Array.of(MESSAGE_TYPE.CANCEL, 3, 2, 9, 9);
    expect(decodeAll(unknown, ALL, unknown, longer).messages).toEqual([...SAMPLES, { type: "cancel", call: 2 }]);
    expect(decodeBody(0x0f, new Uint8Array(9))).toBeUndefined();
  });

  test("ends at a body longer than 8,192 bytes, before any of it has come (RDV-9)", () => {
    for (const head of [
      [0x01, 0x80, 0x00, 0x20, 0x01],
      [0x3e, 0xbf, 0xff, 0xff, 0xff],
      [0x01, 0xc0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff],
      [0x01, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
    ]) {
      const { messages, decoder } = decodeAll(Uint8Array.from(head), ALL);
      expect(messages).toEqual([]);
      expect(decoder.failed).toBe(true);
      expect(decoder.held).toBe(0);
    }
    const largest = Uint8Array.of(0x3e, 0x60, 0x00, ...new Uint8Array(MAX_BODY_SIZE));
    expect(decodeAll(largest, ALL).messages).toEqual(SAMPLES);
  });

  test("ends at a body that stops within its fields, at every place (RDV-9)", () => {
    for (const sample of SAMPLES) {
      const bytes = encodeMessage(sample);
      const body = bytes.subarray(bytes.length - bytes[1]!);
      for (let length = 0; length < body.length; length++) {
        const cut = Uint8Array.of(bytes[0]!, length, ...body.subarray(0, length));
        const { messages, decoder } = decodeAll(cut, ALL);
        expect(messages, `${sample.type} to ${length}`).toEqual([]);
        expect(decoder.failed).toBe(true);
      }
    }
  });

  test("makes nothing of a count that the body is too short for (RDV-9)", () => {
    for (const type of [MESSAGE_TYPE.UNREGISTER, MESSAGE_TYPE.REGISTERED, MESSAGE_TYPE.REGISTER]) {
      const body = [0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 2, 3];
      expect(decodeBody(type, Uint8Array.from(type === MESSAGE_TYPE.UNREGISTER ? body.slice(1) : body))).toBe(
        "malformed",
      );
      body[1] = 0xdf;
      expect(decodeBody(type, Uint8Array.from(type === MESSAGE_TYPE.UNREGISTER ? body.slice(1) : body))).toBe(
        "malformed",
      );
    }
  });

  test("refuses values that have no meaning, and reads a failure of later versions as unsupported", () => {
    expect(decodeBody(MESSAGE_TYPE.REGISTERED, Uint8Array.of(0, 1, 4))).toBe("malformed");
    expect(decodeBody(MESSAGE_TYPE.PROBE, Uint8Array.of(0, 0, 1, 2, 3, 4, 5, 6, 7, 8))).toBe("malformed");
    expect(decodeBody(MESSAGE_TYPE.PROBE, Uint8Array.of(0, 4, 1, 2, 3, 4, 5, 6, 7, 8))).toBe("malformed");
    expect(decodeBody(MESSAGE_TYPE.GO, Uint8Array.of(0, 0, 5))).toBe("malformed");
    expect(decodeBody(MESSAGE_TYPE.FAILED, Uint8Array.of(2, 9, 0))).toMatchObject({ failure: "unsupported" });
    const welcome = [0, 5, 1, 4, 0, 1, 192, 0, 2, 1, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0];
    expect(decodeBody(MESSAGE_TYPE.WELCOME, Uint8Array.from(welcome))).toBe("malformed");
    const answered = [0, 0, 0, 0, 5, 1, 2, 3, 4, 0, 0];
    expect(decodeBody(MESSAGE_TYPE.ANSWERED, Uint8Array.from(answered))).toBe("malformed");
  });
});

test("a maker that breaks the layout is told so", () => {
  const envelope = new Uint8Array(0);
  expect(() => encodeMessage({ type: "invite", call: 0, slot: new Uint8Array(15), flags: 0, envelope })).toThrow(
    RangeError,
  );
  expect(() => encodeMessage({ type: "cancel", call: -1 })).toThrow(RangeError);
  expect(() => encodeMessage({ type: "hello", flags: 0, token: new Uint8Array(MAX_BODY_SIZE) })).toThrow(RangeError);
  const seen = "example.net";
  expect(() =>
    encodeMessage({ type: "invited", call: 1, slot: new Uint8Array(16), flags: 0, rtt: 0, seen, envelope }),
  ).toThrow(RangeError);
});

describe("an envelope", () => {
  test("has its kind before its content (RDV-13)", () => {
    for (const [number, kind] of [
      [1, "core1"],
      [2, "core2"],
      [3, "probe"],
    ] as const) {
      const bytes = encodeEnvelope({ kind, content: Uint8Array.of(7, 8) });
      expect([...bytes]).toEqual([number, 7, 8]);
      expect(decodeEnvelope(bytes)).toEqual({ kind, content: Uint8Array.of(7, 8) });
    }
  });

  test("of another kind, empty or too long is none (RDV-13)", () => {
    for (const bytes of [[], [1], [0, 1], [4, 1], [255, 1]])
      expect(decodeEnvelope(Uint8Array.from(bytes))).toBeUndefined();
    expect(decodeEnvelope(new Uint8Array(MAX_ENVELOPE_SIZE).fill(1))).toBeDefined();
    expect(decodeEnvelope(new Uint8Array(MAX_ENVELOPE_SIZE + 1).fill(1))).toBeUndefined();
    expect(() => encodeEnvelope({ kind: "core1", content: new Uint8Array(MAX_ENVELOPE_SIZE) })).toThrow(RangeError);
    expect(() => encodeEnvelope({ kind: "core1", content: new Uint8Array(0) })).toThrow(RangeError);
  });
});
