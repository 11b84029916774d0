import { describe, expect, test } from "vitest";
import { AckFrequencyPolicy, type AckNeeds } from "../../src/recovery/ack-frequency.ts";
import { at } from "./support.ts";

const PEER = { maxAckDelay: 25, minAckDelay: 1 };

/** A window of 100 packets on a path of 40 ms without reordering. */
const NEEDS: AckNeeds = { windowPackets: 100, smoothedRtt: 40, packetThreshold: 3 };

describe("what is asked for (REC-32)", () => {
  const wish = (needs: Partial<AckNeeds>) => {
    const policy = new AckFrequencyPolicy(PEER);
    const sequence = policy.update({ ...NEEDS, ...needs }, at(0));
    return sequence === undefined ? undefined : policy.wish(sequence);
  };

  test("nothing while the window is small and nothing is reordered: the default is right", () => {
    expect(wish({ windowPackets: 2 })).toBeUndefined();
    expect(wish({ windowPackets: 29.9, smoothedRtt: 1000 })).toBeUndefined();
  });

  test("ten acknowledgements for a window, of at most 32 packets each (RFC 9406 §4.2)", () => {
    expect(wish({})).toEqual({ sequence: 0, threshold: 9, maxAckDelayUs: 10_000, reorderingThreshold: 3 });
    expect(wish({ windowPackets: 30 })?.threshold).toBe(2);
    expect(wish({ windowPackets: 10_000 })?.threshold).toBe(31);
  });

  test("four for a round trip, within what the peer grants", () => {
    expect(wish({ smoothedRtt: 300 })?.maxAckDelayUs).toBe(25_000);
    expect(wish({ smoothedRtt: 0.2 })?.maxAckDelayUs).toBe(1_000);
    expect(wish({ smoothedRtt: 33.333_33 })?.maxAckDelayUs).toBe(8_334);
  });

  test("reordering is to be reported from the loss detector's threshold on", () => {
    expect(wish({ windowPackets: 10, packetThreshold: 120 })).toMatchObject({ threshold: 1, reorderingThreshold: 120 });
  });
});

describe("when it is asked for (REC-33)", () => {
  test("at most once per round trip, and only for a change by more than a fifth", () => {
    const policy = new AckFrequencyPolicy(PEER);
    expect(policy.update(NEEDS, at(0))).toBe(0);
    expect(policy.update({ ...NEEDS, windowPackets: 300 }, at(39))).toBeUndefined();
    expect(policy.update({ ...NEEDS, windowPackets: 120 }, at(40))).toBeUndefined();
    expect(policy.update({ ...NEEDS, packetThreshold: 4 }, at(41))).toBe(1);
    expect(policy.update({ ...NEEDS, packetThreshold: 4, windowPackets: 130 }, at(80))).toBeUndefined();
    expect(policy.update({ ...NEEDS, packetThreshold: 4, windowPackets: 130 }, at(81))).toBe(2);
    expect(policy.wish(2)).toEqual({ sequence: 2, threshold: 12, maxAckDelayUs: 10_000, reorderingThreshold: 4 });
  });

  test("the default is asked for again when the window has shrunk", () => {
    const policy = new AckFrequencyPolicy(PEER);
    policy.update(NEEDS, at(0));
    expect(policy.update({ ...NEEDS, windowPackets: 4 }, at(50))).toBe(1);
    expect(policy.wish(1)).toMatchObject({ threshold: 1 });
  });

  test("only the newest wish is repeated", () => {
    const policy = new AckFrequencyPolicy(PEER);
    policy.update(NEEDS, at(0));
    expect(policy.wish(0)).toBeDefined();
    policy.update({ ...NEEDS, windowPackets: 300 }, at(50));
    expect(policy.wish(0)).toBeUndefined();
    expect(policy.wish(1)).toBeDefined();
  });
});

describe("the delay that the probe timeout allows for (REC-33)", () => {
  test("is the longest of those that the peer may go by", () => {
    const policy = new AckFrequencyPolicy(PEER);
    expect(policy.maxAckDelay).toBe(25);
    policy.update(NEEDS, at(0));
    expect(policy.maxAckDelay).toBe(25);
    policy.onAcked(0);
    expect(policy.maxAckDelay).toBe(10);
    policy.update({ ...NEEDS, smoothedRtt: 80 }, at(100));
    expect(policy.maxAckDelay).toBe(20);
    policy.update({ ...NEEDS, smoothedRtt: 8 }, at(200));
    expect(policy.maxAckDelay).toBe(20);
    // An older frame says nothing of the newest.
    policy.onAcked(1);
    policy.onAcked(0);
    expect(policy.maxAckDelay).toBe(20);
    policy.onAcked(2);
    expect(policy.maxAckDelay).toBe(2);
  });

  test("begins with what the handshake has told", () => {
    const policy = new AckFrequencyPolicy(PEER);
    policy.setPeer({ maxAckDelay: 5, minAckDelay: 3 });
    expect(policy.maxAckDelay).toBe(5);
    policy.update({ ...NEEDS, smoothedRtt: 4 }, at(0));
    expect(policy.wish(0)).toMatchObject({ maxAckDelayUs: 3_000 });
  });
});
