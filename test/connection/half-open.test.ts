/**
 * What a holder of the ticket can do to a listener before a data packet of it has opened.
 *
 * @module
 */
import { expect, test } from "vitest";
import { encodeInit } from "../../src/wire/handshake-datagram.ts";
import { Adversary } from "./adversary.ts";
import { Pair } from "./pair.ts";

test("CONN-1: a first message with a core of any length meets silence", () => {
  const { listener, inject, rng } = silentListener();
  for (let length = 0; length <= 1_168; length++) {
    expect(inject(encodeInit({ core: rng.random(length), token: rng.random(8), mac2: rng.random(16) }))).toEqual([]);
  }
  expect(listener.endpoint.stats.dropped).toEqual({ malformed: 120, "no-ticket": 1_049 });
});

test("CONN-8: a caller whose probe packet arrives, but no data packet, is forgotten after 20 s all the same", () => {
  const adversary = Adversary.dial();
  const { endpoint } = adversary.victim;
  adversary.deliver("probe", [{ type: "path-response", token: adversary.token }]);
  adversary.wait(20_001);
  expect(endpoint.connectionCount).toBe(0);
  expect(endpoint.nextTimeout()).toBeUndefined();
});

test("CONN-2: a caller that closes or breaks the rules before its first data packet is never told of", () => {
  for (const frame of [
    { type: "close", application: true, code: 1, cause: 0, reason: "" },
    { type: "ping" },
  ] as const) {
    const adversary = Adversary.dial();
    adversary.deliver("probe", [frame]);
    adversary.takeRaw();
    adversary.wait(20_001);
    expect(adversary.victim.events).toEqual([]);
    expect(adversary.victim.endpoint.connectionCount).toBe(0);
  }
});

function silentListener() {
  const pair = new Pair();
  return { listener: pair.listener, rng: pair.rng, inject: (bytes: Uint8Array) => pair.inject(pair.listener, bytes) };
}
