/**
 * Protected packets: any bytes and any change of a valid packet are dropped without a throw; every packet that was sealed
 * opens once, through losses, reordering and key updates, with the payload and number that it was given.
 *
 * @module
 */
import fc from "fast-check";
import { type AeadId, deriveDirection, SessionSecrets } from "../../src/crypto/key-schedule.ts";
import { PacketOpener, PacketSealer } from "../../src/crypto/packet-protection.ts";
import { equalBytes } from "../../src/util/bytes.ts";
import { assert } from "../../src/util/invariant.ts";
import { HEADER_SIZE, PACKET_OVERHEAD, type PacketSpace, writePacketHeader } from "../../src/wire/packet-header.ts";
import { bytes, record } from "../arbitraries.ts";
import { type Mutation, mutate, mutation } from "../mutation.ts";
import type { FuzzTarget } from "../target.ts";

interface Sealed {
  readonly packet: Uint8Array;
  readonly payload: Uint8Array;
  readonly packetNumber: number;
  readonly space: PacketSpace;
}

/** What happens to a batch of packets on its way. */
interface Batch {
  readonly space: PacketSpace;
  readonly count: number;
  readonly size: number;
  readonly tail: number;
  /** Numbers that are left out before it. */
  readonly skip: number;
  readonly update: boolean;
  readonly dropOld: boolean;
  /** Order in which its packets arrive: each is taken from this place of those that are left. */
  readonly order: readonly number[];
  readonly attack: Mutation;
  /** Whether the attacker also states the length that his packet has. */
  readonly relabel: boolean;
}

const batch: fc.Arbitrary<Batch> = record({
  space: fc.constantFrom("data" as const, "data" as const, "probe" as const),
  count: fc.integer({ min: 1, max: 12 }),
  size: fc.integer({ min: 40, max: 200 }),
  tail: fc.integer({ min: 40, max: 200 }),
  skip: fc.oneof(fc.constant(0), fc.nat(3), fc.nat(20_000)),
  update: fc.boolean(),
  dropOld: fc.boolean(),
  order: fc.array(fc.nat(), { maxLength: 12 }),
  attack: mutation,
  relabel: fc.boolean(),
});

const input = record({
  aead: fc.constantFrom<AeadId>(1, 2),
  start: fc.constantFrom(0, 2 ** 32 - 8, 2 ** 53 - 1_000_000),
  raw: bytes(300),
  batches: fc.array(batch, { minLength: 1, maxLength: 8 }),
});

export const target: FuzzTarget = {
  name: "packet",
  property: () =>
    fc.property(input, ({ aead, start, raw, batches }) => {
      const session = new SessionSecrets(filled(32, 1), filled(32, 2), filled(32, 3));
      const secrets = deriveDirection(session, "initiator", aead);
      const sealer = new PacketSealer({ secrets, firstPacketNumber: start });
      const opener = new PacketOpener({ secrets, firstPacketNumber: start });
      const next = { data: start, probe: start };
      for (const each of batches) {
        // A peer updates no more often than its updates are answered.
        if (each.update && sealer.phase === opener.phase) sealer.advance();
        assert(opener.open(raw) === undefined, "opened a stranger's packet");
        next[each.space] += each.skip;
        const sealed = sealBatch(sealer, each, next[each.space]);
        next[each.space] += each.count;
        deliver(opener, each, sealed);
        if (each.dropOld) opener.dropOldKeys();
        if (each.space === "data") assert(opener.phase === sealer.phase, "phase");
      }
    }),
};

function sealBatch(sealer: PacketSealer, each: Batch, firstPacketNumber: number): Sealed[] {
  const { space, count, size } = each;
  const tail = Math.min(each.tail, size);
  const total = (count - 1) * size + tail;
  const buffer = new Uint8Array(total);
  const payloads: Uint8Array[] = [];
  for (let i = 0; i < count; i++) {
    const length = i === count - 1 ? tail : size;
    const keyPhase = space === "data" ? sealer.keyPhase : 0;
    const connectionId = filled(8, 9);
    writePacketHeader(buffer, i * size, { space, keyPhase, length, connectionId, packetNumber: firstPacketNumber + i });
    payloads.push(filled(length - PACKET_OVERHEAD, i + 1));
    buffer.set(payloads[i]!, i * size + HEADER_SIZE);
  }
  sealer.sealBatch(buffer, { space, start: 0, segmentSize: size, total, firstPacketNumber });
  return payloads.map((payload, i) => ({
    packet: buffer.slice(i * size, Math.min((i + 1) * size, total)),
    payload,
    packetNumber: firstPacketNumber + i,
    space,
  }));
}

/** Each packet arrives in some order: first an attacker's version of it, then the packet, then a copy. */
function deliver(opener: PacketOpener, each: Batch, sealed: readonly Sealed[]): void {
  const waiting = [...sealed];
  let highest = -1;
  for (let i = 0; waiting.length > 0; i++) {
    const [{ packet, payload, packetNumber, space }] = waiting.splice((each.order[i] ?? 0) % waiting.length, 1) as [
      Sealed,
    ];
    const forged = mutate(packet, each.attack);
    if (each.relabel && forged.length >= 3) forged.set([forged.length >>> 8, forged.length & 0xff], 1);
    if (!equalBytes(forged, packet)) assert(opener.open(forged) === undefined, "opened a forged packet");
    const { phase } = opener;
    const opened = opener.open(packet);
    assert(opened !== undefined, `packet ${packetNumber} did not open`);
    assert(opened.packetNumber === packetNumber && opened.space === space, "number or space");
    assert(equalBytes(opened.payload, payload), "payload");
    assert(opened.isNewest === packetNumber > highest, "newest");
    assert(opened.isNewPhase === (opener.phase === phase + 1), "new phase");
    highest = Math.max(highest, packetNumber);
    assert(opener.open(packet) === undefined, "opened twice");
    assert(opener.violation === undefined && !opener.isExhausted, "violation");
  }
}

function filled(length: number, value: number): Uint8Array {
  return new Uint8Array(length).fill(value);
}
