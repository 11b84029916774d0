/**
 * Reports as one word, and as JSON.
 *
 * @module
 */
import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { networkReport } from "../../fuzz/doctor-arbitraries.ts";
import { sha256 } from "../../src/crypto/primitives.ts";
import { type NetworkReport, reportOf } from "../../src/doctor/report.ts";
import { decodeReport, encodeReport, MAX_REPORT_LENGTH } from "../../src/doctor/report-string.ts";
import { decodeBase62, encodeBase62 } from "../../src/ticket/base62.ts";
import { type Schema, violations } from "./json-schema.ts";
import { at, family, ipv4Of, network, reportWith } from "./samples.ts";

interface Frozen {
  readonly name: string;
  readonly report: NetworkReport;
  readonly bytes: string;
  readonly text: string;
}

const readJson = (path: string) => JSON.parse(readFileSync(new URL(`../../spec/${path}`, import.meta.url), "utf8"));
const frozen: readonly Frozen[] = readJson("vectors/doctor.json").reports;
const schema: Schema = readJson("doctor-schema.json");

const HOME = reportWith({
  mapping: "endpoint-independent",
  filtering: "address-and-port-dependent",
  allocator: "preserving",
});

function problemOf(text: string): string | undefined {
  const decoded = decodeReport(text);
  return "code" in decoded ? decoded.code : undefined;
}

/** A report with a right check around any bytes. */
function forge(content: Uint8Array): string {
  const check = sha256(new TextEncoder().encode("pr1"), content).subarray(0, 4);
  return `pr1${encodeBase62(Uint8Array.of(...content, ...check))}`;
}

function contentOf(text: string): Uint8Array {
  const bytes = decodeBase62(text.slice(3));
  if (!(bytes instanceof Uint8Array)) throw new Error(bytes);
  return bytes.subarray(0, bytes.length - 4);
}

describe("frozen reports", () => {
  test.each(frozen)("$name is written to the character, and read back (DOC-7)", ({ report, bytes, text }) => {
    expect(encodeReport(report)).toBe(text);
    expect(Buffer.from(contentOf(text)).toString("hex")).toBe(bytes);
    expect(decodeReport(text)).toEqual(report);
    expect(violations(schema, report)).toEqual([]);
  });
});

describe("the text of a report", () => {
  test("holds any report, but no address (DOC-7)", () => {
    fc.assert(
      fc.property(networkReport, (report) => {
        const text = encodeReport(report);
        expect(text).toMatch(/^pr1[0-9A-Za-z]+$/);
        expect(text.length).toBeLessThanOrEqual(MAX_REPORT_LENGTH);
        expect(decodeReport(text)).toEqual(report);
      }),
    );
    const { addresses, ...rest } = ipv4Of(HOME);
    expect(addresses).toEqual({ hosts: ["192.168.1.7"], reflexive: ["203.0.113.9:4433"] });
    expect(decodeReport(encodeReport(HOME))).toEqual({ ...HOME, nat: { ipv4: rest } });
  });

  test("of a home with IPv4 has 37 characters", () => {
    expect(encodeReport(HOME)).toHaveLength(37);
  });

  test("may stand between spaces", () => {
    expect(problemOf(` ${encodeReport(HOME)}\r\n`)).toBeUndefined();
  });

  test("tells by its problem what is wrong (DOC-8)", () => {
    const text = encodeReport(HOME);
    expect(problemOf("")).toBe("prefix");
    expect(problemOf(`pl1${text.slice(3)}`)).toBe("prefix");
    expect(problemOf(text.toUpperCase())).toBe("case");
    expect(problemOf(`pr1${text.slice(3).toLowerCase()}`)).toBe("case");
    expect(problemOf(`${text.slice(0, 9)}-${text.slice(10)}`)).toBe("characters");
    expect(problemOf("pr1")).toBe("length");
    expect(problemOf("pr1000000")).toBe("length");
    expect(problemOf(text.slice(0, -1))).not.toBeUndefined();
    expect(problemOf(`pr1${"0".repeat(MAX_REPORT_LENGTH)}`)).toBe("length");
    expect(problemOf(`${text.slice(0, -1)}${text.endsWith("0") ? "1" : "0"}`)).toBe("checksum");
    expect(problemOf(`pr1${"z".repeat(text.length - 4)}Z`)).toBe("checksum");
    expect(problemOf(forge(Uint8Array.of(0)))).toBe("length");
    expect(problemOf(forge(Uint8Array.of(1, 0, 0)))).toBe("malformed");
  });

  test("is malformed if a field is cut, a state unknown or there are too many tags (DOC-7, DOC-8)", () => {
    const content = contentOf(encodeReport(HOME));
    for (let size = 0; size < content.length; size++) {
      expect(problemOf(forge(content.subarray(0, size))), String(size)).toMatch(/malformed|length/);
    }
    expect(problemOf(forge(Uint8Array.of(0, 0x40, 0)))).toBe("malformed");
    expect(problemOf(forge(Uint8Array.of(0, 0, 5, ...new Uint8Array(10))))).toBe("malformed");
  });

  test("of a later version is read as far as it is known (DOC-7)", () => {
    const content = contentOf(encodeReport(HOME));
    const later = Uint8Array.of(content[0]! | 0xf0, ...content.subarray(1), 1, 2, 3);
    expect(decodeReport(forge(later))).toEqual(decodeReport(encodeReport(HOME)));
    const unknown = Uint8Array.from(content);
    unknown[2] = 0xff;
    unknown[3] = unknown[3]! | 0xc0;
    expect(decodeReport(forge(unknown))).toMatchObject({
      nat: { ipv4: { udp: "unknown", translated: "unknown", hairpin: "unknown", doubleNat: "unknown" } },
    });
    expect(decodeReport(forge(Uint8Array.of(0, 0x1f, 0)))).toMatchObject({ portMapping: { state: "available" } });
  });
});

describe("the JSON of a report", () => {
  test("is valid by its schema, whatever was found (DOC-1, DOC-2)", () => {
    fc.assert(fc.property(networkReport, (report) => violations(schema, report).length === 0));
    const full = reportOf(
      network({
        ipv6: family({ hosts: [at("2001:db8::7")], reflexive: [at("2001:db8::7")] }),
        portMapping: { state: "mapped", protocol: "nat-pmp", external: at("203.0.113.9") },
        receiveBuffer: { asked: 7_340_032, granted: 425_984 },
        mtu: 1452,
      }),
    );
    expect(violations(schema, JSON.parse(JSON.stringify(full)))).toEqual([]);
  });

  test.each<[string, object]>([
    ["a version", { schema: 2 }],
    ["a word of older days", { nat: { ipv4: { ...ipv4Of(HOME), mapping: "symmetric" } } }],
    ["a member that is not described", { colour: "red" }],
    ["a tag that is none", { lans: ["xyz"] }],
    ["a wrong kind", { mtu: "1452" }],
    ["a member less", { portMapping: {} }],
  ])("is invalid with %s", (_, change) => {
    expect(violations(schema, { ...HOME, ...change })).not.toEqual([]);
  });
});
