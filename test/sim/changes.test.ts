/**
 * Links that change under a bulk transfer, or are unlike others: what it makes of them, and how long it takes to.
 *
 * @module
 */
import { describe, expect, test } from "vitest";
import type { ConnectionMachine } from "../../src/connection/connection.ts";
import { type DuplexLinkOptions, type Link, type LinkOptions, World } from "../../src/testing/index.ts";
import { addHosts } from "./hosts.ts";

/** A dialer that sends without end to a listener that reads at once. */
class Flow {
  readonly world: World;
  readonly sender: ConnectionMachine;
  readonly link: { readonly up: Link; readonly down: Link };
  received = 0;
  /** Longest time between two reads since {@link mark}, in ms. */
  longestPause = 0;
  #lastReadAt = 0;
  #markedAt = 0;
  #markedBytes = 0;

  constructor(link: DuplexLinkOptions, seed = 1) {
    this.world = new World({ seed });
    const { world } = this;
    const hosts = addHosts(world, {
      link,
      onEvent: (side, event) => {
        if (event.type !== "connection") return;
        const { connection, event: inner } = event;
        if (side === "dialer" && inner.type === "writable") this.#feed(connection, inner.id);
        if (side === "listener" && inner.type === "readable") this.#drain(connection, inner.id);
      },
    });
    this.link = hosts.listener.link;
    this.sender = hosts.dial();
    world.run({ until: () => this.sender.state === "open", for: 10_000 });
    this.#feed(this.sender, 0);
    world.wake(hosts.dialer);
  }

  /** Lets time pass and begins to measure. */
  mark(after: number): void {
    this.world.run({ for: after });
    this.#markedAt = this.world.now;
    this.#markedBytes = this.received;
    this.#lastReadAt = this.world.now;
    this.longestPause = 0;
  }

  /** Lets time pass; Mbit/s of payload since {@link mark}. */
  rate(duration: number): number {
    this.world.run({ for: duration });
    return ((this.received - this.#markedBytes) * 8) / 1000 / (this.world.now - this.#markedAt);
  }

  /** Ms until the rate over 200 ms is first at least `megabits`. */
  timeToReach(megabits: number, limit: number): number {
    const start = this.world.now;
    while (this.world.now - start < limit) {
      this.mark(0);
      if (this.rate(200) >= megabits) break;
    }
    return this.world.now - start;
  }

  #feed(connection: ConnectionMachine, id: number): void {
    const chunk = new Uint8Array(65_536);
    while (connection.write(id, chunk));
  }

  #drain(connection: ConnectionMachine, id: number): void {
    for (let piece = connection.read(id); piece !== undefined; piece = connection.read(id)) {
      this.received += piece.length;
    }
    this.longestPause = Math.max(this.longestPause, this.world.now - this.#lastReadAt);
    this.#lastReadAt = this.world.now;
  }
}

const FAST: LinkOptions = { bitsPerSecond: 100e6, queue: { packets: 250 }, delay: 15 };

describe("a link that changes tenfold", () => {
  test("down: four fifths of the new rate after a second, all of it after five, and no read waits longer than the old queue at the new rate", () => {
    const flow = new Flow(FAST);
    flow.mark(5_000);
    const dropped = flow.link.down.counters.tailDropped;
    flow.link.down.update({ bitsPerSecond: 10e6 });
    flow.mark(1_000);
    expect(flow.rate(4_000)).toBeGreaterThan(0.8 * 10);
    expect(flow.longestPause).toBeLessThan(700);
    flow.mark(0);
    expect(flow.rate(4_000)).toBeGreaterThan(0.88 * 10);
    // What was in flight and what left before the first acknowledgement told.
    expect(flow.link.down.counters.tailDropped - dropped).toBeLessThan(1_200);
  });

  test("up: the tenfold rate is reached within the four seconds in which it is looked for", () => {
    const flow = new Flow({ ...FAST, bitsPerSecond: 10e6 });
    flow.mark(5_000);
    flow.link.down.update({ bitsPerSecond: 100e6 });
    expect(flow.timeToReach(85, 10_000)).toBeLessThan(4_500);
    flow.mark(0);
    expect(flow.rate(3_000)).toBeGreaterThan(0.85 * 100);
    expect(flow.longestPause).toBeLessThan(250);
  });
});

test("a policer of 10 Mbit/s and 100 kB on a link of 100 Mbit/s: nearly its rate, and little is lost", () => {
  const flow = new Flow({ up: FAST, down: { ...FAST, policer: { bitsPerSecond: 10e6, burst: 100_000 } } });
  flow.mark(5_000);
  const { policed, sent } = flow.link.down.counters;
  expect(flow.rate(15_000)).toBeGreaterThan(0.85 * 10);
  const { counters } = flow.link.down;
  expect((counters.policed - policed) / (counters.sent - sent)).toBeLessThan(0.06);
  expect(flow.longestPause).toBeLessThan(500);
});

test("acknowledgements that have 100 kbit/s do not hold up 20 Mbit/s", () => {
  const down: LinkOptions = { bitsPerSecond: 20e6, queue: { packets: 75 }, delay: 15 };
  const flow = new Flow({ up: { bitsPerSecond: 100e3, queue: { packets: 25 }, delay: 15 }, down });
  flow.mark(3_000);
  expect(flow.rate(7_000)).toBeGreaterThan(0.88 * 20);
  // Of about a thousand acknowledgements.
  expect(flow.link.up.counters.tailDropped).toBeLessThan(25);
  expect(flow.longestPause).toBeLessThan(300);
});

test("a blackout of 2 s costs 2 s, and little more until a probe gets through", () => {
  const pauses: number[] = [];
  for (const from of [3_000, 3_333, 3_777]) {
    const link = { bitsPerSecond: 20e6, queue: { packets: 75 }, delay: 15, blackouts: [{ from, until: from + 2_000 }] };
    const flow = new Flow({ up: link, down: link });
    flow.mark(2_900);
    expect(flow.rate(4_100)).toBeGreaterThan(0);
    pauses.push(flow.longestPause);
    flow.mark(0);
    expect(flow.rate(2_000)).toBeGreaterThan(0.85 * 20);
  }
  for (const pause of pauses) expect(pause).toBeLessThan(2_000 + 1_000);
});
