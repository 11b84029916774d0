/**
 * STUN messages, made by another implementation, on the socket that carries our datagrams.
 *
 * @module
 */
import { createRequire } from "node:module";
import { describe, expect, test } from "vitest";
import { classify, cut, statedLength } from "../../src/wire/datagram.ts";
import { encodeInit } from "../../src/wire/handshake-datagram.ts";
import { writePacketHeader } from "../../src/wire/packet-header.ts";

/** The part of the package `stun` that is used here; it comes without types. */
interface Stun {
  createMessage(type: number): StunMessage;
  encode(message: StunMessage): Uint8Array;
  readonly constants: Readonly<Record<string, number>>;
}

interface StunMessage {
  addAddress(address: string, port: number): void;
  addXorAddress(address: string, port: number): void;
  addUsername(name: string): void;
  addSoftware(text: string): void;
  addError(code: number, reason: string): void;
  addMessageIntegrity(key: string): void;
  addFingerprint(): void;
}

const stun: Stun = createRequire(import.meta.url)("stun");
const { STUN_BINDING_REQUEST, STUN_BINDING_RESPONSE, STUN_BINDING_ERROR_RESPONSE, STUN_BINDING_INDICATION } =
  stun.constants;

function message(type: number | undefined, fill: (message: StunMessage) => void = () => {}): Uint8Array {
  const built = stun.createMessage(type!);
  fill(built);
  return Uint8Array.from(stun.encode(built));
}

const MESSAGES = [
  { name: "a request", bytes: message(STUN_BINDING_REQUEST) },
  { name: "an indication", bytes: message(STUN_BINDING_INDICATION) },
  { name: "a response", bytes: message(STUN_BINDING_RESPONSE, (each) => each.addXorAddress("192.0.2.7", 40_000)) },
  {
    name: "a response over IPv6 with a fingerprint",
    bytes: message(STUN_BINDING_RESPONSE, (each) => {
      each.addAddress("2001:db8::7", 40_000);
      each.addSoftware("another implementation");
      each.addFingerprint();
    }),
  },
  { name: "an error", bytes: message(STUN_BINDING_ERROR_RESPONSE, (each) => each.addError(401, "unauthorized")) },
  {
    name: "an authenticated request",
    bytes: message(STUN_BINDING_REQUEST, (each) => {
      each.addUsername("user:name");
      each.addMessageIntegrity("password");
      each.addFingerprint();
    }),
  },
];

/** An unmasked packet; the mask leaves its length and its kind as they are. */
function packet(length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  writePacketHeader(bytes, 0, { space: "data", keyPhase: 0, length, connectionId: new Uint8Array(8), packetNumber: 1 });
  return bytes;
}

describe.each(MESSAGES)("$name", ({ bytes }) => {
  test("is STUN by its first byte, and ours never is (RFC 7983 §7, WIRE-3)", () => {
    expect(classify(bytes[0]!)).toBe("stun");
    for (let firstByte = 0x80; firstByte <= 0xff; firstByte++) expect(classify(firstByte)).not.toBe("stun");
  });

  test("states its own length (WIRE-4)", () => {
    expect(statedLength(bytes, 0, bytes.length)).toBe(bytes.length);
  });

  test("is separated from packets of its size that arrived with it (WIRE-4)", () => {
    const size = Math.max(bytes.length, 40);
    const padding = size - bytes.length;
    // Only equal sizes are merged: a shorter message can only come last.
    const datagrams = padding === 0 ? [packet(size), bytes, packet(size)] : [packet(size), bytes];
    const buffer = Uint8Array.from(datagrams.flatMap((each) => Array.from(each)));
    const out: Uint8Array[] = [];
    expect(cut(buffer, 0, out)).toBe(datagrams.length);
    expect(out.map((piece) => classify(piece[0]!))).toEqual(datagrams.map((each) => classify(each[0]!)));
    expect(out).toEqual(datagrams);
  });
});

test("our own datagrams are told apart on the same socket (INV-1)", () => {
  const init = encodeInit({ core: new Uint8Array(120), token: new Uint8Array(8), mac2: new Uint8Array(16) });
  expect([classify(init[0]!), statedLength(init, 0, init.length)]).toEqual(["init", 1200]);
  expect([classify(packet(40)[0]!), statedLength(packet(40), 0, 40)]).toEqual(["protected", 40]);
});
