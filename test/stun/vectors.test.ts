/**
 * The test vectors of RFC 5769 §2.
 *
 * @module
 */
import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { decodeStunMessage } from "../../src/stun/codec.ts";
import { hasIntegrity, type IntegrityFunctions, isFingerprintAcceptable } from "../../src/stun/integrity.ts";
import { isStun, readAttributes } from "../../src/stun/message.ts";
import type { Address } from "../../src/util/machine.ts";

interface Vector {
  readonly password: string;
  readonly bytes: string;
  readonly software?: string;
  readonly mapped?: Address;
  readonly username?: string;
  readonly realm?: string;
}

type VectorName = "sampleRequest" | "sampleIpv4Response" | "sampleIpv6Response" | "sampleLongTermRequest";

const VECTORS: Readonly<Record<VectorName, Vector>> = JSON.parse(
  readFileSync(new URL("../../spec/vectors/stun.json", import.meta.url), "utf8"),
);

const FUNCTIONS: IntegrityFunctions = {
  hmacSha1(key, ...parts) {
    const state = createHmac("sha1", key);
    for (const part of parts) state.update(part);
    return state.digest();
  },
  areEqual: (a, b) => a.length === b.length && timingSafeEqual(a, b),
};

const bytesOf = (vector: Vector): Uint8Array => Uint8Array.from(Buffer.from(vector.bytes, "hex"));

/** The key of short-term credentials is the password; that of long-term ones a hash with name and realm (RFC 8489 §9.2.2). */
function keyOf({ username, realm, password }: Vector): Uint8Array {
  if (username === undefined) return Buffer.from(password);
  return createHash("md5").update(`${username}:${realm}:${password}`).digest();
}

describe.each(Object.entries(VECTORS).filter(([name]) => name !== "source"))("%s of RFC 5769 §2", (_, vector) => {
  const bytes = bytesOf(vector);

  test("is STUN with the fields that it is said to have (STUN-1)", () => {
    expect(isStun(bytes)).toBe(true);
    const message = decodeStunMessage(bytes);
    expect(message?.kind).toBe(vector.mapped === undefined ? "request" : "response");
    expect(message?.mapped).toEqual(vector.mapped);
    expect(message?.software).toBe(vector.software);
  });

  test("has a right FINGERPRINT or none, and any damage is noticed (STUN-3)", () => {
    expect(isFingerprintAcceptable(bytes)).toBe(true);
    const hasFingerprint = readAttributes(bytes)!.some((each) => each.type === 0x8028);
    for (let at = 20; hasFingerprint && at < bytes.length - 8; at += 5) {
      const damaged = bytes.slice();
      damaged[at]! ^= 0x10;
      expect(decodeStunMessage(damaged), `byte ${at}`).toBeUndefined();
    }
  });

  test("has the MESSAGE-INTEGRITY of its key, and of no other (STUN-3)", () => {
    const key = keyOf(vector);
    expect(hasIntegrity(bytes, key, FUNCTIONS)).toBe(true);
    expect(hasIntegrity(bytes, Uint8Array.of(...key, 1), FUNCTIONS)).toBe(false);
    const damaged = bytes.slice();
    damaged[30]! ^= 1;
    expect(hasIntegrity(damaged, key, FUNCTIONS)).toBe(false);
  });
});

test("a message without MESSAGE-INTEGRITY has none", () => {
  const bare = Uint8Array.from(Buffer.from("000100002112a442b7e7a701bc34d686fa87dfae", "hex"));
  expect(hasIntegrity(bare, Buffer.from("key"), FUNCTIONS)).toBe(false);
  expect(isFingerprintAcceptable(bare)).toBe(true);
});
