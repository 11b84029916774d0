/**
 * What a holder of the ticket can do to a listener before a data packet of it has opened.
 *
 * @module
 */
import { expect, test } from "vitest";
import { DEFAULT_CONFIG } from "../../src/connection/config.ts";
import { localParameters } from "../../src/connection/negotiation.ts";
import { InitiatorHandshake } from "../../src/crypto/handshake.ts";
import { keyPairFromSeed } from "../../src/crypto/primitives.ts";
import { deriveTicketKeys } from "../../src/crypto/ticket-keys.ts";
import { ticketCore } from "../../src/ticket/ticket.ts";
import { CLOSE_CODE } from "../../src/wire/codes.ts";
import { encodeInit } from "../../src/wire/handshake-datagram.ts";
import { encodeParameters } from "../../src/wire/parameters.ts";
import { Adversary, closeIn } from "./adversary.ts";
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

test("CONN-3: a listener that allows no stream has not answered", () => {
  const adversary = Adversary.listen({ parameters: { maxStreamsBidi: 0 } });
  expect(adversary.connection.state).toBe("connecting");
  expect(adversary.victim.endpoint.stats.dropped).toEqual({ "bad-parameters": 1 });
});

test("CONN-9: a ticket that is revoked after the answer opens nothing", () => {
  const adversary = Adversary.dial();
  const { pair, victim } = adversary;
  victim.endpoint.revokeTicket(pair.ticketId);
  adversary.deliver("probe", [{ type: "path-response", token: adversary.token }]);
  const close = closeIn(adversary.say("data", [{ type: "ping" }]));
  expect(close).toMatchObject({ application: false, code: CLOSE_CODE.REFUSED_BY_PEER });
  adversary.wait(20_001);
  expect(victim.events.some(({ type }) => type === "incoming" || type === "ticket-used")).toBe(false);
  expect(victim.endpoint.connectionCount).toBe(0);
});

test("CONN-10: the holder of a dead ticket cannot take the place of others", () => {
  const pair = new Pair();
  const { listener, dialer, rng, ticket } = pair;
  const good = { ...ticket, secret: rng.random(16) };
  listener.endpoint.addTicket(good, Number.POSITIVE_INFINITY);
  listener.endpoint.revokeTicket(pair.ticketId);
  // As fast as unproven sources are served at all, and from many of them.
  for (let second = 0; second < 5; second++) {
    for (let i = 0; i < (second === 0 ? 100 : 50); i++) {
      const from = { host: `198.51.100.${i % 50}`, port: 1_000 + second, family: 4 } as const;
      pair.inject(listener, firstMessage(pair), from);
    }
    pair.now = (pair.now + 1_000) as typeof pair.now;
  }
  expect(listener.endpoint.stats.dropped["half-open-limit"]).toBeUndefined();
  const identity = keyPairFromSeed(rng.random(32));
  const call = dialer.endpoint.connect({ ticket: good, identity, timeout: 20_000 }, pair.now);
  pair.exchange();
  expect(call.state).toBe("open");
});

/** The first message of a holder of the pair's ticket. */
function firstMessage({ ticket, rng }: Pair): Uint8Array {
  const { key, secret } = ticket;
  const handshake = new InitiatorHandshake({
    keys: deriveTicketKeys({ key, secret, core: ticketCore(ticket) }),
    listenerKey: key,
    identity: keyPairFromSeed(rng.random(32)),
    ephemeral: keyPairFromSeed(rng.random(32)),
    payload: encodeParameters({ ...localParameters(DEFAULT_CONFIG, [rng.random(8)]), attempt: rng.random(8) }, 0),
  });
  return encodeInit({ core: handshake.core1, token: rng.random(8), mac2: new Uint8Array(16) });
}

function silentListener() {
  const pair = new Pair();
  return { listener: pair.listener, rng: pair.rng, inject: (bytes: Uint8Array) => pair.inject(pair.listener, bytes) };
}
