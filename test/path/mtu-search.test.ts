import { describe, expect, test } from "vitest";
import { MAX_PROBES, MtuSearch, RAISE_INTERVAL } from "../../src/path/mtu-search.ts";
import type { Instant } from "../../src/util/time.ts";

const at = (ms: number): Instant => ms as Instant;

/** A window that allows everything. */
const WIDE = 1_000_000;

/** Searches on a path that carries up to `passes` bytes. Returns the sizes of the probes. */
function search(mtu: MtuSearch, bound: number, passes: number, now = at(0)): number[] {
  const probes: number[] = [];
  if (mtu.isDue(now)) mtu.begin(bound, now);
  for (let size = mtu.poll(WIDE); size !== undefined; size = mtu.poll(WIDE)) {
    probes.push(size);
    mtu.onProbeSent(probes.length);
    if (size <= passes) mtu.onProbeAcked(now);
    else mtu.onProbeLost(now);
    if (probes.length > 100) throw new Error("the search does not end");
  }
  return probes;
}

describe("search", () => {
  test("starts from what every path carries, and waits to be begun (MTU-1, RFC 9000 §14.3)", () => {
    const mtu = new MtuSearch(4);
    expect([mtu.size, mtu.state, mtu.isDue(at(0)), mtu.poll(WIDE)]).toEqual([1200, "base", true, undefined]);
  });

  test("costs one probe where the largest size passes (MTU-6)", () => {
    const mtu = new MtuSearch(4);
    expect(search(mtu, 1472, 1472)).toEqual([1472]);
    expect([mtu.size, mtu.state]).toEqual([1472, "complete"]);
  });

  test.each([
    { link: "PPPoE", bound: 1472, passes: 1464, probes: 3 + 3, found: 1464 },
    { link: "WireGuard beyond the first router", bound: 1472, passes: 1392, probes: 3 + 3 + 1 + 1, found: 1392 },
    { link: "the least of IPv6", bound: 1472, passes: 1252, probes: 3 + 3 * 2 + 1 + 3, found: 1252 },
    { link: "the Internet from a jumbo LAN", bound: 8972, passes: 1472, probes: 3 + 1, found: 1472 },
    { link: "PPPoE from a jumbo LAN", bound: 8972, passes: 1464, probes: 3 + 3 + 3, found: 1464 },
    { link: "jumbo frames from a narrow loopback", bound: 65_507, passes: 8972, probes: 3 + 1 + 3 + 1, found: 8972 },
    { link: "nothing but the base", bound: 1472, passes: 1200, probes: 3 * 5, found: 1200 },
  ])("finds the MTU of $link in $probes probes (MTU-6, RFC 8899 §5.3.2)", ({ bound, passes, probes, found }) => {
    const mtu = new MtuSearch(4);
    expect(search(mtu, bound, passes)).toHaveLength(probes);
    expect([mtu.size, mtu.state]).toEqual([found, "complete"]);
  });

  test("over IPv6 the headers are 20 bytes longer (MTU-5)", () => {
    const mtu = new MtuSearch(6);
    expect(search(mtu, 8952, 1452)).toEqual([8952, 8952, 8952, 1452]);
    const narrow = new MtuSearch(6);
    search(narrow, 1452, 1232);
    expect(narrow.size).toBe(1232);
  });

  test("finds, on any path, a size that passes and wastes less than 80 bytes (MTU-6)", () => {
    for (const family of [4, 6] as const) {
      for (let passes = 1200; passes <= 1472; passes++) {
        const mtu = new MtuSearch(family);
        const probes = search(mtu, family === 4 ? 1472 : 1452, passes);
        expect(mtu.size).toBeLessThanOrEqual(passes);
        expect(passes - mtu.size).toBeLessThan(80);
        expect(probes.length).toBeLessThanOrEqual(MAX_PROBES * 5);
      }
    }
  });

  test("a size is too large after three lost probes, not after two (MTU-6, RFC 8899 §5.1.2)", () => {
    const mtu = new MtuSearch(4);
    mtu.begin(1472, at(0));
    for (const packetNumber of [1, 2]) {
      expect(mtu.poll(WIDE)).toBe(1472);
      mtu.onProbeSent(packetNumber);
      mtu.onProbeLost(at(0));
    }
    expect(mtu.poll(WIDE)).toBe(1472);
    mtu.onProbeSent(3);
    mtu.onProbeAcked(at(0));
    expect(mtu.size).toBe(1472);
  });

  test("one probe is on its way at a time (MTU-3)", () => {
    const mtu = new MtuSearch(4);
    mtu.begin(1472, at(0));
    expect(mtu.poll(WIDE)).toBe(1472);
    mtu.onProbeSent(7);
    expect([mtu.probeNumber, mtu.poll(WIDE)]).toEqual([7, undefined]);
  });

  test("while the window is too small for the top, Ethernet's size has to do (MTU-5)", () => {
    const mtu = new MtuSearch(4);
    mtu.begin(65_507, at(0));
    expect(mtu.poll(1_000)).toBe(undefined);
    expect(mtu.poll(6_000)).toBe(1472);
    mtu.onProbeSent(1);
    mtu.onProbeAcked(at(0));
    expect([mtu.size, mtu.state, mtu.poll(20_000)]).toEqual([1472, "searching", undefined]);
    expect(mtu.poll(65_507)).toBe(65_507);
    mtu.onProbeSent(2);
    mtu.onProbeAcked(at(0));
    expect([mtu.size, mtu.state]).toEqual([65_507, "complete"]);
  });

  test("an interface or a peer that takes no more than the base is asked nothing (MTU-5)", () => {
    const mtu = new MtuSearch(4);
    expect(search(mtu, 1200, 1200)).toEqual([]);
    expect([mtu.size, mtu.state]).toEqual([1200, "complete"]);
    const narrower = new MtuSearch(4);
    expect(search(narrower, 552, 552)).toEqual([]);
    expect(narrower.size).toBe(1200);
  });
});

describe("raise (RFC 8899 §5.2)", () => {
  test("is tried 600 s after the end of a search, not before (MTU-8)", () => {
    const mtu = new MtuSearch(4);
    search(mtu, 1472, 1392);
    expect(mtu.isDue(at(RAISE_INTERVAL - 1))).toBe(false);
    expect(mtu.isDue(at(RAISE_INTERVAL))).toBe(true);
    expect(search(mtu, 1472, 1472, at(RAISE_INTERVAL))).toEqual([1472]);
    expect(mtu.size).toBe(1472);
  });

  test("costs nothing where the top has been reached (MTU-8)", () => {
    const mtu = new MtuSearch(4);
    search(mtu, 1472, 1472);
    expect(search(mtu, 1472, 1472, at(RAISE_INTERVAL))).toEqual([]);
    expect([mtu.size, mtu.state]).toEqual([1472, "complete"]);
  });

  test("follows an interface that has become narrower (MTU-5)", () => {
    const mtu = new MtuSearch(4);
    search(mtu, 65_507, 65_507);
    expect(search(mtu, 1472, 1472, at(RAISE_INTERVAL))).toEqual([]);
    expect(mtu.size).toBe(1472);
  });
});

describe("black hole", () => {
  test("falls back to the base and asks for the former size first, so that a false alarm costs one probe (MTU-11)", () => {
    const mtu = new MtuSearch(4);
    search(mtu, 1472, 1392);
    mtu.onBlackHole(at(60_000));
    expect([mtu.size, mtu.state, mtu.isDue(at(60_000))]).toEqual([1200, "base", true]);
    mtu.begin(1472, at(60_000));
    expect(mtu.poll(WIDE)).toBe(1392);
    mtu.onProbeSent(1);
    mtu.onProbeAcked(at(60_000));
    expect(mtu.size).toBe(1392);
  });

  test("of everything above 1280 is searched below the former size (MTU-11)", () => {
    const mtu = new MtuSearch(4);
    search(mtu, 1472, 1472);
    mtu.onBlackHole(at(60_000));
    const probes = search(mtu, 1472, 1252, at(60_000));
    expect(probes.slice(0, 4)).toEqual([1472, 1472, 1472, 1412]);
    expect(mtu.size).toBe(1252);
  });

  test("forgets the probe that is on its way (MTU-11)", () => {
    const mtu = new MtuSearch(4);
    mtu.begin(8972, at(0));
    mtu.poll(WIDE);
    mtu.onProbeSent(9);
    mtu.onBlackHole(at(1));
    expect(mtu.probeNumber).toBe(-1);
  });

  test("again within 600 s is a contradiction: the base holds for 60 s, then twice as long each time (MTU-11)", () => {
    const mtu = new MtuSearch(4);
    let now = 0;
    const pauses: number[] = [];
    for (let i = 0; i < 8; i++) {
      search(mtu, 1472, 1472, at(now));
      expect(mtu.size).toBe(1472);
      now += 1_000;
      mtu.onBlackHole(at(now));
      let pause = 0;
      while (!mtu.isDue(at(now + pause))) pause += 1_000;
      pauses.push(pause / 1_000);
      now += pause;
    }
    expect(pauses).toEqual([0, 60, 120, 240, 480, 600, 600, 600]);
    expect(mtu.state).toBe("error");
    now += 2 * RAISE_INTERVAL;
    search(mtu, 1472, 1472, at(now));
    mtu.onBlackHole(at(now));
    expect(mtu.state).toBe("base");
  });
});
