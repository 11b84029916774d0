import { describe, expect, test } from "vitest";
import { SilenceProbe } from "../../src/recovery/silence-probe.ts";
import { at } from "./support.ts";

describe("silence in the middle of a flow (REC-34)", () => {
  /** Packets of these sizes, one each `pause` ms from 0 on. */
  function flow(sizes: readonly number[], pause = 1): SilenceProbe {
    const probe = new SilenceProbe();
    for (const [i, size] of sizes.entries()) probe.onElicitingReceived(size, at(i * pause));
    return probe;
  }

  test("is broken a probe timeout after the last packet if that was full", () => {
    expect(new SilenceProbe().nextTimeout(50)).toBeUndefined();
    expect(flow([1200, 1200, 1200]).nextTimeout(50)).toBe(2 + 50);
    expect(flow([1200, 1472]).nextTimeout(50)).toBe(1 + 50);
  });

  test("is left alone if the last packet was not full: the peer had no more to send", () => {
    expect(flow([1200, 1200, 700]).nextTimeout(50)).toBeUndefined();
    expect(flow([1472, 1472, 1300]).nextTimeout(50)).toBeUndefined();
    expect(flow([100, 100, 100]).nextTimeout(50)).toBeUndefined();
    // Packets of a path that has become smaller are full again.
    expect(flow([1472, 1200, 1200]).nextTimeout(50)).toBeDefined();
  });

  test("is broken once, until more data comes", () => {
    const probe = flow([1200, 1200]);
    probe.onAsked();
    probe.onOtherReceived(at(70));
    expect(probe.nextTimeout(50)).toBeUndefined();
    probe.onElicitingReceived(1200, at(100));
    expect(probe.nextTimeout(50)).toBeDefined();
  });

  test("begins anew with any packet of the peer", () => {
    const probe = flow([1200, 1200]);
    probe.onOtherReceived(at(30));
    expect(probe.nextTimeout(50)).toBe(80);
  });

  test("of a slow flow lasts three of its pauses; a stall is forgotten", () => {
    expect(flow([1200, 1200, 1200], 100).nextTimeout(50)).toBe(200 + 300);
    const probe = flow([1200, 1200], 5_000);
    for (let i = 1; i <= 60; i++) probe.onElicitingReceived(1200, at(5_000 + i));
    expect(probe.nextTimeout(50)).toBe(5_060 + 50);
  });
});

describe("acknowledgements that have to be acknowledged (REC-35)", () => {
  test("come after four others, and no sooner than 100 ms or a round trip after the last", () => {
    const probe = new SilenceProbe();
    probe.onElicitingSent(at(0));
    for (let i = 0; i < 3; i++) probe.onAckSent();
    expect(probe.shouldElicit(20, at(1_000))).toBe(false);
    probe.onAckSent();
    expect(probe.shouldElicit(20, at(99))).toBe(false);
    expect(probe.shouldElicit(20, at(100))).toBe(true);
    expect(probe.shouldElicit(300, at(299))).toBe(false);
    expect(probe.shouldElicit(300, at(300))).toBe(true);
    probe.onElicitingSent(at(300));
    expect(probe.shouldElicit(20, at(10_000))).toBe(false);
  });
});
