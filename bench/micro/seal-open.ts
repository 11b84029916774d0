/**
 * Sealing and opening packets of 1,452 bytes, 40 in each operation, as bulk data is sent; and dropping forged ones.
 *
 * @module
 */
import benny from "benny";
import { type AeadId, deriveDirection, SessionSecrets } from "../../src/crypto/key-schedule.ts";
import { PacketOpener, PacketSealer } from "../../src/crypto/packet-protection.ts";
import { writePacketHeader } from "../../src/wire/packet-header.ts";

const SIZE = 1_452;
const BATCH = 40;

/** Batches that an opener takes before it is replaced: each packet opens only once. */
const BATCHES = 25;

const CONNECTION_ID = new Uint8Array(8);
const NAMES: Readonly<Record<AeadId, string>> = { 1: "AES-128-GCM", 2: "ChaCha20-Poly1305" };

function secretsOf(aead: AeadId) {
  return deriveDirection(
    new SessionSecrets(new Uint8Array(32), new Uint8Array(32), new Uint8Array(32)),
    "initiator",
    aead,
  );
}

/** Writes the headers of a batch and seals it; payloads are whatever is there. */
function seal(sealer: PacketSealer, buffer: Uint8Array, firstPacketNumber: number): void {
  for (let i = 0; i < BATCH; i++) {
    writePacketHeader(buffer, i * SIZE, {
      ...{ space: "data", keyPhase: 0, length: SIZE, connectionId: CONNECTION_ID },
      packetNumber: firstPacketNumber + i,
    });
  }
  sealer.sealBatch(buffer, { space: "data", start: 0, segmentSize: SIZE, total: BATCH * SIZE, firstPacketNumber });
}

function sealing(aead: AeadId) {
  return benny.add(`seal, ${NAMES[aead]}`, () => {
    const sealer = new PacketSealer({ secrets: secretsOf(aead), limits: { sealedPerPhase: Number.MAX_SAFE_INTEGER } });
    const buffer = new Uint8Array(BATCH * SIZE);
    let next = 0;
    return () => {
      seal(sealer, buffer, next);
      next += BATCH;
    };
  });
}

function opening(aead: AeadId) {
  return benny.add(`open, ${NAMES[aead]}`, () => {
    const secrets = secretsOf(aead);
    const sealer = new PacketSealer({ secrets });
    const packets: Uint8Array[] = [];
    for (let i = 0; i < BATCHES; i++) {
      const buffer = new Uint8Array(BATCH * SIZE);
      seal(sealer, buffer, i * BATCH);
      for (let at = 0; at < buffer.length; at += SIZE) packets.push(buffer.subarray(at, at + SIZE));
    }
    let opener = new PacketOpener({ secrets });
    let next = 0;
    return () => {
      if (next === packets.length) {
        opener = new PacketOpener({ secrets });
        next = 0;
      }
      for (const end = next + BATCH; next < end; next++) {
        if (opener.open(packets[next]!) === undefined) throw new Error("a packet did not open");
      }
    };
  });
}

function refusing(aead: AeadId) {
  return benny.add(`refuse forged, ${NAMES[aead]}`, () => {
    const opener = new PacketOpener({ secrets: secretsOf(aead) });
    const forged = new Uint8Array(SIZE);
    forged.set([0xe0, SIZE >>> 8, SIZE & 0xff]);
    return () => {
      for (let i = 0; i < BATCH; i++) opener.open(forged);
    };
  });
}

export async function run() {
  return benny.suite(
    `packet protection, ${BATCH} packets of ${SIZE} bytes`,
    sealing(1),
    sealing(2),
    opening(1),
    opening(2),
    refusing(1),
    refusing(2),
  );
}
