/**
 * Measures what idle connections hold; see `idle.ts`.
 *
 * @module
 */
import type { ConnectionMachine } from "../../src/connection/connection.ts";
import { Pair } from "../../test/connection/pair.ts";

/** Bytes that an end of an idle connection may hold. */
export const LIMIT = 20 * 1024;

/** Connections that carry traffic, and how much each. */
const BUSY = 50;
const TRAFFIC = 1024 * 1024;

/** Pause between two calls, in ms: a listener takes 20 calls a second from one source. */
const CALL_INTERVAL = 60;

/** What was measured, in bytes for each end of a connection. */
export interface IdleCost {
  readonly connections: number;
  readonly busy: number;
  readonly plain: number;
  readonly afterTraffic: number;
  readonly mean: number;
  readonly resident: number;
}

/** Opens `count` connections and measures. `gc` collects garbage. */
export async function idleCost(count: number, gc: () => void): Promise<IdleCost> {
  const pair = new Pair();
  // What the first connections load and compile is not theirs; compilers take their time.
  for (let lot = 0; lot < 3; lot++) {
    transfer(pair, open(pair, BUSY));
    settle(pair);
  }
  const start = await measure(gc);
  transfer(pair, open(pair, BUSY));
  settle(pair);
  const middle = await measure(gc);
  open(pair, count - BUSY);
  settle(pair);
  const end = await measure(gc);
  return {
    connections: count,
    busy: BUSY,
    plain: (end.heap - middle.heap) / (2 * (count - BUSY)),
    afterTraffic: (middle.heap - start.heap) / (2 * BUSY),
    mean: (end.heap - start.heap) / (2 * count),
    resident: (end.resident - start.resident) / (2 * count),
  };
}

function open(pair: Pair, count: number): ConnectionMachine[] {
  const initiators: ConnectionMachine[] = [];
  for (let i = 0; i < count; i++) {
    initiators.push(pair.dial());
    pair.advance(CALL_INTERVAL);
    forget(pair);
  }
  if (initiators.some(({ state }) => state !== "open")) throw new Error("a call did not get through");
  return initiators;
}

/** Moves data from each initiator to its responder. */
function transfer(pair: Pair, initiators: readonly ConnectionMachine[]): void {
  const data = new Uint8Array(TRAFFIC);
  for (const initiator of initiators) {
    let received = 0;
    initiator.write(0, data);
    for (let round = 0; received < TRAFFIC; round++) {
      pair.advance(5);
      for (const event of pair.listener.events) {
        if (event.type !== "connection" || event.event.type !== "readable") continue;
        const { connection } = event;
        const { id } = event.event;
        for (let piece = connection.read(id); piece !== undefined; piece = connection.read(id))
          received += piece.length;
      }
      forget(pair);
      if (round > 10_000) throw new Error("the transfer does not end");
    }
  }
}

/** Lets everything fall silent: several keepalives, and what goes with time. */
function settle(pair: Pair): void {
  for (let round = 0; round < 60; round++) {
    pair.advance(1_000);
    forget(pair);
  }
}

/** Drops what the pair keeps for tests. */
function forget(pair: Pair): void {
  pair.captured.length = 0;
  pair.listener.events.length = 0;
  pair.dialer.events.length = 0;
}

async function measure(gc: () => void): Promise<{ heap: number; resident: number }> {
  // Some memory is given back by tasks that a collection leaves behind.
  for (let round = 0; round < 5; round++) {
    gc();
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  const { heapUsed, external, rss } = process.memoryUsage();
  return { heap: heapUsed + external, resident: rss };
}
