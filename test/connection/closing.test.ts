import { expect, test } from "vitest";
import { Closing } from "../../src/connection/closing.ts";
import type { Instant } from "../../src/util/time.ts";

const at = (ms: number) => ms as Instant;
const intent = { application: true, code: 0, cause: 0, message: "" };

test("CONN-19: the side that closes repeats at doubling probe timeouts, five times at most", () => {
  const closing = new Closing(intent, { isInitiating: true, probeTimeout: 50 }, at(0));
  const sentAt: number[] = [];
  for (let now = 0; !closing.isOver(at(now)); now++) if (closing.takeDue(at(now))) sentAt.push(now);
  expect(sentAt).toEqual([0, 50, 150, 350, 750]);
  expect(closing.isOver(at(31 * 50))).toBe(true);
});

test("CONN-19: however slow the path, the side that closes waits no longer than 3 s", () => {
  const closing = new Closing(intent, { isInitiating: true, probeTimeout: 2_000 }, at(0));
  expect(closing.isOver(at(2_999))).toBe(false);
  expect(closing.isOver(at(3_000))).toBe(true);
});

test("CONN-19: the other side answers each CLOSE, five times at most, for three probe timeouts", () => {
  const closing = new Closing(intent, { isInitiating: false, probeTimeout: 100 }, at(0));
  expect(closing.takeDue(at(0))).toBe(true);
  expect(closing.takeDue(at(1))).toBe(false);
  let answers = 1;
  for (let i = 0; i < 10; i++) {
    closing.onPeerClose(at(10 + i));
    if (closing.takeDue(at(10 + i))) answers += 1;
  }
  expect(answers).toBe(5);
  expect(closing.isOver(at(299))).toBe(false);
  expect(closing.isOver(at(300))).toBe(true);
  expect(closing.nextTimeout()).toBe(300);
});
