/**
 * The AEADs and the header mask by published vectors: RFC 8439 §2.8.2 and §A.5, the GCM specification's cases 4 and 16,
 * RFC 9001 §A.2, §A.3 and §A.5.
 *
 * @module
 */
import { describe, expect, test } from "vitest";
import { type Aead, AeadKey, BlockCipher } from "../../src/crypto/primitives.ts";

function bytes(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, "hex"));
}

interface Case {
  readonly title: string;
  readonly aead: Aead;
  readonly key: string;
  readonly nonce: string;
  readonly associatedData: string;
  readonly plaintext: string;
  readonly sealed: string;
}

const GCM = {
  nonce: "cafebabefacedbaddecaf888",
  associatedData: "feedfacedeadbeeffeedfacedeadbeefabaddad2",
  plaintext:
    "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72" +
    "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39",
};

const CASES: readonly Case[] = [
  {
    title: "RFC 8439 §2.8.2",
    aead: "chacha20-poly1305",
    key: "808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f",
    nonce: "070000004041424344454647",
    associatedData: "50515253c0c1c2c3c4c5c6c7",
    plaintext: Buffer.from(
      "Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen would be it.",
    ).toString("hex"),
    sealed:
      "d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d6" +
      "3dbea45e8ca9671282fafb69da92728b1a71de0a9e060b2905d6a5b67ecd3b36" +
      "92ddbd7f2d778b8c9803aee328091b58fab324e4fad675945585808b4831d7bc" +
      "3ff4def08e4b7a9de576d26586cec64b61161ae10b594f09e26a7e902ecbd0600691",
  },
  {
    title: "RFC 8439 §A.5",
    aead: "chacha20-poly1305",
    key: "1c9240a5eb55d38af333888604f6b5f0473917c1402b80099dca5cbc207075c0",
    nonce: "000000000102030405060708",
    associatedData: "f33388860000000000004e91",
    plaintext: Buffer.from(
      "Internet-Drafts are draft documents valid for a maximum of six months and may be updated, replaced, or " +
        "obsoleted by other documents at any time. It is inappropriate to use Internet-Drafts as reference material or " +
        "to cite them other than as /\u201cwork in progress./\u201d",
    ).toString("hex"),
    sealed:
      "64a0861575861af460f062c79be643bd5e805cfd345cf389f108670ac76c8cb2" +
      "4c6cfc18755d43eea09ee94e382d26b0bdb7b73c321b0100d4f03b7f355894cf" +
      "332f830e710b97ce98c8a84abd0b948114ad176e008d33bd60f982b1ff37c855" +
      "9797a06ef4f0ef61c186324e2b3506383606907b6a7c02b0f9f6157b53c867e4" +
      "b9166c767b804d46a59b5216cde7a4e99040c5a40433225ee282a1b0a06c523e" +
      "af4534d7f83fa1155b0047718cbc546a0d072b04b3564eea1b422273f548271a" +
      "0bb2316053fa76991955ebd63159434ecebb4e466dae5a1073a6727627097a10" +
      "49e617d91d361094fa68f0ff77987130305beaba2eda04df997b714d6c6f2c29" +
      "a6ad5cb4022b02709beead9d67890cbb22392336fea1851f38",
  },
  {
    title: "case 4 of the GCM specification, AES-128",
    aead: "aes-128-gcm",
    key: "feffe9928665731c6d6a8f9467308308",
    ...GCM,
    sealed:
      "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e" +
      "21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac973d58e091" +
      "5bc94fbc3221a5db94fae95ae7121a47",
  },
  {
    title: "case 16 of the GCM specification, AES-256",
    aead: "aes-256-gcm",
    key: "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308",
    ...GCM,
    sealed:
      "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa" +
      "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662" +
      "76fc6ece0f4e1768cddf8853bb2d551b",
  },
  {
    title: "RFC 9001 §A.5: a packet of one PING",
    aead: "chacha20-poly1305",
    key: "c6d98ff3441c3fe1b2182094f69caa2ed4b716b65488960a7a984979fb23e1c8",
    nonce: "e0459b3474bdd0e46d417eb0",
    associatedData: "4200bff4",
    plaintext: "01",
    sealed: "655e5cd55c41f69080575d7999c25a5bfb",
  },
];

describe("AEADs", () => {
  test.each(CASES)("seal and open $title", ({ aead, key, nonce, associatedData, plaintext, sealed }) => {
    const aeadKey = new AeadKey(aead, bytes(key));
    expect(aeadKey.seal(bytes(nonce), bytes(associatedData), bytes(plaintext))).toEqual(bytes(sealed));
    expect(aeadKey.open(bytes(nonce), bytes(associatedData), bytes(sealed))).toEqual(bytes(plaintext));
  });

  test.each(CASES)("refuse $title with any byte changed, cut, or lengthened", (each) => {
    const aeadKey = new AeadKey(each.aead, bytes(each.key));
    const [nonce, associatedData, sealed] = [bytes(each.nonce), bytes(each.associatedData), bytes(each.sealed)];
    for (const part of [nonce, associatedData, sealed]) {
      for (let i = 0; i < part.length; i++) {
        part[i] = part[i]! ^ 0x80;
        expect(aeadKey.open(nonce, associatedData, sealed)).toBeUndefined();
        part[i] = part[i]! ^ 0x80;
      }
    }
    for (let length = 0; length < sealed.length; length++) {
      expect(aeadKey.open(nonce, associatedData, sealed.slice(0, length))).toBeUndefined();
    }
    expect(aeadKey.open(nonce, associatedData, Uint8Array.of(...sealed, 0))).toBeUndefined();
    expect(aeadKey.open(nonce, associatedData, sealed)).toEqual(bytes(each.plaintext));
  });
});

describe("the header mask", () => {
  test.each([
    ["RFC 9001 §A.2", "9f50449e04a0e810283a1e9933adedd2", "d1b1c98dd7689fb8ec11d242b123dc9b", "437b9aec36"],
    ["RFC 9001 §A.3", "c206b8d9b9f0f37644430b490eeaa314", "2cd0991cd25b0aac406a5816b6394100", "2ec0d8356a"],
  ])("is that of %s", (_, key, sample, mask) => {
    expect(new BlockCipher(bytes(key)).encrypt(bytes(sample)).slice(0, 5)).toEqual(bytes(mask));
  });

  test("of many samples at once is that of each alone", () => {
    const cipher = new BlockCipher(new Uint8Array(16).fill(3));
    const samples = Uint8Array.from({ length: 64 * 16 }, (_, i) => i * 7);
    const together = cipher.encrypt(samples);
    for (let at = 0; at < samples.length; at += 16) {
      expect(cipher.encrypt(samples.subarray(at, at + 16))).toEqual(together.slice(at, at + 16));
    }
    expect(() => cipher.encrypt(new Uint8Array(15))).toThrow(RangeError);
  });
});
