/**
 * Candidates and NAT profiles on the wire.
 *
 * @module
 */
import fc from "fast-check";
import { expect, test } from "vitest";
import { CANDIDATE_KINDS, candidateLength, readCandidate, writeCandidate } from "../../src/wire/candidate.ts";
import {
  NAT_PROFILE_SIZE,
  type NatProfile,
  readNatProfile,
  UNKNOWN_NAT,
  writeNatProfile,
} from "../../src/wire/nat-profile.ts";
import { Reader } from "../../src/wire/reader.ts";
import { Writer } from "../../src/wire/writer.ts";

function written(write: (writer: Writer) => void): Uint8Array {
  const writer = new Writer(new Uint8Array(64));
  write(writer);
  return writer.buffer.slice(0, writer.offset);
}

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");

test("a candidate is group, family, kind, port and host (PATH-1)", () => {
  const v4 = { kind: "reflexive", address: { host: "203.0.113.9", port: 4433, family: 4 }, group: 2 } as const;
  const v6 = { kind: "predicted", address: { host: "2001:db8::1", port: 1, family: 6 }, group: 15 } as const;
  expect(hex(written((writer) => writeCandidate(writer, v4)))).toBe("211151cb007109");
  expect(hex(written((writer) => writeCandidate(writer, v6)))).toBe("fc000120010db8000000000000000000000001");
  for (const candidate of [v4, v6]) {
    const bytes = written((writer) => writeCandidate(writer, candidate));
    expect(bytes.length).toBe(candidateLength(candidate));
    expect(readCandidate(new Reader(bytes))).toEqual(candidate);
  }
});

test("an unknown kind, port 0 and too few bytes are malformed (PATH-1)", () => {
  for (const bad of ["051151cb007109", "000000cb007109", "001151cb0071", "081151cb007109"]) {
    const reader = new Reader(Uint8Array.from(Buffer.from(bad, "hex")));
    readCandidate(reader);
    expect(reader.failed, bad).toBe(true);
  }
});

test("what cannot be written is refused", () => {
  const address = { host: "203.0.113.9", port: 4433, family: 4 } as const;
  const writer = new Writer(new Uint8Array(64));
  expect(() => writeCandidate(writer, { kind: "host", address, group: 16 })).toThrow(RangeError);
  expect(() => writeCandidate(writer, { kind: "host", address: { ...address, host: "::1" }, group: 0 })).toThrow(
    RangeError,
  );
  expect(CANDIDATE_KINDS.length).toBeLessThanOrEqual(8);
});

test("a profile has ten bytes (PATH-2)", () => {
  const profile: NatProfile = {
    mapping: "address-and-port-dependent",
    filtering: "address-dependent",
    allocator: "sequential",
    hairpin: true,
    isCarrierGrade: false,
    isDoubleNat: true,
    isIpv6Blocked: false,
    step: -2,
    poolFirst: 1024,
    poolSize: 64_512,
    foreignFlows: 7,
    bindingLifetime: 120,
  };
  const bytes = written((writer) => writeNatProfile(writer, profile));
  expect(hex(bytes)).toBe("e502fffe0400fc00070c");
  expect(readNatProfile(new Reader(bytes))).toEqual(profile);
  expect(hex(written((writer) => writeNatProfile(writer, UNKNOWN_NAT)))).toBe("00".repeat(NAT_PROFILE_SIZE));
});

test("any ten bytes are a profile, and numbers out of range are cut (PATH-2)", () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 10, maxLength: 10 }), (bytes) => {
      const profile = readNatProfile(new Reader(bytes));
      expect(readNatProfile(new Reader(written((writer) => writeNatProfile(writer, profile))))).toEqual(profile);
    }),
  );
  const wild = { ...UNKNOWN_NAT, step: 1e6, foreignFlows: 1e9, bindingLifetime: 86_400, poolSize: -1 };
  const read = readNatProfile(new Reader(written((writer) => writeNatProfile(writer, wild))));
  expect(read).toEqual({ ...UNKNOWN_NAT, step: 32_767, foreignFlows: 255, bindingLifetime: 2_550, poolSize: 0 });
});
