/**
 * The payload of the handshake messages.
 *
 * @module
 */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parameters as anyParameters } from "../../fuzz/arbitraries.ts";
import {
  DEFAULT_PARAMETERS,
  decodeParameters,
  encodeParameters,
  MAX_CONNECTION_IDS,
  type Parameters,
} from "../../src/wire/parameters.ts";

function decode(hex: string): Parameters | undefined {
  return decodeParameters(Uint8Array.from(Buffer.from(hex, "hex")));
}

/** What no payload can do without: one connection id, one AEAD. */
const IDS = "0108" + "b1b2b3b4b5b6b7b8";
const AEADS = "0201" + "01";
const REQUIRED = IDS + AEADS;
const MINIMAL = { connectionIds: [Uint8Array.from(Buffer.from("b1b2b3b4b5b6b7b8", "hex"))], aeads: [1] };

test("defaults are left out; grease comes last (WIRE-14)", () => {
  expect(Buffer.from(encodeParameters(MINIMAL, 0)).toString("hex")).toBe(`${REQUIRED}1b0100`);
  expect(Buffer.from(encodeParameters({ ...DEFAULT_PARAMETERS, ...MINIMAL }, 2)).toString("hex")).toBe(
    `${REQUIRED}405903020202`,
  );
});

test("what is left out has its default", () => {
  expect(decode(REQUIRED)).toEqual({ ...DEFAULT_PARAMETERS, ...MINIMAL });
});

test("all parameters survive a round trip with any grease, within the room that a handshake has", () => {
  fc.assert(
    fc.property(anyParameters, fc.nat(255), (parameters, grease) => {
      const bytes = encodeParameters(parameters, grease);
      expect(bytes.length).toBeLessThan(1_000);
      expect(decodeParameters(bytes)).toEqual(parameters);
    }),
  );
});

test("a payload that is cut short is malformed or means what its whole parameters mean", () => {
  const bytes = encodeParameters(
    { ...MINIMAL, maxData: 5, metadata: new Uint8Array(20), attempt: new Uint8Array(8) },
    7,
  );
  const boundaries = new Set<number>();
  for (let length = 0; length < bytes.length; length++)
    if (decodeParameters(bytes.subarray(0, length)) !== undefined) boundaries.add(length);
  // Behind: connection id and AEAD, max data, metadata, attempt.
  expect([...boundaries]).toEqual([13, 16, 38, 48]);
});

test("a refusal needs nothing else (WIRE-14)", () => {
  const refused = { code: 3, reason: "used up" };
  expect(decodeParameters(encodeParameters({ refused }, 9))).toEqual({ ...DEFAULT_PARAMETERS, refused });
});

describe("malformed (WIRE-14)", () => {
  test.each([
    ["nothing at all", ""],
    ["no AEAD", IDS],
    ["no connection id", AEADS],
    ["an id twice", REQUIRED + AEADS],
    ["ids out of order", AEADS + IDS],
    ["an unknown id twice", `${REQUIRED}1b001b00`],
    ["a length beyond the end", `${REQUIRED}11054142`],
    ["an id without a length", `${REQUIRED}11`],
    ["a connection id of 7 bytes", `0107b1b2b3b4b5b6b7${AEADS}`],
    ["a connection id and a half", `010cb1b2b3b4b5b6b7b8b1b2b3b4${AEADS}`],
    ["no connection id in the list", `0100${AEADS}`],
    ["the same connection id twice", `0110b1b2b3b4b5b6b7b8b1b2b3b4b5b6b7b8${AEADS}`],
    ["five connection ids", `0128${Array.from({ length: 5 }, (_, i) => `0${i}02030405060708`).join("")}${AEADS}`],
    ["an empty list of AEADs", `${IDS}0200`],
    ["17 AEADs", `${IDS}0211${"01".repeat(17)}`],
    ["an empty list of versions", `${REQUIRED}0300`],
    ["an integer with bytes left over", `${REQUIRED}04020500`],
    ["an integer of no bytes", `${REQUIRED}0400`],
    ["an integer cut short", `${REQUIRED}040140`],
    ["an integer of 2^53", `${REQUIRED}0408c020000000000000`],
    ["more than 2^51 streams", `${REQUIRED}0608c008000000000001`],
    ["an ack delay of 2^14 ms (RFC 9000 §18.2)", `${REQUIRED}090480004000`],
    ["datagrams of less than 1200 bytes", `${REQUIRED}0b0244af`],
    ["a path policy above a byte", `${REQUIRED}0f024100`],
    ["a refusal without a code", `${REQUIRED}1000`],
    ["a refusal with 65 bytes of reason", `${REQUIRED}104042` + `01${"61".repeat(65)}`],
    ["257 bytes of metadata", `${REQUIRED}114101${"00".repeat(257)}`],
    ["an address of another family", `${REQUIRED}1207050001c0000201`],
    ["an address cut short", `${REQUIRED}1206040001c00002`],
    ["an address with bytes left over", `${REQUIRED}1208040001c000020100`],
    ["an attempt of 7 bytes", `${REQUIRED}130700000000000000`],
    ["an attempt of 9 bytes", `${REQUIRED}1309000000000000000000`],
    ["keepalive bounds the wrong way round", `${REQUIRED}14020201`],
    ["one keepalive bound", `${REQUIRED}140101`],
  ])("%s", (_, hex) => {
    expect(decode(hex)).toBeUndefined();
  });
});

describe("good", () => {
  test.each<[string, string, Partial<Parameters>]>([
    ["unknown ids behind known ones", `${REQUIRED}1101411503ffffff1600`, { metadata: Uint8Array.of(0x41) }],
    ["four connection ids", `0120${Array.from({ length: 4 }, (_, i) => `0${i}02030405060708`).join("")}${AEADS}`, {}],
    ["integers in a longer form than needed", `${REQUIRED}0402400a`, { maxData: 10 }],
    ["the largest number of streams", `${REQUIRED}0608c008000000000000`, { maxStreamsBidi: 2 ** 51 }],
    ["the longest ack delay", `${REQUIRED}09027fff`, { maxAckDelayMs: 16_383 }],
    ["datagrams of 1200 bytes", `${REQUIRED}0b0244b0`, { maxDatagramSize: 1200 }],
    ["empty metadata", `${REQUIRED}1100`, { metadata: new Uint8Array(0) }],
    ["a reason that is not UTF-8", `${REQUIRED}100204ff`, { refused: { code: 4, reason: "\ufffd" } }],
    ["equal keepalive bounds", `${REQUIRED}14020505`, { keepaliveMinMs: 5, keepaliveMaxMs: 5 }],
  ])("%s", (_, hex, expected) => {
    expect(decode(hex)).toMatchObject(expected);
  });
});

test("a value out of its bounds is misuse", () => {
  const bad: readonly Partial<Parameters>[] = [
    { connectionIds: Array.from({ length: MAX_CONNECTION_IDS + 1 }, (_, i) => new Uint8Array(8).fill(i)) },
    { connectionIds: [new Uint8Array(7)] },
    { aeads: new Array(17).fill(1) },
    { versions: [] },
    { maxStreamsUni: 2 ** 51 + 1 },
    { maxAckDelayMs: 16_384 },
    { maxDatagramSize: 1_199 },
    { metadata: new Uint8Array(257) },
    { attempt: new Uint8Array(9) },
    { keepaliveMinMs: 9, keepaliveMaxMs: 8 },
    { maxData: 0.5 },
  ];
  for (const each of bad)
    expect(() => encodeParameters({ ...MINIMAL, ...each }, 0), JSON.stringify(each)).toThrow(RangeError);
});
