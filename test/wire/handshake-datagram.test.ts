/**
 * INIT, RESP and COOKIE.
 *
 * @module
 */
import { describe, expect, test } from "vitest";
import {
  decodeCookie,
  decodeInit,
  decodeResp,
  encodeCookie,
  encodeInit,
  encodeResp,
  MAX_CORE_SIZE,
} from "../../src/wire/handshake-datagram.ts";

/** Bytes that count up from `first`. */
function count(first: number, length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => first + i);
}

const INIT = { core: count(0x00, 120), token: count(0xa0, 8), mac2: count(0xc0, 16) };
const RESP = { connectionId: count(0xb0, 8), echo: count(0xa0, 8), token: count(0xd0, 8), core: count(0x00, 80) };
const COOKIE = { echo: count(0xa0, 8), nonce: count(0x10, 12), sealed: count(0x40, 32) };

/** The bytes with one of them replaced. */
function altered(bytes: Uint8Array, offset: number, value: number): Uint8Array {
  const copy = bytes.slice();
  copy[offset] = value;
  return copy;
}

/** The bytes with another length, which they state correctly. */
function resized(bytes: Uint8Array, length: number): Uint8Array {
  const copy = new Uint8Array(length);
  copy.set(bytes.subarray(0, length));
  if (length > 2) copy.set([length >>> 8, length & 0xff], 1);
  return copy;
}

describe("INIT", () => {
  const bytes = encodeInit(INIT);

  test("has 1200 bytes, whatever its core (WIRE-10, INV-1, INV-2)", () => {
    expect(bytes).toHaveLength(1200);
    expect(Buffer.from(bytes.subarray(0, 32)).toString("hex")).toBe(
      "81" + "04b0" + "01" + "0078" + "0000" + "a0a1a2a3a4a5a6a7" + "c0c1c2c3c4c5c6c7c8c9cacbcccdcecf",
    );
    expect(bytes.subarray(32, 152)).toEqual(INIT.core);
    expect(bytes.subarray(152)).toEqual(new Uint8Array(1048));
    expect(decodeInit(bytes)).toEqual(INIT);
  });

  test("holds a core of 1168 bytes and no larger one (WIRE-11)", () => {
    const init = { ...INIT, core: new Uint8Array(MAX_CORE_SIZE).fill(7) };
    expect(decodeInit(encodeInit(init))).toEqual(init);
    expect(() => encodeInit({ ...INIT, core: new Uint8Array(MAX_CORE_SIZE + 1) })).toThrow("1169");
    const larger = resized(bytes, 1300);
    larger.set([0x04, 0x90], 4);
    expect(decodeInit(larger)?.core).toHaveLength(1168);
    larger.set([0x04, 0x91], 4);
    expect(decodeInit(larger)).toBeUndefined();
  });

  test("of fewer than 1200 bytes is dropped, of more is good (WIRE-10)", () => {
    expect(decodeInit(resized(bytes, 1199))).toBeUndefined();
    expect(decodeInit(resized(bytes, 1201))).toEqual(INIT);
    expect(decodeInit(resized(bytes, 1452))).toEqual(INIT);
  });

  test("is dropped if its type, length or version is another (INV-2, INV-4)", () => {
    for (const [offset, value] of [
      [0, 0x82],
      [1, 0x05],
      [2, 0xb1],
      [3, 0],
      [3, 2],
    ] as const)
      expect(decodeInit(altered(bytes, offset, value))).toBeUndefined();
  });

  test("is read whatever its reserved bytes and its padding hold (WIRE-11)", () => {
    for (const offset of [6, 7, 152, 1199]) expect(decodeInit(altered(bytes, offset, 0xff))).toEqual(INIT);
  });

  test("may have an empty core: whether that makes sense is not a question of layout", () => {
    expect(decodeInit(encodeInit({ ...INIT, core: new Uint8Array(0) }))?.core).toHaveLength(0);
  });
});

describe("RESP", () => {
  const bytes = encodeResp(RESP);

  test("is as long as its core needs", () => {
    expect(bytes).toHaveLength(32 + 80);
    expect(Buffer.from(bytes.subarray(0, 32)).toString("hex")).toBe(
      "82" + "0070" + "01" + "0050" + "0000" + "b0b1b2b3b4b5b6b7" + "a0a1a2a3a4a5a6a7" + "d0d1d2d3d4d5d6d7",
    );
    expect(decodeResp(bytes)).toEqual(RESP);
  });

  test("is dropped at every shorter length, stated correctly or not (WIRE-11, INV-4)", () => {
    for (let length = 0; length < bytes.length; length++) {
      expect(decodeResp(bytes.subarray(0, length))).toBeUndefined();
      expect(decodeResp(resized(bytes, length))).toBeUndefined();
    }
  });

  test("is read with bytes behind its core (WIRE-11)", () => {
    expect(decodeResp(resized(bytes, 200))).toEqual(RESP);
  });

  test("is dropped if its type, length or version is another (INV-2, INV-4)", () => {
    for (const [offset, value] of [
      [0, 0x81],
      [1, 1],
      [2, 0],
      [3, 0],
      [3, 2],
    ] as const)
      expect(decodeResp(altered(bytes, offset, value))).toBeUndefined();
  });
});

describe("COOKIE", () => {
  const bytes = encodeCookie(COOKIE);

  test("has 64 bytes (WIRE-12)", () => {
    expect(bytes).toHaveLength(64);
    expect(Buffer.from(bytes.subarray(0, 32)).toString("hex")).toBe(
      "83" + "0040" + "01" + "00000000" + "a0a1a2a3a4a5a6a7" + "101112131415161718191a1b" + "00000000",
    );
    expect(decodeCookie(bytes)).toEqual(COOKIE);
  });

  test("is dropped at every other length (WIRE-12)", () => {
    for (let length = 0; length < 130; length++) {
      if (length !== 64) expect(decodeCookie(resized(bytes, length))).toBeUndefined();
    }
  });

  test("is dropped if its type, length or version is another (INV-2, INV-4)", () => {
    for (const [offset, value] of [
      [0, 0x81],
      [1, 1],
      [2, 0x41],
      [3, 0],
      [3, 2],
    ] as const)
      expect(decodeCookie(altered(bytes, offset, value))).toBeUndefined();
  });

  test("is read whatever its reserved bytes hold (WIRE-11)", () => {
    for (const offset of [6, 7, 28, 31]) expect(decodeCookie(altered(bytes, offset, 0xff))).toEqual(COOKIE);
  });
});

test("a field of a wrong size is misuse", () => {
  expect(() => encodeInit({ ...INIT, token: count(0, 7) })).toThrow("8 bytes has 7");
  expect(() => encodeInit({ ...INIT, mac2: count(0, 17) })).toThrow("16 bytes has 17");
  expect(() => encodeResp({ ...RESP, connectionId: count(0, 9) })).toThrow("8 bytes has 9");
  expect(() => encodeCookie({ ...COOKIE, sealed: count(0, 16) })).toThrow("32 bytes has 16");
});

test("decoded fields are views of the datagram", () => {
  const bytes = encodeInit(INIT);
  expect(decodeInit(bytes)?.core.buffer).toBe(bytes.buffer);
});
