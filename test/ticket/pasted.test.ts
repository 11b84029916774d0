/**
 * Strings that go back by hand: frozen ones, every damage to one, and what is easily taken for one.
 *
 * @module
 */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { CORE1_OVERHEAD } from "../../src/crypto/handshake.ts";
import { sha256 } from "../../src/crypto/primitives.ts";
import { decodePasted, encodePasted, MAX_PASTED_LENGTH, MIN_PASTED_SIZE } from "../../src/ticket/pasted.ts";
import { encodeWord } from "../../src/ticket/word.ts";
import { MAX_CORE_SIZE } from "../../src/wire/handshake-datagram.ts";

const url = new URL("../../spec/vectors/pasted.json", import.meta.url);
const frozen: readonly { readonly name: string; readonly core: string; readonly text: string }[] = JSON.parse(
  readFileSync(url, "utf8"),
).strings;

const TEXT = encodePasted(
  Uint8Array.from({ length: 180 }, (_, i) => i),
  sha256,
);

function codeOf(text: string): string | undefined {
  const decoded = decodePasted(text, sha256);
  return decoded instanceof Uint8Array ? undefined : decoded.code;
}

/** A word with a right checksum around any number of bytes. */
function forge(size: number): string {
  return encodeWord({ prefix: "pa1", minSize: 0, maxLength: 10_000 }, new Uint8Array(size), sha256);
}

test.each(frozen)("$name is written to the character, and read back (PASTE-1)", ({ core, text }) => {
  const bytes = new Uint8Array(Buffer.from(core, "hex"));
  expect(encodePasted(bytes, sha256)).toBe(text);
  expect(decodePasted(text, sha256)).toEqual(bytes);
});

test("the bounds are those of a first message (PASTE-1)", () => {
  expect(MIN_PASTED_SIZE).toBe(CORE1_OVERHEAD);
  expect(codeOf(forge(MIN_PASTED_SIZE - 1))).toBe("length");
  expect(codeOf(forge(MIN_PASTED_SIZE))).toBeUndefined();
  expect(codeOf(forge(MAX_CORE_SIZE))).toBeUndefined();
  expect(codeOf(forge(MAX_CORE_SIZE + 1))).toBe("length");
  expect(forge(MAX_CORE_SIZE)).toHaveLength(MAX_PASTED_LENGTH);
});

test("white space around it does not matter (PASTE-1)", () => {
  expect(codeOf(` \r\n${TEXT}\r\n`)).toBeUndefined();
});

describe("a reader tells what is wrong (PASTE-2)", () => {
  test.each([
    ["an empty text", "prefix", ""],
    ["a prefix alone", "length", "pa1"],
    ["another word", "prefix", "hello"],
    ["capital letters", "case", TEXT.toUpperCase()],
    ["a break in it", "characters", `${TEXT.slice(0, 80)}\n${TEXT.slice(80)}`],
    ["its last character cut", "length", TEXT.slice(0, 20)],
    ["far more than a string", "length", `pa1${"0".repeat(5_000)}`],
  ])("%s is called '%s'", (_, code, text) => {
    const decoded = decodePasted(text, sha256);
    expect(decoded).toMatchObject({ code, hint: expect.stringMatching(/.{20}/) });
  });

  test.each([
    ["pl11jkoXs4n1pRtagSAeEtB7N", "this is a ticket"],
    ["ps11jkoXs4n1pRtagSAeEtB7N", "this is the address of a server"],
  ])("%s is called what it is", (text, hint) => {
    expect(decodePasted(text, sha256)).toMatchObject({ code: "prefix", hint: expect.stringContaining(hint) });
  });

  test("each change of one character is noticed", () => {
    for (let at = 0; at < TEXT.length; at++) {
      const other = TEXT[at] === "z" ? "y" : "z";
      expect(codeOf(TEXT.slice(0, at) + other + TEXT.slice(at + 1))).toBeDefined();
      expect(codeOf(TEXT.slice(0, at) + TEXT.slice(at + 1))).toBeDefined();
    }
  });

  test("a text of a million characters is refused at once", () => {
    const started = performance.now();
    expect(codeOf(`pa1${"a".repeat(1_000_000)}`)).toBe("length");
    expect(performance.now() - started).toBeLessThan(50);
  });
});
