/**
 * Where a connection sends, and how much, before the peer is proven to be there.
 *
 * @module
 */
import { describe, expect, test } from "vitest";
import type { Address } from "../../src/util/machine.ts";
import { classify } from "../../src/wire/datagram.ts";
import { decodeCookie } from "../../src/wire/handshake-datagram.ts";
import { Adversary, framesIn, takeAll } from "./adversary.ts";
import { Pair } from "./pair.ts";

const elsewhere: Address = { host: "203.0.113.66", port: 666, family: 4 };

describe("the path of the initiator", () => {
  /** A call, its first message, and the answer to it. */
  function answered(): { pair: Pair; answer: Uint8Array } {
    const pair = new Pair();
    pair.dial();
    const [init] = takeAll(pair, pair.dialer);
    const [answer] = pair.inject(pair.listener, init!.bytes);
    return { pair, answer: answer! };
  }

  test("CONN-12: an answer from another address than the one that was asked is dropped", () => {
    const { pair, answer } = answered();
    expect(pair.inject(pair.dialer, answer, elsewhere)).toEqual([]);
    expect(pair.inject(pair.dialer, answer, { ...pair.listener.address, port: 1 })).toEqual([]);
    expect(pair.dialer.endpoint.stats.dropped).toEqual({ "bad-response": 2 });
    expect(pair.inject(pair.dialer, answer).length).toBeGreaterThan(0);
  });

  test("CONN-12: an answer that echoes another token is dropped, and the right one is still taken", () => {
    const { pair, answer } = answered();
    for (let at = 16; at < 24; at++) {
      const forged = answer.slice();
      forged[at] = forged[at]! ^ 1;
      expect(pair.inject(pair.dialer, forged)).toEqual([]);
    }
    expect(pair.dialer.endpoint.stats.dropped).toEqual({ "bad-response": 8 });
    expect(pair.inject(pair.dialer, answer).length).toBeGreaterThan(0);
  });

  test("CONN-12: an answer for another connection id is dropped, whichever of its bytes differs", () => {
    const { pair, answer } = answered();
    for (let at = 8; at < 16; at++) {
      const forged = answer.slice();
      forged[at] = forged[at]! ^ 1;
      expect(pair.inject(pair.dialer, forged)).toEqual([]);
    }
    expect(pair.dialer.endpoint.stats.dropped).toEqual({ "unknown-id": 8 });
    expect(pair.inject(pair.dialer, answer).length).toBeGreaterThan(0);
  });

  test("CONN-11: a cookie brings one more message, its copies none", () => {
    const pair = new Pair();
    for (let i = 0; i < 160; i++) pair.dial();
    const cookies: Uint8Array[] = [];
    for (const { bytes } of takeAll(pair, pair.dialer)) {
      for (const answer of pair.inject(pair.listener, bytes))
        if (classify(answer[0]!) === "cookie") cookies.push(answer);
    }
    expect(cookies.length).toBe(10);
    const [cookie] = cookies;
    expect(decodeCookie(cookie!)).toBeDefined();
    expect(pair.inject(pair.dialer, cookie!).length).toBe(1);
    for (let i = 0; i < 100; i++) expect(pair.inject(pair.dialer, cookie!, elsewhere)).toEqual([]);
  });
});

/** Bytes by address, seen from an endpoint. */
class Scale {
  readonly brought = new Map<string, number>();
  readonly sent = new Map<string, number>();

  add(map: "brought" | "sent", { host }: Address, bytes: number): void {
    this[map].set(host, (this[map].get(host) ?? 0) + bytes);
  }

  excess({ host }: Address): number {
    return (this.sent.get(host) ?? 0) - (this.brought.get(host) ?? 0);
  }
}

/** A caller with a second address that it has forged, and the bytes that both places cost and got. */
function forger(): { adversary: Adversary; scale: Scale; from: (size: number, address: Address) => void } {
  const scale = new Scale();
  const adversary = Adversary.dialFrom([elsewhere], (to, brought, sent) => {
    scale.add("brought", to, brought);
    scale.add("sent", to, sent);
  });
  const take = () => {
    for (const { to, bytes } of adversary.takeRaw()) scale.add("sent", to, bytes.length);
    expect(scale.excess(elsewhere)).toBeLessThanOrEqual(0);
  };
  const from = (size: number, address: Address) => {
    adversary.deliver("data", [{ type: "ping" }], { size, from: address });
    scale.add("brought", address, size);
    take();
  };
  return { adversary, scale, from };
}

describe("amplification", () => {
  test("CONN-13: a forged source never gets more bytes than it seemed to send (RFC 9000 §8.1)", () => {
    const { adversary, scale, from } = forger();
    from(40, adversary.address);
    const id = adversary.connection.openStream("uni")!;
    adversary.connection.write(id, new Uint8Array(500_000));
    for (let round = 0; round < 200; round++) {
      from(40 + ((round * 37) % 400), elsewhere);
      adversary.wait(round % 5 === 0 ? 3_000 : 40);
      for (const { to, size } of adversary.takeHeld()) scale.add("sent", to, size);
      expect(scale.excess(elsewhere)).toBeLessThanOrEqual(0);
    }
    // It is asked for a proof, and gets a little data.
    expect(scale.sent.get(elsewhere.host)).toBeGreaterThan(1_200);
    expect(adversary.connection.paths()[0]?.remote).toEqual(elsewhere);
  });

  test("CONN-13: the end of the connection is no exception", () => {
    const { adversary, scale, from } = forger();
    from(40, elsewhere);
    adversary.connection.close(1, "x".repeat(64), adversary.pair.now);
    adversary.wait(5_000);
    for (const { to, size } of adversary.takeHeld()) scale.add("sent", to, size);
    expect(scale.excess(elsewhere)).toBeLessThanOrEqual(0);
  });

  test("CONN-13: a listener asks for the proof of a path with each packet, at most once per probe timeout", () => {
    const adversary = Adversary.dial();
    const { pair } = adversary;
    let challenges = 0;
    const start = pair.now;
    for (let round = 0; round < 200; round++) {
      const seen = adversary.say("data", [{ type: "ping" }]);
      challenges += framesIn(seen).filter(({ type }) => type === "path-challenge").length;
      pair.now = (pair.now + 10) as typeof pair.now;
    }
    // The probe timeout without a sample is 999 ms (RFC 9002 §6.2.2), with an acknowledged one much less.
    expect(challenges).toBeGreaterThanOrEqual(2);
    expect(challenges).toBeLessThanOrEqual(1 + (pair.now - start) / 333);
  });

  test.each(["token", "challenge"] as const)(
    "CONN-12: the %s comes back, and the path of the responder is proven",
    (proof) => {
      const adversary = Adversary.dial();
      const seen = adversary.say("data", [{ type: "ping" }]);
      const challenge = framesIn(seen).find((frame) => frame.type === "path-challenge");
      expect(challenge).toBeDefined();
      const { connection } = adversary;
      connection.write(connection.openStream("uni")!, new Uint8Array(8_000));
      const size = (packets: readonly { size: number }[]) => packets.reduce((sum, packet) => sum + packet.size, 0);
      expect(size(adversary.take())).toBeLessThan(1_300);
      const token =
        proof === "token" ? adversary.token : challenge!.type === "path-challenge" ? challenge!.token : undefined;
      expect(size(adversary.say("probe", [{ type: "path-response", token: token! }]))).toBeGreaterThan(6_000);
    },
  );

  test("CONN-12, CONN-13: the token may come in a data packet; nothing is acknowledged before", () => {
    const adversary = Adversary.dial();
    const acks = (seen: Parameters<typeof framesIn>[0]) => framesIn(seen).filter(({ type }) => type === "ack").length;
    for (let round = 0; round < 5; round++) {
      expect(acks(adversary.say("data", [{ type: "ping" }]))).toBe(0);
      adversary.wait(1_000);
      expect(acks(adversary.take())).toBe(0);
    }
    expect(acks(adversary.say("data", [{ type: "path-response", token: adversary.token }, { type: "ping" }]))).toBe(1);
  });

  test("CONN-12: neither on another path, nor with another token", () => {
    const adversary = Adversary.dialFrom([elsewhere]);
    adversary.say("data", [{ type: "ping" }]);
    const { connection } = adversary;
    connection.write(connection.openStream("uni")!, new Uint8Array(8_000));
    adversary.take();
    const wrong = adversary.token.map((byte) => byte ^ 1);
    const sizes = [
      adversary.say("probe", [{ type: "path-response", token: wrong }]),
      adversary.say("probe", [{ type: "path-response", token: adversary.token }], { from: elsewhere }),
      adversary.say("probe", [{ type: "path-response", token: adversary.token }], { from: { ...elsewhere, port: 1 } }),
    ].map((seen) => seen.reduce((sum, { size }) => sum + size, 0));
    for (const size of sizes) expect(size).toBeLessThan(200);
  });
});

describe("the responder follows", () => {
  const isPath = ({ type }: { type: string }) => type === "path";

  test("CONN-15: data goes where the newest data packet came from, if that is a source of the first message", () => {
    const adversary = Adversary.dialFrom([elsewhere]);
    const active = () => adversary.connection.paths()[0]?.remote;
    const late = adversary.seal("data", [{ type: "ping" }]);
    adversary.say("data", [{ type: "ping" }]);
    expect(active()).toEqual(adversary.address);
    // An older packet, or a copy, from the other source: an attacker may have been faster.
    adversary.deliverBytes(late, elsewhere);
    expect(active()).toEqual(adversary.address);
    const seen = adversary.say("data", [{ type: "ping" }], { from: elsewhere });
    expect(active()).toEqual(elsewhere);
    expect(seen.every(({ to }) => to.host === elsewhere.host)).toBe(true);
    expect(adversary.events().filter(isPath).length).toBe(1);
    adversary.say("data", [{ type: "ping" }]);
    expect(active()).toEqual(adversary.address);
  });

  test("CONN-15: a source that the first message did not come from gets nothing, and moves nothing", () => {
    const adversary = Adversary.open("initiator");
    const { connection } = adversary;
    for (let n = 0; n < 100; n++) {
      const from = { host: `198.51.100.${n}`, port: 1, family: 4 as const };
      adversary.deliver("data", [{ type: "ping" }, { type: "immediate-ack" }], { from });
      adversary.deliver("probe", [{ type: "path-challenge", token: new Uint8Array(8) }], { from });
      for (const { to } of adversary.take()) expect(to).toEqual(adversary.address);
    }
    expect(connection.paths().map(({ remote }) => remote)).toEqual([adversary.address]);
    expect(adversary.events().filter(isPath)).toEqual([]);
  });
});
