/**
 * What a peer with valid keys can make a connection store, repeat or send: floods, replays, key updates, batches.
 *
 * @module
 */
import { describe, expect, test } from "vitest";
import { CLOSE_CODE } from "../../src/wire/codes.ts";
import type { Frame } from "../../src/wire/frame.ts";
import { Adversary, closeIn, framesIn } from "./adversary.ts";

const ROLES = ["initiator", "responder"] as const;

/** A token that tells its number. */
function numbered(n: number): Uint8Array {
  const token = new Uint8Array(8);
  new DataView(token.buffer).setUint32(4, n);
  return token;
}

const newId = (sequence: number, retirePriorTo: number): Frame => ({
  type: "new-connection-id",
  sequence,
  retirePriorTo,
  connectionId: numbered(sequence + 1),
});

describe.each(ROLES)("floods of the %s", (role) => {
  test("CONN-14: of any number of challenges the newest four are answered", () => {
    const adversary = Adversary.open(role);
    for (let n = 0; n < 1_000; n++) {
      const frames = Array.from(
        { length: 100 },
        (_, i): Frame => ({ type: "path-challenge", token: numbered(100 * n + i) }),
      );
      adversary.deliver("probe", frames);
    }
    const answers = framesIn(adversary.take()).filter(({ type }) => type === "path-response");
    const newest = [99_996, 99_997, 99_998, 99_999].map((n) => ({ type: "path-response", token: numbered(n) }));
    expect(answers).toEqual(newest);
    expect(adversary.connection.state).toBe("open");
  });

  test("CONN-14: an answer is no longer than its challenge", () => {
    const adversary = Adversary.open(role);
    for (const size of [40, 41, 47, 48, 49, 56, 64, 200, 1_200]) {
      const [answer, ...more] = adversary.say("probe", [{ type: "path-challenge", token: numbered(size) }], { size });
      expect(more).toEqual([]);
      expect(answer!.size).toBeLessThanOrEqual(size);
      expect(framesIn([answer!])[0]).toEqual({ type: "path-response", token: numbered(size) });
    }
  });

  test("CONN-22: connection ids that retire their predecessors are followed while retirements are acknowledged", () => {
    const adversary = Adversary.open(role);
    for (let sequence = 3; sequence < 200; sequence++) {
      const seen = adversary.say("data", [newId(sequence, sequence)]);
      adversary.wait(30);
      // Probes repeat them.
      const retired = new Set<number>();
      for (const frame of framesIn([...seen, ...adversary.takeHeld()]))
        if (frame.type === "retire-connection-id") retired.add(frame.sequence);
      expect(retired.size).toBe(sequence === 3 ? 3 : 1);
      adversary.acknowledge(seen.at(-1)!.packetNumber);
    }
    expect(adversary.connection.state).toBe("open");
  });

  test("CONN-22: more than eight unacknowledged retirements close the connection", () => {
    const adversary = Adversary.open(role);
    const retired = () => framesIn(adversary.take()).filter(({ type }) => type === "retire-connection-id").length;
    let sum = 0;
    for (let sequence = 3; sequence < 9; sequence++) {
      adversary.deliver("data", [newId(sequence, sequence)]);
      expect(adversary.connection.state).toBe("open");
      sum += retired();
    }
    expect(sum).toBe(8);
    expect(closeIn(adversary.say("data", [newId(9, 9)]))).toMatchObject({ code: CLOSE_CODE.CONNECTION_ID_LIMIT });
  });

  test("CONN-22: a retirement that arrives twice makes room for one", () => {
    const adversary = Adversary.open(role);
    const retire = (sequence: number): number =>
      adversary.say("data", [newId(sequence, sequence)]).find(({ space }) => space === "data")!.packetNumber;
    const acknowledge = (start: number, end: number): void =>
      adversary.deliver("data", [{ type: "ack", largest: end - 1, delayUs: 0, ranges: [start, end], ecn: undefined }]);
    const first = retire(3);
    const later = [4, 5, 6, 7].map(retire);
    // The first is given up and sent again; then both copies arrive.
    acknowledge(later[0]!, later.at(-1)! + 1);
    const again = adversary.take().filter(({ frames }) => frames.some(({ type }) => type === "retire-connection-id"));
    expect(again.length).toBeGreaterThan(0);
    acknowledge(first, first + 1);
    for (const { packetNumber } of again) acknowledge(packetNumber, packetNumber + 1);
    adversary.take();
    for (let sequence = 8; sequence < 16; sequence++) adversary.say("data", [newId(sequence, sequence)]);
    expect(adversary.connection.state).toBe("open");
    expect(closeIn(adversary.say("data", [newId(16, 16)]))).toMatchObject({ code: CLOSE_CODE.CONNECTION_ID_LIMIT });
  });

  test("CONN-22: an id that the peer has not been told cannot be retired, so replacements do not pile up", () => {
    const adversary = Adversary.open(role);
    const frames = Array.from({ length: 400 }, (_, sequence): Frame => ({ type: "retire-connection-id", sequence }));
    expect(closeIn(adversary.say("data", frames))).toMatchObject({ code: CLOSE_CODE.PROTOCOL_VIOLATION });
  });

  test("CONN-22: each id that is retired is replaced, once it was told", () => {
    const adversary = Adversary.open(role);
    // The last id stays: packets need one.
    for (let sequence = 0, told = 2; sequence < 100; sequence++) {
      if (sequence === 2) continue;
      if (sequence > told) break;
      const seen = adversary.say("data", [{ type: "retire-connection-id", sequence }, ...acks(adversary)]);
      const given = framesIn(seen).find(({ type }) => type === "new-connection-id");
      if (sequence === 0) adversary.useId(2);
      expect(given).toMatchObject({ sequence: told + 1, retirePriorTo: 0 });
      told += 1;
    }
    expect(adversary.connection.state).toBe("open");
    expect(adversary.connection.connectionIds.length).toBe(3);
  });

  test("CONN-23: datagrams beyond 1,024 that nobody takes are dropped and counted", () => {
    const adversary = Adversary.open(role);
    for (let n = 0; n < 100; n++) {
      const frames = Array.from({ length: 100 }, (): Frame => ({ type: "datagram", data: numbered(n) }));
      adversary.deliver("data", frames);
    }
    expect(adversary.connection.stats().datagramsDropped).toBe(10_000 - 1_024);
    adversary.take();
    expect(adversary.events().filter(({ type }) => type === "datagram").length).toBe(1_024);
    adversary.say("data", [{ type: "datagram", data: numbered(1) }]);
    expect(adversary.events().filter(({ type }) => type === "datagram").length).toBe(1_025);
  });

  test("CONN-23: a datagram that is lost is not repeated", () => {
    const adversary = Adversary.open(role);
    const { connection } = adversary;
    connection.sendDatagram(numbered(5));
    const first = framesIn(adversary.take());
    adversary.wait(5_000);
    const repeated = framesIn(adversary.takeHeld());
    expect(first.filter(({ type }) => type === "datagram").length).toBe(1);
    expect(repeated.filter(({ type }) => type === "datagram").length).toBe(0);
    expect(repeated.length).toBeGreaterThan(0);
  });

  test("CONN-23: what waits to be sent is bounded too", () => {
    const adversary = Adversary.open(role);
    const { connection } = adversary;
    let queued = 0;
    for (let n = 0; n < 2_000; n++) if (connection.sendDatagram(new Uint8Array(100))) queued += 1;
    expect(queued).toBe(1_024);
    expect(connection.stats().datagramsDropped).toBe(2_000 - 1_024);
    expect(() => connection.sendDatagram(new Uint8Array(connection.maxDatagramLength + 1))).toThrow(RangeError);
  });

  test("frames that ask for nothing but an answer bring one small packet at most for each of theirs", () => {
    const adversary = Adversary.open(role);
    const asking: Frame[] = [{ type: "ping" }, { type: "immediate-ack" }, { type: "max-data", limit: 1 }];
    for (let n = 0; n < 1_000; n++) {
      const seen = adversary.say("data", [...asking, ...asking, { type: "data-blocked", limit: n }]);
      expect(seen.length).toBeLessThanOrEqual(1);
      for (const { size } of seen) expect(size).toBeLessThan(64);
    }
  });

  test("a packet that comes twice is dropped the second time, and nothing changes", () => {
    const adversary = Adversary.open(role);
    const packets = [
      adversary.seal("data", [{ type: "datagram", data: numbered(1) }]),
      adversary.seal("probe", [{ type: "path-challenge", token: numbered(2) }]),
    ];
    for (const packet of packets) adversary.deliverBytes(packet);
    adversary.settle();
    const before = [adversary.connection.stats(), adversary.victim.endpoint.nextTimeout(), adversary.events().length];
    for (let n = 0; n < 100; n++) for (const packet of packets) adversary.deliverBytes(packet);
    expect(adversary.takeRaw()).toEqual([]);
    const after = [adversary.connection.stats(), adversary.victim.endpoint.nextTimeout(), adversary.events().length];
    expect(after).toEqual(before);
  });
});

describe.each(ROLES)("key updates of the %s", (role) => {
  test("CONN-24: the other side follows with its next packet, again and again (RFC 9001 §6.2)", () => {
    const adversary = Adversary.open(role);
    for (let phase = 1; phase <= 10; phase++) {
      adversary.keys.sealer.advance();
      adversary.deliver("data", [{ type: "ping" }, { type: "immediate-ack" }]);
      expect(adversary.take().length).toBe(1);
      expect(adversary.keys.opener.phase).toBe(phase);
      adversary.wait(4_000);
      adversary.settle();
    }
    expect(adversary.connection.state).toBe("open");
  });

  test("CONN-24: old keys under a newer number close the connection (RFC 9001 §6.4)", () => {
    const adversary = Adversary.open(role);
    const old = adversary.newSealer();
    adversary.keys.sealer.advance();
    adversary.say("data", [{ type: "ping" }]);
    const seen = adversary.say("data", [{ type: "ping" }], { sealer: old });
    expect(closeIn(seen)).toMatchObject({ application: false, code: CLOSE_CODE.KEY_UPDATE });
    expect(adversary.connection.state).toBe("closing");
  });

  test("CONN-24: a phase that is skipped does not open, and the connection lives on", () => {
    const adversary = Adversary.open(role);
    const hasty = adversary.newSealer();
    hasty.advance();
    hasty.advance();
    hasty.advance();
    const before = adversary.connection.stats();
    expect(adversary.say("data", [{ type: "ping" }], { sealer: hasty })).toEqual([]);
    expect(adversary.connection.stats()).toEqual(before);
    expect(adversary.say("data", [{ type: "immediate-ack" }, { type: "ping" }]).length).toBe(1);
  });

  test("CONN-24: packets of the last phase that were overtaken still count (RFC 9001 §6.5)", () => {
    const adversary = Adversary.open(role);
    const late = adversary.seal("data", [{ type: "datagram", data: numbered(4) }]);
    adversary.keys.sealer.advance();
    adversary.say("data", [{ type: "ping" }]);
    adversary.deliverBytes(late);
    adversary.take();
    expect(adversary.events().at(-1)).toEqual({ type: "datagram", data: numbered(4) });
  });

  test("CONN-24: no side updates before a packet of the phase is acknowledged (RFC 9001 §6.1)", () => {
    const options = { config: { packetsPerPhase: 4 } };
    const adversary = role === "initiator" ? Adversary.dial(options) : Adversary.listen(options);
    const { opener } = adversary.keys;
    adversary.say("probe", [{ type: "path-response", token: adversary.token }]);
    adversary.say("data", [{ type: "ping" }]);
    const { connection } = adversary;
    const id = connection.openStream("uni")!;
    const write = () => {
      connection.write(id, new Uint8Array(800));
      return adversary.take().length;
    };
    for (let n = 0; n < 8; n++) expect(write()).toBe(1);
    expect(opener.phase).toBe(0);
    adversary.acknowledge(adversary.highest);
    expect(write()).toBe(1);
    expect(opener.phase).toBe(1);
    // And again: the new phase is not acknowledged yet.
    for (let n = 0; n < 8; n++) expect(write()).toBe(1);
    adversary.wait(5_000);
    adversary.takeHeld();
    for (let n = 0; n < 8; n++) write();
    expect(opener.phase).toBe(1);
  });
});

describe.each(ROLES)("batches to the %s", (role) => {
  test("CONN-25: packets that leave together have one size and consecutive numbers, only the last may be shorter", () => {
    const adversary = Adversary.open(role);
    const { connection, keys } = adversary;
    const streams = Array.from({ length: 20 }, () => connection.openStream("uni")!);
    let batches = 0;
    let number = -1;
    for (let round = 0; round < 40; round++) {
      for (const [i, id] of streams.entries())
        connection.write(id, new Uint8Array(1 + ((i * 977 + round * 131) % 3_000)));
      // Datagrams that do not fill a packet, and an acknowledgement that takes room in the first.
      for (let n = 0; n < 5; n++) connection.sendDatagram(new Uint8Array(700 + 13 * n));
      adversary.deliver("data", [{ type: "ping" }, { type: "immediate-ack" }]);
      for (const batch of adversary.takeBatches()) {
        const total = batch.payload.length;
        for (let at = 0; at < total; at += batch.segmentSize) {
          const packet = batch.payload.subarray(at, Math.min(at + batch.segmentSize, total));
          const opened = keys.opener.open(packet);
          expect(opened).toBeDefined();
          // Each is whole by itself: its length says so, or it would not open.
          if (opened!.space === "data") {
            expect(opened!.packetNumber).toBeGreaterThan(number);
            if (at > 0) expect(opened!.packetNumber).toBe(number + 1);
            number = opened!.packetNumber;
            adversary.noteOpened(number);
          }
        }
        if (total > batch.segmentSize) {
          batches += 1;
          // What the search for the MTU found, or what it began with.
          expect([1_200, 1_472]).toContain(batch.segmentSize);
        }
      }
      adversary.acknowledge(number);
      adversary.take();
      adversary.wait(20);
      for (const { packetNumber } of adversary.takeHeld()) number = Math.max(number, packetNumber);
    }
    expect(batches).toBeGreaterThan(10);
  });
});

test("CONN-25: packets that cannot be filled are padded, so that one batch takes them all", () => {
  const adversary = Adversary.open("initiator");
  for (let n = 0; n < 5; n++) adversary.connection.sendDatagram(new Uint8Array(700 + n));
  const batches = adversary.takeBatches();
  expect(batches.map(({ segmentSize, payload }) => [segmentSize, payload.length])).toEqual([
    [1_200, 4 * 1_200 + 704 + 3 + 31],
  ]);
});

/** Acknowledges everything so far. */
function acks(adversary: Adversary): Frame[] {
  return adversary.highest < 0 ? [] : [adversary.acknowledgement(adversary.highest)];
}
