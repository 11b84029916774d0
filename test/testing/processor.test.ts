/**
 * A host whose processor takes time deals with datagrams and timers late, and in batches.
 *
 * @module
 */
import { expect, test } from "vitest";
import { address, type ProcessorOptions, World } from "../../src/testing/index.ts";
import { Prober, texts } from "./machines.ts";

const ALICE = address("192.0.2.1", 1000);
const BOB = address("192.0.2.2", 2000);

function slowBob(processor: ProcessorOptions) {
  const world = new World({ seed: 1 });
  const alice = world.addHost({ name: "alice", machine: new Prober(world.pool), addresses: [ALICE] });
  const bob = world.addHost({ name: "bob", machine: new Prober(world.pool), addresses: [BOB], processor });
  const sendAt = (at: number, text: string) => world.at(at, () => alice.machine.send(BOB, text));
  return { world, alice, bob, sendAt };
}

const STEADY: ProcessorOptions = { cold: 10, warm: 10, warmUp: 1 };

test("what comes while the processor is busy waits, and is dealt with together", () => {
  const { world, bob, sendAt } = slowBob(STEADY);
  for (const at of [1, 3, 5, 40]) sendAt(at, `${at}`);
  world.run();
  expect(texts(bob.events)).toEqual(["1", "3", "5", "40"]);
  // The first is handled at once; its 10 ms are over at 11, those of the two that waited at 31.
  expect(bob.events.map((event) => event.at)).toEqual([1, 11, 11, 40]);
});

test("a timer waits as well, and sending takes time too", () => {
  const { world, bob, sendAt } = slowBob(STEADY);
  world.at(1, () => bob.machine.send(ALICE, "out"));
  world.at(2, () => bob.machine.wakeAt(4));
  sendAt(15, "in");
  world.run();
  expect(bob.machine.served).toEqual([11]);
  expect(bob.events.map((event) => event.at)).toEqual([15]);
});

test("a command while the processor is busy sends when it is free", () => {
  const { world, alice, bob, sendAt } = slowBob(STEADY);
  sendAt(0, "in");
  world.at(4, () => bob.machine.send(ALICE, "out"));
  world.run();
  expect(alice.events.map((event) => event.at)).toEqual([10]);
});

test("a program gets faster as it is compiled", () => {
  const { world, bob, sendAt } = slowBob({ cold: 10, warm: 2, warmUp: 2 });
  for (let i = 0; i < 4; i++) sendAt(i * 100, "a");
  for (let i = 0; i < 4; i++) sendAt(i * 100 + 1, "b");
  world.run();
  const waits = bob.events.filter((_, index) => index % 2 === 1).map((event) => event.at % 100);
  // 2 and of the other 8 a half each time; two datagrams in every hundred ms.
  expect(waits).toEqual([10, 4, 2.5, 2.125]);
});

test("a seed determines a run with a processor as well", () => {
  const run = () => {
    const { world, sendAt } = slowBob({ cold: 3, warm: 1, warmUp: 5 });
    for (let i = 0; i < 50; i++) sendAt(i, "x");
    world.run();
    return world.traceHash;
  };
  expect(run()).toBe(run());
});
