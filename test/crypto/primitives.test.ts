/**
 * What the primitives promise beside their mathematics: plain arrays, constant-time comparison, secrets unseen.
 *
 * @module
 */
import { inspect } from "node:util";
import { expect, test } from "vitest";
import {
  AeadKey,
  BlockCipher,
  diffieHellman,
  digest,
  equalConstantTime,
  exportPrivateKey,
  hmac,
  hmacSha256,
  keyPairFromSeed,
  randomBytes,
  sha256,
} from "../../src/crypto/primitives.ts";
import { SecretBytes, secretBytes, wipe } from "../../src/util/secret-bytes.ts";
import { bytes, counting, hex, PEER } from "./fixtures.ts";

test("hashes and MACs join their parts, and agree with published values", () => {
  const text = new TextEncoder().encode("abc");
  const split = [text.subarray(0, 1), text.subarray(1, 1), text.subarray(1)];
  const expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
  expect(hex(sha256(text))).toBe(expected);
  expect(hex(sha256(...split))).toBe(expected);
  expect(hex(digest("BLAKE2s", ...split))).toBe("508c5e8c327c14e2e1a72ba34eeb452f37458b209ed63a294d999b4c86675982");
  // RFC 4231 §4.3
  const key = new TextEncoder().encode("Jefe");
  const data = new TextEncoder().encode("what do ya want for nothing?");
  const mac = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
  expect(hex(hmacSha256(key, data))).toBe(mac);
  expect(hex(hmac("SHA256", key, data.subarray(0, 9), data.subarray(9)))).toBe(mac);
});

test("what comes out is a plain array, whose slice is a copy", () => {
  const key = new AeadKey("aes-128-gcm", counting(1, 16));
  const [nonce, none] = [counting(2, 12), new Uint8Array(0)];
  const sealed = key.seal(nonce, none, counting(3, 20));
  const results = [
    sha256(none),
    hmacSha256(none, none),
    randomBytes(8),
    diffieHellman(PEER, PEER.publicKey)!,
    PEER.publicKey,
    exportPrivateKey(PEER),
    sealed,
    key.open(nonce, none, sealed)!,
    new BlockCipher(counting(1, 16)).encrypt(new Uint8Array(16)),
  ];
  for (const result of results) {
    expect(Buffer.isBuffer(result)).toBe(false);
    const copy = result.slice();
    result[0] = result[0]! ^ 0xff;
    expect(copy[0]).not.toBe(result[0]);
    result[0] = result[0]! ^ 0xff;
  }
});

test("sealing in place gives what sealing gives, and touches nothing else", () => {
  const key = new AeadKey("chacha20-poly1305", counting(1, 32));
  const [nonce, header, plaintext] = [counting(2, 12), counting(4, 15), counting(3, 50)];
  const buffer = new Uint8Array(100).fill(0x77);
  buffer.set(plaintext, 10);
  key.sealInPlace(nonce, header, buffer.subarray(10, 10 + 50 + 16));
  expect(buffer.slice(10, 76)).toEqual(key.seal(nonce, header, plaintext));
  expect([...buffer.subarray(0, 10), ...buffer.subarray(76)].every((byte) => byte === 0x77)).toBe(true);
});

test("secrets are equal only at equal lengths and bytes", () => {
  expect(equalConstantTime(counting(1, 16), counting(1, 16))).toBe(true);
  expect(equalConstantTime(counting(1, 16), counting(2, 16))).toBe(false);
  expect(equalConstantTime(counting(1, 16), counting(1, 15))).toBe(false);
  expect(equalConstantTime(new Uint8Array(0), new Uint8Array(0))).toBe(true);
});

test("a key is copied, so that its source can be wiped; a wiped key opens nothing", () => {
  const source = counting(1, 32);
  const key = new AeadKey("chacha20-poly1305", source);
  const sealed = key.seal(counting(2, 12), new Uint8Array(0), counting(3, 4));
  wipe(source);
  expect(key.open(counting(2, 12), new Uint8Array(0), sealed)).toEqual(counting(3, 4));
  key.wipe();
  expect(key.open(counting(2, 12), new Uint8Array(0), sealed)).toBeUndefined();
});

test("secret bytes are bytes that do not show, nor do their views and copies (TKT-9)", () => {
  const secret = secretBytes(bytes("c0ffee42"));
  expect(secret).toBeInstanceOf(SecretBytes);
  expect(hex(secret)).toBe("c0ffee42");
  for (const each of [secret, secret.subarray(1), secret.slice(), { inner: [secret] }]) {
    expect(inspect(each, { depth: 9, showHidden: true })).toMatch(/<secret>/);
    expect(inspect(each)).not.toMatch(/192|255|238/);
    expect(JSON.stringify(each)).toMatch(/<secret>/);
  }
});

test("a private key shows neither in text nor in JSON, and comes back only by export (TKT-9)", () => {
  const pair = keyPairFromSeed(counting(0x70, 32));
  expect(inspect(pair, { depth: 9, showHidden: true })).toContain("PrivateKey <secret>");
  expect(JSON.parse(JSON.stringify(pair)).privateKey).toBe("<secret>");
  expect(exportPrivateKey(pair)).toEqual(counting(0x70, 32));
});
