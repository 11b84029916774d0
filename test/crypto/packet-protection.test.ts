/**
 * Packet protection against frozen values, an independent computation, and attackers.
 *
 * @module
 */
import { inspect } from "node:util";
import { describe, expect, test } from "vitest";
import {
  type AeadId,
  type DirectionSecrets,
  deriveDirection,
  deriveKey,
  SessionSecrets,
} from "../../src/crypto/key-schedule.ts";
import { PROTECTION_LIMITS } from "../../src/crypto/limits.ts";
import { createPacketKey, type PacketKeyFactory } from "../../src/crypto/packet-key.ts";
import { PacketOpener, PacketSealer } from "../../src/crypto/packet-protection.ts";
import { secretBytes } from "../../src/util/secret-bytes.ts";
import { CLOSE_CODE } from "../../src/wire/codes.ts";
import type { PacketSpace } from "../../src/wire/packet-header.ts";
import { writePacketHeader } from "../../src/wire/packet-header.ts";
import {
  bytes,
  CONNECTION_ID,
  counting,
  direction,
  flipped,
  hex,
  readVectors,
  sealPacket,
  session,
} from "./fixtures.ts";
import { deriveTraffic, protect } from "./oracle.ts";

interface KeyVector {
  readonly secret: string;
  readonly key: string;
  readonly iv: string;
}

interface PacketVector {
  readonly space: PacketSpace;
  readonly phase: number;
  readonly packetNumber: string;
  readonly payload: string;
  readonly header: string;
  readonly packet: string;
}

interface DirectionVector {
  readonly aead: AeadId;
  readonly sender: "initiator" | "responder";
  readonly keys: { readonly data: readonly KeyVector[]; readonly probe: KeyVector; readonly header: string };
  readonly packets: readonly PacketVector[];
  readonly batch: {
    readonly firstPacketNumber: number;
    readonly segmentSize: number;
    readonly packets: readonly PacketVector[];
    readonly whole: string;
  };
}

interface Vectors {
  readonly initiatorKey: string;
  readonly responderKey: string;
  readonly handshakeHash: string;
  readonly directions: readonly DirectionVector[];
}

const vectors = readVectors<Vectors>("packet-protection");

describe.each(vectors.directions)("the frozen packets of AEAD $aead, sent by the $sender", (vector) => {
  const secrets = deriveDirection(
    new SessionSecrets(bytes(vectors.initiatorKey), bytes(vectors.responderKey), bytes(vectors.handshakeHash)),
    vector.sender,
    vector.aead,
  );

  test("have the keys of the schedule, for three phases (HS-1, HS-14, HS-21)", () => {
    expect(hex(secrets.header)).toBe(vector.keys.header);
    expect(hex(secrets.probe)).toBe(vector.keys.probe.secret);
    expect(hex(secrets.data)).toBe(vector.keys.data[0]!.secret);
    for (const { secret, key, iv } of [vector.keys.probe, ...vector.keys.data]) {
      const derived = deriveKey(bytes(secret), vector.aead);
      expect([hex(derived.key), hex(derived.iv)]).toEqual([key, iv]);
    }
  });

  test.each(vector.packets)("$space $packetNumber of phase $phase is sealed to the byte (HS-17)", (packet) => {
    const sealer = new PacketSealer({ secrets });
    for (let i = 0; i < packet.phase; i++) sealer.advance();
    const { space, payload } = packet;
    const sealed = sealPacket(sealer, { packetNumber: Number(packet.packetNumber), space, payload: bytes(payload) });
    expect(hex(sealed)).toBe(packet.packet);
  });

  test.each(vector.packets)("$space $packetNumber of phase $phase opens (HS-17)", (packet) => {
    const packetNumber = Number(packet.packetNumber);
    // An opener that begins with an even phase; the phase after it is the next one.
    const even = packet.phase - (packet.phase % 2);
    const data = secretBytes(bytes(vector.keys.data[even]!.secret));
    const opener = new PacketOpener({ secrets: { ...secrets, data }, firstPacketNumber: packetNumber });
    const opened = opener.open(bytes(packet.packet))!;
    expect(opened.space).toBe(packet.space);
    expect(opened.packetNumber).toBe(packetNumber);
    expect(opened.isNewPhase).toBe(packet.phase % 2 === 1);
    expect(hex(opened.payload)).toBe(packet.payload);
  });

  test("make a batch with a short tail, sealed and masked in one buffer (HS-17)", () => {
    const { firstPacketNumber, segmentSize, packets, whole } = vector.batch;
    const margin = 7;
    const buffer = new Uint8Array(whole.length / 2 + 2 * margin).fill(0xee);
    let at = margin;
    for (const packet of packets) {
      buffer.set(bytes(packet.header), at);
      buffer.set(bytes(packet.payload), at + 15);
      at += segmentSize;
    }
    const total = whole.length / 2;
    new PacketSealer({ secrets }).sealBatch(buffer, {
      space: "data",
      start: margin,
      segmentSize,
      total,
      firstPacketNumber,
    });
    expect(hex(buffer.subarray(margin, margin + total))).toBe(whole);
    // Not a byte beside the batch was touched.
    expect(buffer.subarray(0, margin).every((byte) => byte === 0xee)).toBe(true);
    expect(buffer.subarray(margin + total).every((byte) => byte === 0xee)).toBe(true);
  });
});

describe.each([1, 2] as const)("AEAD %i", (aead) => {
  test("seals what a second implementation seals, at numbers around 2^32 and 2^53 (HS-17)", () => {
    const secrets = deriveDirection(session(), "initiator", aead);
    const plain = deriveTraffic(counting(1, 32), counting(201, 32), aead);
    const numbers = [0, 1, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 32 + 1, 2 ** 40 + 12_345, 2 ** 53 - 2, 2 ** 53 - 1];
    const sealer = new PacketSealer({ secrets });
    for (const packetNumber of numbers) {
      const payload = counting(packetNumber % 200, 30);
      const sealed = sealPacket(sealer, { packetNumber, payload });
      const { key, iv } = plain.data[0]!;
      const expected = protect({
        ...{ aead, key, iv, header: plain.header, payload },
        ...{ space: "data", keyPhase: 0, connectionId: CONNECTION_ID, packetNumber: BigInt(packetNumber) },
      });
      expect(hex(sealed)).toBe(hex(expected.packet));
      const opener = new PacketOpener({ secrets, firstPacketNumber: packetNumber });
      expect(opener.open(sealed)?.packetNumber).toBe(packetNumber);
    }
  });

  test("refuses a packet with any byte changed, then accepts the true one (HS-19)", () => {
    const { sealer, opener } = direction(aead);
    for (const space of ["data", "probe"] as const) {
      const packet = sealPacket(sealer, { packetNumber: 0, space, payload: counting(3, 40) });
      for (let i = 0; i < packet.length; i++) {
        for (const mask of [0x01, 0x20, 0x80]) expect(opener.open(flipped(packet, i, mask))).toBeUndefined();
      }
      for (let length = 0; length < packet.length; length++) {
        expect(opener.open(packet.slice(0, length))).toBeUndefined();
        const relabelled = packet.slice(0, length);
        if (length >= 3) relabelled.set([length >> 8, length & 0xff], 1);
        expect(opener.open(relabelled)).toBeUndefined();
      }
      expect(opener.phase).toBe(0);
      expect(opener.open(packet)?.payload).toEqual(counting(3, 40));
    }
    expect(opener.failures.replayed).toBe(0);
  });

  test("does not try to open what is too short or states another length (INV-4, WIRE-8)", () => {
    const { sealer, opener } = direction(aead);
    const packet = sealPacket(sealer, { packetNumber: 0, payload: counting(3, 40) });
    opener.open(new Uint8Array(0));
    opener.open(packet.slice(0, 39));
    opener.open(packet.slice(0, -1));
    opener.open(flipped(packet, 1));
    opener.open(Uint8Array.of(...packet, 0));
    expect(opener.failures).toEqual({ malformed: 5, badTag: 0, replayed: 0 });
    opener.open(flipped(packet, 3));
    expect(opener.failures).toEqual({ malformed: 5, badTag: 1, replayed: 0 });
  });

  test("opens each packet once, in any order (HS-20)", () => {
    const { sealer, opener } = direction(aead);
    const packets = Array.from({ length: 100 }, (_, packetNumber) => sealPacket(sealer, { packetNumber }));
    const order = packets.map((_, i) => (i * 37) % 100);
    let highest = -1;
    for (const number of order) {
      const opened = opener.open(packets[number]!)!;
      expect(opened.packetNumber).toBe(number);
      expect(opened.isNewest).toBe(number > highest);
      highest = Math.max(highest, number);
    }
    for (const packet of packets) expect(opener.open(packet)).toBeUndefined();
    expect(opener.failures).toEqual({ malformed: 0, badTag: 0, replayed: 100 });
  });

  test("stops opening when too many packets have failed (HS-26)", () => {
    const { sealer, opener } = direction(aead, { failedOpens: 5 });
    const [first, second] = [sealPacket(sealer, { packetNumber: 0 }), sealPacket(sealer, { packetNumber: 1 })];
    for (let i = 0; i < 4; i++) opener.open(flipped(first, 20));
    expect(opener.isExhausted).toBe(false);
    expect(opener.open(first)).toBeDefined();
    opener.open(flipped(second, 20));
    expect(opener.isExhausted).toBe(true);
    expect(opener.open(second)).toBeUndefined();
  });
});

describe("the sealer", () => {
  test("uses no packet number twice, and none below one used before (HS-18)", () => {
    const { sealer } = direction();
    sealPacket(sealer, { packetNumber: 7 });
    for (const packetNumber of [0, 6, 7]) expect(() => sealPacket(sealer, { packetNumber })).toThrow("used once");
    sealPacket(sealer, { packetNumber: 8 });
    sealer.advance();
    expect(() => sealPacket(sealer, { packetNumber: 8 })).toThrow("used once");
    // The other space has numbers and a key of its own.
    sealPacket(sealer, { packetNumber: 0, space: "probe" });
    expect(() => sealPacket(sealer, { packetNumber: 0, space: "probe" })).toThrow("used once");
  });

  test("burns the numbers of a batch that fails (HS-18)", () => {
    const failing: PacketKeyFactory = () => ({
      sealBatch: () => {
        throw new Error("out of order");
      },
      open: () => undefined,
      wipe: () => {},
    });
    const sealer = new PacketSealer({ secrets: deriveDirection(session(), "initiator", 1), createKey: failing });
    expect(() => sealPacket(sealer, { packetNumber: 3 })).toThrow("out of order");
    expect(() => sealPacket(sealer, { packetNumber: 3 })).toThrow("used once");
  });

  test("ends at packet number 2^53 − 1 (WIRE-9)", () => {
    const { sealer } = direction();
    sealPacket(sealer, { packetNumber: Number.MAX_SAFE_INTEGER });
    const beyond = direction().sealer;
    expect(() => sealPacket(beyond, { packetNumber: 2 ** 53 })).toThrow("2^53");
    const batch = { space: "data", start: 0, segmentSize: 40, total: 80, firstPacketNumber: 2 ** 53 - 1 } as const;
    expect(() => beyond.sealBatch(new Uint8Array(80), batch)).toThrow("2^53");
  });

  test("seals no more packets under one key than its limit, until the next phase (HS-25)", () => {
    const { sealer } = direction(1, { sealedPerPhase: 3, sealedProbes: 2 });
    for (let packetNumber = 0; packetNumber < 3; packetNumber++) sealPacket(sealer, { packetNumber });
    expect([sealer.remaining("data"), sealer.sealedInPhase]).toEqual([0, 3]);
    expect(() => sealPacket(sealer, { packetNumber: 3 })).toThrow("so many packets");
    sealer.advance();
    expect([sealer.remaining("data"), sealer.sealedInPhase, sealer.phase, sealer.keyPhase]).toEqual([3, 0, 1, 1]);
    sealPacket(sealer, { packetNumber: 3 });
    for (const packetNumber of [0, 1]) sealPacket(sealer, { packetNumber, space: "probe" });
    expect(() => sealPacket(sealer, { packetNumber: 2, space: "probe" })).toThrow("so many packets");
  });

  test("has the limits of RFC 9001 §6.6 (HS-25, HS-26)", () => {
    expect(PROTECTION_LIMITS[1]).toEqual({ sealedPerPhase: 2 ** 23, sealedProbes: 2 ** 22, failedOpens: 2 ** 52 });
    expect(PROTECTION_LIMITS[2]).toMatchObject({ sealedProbes: 2 ** 22, failedOpens: 2 ** 36 });
  });

  test("refuses a packet without room for a sample, and more than 64 packets at once", () => {
    const { sealer } = direction();
    const buffer = new Uint8Array(65 * 40);
    const seal = (segmentSize: number, total: number) => () =>
      sealer.sealBatch(buffer, { space: "data", start: 0, segmentSize, total, firstPacketNumber: 0 });
    expect(seal(39, 39)).toThrow("sample");
    expect(seal(40, 79)).toThrow("sample");
    expect(seal(40, 65 * 40)).toThrow("64");
    expect(seal(40, 0)).toThrow("1 to 64");
    expect(seal(40, 64 * 40)).not.toThrow();
  });

  test("shows no key when it is printed, and seals nothing that opens once it is wiped (TKT-9, HS-15)", () => {
    const secrets = deriveDirection(session(), "initiator", 1);
    const sealer = new PacketSealer({ secrets });
    const opener = new PacketOpener({ secrets });
    for (const each of [sealer, opener, secrets]) {
      const shown = inspect(each, { depth: 9, showHidden: true }) + JSON.stringify(each);
      for (const secret of [secrets.data, secrets.probe, secrets.header]) {
        expect(shown).not.toContain([...secret.subarray(0, 4)].join(", "));
        expect(shown).not.toContain(`"0":${secret[0]},"1":${secret[1]}`);
      }
    }
    sealer.wipe();
    expect(opener.open(sealPacket(sealer, { packetNumber: 0 }))).toBeUndefined();
    const honest = new PacketSealer({ secrets });
    opener.wipe();
    expect(opener.open(sealPacket(honest, { packetNumber: 0 }))).toBeUndefined();
  });
});

describe("a key update", () => {
  test("is followed by the first packet of the next phase, and said once (HS-22)", () => {
    const { sealer, opener } = direction();
    expect(opener.open(sealPacket(sealer, { packetNumber: 0 }))).toMatchObject({ keyPhase: 0, isNewPhase: false });
    for (let phase = 1; phase <= 4; phase++) {
      sealer.advance();
      const first = opener.open(sealPacket(sealer, { packetNumber: 2 * phase }));
      expect(first).toMatchObject({ keyPhase: phase % 2, isNewPhase: true, packetNumber: 2 * phase });
      const second = opener.open(sealPacket(sealer, { packetNumber: 2 * phase + 1 }));
      expect(second).toMatchObject({ keyPhase: phase % 2, isNewPhase: false });
      expect([opener.phase, opener.keyPhase]).toEqual([phase, phase % 2]);
    }
    expect(opener.violation).toBeUndefined();
  });

  test("leaves late packets of the old phase readable until old keys are dropped (HS-22, HS-23)", () => {
    const { sealer, opener } = direction();
    const old = [0, 1, 2, 3].map((packetNumber) => sealPacket(sealer, { packetNumber }));
    opener.open(old[0]!);
    sealer.advance();
    const late = sealPacket(sealer, { packetNumber: 4 });
    const fresh = sealPacket(sealer, { packetNumber: 5 });
    expect(opener.open(fresh)?.isNewPhase).toBe(true);
    expect(opener.hasOldKeys).toBe(true);
    expect(opener.open(old[2]!)).toMatchObject({ packetNumber: 2, keyPhase: 0, isNewPhase: false });
    expect(opener.open(late)).toMatchObject({ packetNumber: 4, keyPhase: 1, isNewPhase: false });
    opener.dropOldKeys();
    expect(opener.hasOldKeys).toBe(false);
    expect(opener.open(old[1]!)).toBeUndefined();
    expect(opener.violation).toBeUndefined();
    expect(opener.failures).toEqual({ malformed: 0, badTag: 1, replayed: 0 });
  });

  test("leaves probe packets as they are (HS-21)", () => {
    const { sealer, opener } = direction();
    const before = sealPacket(sealer, { packetNumber: 0, space: "probe" });
    sealer.advance();
    const after = sealPacket(sealer, { packetNumber: 1, space: "probe" });
    expect(opener.open(after)).toMatchObject({ space: "probe", keyPhase: 0, isNewPhase: false });
    expect(opener.open(before)).toMatchObject({ space: "probe", packetNumber: 0 });
    expect(opener.phase).toBe(0);
  });

  test("by a peer that uses an old key for a higher number is a violation (HS-24, RFC 9001 §6.4)", () => {
    const secrets = deriveDirection(session(), "initiator", 1);
    const [honest, cheating] = [new PacketSealer({ secrets }), new PacketSealer({ secrets })];
    const opener = new PacketOpener({ secrets });
    opener.open(sealPacket(honest, { packetNumber: 0 }));
    honest.advance();
    opener.open(sealPacket(honest, { packetNumber: 5 }));
    expect(opener.open(sealPacket(cheating, { packetNumber: 6 }))).toBeUndefined();
    expect(opener.violation).toBe(CLOSE_CODE.KEY_UPDATE);
    // Nothing opens any more: the connection is to be closed.
    expect(opener.open(sealPacket(honest, { packetNumber: 7 }))).toBeUndefined();
  });

  test("by a peer that uses a new key for a lower number is a violation (HS-24, RFC 9001 §6.4)", () => {
    const secrets = deriveDirection(session(), "initiator", 1);
    for (const isAfterUpdate of [false, true]) {
      const [honest, cheating] = [new PacketSealer({ secrets }), new PacketSealer({ secrets })];
      const opener = new PacketOpener({ secrets });
      opener.open(sealPacket(honest, { packetNumber: 9 }));
      cheating.advance();
      if (isAfterUpdate) {
        honest.advance();
        opener.open(sealPacket(honest, { packetNumber: 10 }));
        opener.dropOldKeys();
      }
      expect(opener.open(sealPacket(cheating, { packetNumber: 8 }))).toBeUndefined();
      expect(opener.violation).toBe(CLOSE_CODE.KEY_UPDATE);
    }
  });

  test("forged by a flipped bit changes nothing and costs one more attempt at most (HS-22)", () => {
    let attempts = 0;
    const counted: PacketKeyFactory = (secret, aead) => {
      const key = createPacketKey(secret, aead);
      return {
        sealBatch: (buffer, batch) => key.sealBatch(buffer, batch),
        open: (packet, header, packetNumber) => {
          attempts += 1;
          return key.open(packet, header, packetNumber);
        },
        wipe: () => key.wipe(),
      };
    };
    const secrets = deriveDirection(session(), "initiator", 1);
    const sealer = new PacketSealer({ secrets });
    const opener = new PacketOpener({ secrets, createKey: counted });
    opener.open(sealPacket(sealer, { packetNumber: 0 }));
    sealer.advance();
    opener.open(sealPacket(sealer, { packetNumber: 1 }));
    const packet = sealPacket(sealer, { packetNumber: 2 });
    for (let i = 0; i < 1_000; i++) {
      attempts = 0;
      // The phase bit is masked, not hidden from change.
      expect(opener.open(flipped(packet, 0))).toBeUndefined();
      expect(attempts).toBeLessThanOrEqual(2);
    }
    expect([opener.phase, opener.violation]).toEqual([1, undefined]);
    expect(opener.open(packet)?.packetNumber).toBe(2);
  });
});

describe("keys", () => {
  test("differ by direction, space, phase, AEAD and session (HS-14)", () => {
    const seen = new Set<string>();
    let count = 0;
    const add = (secrets: DirectionSecrets) => {
      for (const secret of [secrets.data, secrets.probe]) {
        const { key, iv } = deriveKey(secret, secrets.aead);
        for (const each of [secret, key, iv]) seen.add(hex(each).slice(0, 24));
        count += 3;
      }
      seen.add(hex(secrets.header).slice(0, 24));
      count += 1;
    };
    for (const seed of [1, 2]) {
      for (const aead of [1, 2] as const) {
        for (const sender of ["initiator", "responder"] as const) add(deriveDirection(session(seed), sender, aead));
      }
    }
    expect(seen.size).toBe(count);
  });

  test("of one direction open nothing of the other (HS-14)", () => {
    const { sealer } = direction();
    const other = new PacketOpener({ secrets: deriveDirection(session(), "responder", 1) });
    expect(other.open(sealPacket(sealer, { packetNumber: 0 }))).toBeUndefined();
    expect(other.open(sealPacket(sealer, { packetNumber: 0, space: "probe" }))).toBeUndefined();
  });

  test("of one space open nothing of the other, though a bit of the header were changed (HS-17)", () => {
    const { sealer, opener } = direction();
    expect(opener.open(flipped(sealPacket(sealer, { packetNumber: 0 }), 0, 0x20))).toBeUndefined();
  });
});

test("headers are masked: neither number nor phase can be seen, and equal numbers look different (HS-17)", () => {
  const { sealer } = direction();
  const packets = [0, 1, 2, 3].map((packetNumber) =>
    sealPacket(sealer, { packetNumber, payload: counting(packetNumber, 40) }),
  );
  const masked = packets.map((packet) => hex(packet.subarray(11, 15)));
  expect(new Set(masked).size).toBe(4);
  for (const [number, text] of masked.entries()) expect(text).not.toBe(number.toString(16).padStart(8, "0"));
});

test("reserved bits of the header are ignored (WIRE-7)", () => {
  const { sealer, opener } = direction();
  const buffer = new Uint8Array(60);
  writePacketHeader(buffer, 0, {
    space: "data",
    keyPhase: 0,
    length: 60,
    connectionId: CONNECTION_ID,
    packetNumber: 0,
  });
  buffer[0] = buffer[0]! | 0x1e;
  sealer.sealBatch(buffer, { space: "data", start: 0, segmentSize: 60, total: 60, firstPacketNumber: 0 });
  expect(opener.open(buffer)?.packetNumber).toBe(0);
});
