/**
 * Host names in words of three characters.
 *
 * @module
 */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { decodeName, encodeName } from "../../src/ticket/names.ts";

const url = new URL("../../spec/vectors/ticket.json", import.meta.url);
const frozen: readonly { name: string; words: string }[] = JSON.parse(readFileSync(url, "utf8")).names;

describe("names", () => {
  test.each(frozen)("the frozen $name, and back (TKT-5)", ({ name, words }) => {
    expect(Buffer.from(encodeName(name)!).toString("hex")).toBe(words);
    expect(decodeName(new Uint8Array(Buffer.from(words, "hex")))).toBe(name);
  });

  test("are lower case whatever was given (TKT-5)", () => {
    expect(decodeName(encodeName("Punch.Example.NET")!)).toBe("punch.example.net");
  });

  test.each([
    "",
    ".",
    "a.",
    ".a",
    "a..b",
    "-a",
    "a-",
    "a.-b",
    "a-.b",
    "a_b",
    "a b",
    "ä.example",
    "a".repeat(64),
    `${"a".repeat(50)}.${"b".repeat(50)}`,
    "a\0",
  ])("'%s' is no name (TKT-5)", (name) => {
    expect(encodeName(name)).toBeUndefined();
  });

  test("every pair of bytes is a name and its only encoding, or refused (TKT-5)", () => {
    let names = 0;
    for (let word = 0; word < 0x1_0000; word++) {
      const bytes = Uint8Array.of(word >>> 8, word);
      const name = decodeName(bytes);
      if (name === undefined) continue;
      names += 1;
      if (Buffer.compare(encodeName(name)!, bytes) !== 0) throw new Error(`${word} is not the encoding of ${name}`);
    }
    // Letters and digits, with hyphens and dots only inside: 36 + 36² + 36²·38.
    expect(names).toBe(36 + 36 ** 2 + 36 ** 2 * 38);
  });

  test("ends before the last word, or a whole word of ends, are refused (TKT-5)", () => {
    const [word, short, none] = [encodeName("abc")!, encodeName("ab")!, Uint8Array.of(0, 0)];
    expect(decodeName(Uint8Array.of(...word, ...word))).toBe("abcabc");
    expect(decodeName(Uint8Array.of(...short, ...word))).toBeUndefined();
    expect(decodeName(Uint8Array.of(...word, ...none))).toBeUndefined();
    expect(decodeName(none)).toBeUndefined();
    expect(decodeName(new Uint8Array(0))).toBeUndefined();
  });
});
