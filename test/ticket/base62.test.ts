/**
 * Base 62 against BigInt arithmetic.
 *
 * @module
 */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { decodeBase62, encodeBase62, textLength } from "../../src/ticket/base62.ts";

const DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/** As the specification says it. */
function naive(bytes: Uint8Array): string {
  let value = 0n;
  for (const byte of bytes) value = value * 256n + BigInt(byte);
  let text = "";
  while (62n ** BigInt(text.length) < 256n ** BigInt(bytes.length)) {
    text = DIGITS[Number(value % 62n)] + text;
    value /= 62n;
  }
  return text;
}

function hexBytes(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, "hex"));
}

const url = new URL("../../spec/vectors/ticket.json", import.meta.url);
const frozen: readonly { bytes: string; text: string }[] = JSON.parse(readFileSync(url, "utf8")).base62;

describe("base 62", () => {
  test.each(frozen)("the frozen $bytes is '$text', and back (TKT-6)", ({ bytes, text }) => {
    expect(encodeBase62(hexBytes(bytes))).toBe(text);
    expect(decodeBase62(text)).toEqual(hexBytes(bytes));
  });

  test("n bytes take the least c with 62^c ≥ 256^n, and c tells n, for every n below 1100 (TKT-6)", () => {
    let [characters, power] = [0, 1n];
    let previous = -1;
    for (let size = 0; size < 1_100; size++) {
      while (power < 256n ** BigInt(size)) {
        power *= 62n;
        characters += 1;
      }
      expect(textLength(size)).toBe(characters);
      expect(characters).toBeGreaterThan(previous);
      expect(Math.floor((characters * Math.log2(62)) / 8)).toBe(size);
      previous = characters;
    }
  });

  test("agrees with BigInt on every length to 120 bytes (TKT-6)", () => {
    for (let size = 0; size <= 120; size++) {
      for (const fill of [0x00, 0x01, 0x7f, 0xff]) {
        const bytes = Uint8Array.from({ length: size }, (_, i) => (fill === 0x7f ? (i * 151 + size) & 0xff : fill));
        const text = naive(bytes);
        expect(encodeBase62(bytes)).toBe(text);
        expect(decodeBase62(text)).toEqual(bytes);
      }
    }
  });

  test("leaves the bytes as they are", () => {
    const bytes = Uint8Array.of(1, 2, 3);
    encodeBase62(bytes);
    expect(bytes).toEqual(Uint8Array.of(1, 2, 3));
  });

  test("says what is wrong with a text (TKT-6)", () => {
    expect(decodeBase62("0")).toBe("length");
    expect(decodeBase62("zz")).toBe("value");
    expect(decodeBase62("47")).toEqual(Uint8Array.of(255));
    expect(decodeBase62("48")).toBe("value");
    for (const text of ["4-", "4_", "4 ", "4\n", "4é", "4\u0000", "4\u{1f600}", "é7"]) {
      expect(decodeBase62(text), text).toBe("characters");
    }
  });
});
