/**
 * Probes after a timeout, and packet numbers that are given up, as a peer sees them.
 *
 * @module
 */
import { describe, expect, test } from "vitest";
import { CLOSE_CODE } from "../../src/wire/codes.ts";
import { Adversary, ackOf, closeIn, type Seen } from "./adversary.ts";

/** Kinds of the frames of each data packet, without padding. */
function kinds(seen: readonly Seen[]): string[] {
  return seen
    .filter(({ space }) => space === "data")
    .map(({ frames }) =>
      frames
        .map(({ type }) => type)
        .filter((type) => type !== "padding")
        .join(" "),
    );
}

/** A connection whose data of 100 bytes on stream `id` is under way. */
function withData(): { adversary: Adversary; id: number; sent: Seen } {
  const adversary = Adversary.open("initiator");
  const id = adversary.connection.openStream("uni")!;
  adversary.connection.write(id, new Uint8Array(100));
  const [sent] = adversary.take();
  return { adversary, id, sent: sent! };
}

describe("a probe", () => {
  test("asks for an acknowledgement at once and repeats the oldest data (REC-30, RFC 9002 §6.2.4)", () => {
    const { adversary, sent } = withData();
    adversary.wait(1_100);
    const probes = adversary.takeHeld().filter(({ space }) => space === "data");
    expect(kinds(probes.slice(0, 2))).toEqual(["immediate-ack stream", "immediate-ack stream"]);
    // The number behind that of the data was given up.
    expect(probes.slice(0, 2).map(({ packetNumber }) => packetNumber - sent.packetNumber)).toEqual([2, 3]);
  });

  test("carries new data if there is any (REC-30, RFC 9002 §6.2.4)", () => {
    const { adversary, id } = withData();
    const { connection } = adversary;
    connection.write(id, new Uint8Array(200_000));
    // All that the window lets go, and none of it acknowledged.
    adversary.take();
    const { bytesInFlight } = connection.stats();
    adversary.wait(1_100);
    const [first] = adversary.takeHeld().filter(({ space }) => space === "data");
    expect(kinds([first!])).toEqual(["immediate-ack stream"]);
    expect(first!.frames[1]).toMatchObject({ type: "stream", streamId: id });
    expect(connection.stats().retransmittedBytes).toBe(0);
    expect(connection.stats().bytesInFlight).toBeGreaterThan(bytesInFlight);
  });
});

describe("packet numbers that are given up (RFC 9000 §21.4)", () => {
  test("an acknowledgement of one closes the connection (REC-12, REC-31)", () => {
    const { adversary, sent } = withData();
    adversary.wait(1_100);
    adversary.takeHeld();
    const seen = adversary.say("data", [ackOf(0, sent.packetNumber + 1)]);
    expect(closeIn(seen)).toMatchObject({ code: CLOSE_CODE.PROTOCOL_VIOLATION });
  });

  test("in a long transfer there are a few of them, between batches (REC-31)", () => {
    const adversary = Adversary.open("initiator");
    const numbers: number[] = [];
    for (let round = 0; round < 400; round++) {
      for (let i = 0; i < 10; i++) adversary.connection.sendDatagram(new Uint8Array(1_000));
      for (const { packetNumber } of adversary.take()) numbers.push(packetNumber);
      adversary.acknowledge(numbers.at(-1)!);
    }
    const gaps = numbers.slice(1).map((number, i) => number - numbers[i]! - 1);
    expect(numbers.length).toBeGreaterThan(2_000);
    expect(gaps.filter((gap) => gap === 1).length).toBeGreaterThanOrEqual(2);
    expect(gaps.filter((gap) => gap === 1).length).toBeLessThanOrEqual(5);
    expect(Math.max(...gaps)).toBe(1);
    expect(adversary.connection.state).toBe("open");
  });
});
