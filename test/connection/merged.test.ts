import { expect, test } from "vitest";
import { Pair } from "./pair.ts";

test("of datagrams that arrive in one buffer a forged one costs only itself, if the system tells their size", () => {
  const pair = new Pair();
  const { initiator, responder } = pair.connect();
  const id = responder.openStream("bidi")!;
  responder.write(id, new Uint8Array(8_000).fill(7));
  const { payload, segmentSize } = pair.listener.endpoint.pollTransmit(pair.now)!;
  expect(payload.length).toBeGreaterThan(3 * segmentSize);
  // It says of itself that it is shorter than it is.
  const forged = new Uint8Array(segmentSize).fill(0xe0);
  forged.set([0xe0, 0, 50]);
  const merged = new Uint8Array(forged.length + payload.length);
  merged.set(forged);
  merged.set(payload, forged.length);
  const { endpoint } = pair.dialer;
  endpoint.receive({ via: 0, from: pair.listener.address, payload: merged, segmentSize }, pair.now);
  let read = 0;
  for (let piece = initiator.read(id); piece !== undefined; piece = initiator.read(id)) read += piece.length;
  expect(read).toBe(8_000);
  expect(endpoint.stats.dropped).toEqual({});
});
