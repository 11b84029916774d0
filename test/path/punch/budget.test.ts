/**
 * @module
 */
import { expect, test } from "vitest";
import {
  MAX_BURST,
  MAX_EXTRA_SOCKETS,
  MAX_INVITATION_BYTES,
  MAX_INVITATIONS,
  MAX_RATE,
  MAX_SPRAY_BYTES,
  MIN_SPRAY_INTERVAL,
  PunchBudget,
} from "../../../src/path/punch/budget.ts";
import type { Instant } from "../../../src/util/time.ts";

const at = (time: number): Instant => time as Instant;

test("an endpoint sends a burst, then its rate, whoever asks (PATH-24)", () => {
  const budget = new PunchBudget();
  let sent = 0;
  for (let now = 0; now <= 10_000; now += 5) {
    while (budget.readyAt(64, at(now)) <= now) {
      budget.take(64, at(now));
      sent += 64;
    }
    expect(budget.readyAt(64, at(now))).toBeGreaterThan(now);
  }
  expect(sent).toBeGreaterThan(MAX_BURST + 10 * MAX_RATE - 64);
  expect(sent).toBeLessThanOrEqual(MAX_BURST + 10 * MAX_RATE);
});

test("what is ready later is ready then", () => {
  const budget = new PunchBudget();
  budget.take(MAX_BURST, at(0));
  const readyAt = budget.readyAt(40, at(0));
  expect(readyAt).toBe(2);
  expect(budget.readyAt(40, readyAt)).toBe(readyAt);
});

test("candidates and sprays of one invitation have limits of their own (PATH-24)", () => {
  const invitation = new PunchBudget().invite()!;
  expect(invitation.takeForCandidate(MAX_INVITATION_BYTES)).toBe(true);
  expect(invitation.takeForCandidate(1)).toBe(false);
  expect(invitation.takeForSpray(MAX_SPRAY_BYTES)).toBe(true);
  expect(invitation.takeForSpray(1)).toBe(false);
});

test("so many invitations at once; one that has ended makes room for one (PATH-25)", () => {
  const budget = new PunchBudget();
  const open = Array.from({ length: MAX_INVITATIONS }, () => budget.invite()!);
  expect(budget.invite()).toBeUndefined();
  open[0]!.end();
  open[0]!.end();
  expect(budget.invite()).toBeDefined();
  expect(budget.invite()).toBeUndefined();
});

test("one spray at a time, and 20 s between their beginnings (PATH-25)", () => {
  const budget = new PunchBudget();
  expect(budget.startSpray(at(0))).toBe(true);
  expect(budget.startSpray(at(MIN_SPRAY_INTERVAL))).toBe(false);
  budget.endSpray();
  expect(budget.startSpray(at(MIN_SPRAY_INTERVAL - 1))).toBe(false);
  expect(budget.startSpray(at(MIN_SPRAY_INTERVAL))).toBe(true);
});

test("so many sockets beyond the usual ones (PATH-25)", () => {
  const budget = new PunchBudget();
  expect(budget.reserveSockets(256)).toBe(true);
  expect(budget.reserveSockets(256)).toBe(false);
  expect(budget.reserveSockets(MAX_EXTRA_SOCKETS - 256)).toBe(true);
  budget.releaseSockets(256);
  expect(budget.reserveSockets(256)).toBe(true);
});
