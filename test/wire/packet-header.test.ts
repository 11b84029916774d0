/**
 * The header of protected packets.
 *
 * @module
 */
import { expect, test } from "vitest";
import { classify } from "../../src/wire/datagram.ts";
import {
  connectionIdKey,
  HEADER_SIZE,
  isDataPacket,
  keyPhaseOf,
  MIN_PACKET_SIZE,
  PACKET_NUMBER_OFFSET,
  PACKET_OVERHEAD,
  SAMPLE_OFFSET,
  TAG_SIZE,
  truncatedPacketNumber,
  writePacketHeader,
} from "../../src/wire/packet-header.ts";

const ID = Uint8Array.of(0xb1, 0xb2, 0xb3, 0xb4, 0xb5, 0xb6, 0xb7, 0xb8);

test("fifteen bytes hold space, phase, length, connection id and packet number (INV-1, INV-3)", () => {
  const target = new Uint8Array(20).fill(0xee);
  writePacketHeader(target, 2, {
    space: "data",
    keyPhase: 1,
    length: 1452,
    connectionId: ID,
    packetNumber: 2 ** 40 + 7,
  });
  expect(Buffer.from(target).toString("hex")).toBe("eeee" + "e1" + "05ac" + "b1b2b3b4b5b6b7b8" + "00000007" + "eeeeee");
  expect(truncatedPacketNumber(target, 2)).toBe(7);
});

test.each([
  { space: "probe", keyPhase: 0, firstByte: 0xc0 },
  { space: "data", keyPhase: 0, firstByte: 0xe0 },
  { space: "data", keyPhase: 1, firstByte: 0xe1 },
] as const)("the first byte of $space in phase $keyPhase is $firstByte: reserved bits are 0 (WIRE-7)", (sample) => {
  const target = new Uint8Array(HEADER_SIZE);
  writePacketHeader(target, 0, { ...sample, length: 40, connectionId: ID, packetNumber: 0 });
  expect(target[0]).toBe(sample.firstByte);
});

test("reserved bits change neither kind, space nor phase (WIRE-7)", () => {
  for (let reserved = 0; reserved < 16; reserved++) {
    for (const firstByte of [0xc0, 0xc1, 0xe0, 0xe1]) {
      const byte = firstByte | (reserved << 1);
      expect(classify(byte)).toBe("protected");
      expect([isDataPacket(byte), keyPhaseOf(byte)]).toEqual([isDataPacket(firstByte), keyPhaseOf(firstByte)]);
    }
  }
});

test("the sizes add up: the sample for header protection begins with the ciphertext", () => {
  expect(PACKET_NUMBER_OFFSET + 4).toBe(HEADER_SIZE);
  expect(SAMPLE_OFFSET).toBe(HEADER_SIZE);
  expect(HEADER_SIZE + TAG_SIZE).toBe(PACKET_OVERHEAD);
});

test("the smallest packet, of 40 bytes, holds a whole sample for header protection (WIRE-8, RFC 9001 §5.4.2)", () => {
  expect(MIN_PACKET_SIZE).toBe(40);
  expect(MIN_PACKET_SIZE).toBeGreaterThanOrEqual(SAMPLE_OFFSET + 16);
});

test("the key of a connection id is an exact integer of its first 48 bits", () => {
  expect(connectionIdKey(ID, 0)).toBe(0xb1b2b3b4b5b6);
  expect(connectionIdKey(Uint8Array.of(9, ...new Uint8Array(8).fill(0xff)), 1)).toBe(2 ** 48 - 1);
});
