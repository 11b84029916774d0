/**
 * The interpreter of Noise patterns: turns, copies and missing keys. That it computes the right bytes is shown by
 * `test/conformance/noise-rows.test.ts`.
 *
 * @module
 */
import { describe, expect, test } from "vitest";
import { SUITE } from "../../src/crypto/handshake.ts";
import { HandshakeState, noiseNonce } from "../../src/crypto/noise.ts";
import { keyPairFromSeed } from "../../src/crypto/primitives.ts";
import { patternNamed } from "../conformance/noise-patterns.ts";
import { bytes, counting, LISTENER, PEER } from "./fixtures.ts";

const EI = keyPairFromSeed(counting(0xa0, 32));
const ER = keyPairFromSeed(counting(0x40, 32));

function states(name: string) {
  const shared = { pattern: patternNamed(name)!, suite: SUITE, prologue: new Uint8Array(0) };
  return {
    initiator: new HandshakeState({ ...shared, role: "initiator", s: PEER, rs: LISTENER.publicKey }),
    responder: new HandshakeState({ ...shared, role: "responder", s: LISTENER }),
  };
}

describe("a handshake state", () => {
  test("can neither write nor read out of turn, nor after the last message", () => {
    const { initiator, responder } = states("IK");
    expect(() => responder.writeMessage(new Uint8Array(0), ER)).toThrow("turn");
    expect(() => initiator.readMessage(new Uint8Array(200))).toThrow("turn");
    responder.readMessage(initiator.writeMessage(new Uint8Array(0), EI));
    expect(() => initiator.writeMessage(new Uint8Array(0), EI)).toThrow("turn");
    initiator.readMessage(responder.writeMessage(new Uint8Array(0), ER));
    expect(initiator.isComplete && responder.isComplete).toBe(true);
    expect(() => initiator.writeMessage(new Uint8Array(0), EI)).toThrow();
    expect(() => responder.readMessage(new Uint8Array(200))).toThrow();
  });

  test("gives no keys before it is complete", () => {
    const { initiator } = states("IK");
    expect(initiator.isComplete).toBe(false);
    expect(() => initiator.split()).toThrow("complete");
  });

  test("asks for every key that its pattern needs", () => {
    const pattern = patternNamed("IKpsk2")!;
    const shared = { pattern, suite: SUITE, prologue: new Uint8Array(0) };
    expect(() => new HandshakeState({ ...shared, role: "initiator", s: PEER })).toThrow("rs");
    expect(() => new HandshakeState({ ...shared, role: "responder" })).toThrow("no s");
    expect(() => states("IK").initiator.writeMessage(new Uint8Array(0))).toThrow("no e");
  });

  test("is changed by no message that can't be written", () => {
    const low = new HandshakeState({
      ...{ pattern: patternNamed("IK")!, suite: SUITE, prologue: new Uint8Array(0) },
      ...{ role: "initiator", s: PEER, rs: new Uint8Array(32) },
    });
    const before = low.handshakeHash;
    expect(() => low.writeMessage(new Uint8Array(0), EI)).toThrow(RangeError);
    expect(low.handshakeHash).toEqual(before);
  });

  test("and its copy go separate ways", () => {
    const { initiator, responder } = states("XX");
    const copy = initiator.clone();
    const first = initiator.writeMessage(counting(1, 5), EI);
    expect(copy.handshakeHash).not.toEqual(initiator.handshakeHash);
    expect(copy.writeMessage(counting(1, 5), EI)).toEqual(first);
    responder.readMessage(first);
    const answer = responder.writeMessage(new Uint8Array(0), ER);
    const spent = initiator.clone();
    spent.wipe();
    expect(initiator.readMessage(answer)).toEqual(new Uint8Array(0));
    expect(copy.readMessage(answer)).toEqual(new Uint8Array(0));
    expect(copy.remoteStaticKey).toEqual(LISTENER.publicKey);
  });

  test("keeps nothing of a message but copies (its buffer may be used again)", () => {
    const { initiator, responder } = states("XX");
    const first = initiator.writeMessage(counting(1, 5), EI);
    responder.readMessage(first);
    first.fill(0);
    const answer = responder.writeMessage(new Uint8Array(0), ER);
    expect(initiator.readMessage(answer)).toBeDefined();
  });
});

test("nonces count little-endian for ChaChaPoly and big-endian for AESGCM, in 64 bits (Noise §12)", () => {
  expect(noiseNonce("chacha20-poly1305", 0x0102)).toEqual(bytes("000000000201000000000000"));
  expect(noiseNonce("aes-256-gcm", 0x0102)).toEqual(bytes("000000000000000000000102"));
  expect(noiseNonce("chacha20-poly1305", 2 ** 32 + 5)).toEqual(bytes("000000000500000001000000"));
  expect(noiseNonce("aes-256-gcm", 2 ** 32 + 5)).toEqual(bytes("000000000000000100000005"));
});
