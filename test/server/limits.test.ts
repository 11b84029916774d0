/**
 * Who is answered how often, and which first messages are worked on.
 *
 * @module
 */
import { describe, expect, test } from "vitest";
import type { Arrival } from "../../src/connection/admission.ts";
import { HandshakeAdmission } from "../../src/server/admission.ts";
import { SourceLimiter } from "../../src/server/source-limiter.ts";
import { TokenBucket } from "../../src/server/token-bucket.ts";
import type { Instant } from "../../src/util/time.ts";

const at = (ms: number) => ms as Instant;

describe("a token bucket", () => {
  test("grants its burst, then its rate, and says how long to wait", () => {
    const bucket = new TokenBucket({ perSecond: 10, burst: 3 }, at(0));
    expect([1, 2, 3, 4].map(() => bucket.take(at(0)))).toEqual([true, true, true, false]);
    expect(bucket.waitFor(at(0))).toBe(100);
    expect(bucket.waitFor(at(60))).toBe(40);
    expect(bucket.take(at(99))).toBe(false);
    expect(bucket.take(at(100))).toBe(true);
    expect(bucket.take(at(10_000), 4)).toBe(false);
    expect(bucket.take(at(10_000), 3)).toBe(true);
  });

  test("grants nothing for time that goes back", () => {
    const bucket = new TokenBucket({ perSecond: 1_000, burst: 1 }, at(1_000));
    expect([bucket.take(at(1_000)), bucket.take(at(0)), bucket.waitFor(at(0))]).toEqual([true, false, 1]);
  });
});

describe("a limiter of sources", () => {
  const RATES = { perSource: { perSecond: 10, burst: 20 }, total: { perSecond: 1_000, burst: 1_000 } };

  test("knows an IPv4 address and an IPv6 /64 as one source (RDV-21)", () => {
    const limiter = new SourceLimiter({ perSource: { perSecond: 1, burst: 1 } }, at(0));
    const hosts = ["192.0.2.1", "192.0.2.1", "192.0.2.2", "2001:db8:1:2:3::4", "2001:db8:1:2:9::9", "2001:db8:1:3::1"];
    expect(hosts.map((host) => limiter.take(host, at(0)))).toEqual([true, false, true, true, false, true]);
  });

  test("bounds all together, and who is beyond his own rate takes nothing from the others (RDV-21)", () => {
    const limiter = new SourceLimiter(
      { perSource: { perSecond: 1, burst: 2 }, total: { perSecond: 1, burst: 5 } },
      at(0),
    );
    for (let i = 0; i < 100; i++) limiter.take("192.0.2.1", at(0));
    const others = ["a", "b", "c", "d"].map((host) => limiter.take(host, at(0)));
    expect(others).toEqual([true, true, true, false]);
  });

  test("remembers twice a generation at most, whatever arrives (RDV-21)", () => {
    const limiter = new SourceLimiter(RATES, at(0), { maxSources: 100 });
    for (let i = 0; i < 10_000; i++) limiter.take(`10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`, at(i / 100));
    expect(limiter.size).toBeLessThanOrEqual(200);
  });

  test("forgets no bucket with age that was not full again: a source gets its rate, whenever it comes", () => {
    for (const pause of [0, 50, 500, 1_999, 2_000, 2_001, 3_000]) {
      const limiter = new SourceLimiter(RATES, at(0));
      let granted = 0;
      // Another source keeps time going in between.
      for (let now = 0; now <= 20_000; now += 50) {
        limiter.take("192.0.2.9", at(now));
        if (now % (pause + 50) < 50) for (let i = 0; i < 50; i++) if (limiter.take("192.0.2.1", at(now))) granted += 1;
      }
      expect(granted, `pause ${pause}`).toBeLessThanOrEqual(20 + 20 * 10);
      expect(granted, `pause ${pause}`).toBeGreaterThanOrEqual(
        Math.floor(20_000 / (pause + 50)) * Math.min(20, (pause + 50) / 100) * 0.9,
      );
    }
  });
});

describe("admission of handshakes", () => {
  const from = (host: string, changes: Partial<Arrival> = {}): Arrival => {
    return { host, ticketId: undefined, hasCookie: false, halfOpen: 0, halfOpenOfSource: 0, ...changes };
  };

  test("works on fifty of one source at once, then asks for a cookie; with one a hundred a second are worked on (RDV-21)", () => {
    const admission = new HandshakeAdmission(at(0));
    const unproven = Array.from({ length: 60 }, () => admission.judge(from("192.0.2.1"), at(0)));
    expect(unproven.filter((each) => each === "accept")).toHaveLength(50);
    expect(unproven.slice(50)).toEqual(new Array(10).fill("cookie"));
    const proven = Array.from({ length: 410 }, () => admission.judge(from("192.0.2.1", { hasCookie: true }), at(0)));
    expect(proven.filter((each) => each === "accept")).toHaveLength(400);
    expect(proven.at(-1)).toBe("rate-limit");
    const later = Array.from({ length: 110 }, () => admission.judge(from("192.0.2.1", { hasCookie: true }), at(1_000)));
    expect(later.filter((each) => each === "accept")).toHaveLength(100);
  });

  test("asks everybody for a cookie beyond 500 a second of all (RDV-21)", () => {
    const admission = new HandshakeAdmission(at(0));
    const verdicts = Array.from({ length: 600 }, (_, i) => admission.judge(from(`10.0.${i >> 8}.${i & 255}`), at(0)));
    expect(verdicts.filter((each) => each === "accept")).toHaveLength(500);
    expect(verdicts.at(-1)).toBe("cookie");
  });

  test("lets nobody use up the rate of a source whose address he only writes on his messages (RDV-22)", () => {
    const admission = new HandshakeAdmission(at(0));
    for (let i = 0; i < 10_000; i++) admission.judge(from("192.0.2.1"), at(0));
    expect(admission.judge(from("192.0.2.1", { hasCookie: true }), at(0))).toBe("accept");
    // Nor does it keep others from being asked for their cookie.
    expect(admission.judge(from("192.0.2.2"), at(0))).toBe("accept");
  });

  test.each([
    { changes: { halfOpen: 2_047 }, unproven: "accept", proven: "accept" },
    { changes: { halfOpen: 2_048 }, unproven: "cookie", proven: "accept" },
    { changes: { halfOpen: 4_096 }, unproven: "half-open-limit", proven: "half-open-limit" },
    { changes: { halfOpen: 400, halfOpenOfSource: 199 }, unproven: "accept", proven: "accept" },
    { changes: { halfOpen: 400, halfOpenOfSource: 200 }, unproven: "cookie", proven: "accept" },
    { changes: { halfOpen: 400, halfOpenOfSource: 400 }, unproven: "cookie", proven: "half-open-limit" },
  ])("with $changes half open: $unproven, with a cookie $proven (RDV-22)", ({ changes, unproven, proven }) => {
    const admission = new HandshakeAdmission(at(0));
    expect(admission.judge(from("192.0.2.1", changes), at(0))).toBe(unproven);
    expect(admission.judge(from("192.0.2.1", { ...changes, hasCookie: true }), at(0))).toBe(proven);
  });
});
