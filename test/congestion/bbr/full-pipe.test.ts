/**
 * When the search for more bandwidth ends.
 *
 * @module
 */
import { expect, test } from "vitest";
import { FullPipe } from "../../../src/congestion/bbr/full-pipe.ts";

/** A round with these delivery rates; returns whether the pipe is full now. */
function round(pipe: FullPipe, rates: readonly number[], facts: { isTelling?: boolean; hasQueue?: boolean } = {}) {
  for (const rate of rates) pipe.onSample(rate);
  pipe.onRound({ isTelling: true, hasQueue: false, ...facts });
  return pipe.isFull;
}

test("three rounds without a quarter more show that the pipe is full (CC-20)", () => {
  const pipe = new FullPipe();
  expect([100, 125, 150, 150].map((rate) => round(pipe, [rate]))).toEqual([false, false, false, false]);
  expect(round(pipe, [150])).toBe(true);
});

test("one great sample in a round is enough, wherever in the round it comes (CC-20)", () => {
  const pipe = new FullPipe();
  for (const best of [100, 140, 200, 300]) expect(round(pipe, [20, best, 30])).toBe(false);
  expect(pipe.rounds).toBe(0);
});

test("with a queue two rounds are enough (CC-20)", () => {
  const pipe = new FullPipe();
  round(pipe, [100]);
  expect(round(pipe, [100], { hasQueue: true })).toBe(false);
  expect(round(pipe, [100], { hasQueue: true })).toBe(true);
});

test("a round in which there was too little to send says nothing (CC-20)", () => {
  const pipe = new FullPipe();
  for (let i = 0; i < 10; i++) expect(round(pipe, [50], { isTelling: false, hasQueue: true })).toBe(false);
});

test("a new search begins from the rate of the last round (CC-23)", () => {
  const pipe = new FullPipe();
  round(pipe, [100]);
  pipe.restart();
  expect([120, 120, 120].map((rate) => round(pipe, [rate]))).toEqual([false, false, true]);
});
