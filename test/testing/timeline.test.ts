/**
 * @module
 */
import { describe, expect, test } from "vitest";
import { Rng } from "../../src/testing/rng.ts";
import { Task, Timeline } from "../../src/testing/timeline.ts";
import type { Instant } from "../../src/util/time.ts";

class Named extends Task {
  readonly name: number;

  constructor(name: number) {
    super();
    this.name = name;
  }

  run(): void {}
}

function drain(timeline: Timeline): Named[] {
  const tasks: Named[] = [];
  for (let task = timeline.take(); task !== undefined; task = timeline.take()) tasks.push(task as Named);
  return tasks;
}

describe("Timeline", () => {
  test("tasks come by time, and in the order of scheduling within one instant", () => {
    const timeline = new Timeline(0 as Instant);
    const rng = new Rng(1);
    const model: { at: number; name: number }[] = [];
    for (let name = 0; name < 2000; name++) {
      const at = rng.integer(0, 50);
      timeline.schedule(new Named(name), at as Instant);
      model.push({ at, name });
    }
    model.sort((a, b) => a.at - b.at || a.name - b.name);
    expect(drain(timeline).map(({ at, name }) => ({ at, name }))).toEqual(model);
  });

  test("taking and scheduling may alternate", () => {
    const timeline = new Timeline(0 as Instant);
    const rng = new Rng(2);
    let last = 0;
    for (let i = 0; i < 5000; i++) {
      if (rng.chance(0.6)) {
        timeline.schedule(new Named(i), (last + rng.integer(0, 20)) as Instant);
        continue;
      }
      const task = timeline.take();
      if (task === undefined) continue;
      expect(task.at).toBeGreaterThanOrEqual(last);
      last = task.at;
      timeline.advance(task.at);
    }
  });

  test("the clock never goes back, and a task of the past is due now", () => {
    const timeline = new Timeline(10 as Instant);
    timeline.advance(5 as Instant);
    expect(timeline.now).toBe(10);
    timeline.schedule(new Named(1), 3 as Instant);
    expect(timeline.nextAt()).toBe(10);
    expect(timeline.pending).toBe(1);
  });
});
