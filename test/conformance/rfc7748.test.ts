/**
 * X25519 by the vectors of RFC 7748 §5.2 and §6.1.
 *
 * @module
 */
import { describe, expect, test } from "vitest";
import { diffieHellman, exportPrivateKey, isPublicKey, keyPairFromSeed } from "../../src/crypto/primitives.ts";

function bytes(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, "hex"));
}

function x25519(scalar: Uint8Array, u: Uint8Array): Uint8Array {
  return diffieHellman(keyPairFromSeed(scalar), u)!;
}

const BASE_POINT = bytes("0900000000000000000000000000000000000000000000000000000000000000");

describe("X25519", () => {
  test.each([
    [
      "a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4",
      "e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c",
      "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552",
    ],
    [
      // The highest bit of this point is set, and ignored.
      "4b66e9d4d1b4673c5ad22691957d6af5c11b6421e0ea01d42ca4169e7918ba0d",
      "e5210f12786811d3f4b7959d0538ae2c31dbe7106fc03c3efc4cd549c715a493",
      "95cbde9476e8907d7aade45cb4b873f88b595a68799fa152e6f8f7647aac7957",
    ],
  ])("multiplies as RFC 7748 §5.2 does: %s", (scalar, u, expected) => {
    expect(x25519(bytes(scalar), bytes(u))).toEqual(bytes(expected));
  });

  test("passes the iterations of RFC 7748 §5.2, one and a thousand", () => {
    let [k, u] = [BASE_POINT, BASE_POINT];
    for (let i = 1; i <= 1000; i++) {
      [k, u] = [x25519(k, u), k];
      if (i === 1) expect(k).toEqual(bytes("422c8e7a6227d7bca1350b3e2bb7279f7897b87bb6854b783c60e80311ae3079"));
    }
    expect(k).toEqual(bytes("684cf59ba83309552800ef566f2f4d3c1c3887c49360e3875f2eb94d99532c51"));
  });

  test("agrees on the shared secret of RFC 7748 §6.1", () => {
    const alice = keyPairFromSeed(bytes("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a"));
    const bob = keyPairFromSeed(bytes("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb"));
    const shared = bytes("4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742");
    expect(alice.publicKey).toEqual(bytes("8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a"));
    expect(bob.publicKey).toEqual(bytes("de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f"));
    expect(diffieHellman(alice, bob.publicKey)).toEqual(shared);
    expect(diffieHellman(bob, alice.publicKey)).toEqual(shared);
  });
});

/** The points of order 1, 2, 4 and 8 on the curve and its twist, and their other encodings below 2^256. */
const LOW_ORDER = [
  "0000000000000000000000000000000000000000000000000000000000000000",
  "0100000000000000000000000000000000000000000000000000000000000000",
  "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
  "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
  "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
  "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
];

describe("points of low order", () => {
  test.each(LOW_ORDER)("%s shares no secret (RFC 7748 §6.1), with its highest bit set or not", (text) => {
    const pair = keyPairFromSeed(new Uint8Array(32).fill(0x42));
    const point = bytes(text);
    expect(diffieHellman(pair, point)).toBeUndefined();
    expect(isPublicKey(point)).toBe(false);
    point[31] = point[31]! | 0x80;
    expect(diffieHellman(pair, point)).toBeUndefined();
    expect(isPublicKey(point)).toBe(false);
  });

  test("every other point is a public key, and no other length is", () => {
    expect(isPublicKey(keyPairFromSeed(new Uint8Array(32).fill(7)).publicKey)).toBe(true);
    for (const length of [0, 31, 33]) expect(isPublicKey(new Uint8Array(length).fill(9))).toBe(false);
  });

  test("a private key comes back as it was given, unclamped", () => {
    const privateKey = Uint8Array.from({ length: 32 }, (_, i) => 255 - i);
    expect(exportPrivateKey(keyPairFromSeed(privateKey))).toEqual(privateKey);
    expect(() => keyPairFromSeed(new Uint8Array(31))).toThrow(RangeError);
  });
});
