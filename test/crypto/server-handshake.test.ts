/**
 * The handshake with a server, the proof of a key in its session, and the names of slots: against a second reading of
 * the specification, and against who does not own what he shows.
 *
 * @module
 */
import { describe, expect, test } from "vitest";
import { macOfCookie, openCookie, sealCookie } from "../../src/crypto/cookie.ts";
import { KEY_PROOF_OVERHEAD, proveKey, verifyKeyProof } from "../../src/crypto/key-proof.ts";
import { MAX_CORE_SIZE } from "../../src/crypto/outer-seal.ts";
import { keyPairFromSeed } from "../../src/crypto/primitives.ts";
import {
  ClientHandshake,
  SERVER_CORE1_OVERHEAD,
  SERVER_CORE2_OVERHEAD,
  ServerHandshake,
} from "../../src/crypto/server-handshake.ts";
import { deriveServerKeys, serverPin } from "../../src/crypto/server-keys.ts";
import { connectionSlot, ticketBlind, ticketSlot } from "../../src/crypto/slots.ts";
import { unmaskHint } from "../../src/crypto/ticket-keys.ts";
import { bytes, counting, flipped, hex, KEYS, LISTENER, PEER, readVectors } from "./fixtures.ts";
import { H, L, M, utf8 } from "./oracle.ts";

const SERVER = keyPairFromSeed(counting(0x01, 32));
const SERVER_KEYS = deriveServerKeys(serverPin(SERVER.publicKey));
const HASH = counting(0x30, 32);

/** Eight points whose product with any private key is zero begin with these (RFC 7748 §6.1); two of them will do. */
const LOW_ORDER = [new Uint8Array(32), Uint8Array.of(1, ...new Uint8Array(31))];

interface RendezvousVectors {
  readonly server: Readonly<Record<"key" | "pin" | "hint" | "seal" | "cookie", string>>;
  readonly session: {
    readonly inputs: Readonly<Record<"payload1" | "payload2", string>>;
    readonly proof: { readonly blinds: readonly string[]; readonly message: string };
  } & Readonly<Record<"core1" | "core2" | "handshakeHash" | "initiatorKey" | "responderKey", string>>;
  readonly slots: Readonly<Record<"blind" | "ticketSlot" | "preimage" | "connectionSlot", string>>;
}

const vectors = readVectors<RendezvousVectors>("rendezvous");

test("the frozen session, its keys, and the proof in it are made and read to the byte (RDV-1, RDV-3, RDV-7)", () => {
  const { session, server } = vectors;
  expect(hex(SERVER.publicKey)).toBe(server.key);
  for (const name of ["pin", "hint", "seal", "cookie"] as const) expect(hex(SERVER_KEYS[name])).toBe(server[name]);
  const initiator = client(bytes(session.inputs.payload1));
  expect(hex(initiator.core1)).toBe(session.core1);
  const answered = answer(initiator.core1, SERVER, bytes(session.inputs.payload2));
  expect(hex(answered.core2)).toBe(session.core2);
  expect(hex(answered.session.handshakeHash)).toBe(session.handshakeHash);
  expect(hex(answered.session.initiator)).toBe(session.initiatorKey);
  expect(hex(answered.session.responder)).toBe(session.responderKey);
  expect(initiator.readCore2(bytes(session.core2))).toBeDefined();
  const proven = verifyKeyProof(bytes(session.proof.message), {
    identity: SERVER,
    handshakeHash: bytes(session.handshakeHash),
  })!;
  expect(hex(proven.key)).toBe(hex(LISTENER.publicKey));
  expect(hex(proven.payload)).toBe(`01${session.proof.blinds[0]}`);
});

test("the frozen slots are those of the formula (RDV-5, RDV-6)", () => {
  const { slots } = vectors;
  expect(hex(ticketBlind(KEYS, SERVER_KEYS.pin))).toBe(slots.blind);
  expect(hex(ticketSlot(LISTENER.publicKey, bytes(slots.blind)))).toBe(slots.ticketSlot);
  expect(hex(connectionSlot(bytes(slots.preimage)))).toBe(slots.connectionSlot);
});

function client(payload = counting(1, 9), seed = 0xa0): ClientHandshake {
  return new ClientHandshake({ keys: SERVER_KEYS, ephemeral: keyPairFromSeed(counting(seed, 32)), payload });
}

function answer(core1: Uint8Array, identity = SERVER, payload = counting(50, 9)) {
  const noise1 = ServerHandshake.openSeal(core1, SERVER_KEYS)!;
  const received = ServerHandshake.read(noise1, SERVER_KEYS, identity)!;
  return { received, ...received.respond(payload, keyPairFromSeed(counting(0x40, 32))) };
}

describe("a handshake with a server", () => {
  test("gives both sides the same session, and the client the key that was pinned (RDV-1, RDV-3)", () => {
    const initiator = client();
    const { received, core2, session } = answer(initiator.core1);
    expect(received.payload).toEqual(counting(1, 9));
    expect(received.ephemeralKey).toEqual(keyPairFromSeed(counting(0xa0, 32)).publicKey);
    const opened = initiator.readCore2(core2)!;
    expect(opened.payload).toEqual(counting(50, 9));
    expect(opened.serverKey).toEqual(SERVER.publicKey);
    expect(hex(opened.session.handshakeHash)).toBe(hex(session.handshakeHash));
    expect(hex(opened.session.initiator)).toBe(hex(session.initiator));
    expect(hex(opened.session.responder)).toBe(hex(session.responder));
    expect(hex(session.initiator)).not.toBe(hex(session.responder));
  });

  test("has cores of 56 and 112 bytes beyond their payloads, and none above 1168 (RDV-2)", () => {
    expect([SERVER_CORE1_OVERHEAD, SERVER_CORE2_OVERHEAD]).toEqual([56, 112]);
    for (const size of [0, 9, MAX_CORE_SIZE - 112]) {
      const initiator = client(new Uint8Array(size));
      expect(initiator.core1).toHaveLength(56 + size);
      const { core2 } = answer(initiator.core1, SERVER, new Uint8Array(size));
      expect(core2).toHaveLength(112 + size);
      expect(initiator.readCore2(core2)?.payload).toHaveLength(size);
    }
    expect(client(new Uint8Array(MAX_CORE_SIZE - 56)).core1).toHaveLength(MAX_CORE_SIZE);
    expect(() => client(new Uint8Array(MAX_CORE_SIZE - 55))).toThrow(RangeError);
    expect(() => answer(client().core1, SERVER, new Uint8Array(MAX_CORE_SIZE - 111))).toThrow(RangeError);
    for (const length of [0, 8, 40, 55, MAX_CORE_SIZE + 1])
      expect(ServerHandshake.openSeal(new Uint8Array(length), SERVER_KEYS)).toBeUndefined();
  });

  test("begins with a hint that names the server to who knows its pin (RDV-1)", () => {
    const { pin } = SERVER_KEYS;
    expect(hex(pin)).toBe("b9f3ac390fa266062af1c166");
    const root = M(utf8("punchline/1 server"), pin);
    expect(hex(SERVER_KEYS.hint)).toBe(hex(L(root, "hint", 8)));
    expect(hex(SERVER_KEYS.seal)).toBe(hex(L(root, "seal")));
    expect(hex(SERVER_KEYS.cookie)).toBe(hex(L(root, "cookie")));
    for (const seed of [0xa0, 0xa1]) {
      expect(unmaskHint(SERVER_KEYS.hintCipher, client(counting(1, 9), seed).core1)).toEqual(SERVER_KEYS.hint);
    }
  });

  test("is dropped with any byte changed, and goes on with the true message (RDV-4)", () => {
    const initiator = client();
    const { core1 } = initiator;
    for (let i = 0; i < core1.length; i++)
      expect(ServerHandshake.openSeal(flipped(core1, i), SERVER_KEYS)).toBeUndefined();
    const { core2 } = answer(core1);
    for (let i = 0; i < core2.length; i++) expect(initiator.readCore2(flipped(core2, i))).toBeUndefined();
    for (let length = 0; length < core2.length; length++)
      expect(initiator.readCore2(core2.slice(0, length))).toBeUndefined();
    expect(initiator.readCore2(core2)).toBeDefined();
    expect(initiator.readCore2(core2)).toBeUndefined();
  });

  test("is not finished by who knows the pin but has another key, and then still by the server (RDV-3)", () => {
    const initiator = client();
    const forged = answer(initiator.core1, PEER).core2;
    expect(initiator.readCore2(forged)).toBeUndefined();
    expect(initiator.readCore2(answer(initiator.core1).core2)?.serverKey).toEqual(SERVER.publicKey);
  });

  test("is not finished by the answer to another client (RDV-4)", () => {
    const other = answer(client(counting(1, 9), 0xa1).core1).core2;
    expect(client().readCore2(other)).toBeUndefined();
  });

  test("ends at a key that no secret can be shared with, before anything is answered (RDV-4, HS-4)", () => {
    for (const key of LOW_ORDER) {
      const noise1 = Uint8Array.of(...key, ...counting(1, 9));
      expect(ServerHandshake.read(noise1, SERVER_KEYS, SERVER)).toBeUndefined();
    }
    expect(ServerHandshake.read(new Uint8Array(31), SERVER_KEYS, SERVER)).toBeUndefined();
  });

  test("is proven by a cookie like any other (HS-11)", () => {
    const { core1 } = client();
    const nonce = counting(9, 12);
    const cookie = counting(7, 16);
    const sealed = sealCookie(SERVER_KEYS, { cookie, nonce, core: core1 });
    expect(openCookie(SERVER_KEYS, { nonce, sealed }, core1)).toEqual(cookie);
    expect(openCookie(SERVER_KEYS, { nonce, sealed }, client(counting(1, 9), 0xa1).core1)).toBeUndefined();
    expect(macOfCookie(cookie, core1, counting(1, 8))).toHaveLength(16);
  });
});

describe("the proof of a key", () => {
  const payload = counting(0x60, 33);
  const prove = (changes: Partial<Parameters<typeof proveKey>[0]> = {}) =>
    proveKey({
      identity: LISTENER,
      serverKey: SERVER.publicKey,
      handshakeHash: HASH,
      ephemeral: keyPairFromSeed(counting(0xb0, 32)),
      payload,
      ...changes,
    });
  const verify = (message: Uint8Array, handshakeHash = HASH) =>
    verifyKeyProof(message, { identity: SERVER, handshakeHash });

  test("shows the key and its words to the server of that session (RDV-7)", () => {
    const message = prove();
    expect(message).toHaveLength(KEY_PROOF_OVERHEAD + payload.length);
    expect(verify(message)).toEqual({ key: LISTENER.publicKey, payload });
  });

  test("proves nothing in another session, to another server, or with a byte changed (RDV-7)", () => {
    const message = prove();
    expect(verify(message, counting(0x31, 32))).toBeUndefined();
    expect(verify(prove({ serverKey: PEER.publicKey }))).toBeUndefined();
    for (let i = 0; i < message.length; i++) expect(verify(flipped(message, i))).toBeUndefined();
    for (let length = 0; length < message.length; length += 7) expect(verify(message.slice(0, length))).toBeUndefined();
  });

  test("is none with a key of low order (RDV-7)", () => {
    for (const key of LOW_ORDER) expect(verify(Uint8Array.of(...key, ...prove().subarray(32)))).toBeUndefined();
  });
});

describe("slots", () => {
  const { pin } = SERVER_KEYS;

  test("of a ticket are those of the formula, with a value computed by hand (RDV-5)", () => {
    const root = M(utf8("punchline/1 ticket"), counting(0xd0, 16), LISTENER.publicKey);
    const blind = M(L(root, "slot"), pin).subarray(0, 16);
    expect(hex(ticketBlind(KEYS, pin))).toBe(hex(blind));
    const slot = H(utf8("punchline/1 slot"), Buffer.of(0), LISTENER.publicKey, blind).subarray(0, 16);
    expect(hex(ticketSlot(LISTENER.publicKey, blind))).toBe(hex(slot));
    expect(hex(slot)).toBe("d84edcf20b81e55c18b85f138c09daa7");
  });

  test("differ between servers, keys, and tickets, and from those of connections (RDV-5, RDV-6)", () => {
    const blind = ticketBlind(KEYS, pin);
    const preimage = Uint8Array.of(...LISTENER.publicKey.subarray(0, 16), ...blind);
    const names = [
      ticketSlot(LISTENER.publicKey, blind),
      ticketSlot(PEER.publicKey, blind),
      ticketSlot(LISTENER.publicKey, ticketBlind(KEYS, counting(1, 12))),
      connectionSlot(preimage),
      connectionSlot(counting(2, 32)),
    ].map(hex);
    expect(new Set(names).size).toBe(names.length);
    expect(hex(connectionSlot(preimage))).toBe(
      hex(H(utf8("punchline/1 slot"), Buffer.of(1), preimage).subarray(0, 16)),
    );
  });
});
