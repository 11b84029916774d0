import { expect, test } from "vitest";
import { DEFAULT_CONFIG } from "../../src/connection/config.ts";
import { fill } from "./budget.ts";

test("windows grow until a link of 150 Mbit/s and 300 ms is full, within the memory of the connection (STR-18, STR-19)", () => {
  const { finalRate, receiveBuffered, sendBuffered } = fill({
    megabitsPerSecond: 150,
    delay: 150,
    queuePackets: 1_000,
    seconds: 5,
  });
  expect(finalRate).toBeGreaterThan(0.9 * 150);
  expect(receiveBuffered).toBeLessThan(DEFAULT_CONFIG.memoryBudget);
  expect(sendBuffered).toBeLessThan(DEFAULT_CONFIG.memoryBudget);
});
