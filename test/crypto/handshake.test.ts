/**
 * The two messages of the handshake, against frozen values, a second implementation, and attackers.
 *
 * @module
 */
import { inspect } from "node:util";
import { describe, expect, test } from "vitest";
import { chooseAead } from "../../src/connection/negotiation.ts";
import { CORE1_OVERHEAD, CORE2_OVERHEAD, InitiatorHandshake, ResponderHandshake } from "../../src/crypto/handshake.ts";
import { MAX_CORE_SIZE } from "../../src/crypto/outer-seal.ts";
import { exportPrivateKey, keyPairFromSeed, sha256 } from "../../src/crypto/primitives.ts";
import { deriveTicketKeys, hintCipher, unmaskHint } from "../../src/crypto/ticket-keys.ts";
import { bytes, counting, flipped, handshake, hex, KEYS, LISTENER, PEER, readVectors, TICKET } from "./fixtures.ts";
import { runHandshake } from "./oracle.ts";

interface HandshakeVector {
  readonly name: string;
  readonly inputs: Readonly<
    Record<"listener" | "initiator" | "ephemeralI" | "ephemeralR" | "secret" | "core" | "payload1" | "payload2", string>
  >;
  readonly ticket: Readonly<Record<"hint" | "seal" | "psk" | "cookie" | "hintKey" | "prologue", string>>;
  readonly steps: readonly { readonly after: string }[];
  readonly core1: string;
  readonly core2: string;
  readonly handshakeHash: string;
  readonly initiatorKey: string;
  readonly responderKey: string;
}

const { handshakes } = readVectors<{ handshakes: readonly HandshakeVector[] }>("handshake");

describe.each(handshakes)("the frozen handshake with $name", (vector) => {
  const inputs = Object.fromEntries(Object.entries(vector.inputs).map(([name, text]) => [name, bytes(text)])) as Record<
    keyof HandshakeVector["inputs"],
    Uint8Array
  >;
  const listener = keyPairFromSeed(inputs.listener);
  const keys = deriveTicketKeys({ key: listener.publicKey, secret: inputs.secret, core: inputs.core });
  const initiator = new InitiatorHandshake({
    keys,
    listenerKey: listener.publicKey,
    identity: keyPairFromSeed(inputs.initiator),
    ephemeral: keyPairFromSeed(inputs.ephemeralI),
    payload: inputs.payload1,
  });

  test("is what a second implementation computes, with every intermediate value (HS-1, HS-2)", () => {
    const run = runHandshake(inputs);
    expect(run.steps).toEqual(vector.steps);
    expect(hex(run.core1)).toBe(vector.core1);
    expect(hex(run.core2)).toBe(vector.core2);
    expect(hex(run.handshakeHash)).toBe(vector.handshakeHash);
  });

  test("derives the ticket's values (TKT-8)", () => {
    for (const name of ["hint", "seal", "psk", "cookie", "prologue"] as const) {
      expect(hex(keys[name]), name).toBe(vector.ticket[name]);
    }
    expect(hex(unmaskHint(hintCipher(listener.publicKey), initiator.core1))).toBe(vector.ticket.hint);
  });

  test("makes core1, core2 and the session's keys (HS-2, HS-3, HS-6)", () => {
    expect(hex(initiator.core1)).toBe(vector.core1);
    const received = ResponderHandshake.read(ResponderHandshake.openSeal(initiator.core1, keys)!, keys, listener)!;
    expect(received.payload).toEqual(inputs.payload1);
    expect(received.peerKey).toEqual(keyPairFromSeed(inputs.initiator).publicKey);
    expect(received.ephemeralKey).toEqual(keyPairFromSeed(inputs.ephemeralI).publicKey);
    const { core2, session } = received.respond(inputs.payload2, keyPairFromSeed(inputs.ephemeralR));
    expect(hex(core2)).toBe(vector.core2);
    const opened = initiator.readCore2(core2)!;
    expect(opened.payload).toEqual(inputs.payload2);
    for (const each of [session, opened.session]) {
      expect(hex(each.handshakeHash)).toBe(vector.handshakeHash);
      expect(hex(each.initiator)).toBe(vector.initiatorKey);
      expect(hex(each.responder)).toBe(vector.responderKey);
    }
  });
});

test("the sample of the specification is the first frozen handshake", () => {
  const [vector] = handshakes;
  expect(hex(sha256(bytes(vector!.core1)))).toBe("abd4e29b7c7ca4cac62be314d5a849531f10e32a39ffdd9ff07888191975c2b2");
  expect(hex(sha256(bytes(vector!.core2)))).toBe("d02c9fefe3d6689de8ebb8d2f5bce9a11b59ca74313d31d5b4f637687aad1816");
});

describe("the first message", () => {
  const { initiator } = handshake();
  const { core1 } = initiator;

  test("is refused before any Diffie-Hellman when a byte of it is changed, and accepted afterwards (HS-9)", () => {
    for (let i = 0; i < core1.length; i++) {
      expect(ResponderHandshake.openSeal(flipped(core1, i), KEYS)).toBeUndefined();
    }
    expect(ResponderHandshake.openSeal(core1, KEYS)).toBeDefined();
  });

  test("is refused with a byte of the Noise message inside changed, and accepted afterwards (HS-5)", () => {
    const noise1 = ResponderHandshake.openSeal(core1, KEYS)!;
    for (let i = 0; i < noise1.length; i++) {
      expect(ResponderHandshake.read(flipped(noise1, i), KEYS, LISTENER)).toBeUndefined();
    }
    expect(ResponderHandshake.read(noise1, KEYS, LISTENER)?.payload).toEqual(counting(1, 9));
  });

  test("is refused at every other length (HS-6)", () => {
    for (let length = 0; length < core1.length; length++) {
      expect(ResponderHandshake.openSeal(core1.slice(0, length), KEYS)).toBeUndefined();
    }
    expect(ResponderHandshake.openSeal(Uint8Array.of(...core1, 0), KEYS)).toBeUndefined();
    expect(ResponderHandshake.openSeal(new Uint8Array(MAX_CORE_SIZE + 1), KEYS)).toBeUndefined();
    const noise1 = ResponderHandshake.openSeal(core1, KEYS)!;
    for (let length = 0; length < noise1.length; length++) {
      expect(ResponderHandshake.read(noise1.slice(0, length), KEYS, LISTENER)).toBeUndefined();
    }
  });

  test("opens for no other secret, and completes for no other key or core (HS-3, TKT-1)", () => {
    const otherSecret = deriveTicketKeys({ ...TICKET, secret: counting(0xd1, 16) });
    expect(ResponderHandshake.openSeal(core1, otherSecret)).toBeUndefined();
    const otherCore = deriveTicketKeys({ ...TICKET, core: counting(0x02, 53) });
    const noise1 = ResponderHandshake.openSeal(core1, otherCore)!;
    expect(ResponderHandshake.read(noise1, otherCore, LISTENER)).toBeUndefined();
    expect(ResponderHandshake.read(noise1, KEYS, PEER)).toBeUndefined();
  });

  test("adds 120 bytes to its payload and the answer 64, up to 1168 in all (HS-6)", () => {
    for (const [size1, size2] of [
      [0, 0],
      [1, 2],
      [MAX_CORE_SIZE - CORE1_OVERHEAD, MAX_CORE_SIZE - CORE2_OVERHEAD],
    ] as const) {
      const made = handshake(new Uint8Array(size1), new Uint8Array(size2));
      expect(made.initiator.core1.length).toBe(120 + size1);
      expect(made.core2.length).toBe(64 + size2);
      expect(made.initiator.readCore2(made.core2)?.payload.length).toBe(size2);
    }
    expect(() => handshake(new Uint8Array(MAX_CORE_SIZE - CORE1_OVERHEAD + 1))).toThrow(RangeError);
    expect(() => handshake(new Uint8Array(), new Uint8Array(MAX_CORE_SIZE - CORE2_OVERHEAD + 1))).toThrow(RangeError);
  });

  test("of two ephemeral keys has nothing in common: hint, seal and sealed key differ (HS-7, TKT-8)", () => {
    const other = new InitiatorHandshake({
      keys: KEYS,
      listenerKey: LISTENER.publicKey,
      identity: PEER,
      ephemeral: keyPairFromSeed(counting(0xa1, 32)),
      payload: counting(1, 9),
    });
    let equal = 0;
    for (let i = 0; i < core1.length; i++) if (core1[i] === other.core1[i]) equal += 1;
    expect(equal).toBeLessThan(10);
  });

  test("can't be made for a listener's key of low order (HS-4)", () => {
    const key = new Uint8Array(32);
    const keys = deriveTicketKeys({ ...TICKET, key });
    const ephemeral = keyPairFromSeed(counting(0xa0, 32));
    const options = { keys, listenerKey: key, identity: PEER, ephemeral, payload: new Uint8Array() };
    expect(() => new InitiatorHandshake(options)).toThrow(RangeError);
  });

  test("with an ephemeral or a static key of low order is refused (HS-4)", () => {
    const noise1 = ResponderHandshake.openSeal(core1, KEYS)!;
    for (const first of [0, 1]) {
      const forged = noise1.slice();
      forged.set(Uint8Array.of(first, ...new Uint8Array(31)));
      expect(ResponderHandshake.read(forged, KEYS, LISTENER)).toBeUndefined();
    }
    const lowStatic = { publicKey: new Uint8Array(32), privateKey: PEER.privateKey };
    const forger = new InitiatorHandshake({
      keys: KEYS,
      listenerKey: LISTENER.publicKey,
      identity: lowStatic,
      ephemeral: keyPairFromSeed(counting(0xa0, 32)),
      payload: new Uint8Array(),
    });
    const opened = ResponderHandshake.openSeal(forger.core1, KEYS)!;
    expect(ResponderHandshake.read(opened, KEYS, LISTENER)).toBeUndefined();
  });

  test("claims a static key that its sender must hold to finish (HS-10)", () => {
    const thief = { publicKey: PEER.publicKey, privateKey: keyPairFromSeed(counting(0x33, 32)).privateKey };
    const forger = new InitiatorHandshake({
      keys: KEYS,
      listenerKey: LISTENER.publicKey,
      identity: thief,
      ephemeral: keyPairFromSeed(counting(0xa0, 32)),
      payload: new Uint8Array(),
    });
    const opened = ResponderHandshake.openSeal(forger.core1, KEYS)!;
    // Without the listener's private key not even the claim can be made.
    expect(ResponderHandshake.read(opened, KEYS, LISTENER)).toBeUndefined();
  });

  test("can be repeated by anybody, who then lacks the session's keys (HS-10)", () => {
    const replayed = ResponderHandshake.read(ResponderHandshake.openSeal(core1, KEYS)!, KEYS, LISTENER)!;
    const answered = replayed.respond(counting(50, 9), keyPairFromSeed(counting(0x42, 32)));
    expect(answered.session.handshakeHash).not.toEqual(handshake().session.handshakeHash);
    expect(hex(answered.session.initiator)).not.toBe(hex(handshake().session.initiator));
  });
});

describe("the second message", () => {
  test("is refused when a byte of it is changed, and accepted afterwards (HS-5, HS-8)", () => {
    const { initiator, core2, session } = handshake();
    for (let i = 0; i < core2.length; i++) expect(initiator.readCore2(flipped(core2, i))).toBeUndefined();
    for (let length = 0; length < core2.length; length++) {
      expect(initiator.readCore2(core2.slice(0, length))).toBeUndefined();
    }
    const opened = initiator.readCore2(core2)!;
    expect(opened.payload).toEqual(counting(50, 9));
    expect(opened.session).toEqual(session);
  });

  test("is taken once; every further one is dropped (HS-8)", () => {
    const { initiator, core2 } = handshake();
    expect(initiator.readCore2(core2)).toBeDefined();
    expect(initiator.readCore2(core2)).toBeUndefined();
    expect(initiator.readCore2(handshake().core2)).toBeUndefined();
  });

  test("of a holder of the ticket who is not the listener is refused, and the listener's accepted (HS-5)", () => {
    const { initiator, core2 } = handshake();
    const impostor = keyPairFromSeed(counting(0x99, 32));
    const keys = deriveTicketKeys(TICKET);
    const toImpostor = new InitiatorHandshake({
      keys,
      listenerKey: impostor.publicKey,
      identity: PEER,
      ephemeral: keyPairFromSeed(counting(0xa0, 32)),
      payload: new Uint8Array(),
    });
    const received = ResponderHandshake.read(ResponderHandshake.openSeal(toImpostor.core1, keys)!, keys, impostor)!;
    const forged = received.respond(new Uint8Array(), keyPairFromSeed(counting(0x41, 32)));
    expect(initiator.readCore2(forged.core2)).toBeUndefined();
    expect(initiator.readCore2(core2)).toBeDefined();
  });

  test("is made once for each first message (HS-7)", () => {
    const { received } = handshake();
    expect(() => received.respond(new Uint8Array(), keyPairFromSeed(counting(0x41, 32)))).toThrow();
  });

  test("of another handshake with the same ticket is refused", () => {
    const one = handshake();
    const other = new InitiatorHandshake({
      keys: KEYS,
      listenerKey: LISTENER.publicKey,
      identity: PEER,
      ephemeral: keyPairFromSeed(counting(0xa1, 32)),
      payload: counting(1, 9),
    });
    expect(other.readCore2(one.core2)).toBeUndefined();
  });

  test("an initiator's own message, sent back to it, is no answer", () => {
    const { initiator } = handshake();
    expect(initiator.readCore2(initiator.core1)).toBeUndefined();
    expect(initiator.readCore2(initiator.core1.slice(8))).toBeUndefined();
  });
});

test("AES-128-GCM is picked if both sides prefer it, else ChaCha20-Poly1305 (HS-13)", () => {
  expect(chooseAead([1, 2], [1, 2])).toBe(1);
  expect(chooseAead([2, 1], [1, 2])).toBe(2);
  expect(chooseAead([1, 2], [2, 1])).toBe(2);
  expect(chooseAead([2], [1, 2])).toBe(2);
  expect(chooseAead([9, 2], [1, 2])).toBe(2);
});

test("nothing that is printed shows a private key or a derived secret (TKT-9)", () => {
  const { session } = handshake();
  const secrets = [exportPrivateKey(PEER), KEYS.seal, KEYS.psk, KEYS.cookie, session.initiator, session.responder];
  const objects = [PEER, KEYS, session, { nested: [PEER.privateKey, KEYS.psk.subarray(1)] }];
  for (const shown of objects.flatMap((each) => [
    inspect(each, { depth: 9, showHidden: true }),
    JSON.stringify(each),
  ])) {
    for (const secret of secrets) {
      expect(shown).not.toContain(hex(secret).slice(2, 20));
      expect(shown).not.toContain([...secret.subarray(1, 5)].join(", "));
      expect(shown).not.toContain(`"1":${secret[1]},"2":${secret[2]}`);
    }
    expect(shown).toContain("<secret>");
  }
});

test("the secrets of a session can be erased (HS-15)", () => {
  const { session } = handshake();
  session.wipe();
  expect([...session.initiator, ...session.responder].every((byte) => byte === 0)).toBe(true);
});
