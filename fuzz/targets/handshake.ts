/**
 * Handshake messages: any bytes, and any change of a valid message, are refused at every stage without a throw and
 * without a change of state: afterwards the true message completes the handshake.
 *
 * @module
 */
import { deepStrictEqual } from "node:assert";
import fc from "fast-check";
import { openCookie, sealCookie } from "../../src/crypto/cookie.ts";
import { InitiatorHandshake, ResponderHandshake } from "../../src/crypto/handshake.ts";
import { keyPairFromSeed } from "../../src/crypto/primitives.ts";
import { deriveTicketKeys, hintCipher, unmaskHint } from "../../src/crypto/ticket-keys.ts";
import { equalBytes } from "../../src/util/bytes.ts";
import { assert } from "../../src/util/invariant.ts";
import { bytes, exactBytes, record } from "../arbitraries.ts";
import { type Mutation, mutate, mutation } from "../mutation.ts";
import type { FuzzTarget } from "../target.ts";

const LISTENER = keyPairFromSeed(new Uint8Array(32).fill(1));
const PEER = keyPairFromSeed(new Uint8Array(32).fill(2));
const KEYS = deriveTicketKeys({ key: LISTENER.publicKey, secret: new Uint8Array(16), core: new Uint8Array(53) });
const HINTS = hintCipher(LISTENER.publicKey);

interface Honest {
  readonly payload1: Uint8Array;
  readonly payload2: Uint8Array;
  readonly seed: Uint8Array;
}

const honest: fc.Arbitrary<Honest> = record({ payload1: bytes(200), payload2: bytes(200), seed: exactBytes(32) });

export const target: FuzzTarget = {
  name: "handshake",
  property: () =>
    fc.property(bytes(1_300), honest, mutation, mutation, (raw, parties, first, second) => {
      readRaw(raw);
      complete(parties, first, second);
    }),
};

/** Bytes of a stranger at each place where they may arrive. */
function readRaw(raw: Uint8Array): void {
  assert(ResponderHandshake.openSeal(raw, KEYS) === undefined, "opened a stranger's seal");
  assert(ResponderHandshake.read(raw, KEYS, LISTENER) === undefined, "read a stranger's message");
  if (raw.length >= 24) assert(unmaskHint(HINTS, raw).length === 8, "hint");
  const cookie = { nonce: new Uint8Array(12), sealed: raw };
  assert(openCookie(KEYS, cookie, raw) === undefined, "opened a stranger's cookie");
}

/** A handshake in which an attacker changes each message once before the true one arrives. */
function complete({ payload1, payload2, seed }: Honest, first: Mutation, second: Mutation): void {
  const ephemeral = keyPairFromSeed(seed);
  const initiator = new InitiatorHandshake({
    keys: KEYS,
    listenerKey: LISTENER.publicKey,
    identity: PEER,
    ephemeral,
    payload: payload1,
  });
  const { core1 } = initiator;
  assert(equalBytes(unmaskHint(HINTS, core1), KEYS.hint), "hint");

  const forged1 = mutate(core1, first);
  if (!equalBytes(forged1, core1)) assert(ResponderHandshake.openSeal(forged1, KEYS) === undefined, "forged core1");
  const noise1 = ResponderHandshake.openSeal(core1, KEYS);
  assert(noise1 !== undefined, "true core1");
  const inner = mutate(noise1, second);
  if (!equalBytes(inner, noise1)) assert(ResponderHandshake.read(inner, KEYS, LISTENER) === undefined, "forged noise1");
  const received = ResponderHandshake.read(noise1, KEYS, LISTENER);
  assert(received !== undefined && equalBytes(received.payload, payload1), "true noise1");
  assert(equalBytes(received.peerKey, PEER.publicKey), "peer's key");

  const { core2, session } = received.respond(payload2, keyPairFromSeed(Uint8Array.from(seed).reverse()));
  for (const change of [first, second]) {
    const forged2 = mutate(core2, change);
    if (!equalBytes(forged2, core2)) assert(initiator.readCore2(forged2) === undefined, "forged core2");
  }
  const opened = initiator.readCore2(core2);
  assert(opened !== undefined && equalBytes(opened.payload, payload2), "true core2");
  deepStrictEqual(opened.session, session);

  const nonce = seed.slice(0, 12);
  const cookie = seed.slice(12, 28);
  const sealed = sealCookie(KEYS, { cookie, nonce, core: core1 });
  deepStrictEqual(openCookie(KEYS, { nonce, sealed }, core1), cookie);
}
