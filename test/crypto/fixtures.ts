/**
 * Keys, tickets and frozen vectors for the tests of this folder.
 *
 * @module
 */
import { readFileSync } from "node:fs";
import { InitiatorHandshake, ResponderHandshake } from "../../src/crypto/handshake.ts";
import { type AeadId, deriveDirection, SessionSecrets } from "../../src/crypto/key-schedule.ts";
import type { ProtectionLimits } from "../../src/crypto/limits.ts";
import { PacketOpener, PacketSealer } from "../../src/crypto/packet-protection.ts";
import { keyPairFromSeed } from "../../src/crypto/primitives.ts";
import { deriveTicketKeys } from "../../src/crypto/ticket-keys.ts";
import { HEADER_SIZE, type PacketSpace, TAG_SIZE, writePacketHeader } from "../../src/wire/packet-header.ts";

export function bytes(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, "hex"));
}

export function hex(data: Uint8Array): string {
  return Buffer.from(data).toString("hex");
}

/** Bytes that count up. */
export function counting(first: number, length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => first + i);
}

/** A frozen file of spec/vectors. */
export function readVectors<Vectors>(name: string): Vectors {
  return JSON.parse(readFileSync(new URL(`../../spec/vectors/${name}.json`, import.meta.url), "utf8"));
}

export const LISTENER = keyPairFromSeed(counting(0x10, 32));
export const PEER = keyPairFromSeed(counting(0x70, 32));
export const TICKET = { key: LISTENER.publicKey, secret: counting(0xd0, 16), core: counting(0x01, 53) };
export const KEYS = deriveTicketKeys(TICKET);

/** Secrets of a session that no handshake made. */
export function session(seed = 1): SessionSecrets {
  return new SessionSecrets(counting(seed, 32), counting(seed + 100, 32), counting(seed + 200, 32));
}

/** What one side sends with and what the other receives with. */
export function direction(aead: AeadId = 1, limits: Partial<ProtectionLimits> = {}) {
  const secrets = deriveDirection(session(), "initiator", aead);
  return { sealer: new PacketSealer({ secrets, limits }), opener: new PacketOpener({ secrets, limits }) };
}

export const CONNECTION_ID = counting(0xb1, 8);

/** One sealed packet. */
export function sealPacket(
  sealer: PacketSealer,
  options: { readonly packetNumber: number; readonly payload?: Uint8Array; readonly space?: PacketSpace },
): Uint8Array {
  const { packetNumber, payload = new Uint8Array(20), space = "data" } = options;
  const packet = new Uint8Array(HEADER_SIZE + payload.length + TAG_SIZE);
  const keyPhase = space === "data" ? sealer.keyPhase : 0;
  writePacketHeader(packet, 0, { space, keyPhase, length: packet.length, connectionId: CONNECTION_ID, packetNumber });
  packet.set(payload, HEADER_SIZE);
  sealer.sealBatch(packet, {
    space,
    start: 0,
    segmentSize: packet.length,
    total: packet.length,
    firstPacketNumber: packetNumber,
  });
  return packet;
}

/** Both sides of a handshake up to the second message. */
export function handshake(payload1 = counting(1, 9), payload2 = counting(50, 9)) {
  const initiator = new InitiatorHandshake({
    keys: KEYS,
    listenerKey: LISTENER.publicKey,
    identity: PEER,
    ephemeral: keyPairFromSeed(counting(0xa0, 32)),
    payload: payload1,
  });
  const received = ResponderHandshake.read(ResponderHandshake.openSeal(initiator.core1, KEYS)!, KEYS, LISTENER)!;
  const responded = received.respond(payload2, keyPairFromSeed(counting(0x40, 32)));
  return { initiator, received, ...responded };
}

/** The bytes with one of them changed. */
export function flipped(data: Uint8Array, index: number, mask = 1): Uint8Array {
  const copy = data.slice();
  copy[index] = copy[index]! ^ mask;
  return copy;
}
