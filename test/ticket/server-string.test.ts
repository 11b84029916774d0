/**
 * Addresses of servers as words: frozen ones, every damage to one, and what a maker or a reader must refuse.
 *
 * @module
 */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { sha256 } from "../../src/crypto/primitives.ts";
import {
  decodeServerString,
  encodeServerString,
  type ServerAddress,
  type ServerStringProblem,
} from "../../src/ticket/server-string.ts";
import { encodeWord } from "../../src/ticket/word.ts";

const DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

interface FrozenAddress {
  readonly name: string;
  readonly address: Omit<ServerAddress, "key"> & { readonly key: string };
  readonly text: string;
}

const url = new URL("../../spec/vectors/server-string.json", import.meta.url);
const frozen: readonly FrozenAddress[] = JSON.parse(readFileSync(url, "utf8")).addresses;

const KEY = Uint8Array.from({ length: 32 }, (_, i) => 0x80 + i);
const PLACE = { host: "198.51.100.7", port: 3478 };
const BASE: ServerAddress = { places: [PLACE], hasNextPort: false, key: KEY };

function encode(fields: Partial<ServerAddress> = {}): string {
  return encodeServerString({ ...BASE, ...fields }, sha256);
}

function problemOf(text: string): ServerStringProblem["code"] | undefined {
  const decoded = decodeServerString(text, sha256);
  return "code" in decoded ? decoded.code : undefined;
}

/** A word with a right check around any bytes. */
function forge(...content: number[]): string {
  return encodeWord({ prefix: "ps1", minSize: 0, maxLength: 512 }, Uint8Array.from(content), sha256);
}

describe("frozen addresses", () => {
  test.each(frozen)("of a server with $name are written to the character, and read back (RDV-26)", (each) => {
    const address = { ...each.address, key: new Uint8Array(Buffer.from(each.address.key, "hex")) };
    expect(encodeServerString(address, sha256)).toBe(each.text);
    expect(decodeServerString(each.text, sha256)).toEqual(address);
  });

  test("are one word of letters and digits, short ones of 63 characters", () => {
    for (const { text } of frozen) expect(text).toMatch(/^ps1[0-9A-Za-z]+$/);
    expect(encode()).toHaveLength(63);
  });

  test("with the longest names at all places stay below 512 characters (RDV-26)", () => {
    const place = { host: `${"a".repeat(60)}.${"b".repeat(32)}`, port: 443 };
    expect(encode({ places: new Array(4).fill(place) }).length).toBeLessThan(512);
  });
});

describe("damage to an address", () => {
  const text = encode({ hasNextPort: true });

  test("is noticed for every character changed, cut, added or swapped (RDV-27)", () => {
    for (let i = 0; i < text.length; i++) {
      const [before, after] = [text.slice(0, i), text.slice(i)];
      const damaged = [before, before + after.slice(1), before + (after[1] ?? "") + after[0] + after.slice(2)];
      for (const digit of `${DIGITS} -`) damaged.push(before + digit + after.slice(1), before + digit + after);
      for (const each of damaged) {
        if (each !== text && problemOf(each) === undefined) throw new Error(`not noticed: ${each}`);
      }
    }
  });

  test.each<[string, ServerStringProblem["code"], string]>([
    ["nothing", "prefix", ""],
    ["a host name", "prefix", "punch.example.net:3478"],
    ["a prefix in capitals", "case", text.replace("ps1", "PS1")],
    ["all in small letters", "case", text.toLowerCase()],
    ["a space inside", "characters", `${text.slice(0, 30)} ${text.slice(30)}`],
    ["its half", "length", text.slice(0, 31)],
    ["its last character cut", "length", text.slice(0, -1)],
    ["far more than an address", "length", `ps1${"0".repeat(600)}`],
  ])("%s is called '%s' (RDV-27)", (_, code, damaged) => {
    const decoded = decodeServerString(damaged, sha256);
    expect(decoded).toMatchObject({ code });
    expect((decoded as ServerStringProblem).hint.length).toBeGreaterThan(20);
  });

  test("a ticket in its place is called one (RDV-27)", () => {
    const decoded = decodeServerString("pl11jkoXs4n1pRtagSAeEtB7N2BsBZZwtH6I6ipNR0ewl", sha256);
    expect(decoded).toMatchObject({ code: "prefix", hint: expect.stringContaining("this is a ticket") });
  });

  test("a text of a million characters is refused at once", () => {
    const started = performance.now();
    expect(problemOf(`ps1${"a".repeat(1_000_000)}`)).toBe("length");
    expect(performance.now() - started).toBeLessThan(50);
  });
});

describe("a reader", () => {
  const record = [0x40, 192, 0, 2, 1, 1, 0];

  test("refuses flags that it must know, and passes over others (RDV-26)", () => {
    for (const flags of [0x40, 0x80, 0xc1]) expect(problemOf(forge(flags, ...record, ...KEY))).toBe("unsupported");
    for (const flags of [0x02, 0x3e]) {
      expect(decodeServerString(forge(flags, ...record, ...KEY), sha256)).toMatchObject({ hasNextPort: false });
    }
    expect(decodeServerString(forge(1, ...record, ...KEY), sha256)).toMatchObject({ hasNextPort: true });
  });

  test("refuses records that are cut off, of other kinds, with stray bits, without a port, none, or five (RDV-26)", () => {
    for (let length = 0; length < record.length; length++) {
      expect(problemOf(forge(0, ...record, ...record.slice(0, length), ...KEY))).toBe(length ? "malformed" : undefined);
    }
    expect(problemOf(forge(0, 0x80, 192, 0, 2, 1, 1, 0, ...KEY))).toBe("malformed");
    expect(problemOf(forge(0, 0x41, 192, 0, 2, 1, 1, 0, ...KEY))).toBe("malformed");
    expect(problemOf(forge(0, 0x40, 192, 0, 2, 1, 0, 0, ...KEY))).toBe("malformed");
    expect(problemOf(forge(0, 0xe0, 0, ...KEY))).not.toBeUndefined();
    expect(problemOf(forge(0, ...KEY))).toBe("length");
    expect(problemOf(forge(0, ...new Array(4).fill(record).flat(), ...KEY))).toBeUndefined();
    expect(problemOf(forge(0, ...new Array(5).fill(record).flat(), ...KEY))).toBe("malformed");
  });

  test("refuses a next port that does not exist (RDV-26)", () => {
    expect(problemOf(forge(1, 0x40, 192, 0, 2, 1, 255, 255, ...KEY))).toBe("malformed");
    expect(problemOf(forge(0, 0x40, 192, 0, 2, 1, 255, 255, ...KEY))).toBeUndefined();
  });
});

test.each<[string, Partial<ServerAddress>]>([
  ["no place", { places: [] }],
  ["five places", { places: new Array(5).fill(PLACE) }],
  ["a short key", { key: new Uint8Array(31) }],
  ["port 0", { places: [{ ...PLACE, port: 0 }] }],
  ["no host name", { places: [{ ...PLACE, host: "-" }] }],
  ["no port after its own", { places: [{ ...PLACE, port: 65_535 }], hasNextPort: true }],
])("a maker of an address with %s is told so", (_, fields) => {
  expect(() => encode(fields)).toThrow(RangeError);
});
