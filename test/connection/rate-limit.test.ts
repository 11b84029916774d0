import { expect, test } from "vitest";
import { RateLimiter, sourceKey } from "../../src/connection/rate-limit.ts";
import type { Instant } from "../../src/util/time.ts";

const at = (ms: number) => ms as Instant;

test("a burst is granted at once, then the sustained rate", () => {
  const limiter = new RateLimiter({ perSecond: 10, burst: 3 });
  const granted = [0, 0, 0, 0].map((ms) => limiter.take("a", at(ms)));
  expect(granted).toEqual([true, true, true, false]);
  expect(limiter.take("a", at(99))).toBe(false);
  expect(limiter.take("a", at(100))).toBe(true);
  expect(limiter.take("a", at(100))).toBe(false);
});

test("keys do not share a bucket, and the table of buckets is bounded", () => {
  const limiter = new RateLimiter({ perSecond: 1, burst: 1 });
  expect(limiter.take("first", at(0))).toBe(true);
  expect(limiter.take("second", at(0))).toBe(true);
  expect(limiter.take("first", at(0))).toBe(false);
  for (let i = 0; i < 5_000; i++) limiter.take(`source ${i}`, at(0));
  // The oldest bucket was forgotten, so its key starts afresh.
  expect(limiter.take("first", at(0))).toBe(true);
});

test("time that goes back grants nothing", () => {
  const limiter = new RateLimiter({ perSecond: 1000, burst: 1 });
  expect(limiter.take("a", at(1000))).toBe(true);
  expect(limiter.take("a", at(0))).toBe(false);
});

test("an IPv6 source is its /64, an IPv4 source its address", () => {
  expect(sourceKey("192.0.2.7")).toBe("192.0.2.7");
  expect(sourceKey("2001:db8:1:2:3:4:5:6")).toBe(sourceKey("2001:db8:1:2::"));
  expect(sourceKey("2001:db8::1")).toBe(sourceKey("2001:db8::2"));
  // However it is abbreviated, and whatever is.
  expect(sourceKey("2001:db8::4:5:6:7")).toBe(sourceKey("2001:db8:0:0:4:5:6:7"));
  expect(sourceKey("2001:db8:1::9")).not.toBe(sourceKey("2001:db8:2::9"));
  expect(sourceKey("2001::1")).toBe(sourceKey("2001:0:0:0:9::"));
  // RFC 4291 §2.5.5.2: these are IPv4 hosts, not one network.
  expect(sourceKey("::ffff:192.0.2.7")).toBe("192.0.2.7");
  expect(sourceKey("::ffff:c000:208")).toBe("192.0.2.8");
});
