/**
 * Reasons in UTF-8.
 *
 * @module
 */
import fc from "fast-check";
import { expect, test } from "vitest";
import { decodeReason, encodeReason, MAX_REASON_BYTES } from "../../src/wire/text.ts";

test("a long reason is cut off between characters (WIRE-21)", () => {
  expect(encodeReason("a".repeat(100))).toHaveLength(64);
  expect(decodeReason(encodeReason(`${"a".repeat(63)}é`))).toBe("a".repeat(63));
  expect(decodeReason(encodeReason(`${"a".repeat(62)}é`))).toBe(`${"a".repeat(62)}é`);
  expect(decodeReason(encodeReason(`${"a".repeat(61)}😀`))).toBe("a".repeat(61));
  fc.assert(
    fc.property(fc.string({ unit: "binary", maxLength: 100 }), (text) => {
      const bytes = encodeReason(text);
      expect(bytes.length).toBeLessThanOrEqual(MAX_REASON_BYTES);
      expect(text.startsWith(decodeReason(bytes))).toBe(true);
    }),
  );
});

test.each([
  ["a byte that begins nothing", [0x61, 0xff, 0x62], "a\ufffdb"],
  ["a character that is cut off", [0x61, 0xe2, 0x82], "a\ufffd"],
  ["an overlong form", [0xc0, 0x80], "\ufffd\ufffd"],
  ["half of a pair", [0xed, 0xa0, 0x80], "\ufffd\ufffd\ufffd"],
])("what is not UTF-8 is read as U+FFFD: %s (WIRE-21)", (_, bytes, text) => {
  expect(decodeReason(Uint8Array.from(bytes))).toBe(text);
});

test("half of a pair is written as U+FFFD", () => {
  expect(decodeReason(encodeReason("a\ud800b"))).toBe("a\ufffdb");
});

test("a byte order mark is text like any other", () => {
  expect(decodeReason(encodeReason("\ufeffa"))).toBe("\ufeffa");
});
