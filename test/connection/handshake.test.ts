import { expect, test } from "vitest";
import { classify } from "../../src/wire/datagram.ts";
import { Pair } from "./pair.ts";

const kinds = (pair: Pair) => pair.captured.map(({ from, bytes }) => `${from.name} ${classify(bytes[0]!)}`);

test("CONN-3: a call costs one round trip, and the initiator's first flight opens the responder's connection", () => {
  const pair = new Pair();
  const initiator = pair.dial();
  pair.exchange();
  expect(kinds(pair).slice(0, 2)).toEqual(["dialer init", "listener resp"]);
  expect(initiator.state).toBe("open");
  const incoming = pair.listener.events.find((event) => event.type === "incoming");
  expect(incoming).toMatchObject({ ticketId: pair.ticketId });
  expect(pair.eventsOf(pair.dialer, initiator).map((event) => event.type)).toEqual(["connected"]);
});

test("CONN-2: before a packet opens the responder sends nothing but its answer, never longer than the message", () => {
  const pair = new Pair();
  pair.filter = (from, bytes) => from === pair.listener || classify(bytes[0]!) === "init";
  pair.dial();
  pair.advance(25_000);
  const sent = pair.captured.filter(({ from }) => from === pair.listener);
  expect(sent.length).toBeGreaterThan(0);
  for (const { bytes } of sent) {
    expect(classify(bytes[0]!)).toBe("resp");
    expect(bytes.length).toBeLessThanOrEqual(1200);
  }
  expect(pair.listener.events).toEqual([]);
});

test("CONN-4, CONN-5, CONN-6: a silent address is tried on schedule, anew after 15 s, and reported at the end", () => {
  const pair = new Pair();
  pair.filter = () => false;
  const start = pair.now;
  const initiator = pair.dial();
  const sentAt: number[] = [];
  const cores = new Set<string>();
  pair.filter = (_, bytes) => {
    sentAt.push(pair.now - start);
    cores.add(bytes.subarray(32, 72).join());
    return false;
  };
  pair.advance(21_000);
  expect(sentAt.length).toBe(8 + 6);
  const schedule = [0, 200, 500, 1_000, 2_000, 4_000, 7_000, 11_000];
  for (const [i, at] of schedule.entries()) {
    expect(sentAt[i]).toBeGreaterThanOrEqual(at * 0.9);
    expect(sentAt[i]).toBeLessThanOrEqual(at * 1.1);
  }
  expect(sentAt[8]).toBe(15_000);
  expect(cores.size).toBe(2);
  const closed = pair.eventsOf(pair.dialer, initiator).at(-1);
  expect(closed).toMatchObject({
    type: "closed",
    reason: { kind: "unreachable", attempts: [{ sent: 14, received: 0, elapsed: 20_000, outcome: "no-answer" }] },
  });
});

test("CONN-7: a copy of an answered message is answered with the same bytes, once per 100 ms and source", () => {
  const pair = new Pair();
  pair.filter = (from) => from === pair.dialer;
  pair.dial();
  pair.exchange();
  const init = pair.captured[0]!.bytes;
  const first = pair.captured[1]!.bytes;
  expect(pair.inject(pair.listener, init)).toEqual([]);
  pair.advance(100);
  expect(pair.inject(pair.listener, init)).toEqual([first]);
  const elsewhere = Array.from({ length: 12 }, (_, i) => ({ host: `198.51.100.${i}`, port: 9, family: 4 as const }));
  const answers = elsewhere.map((from) => pair.inject(pair.listener, init, from).length);
  expect(answers.reduce((sum, n) => sum + n)).toBe(7);
});

test("CONN-7: a first copy whose token was damaged costs a repetition, not the handshake", () => {
  const pair = new Pair();
  let isDamaged = false;
  pair.filter = (from, bytes) => {
    if (from === pair.dialer && !isDamaged) bytes[8]! ^= 1;
    isDamaged = true;
    return true;
  };
  const initiator = pair.dial();
  pair.exchange();
  expect(initiator.state).toBe("connecting");
  pair.advance(220);
  expect(initiator.state).toBe("open");
  expect(kinds(pair).filter((kind) => kind === "dialer init")).toHaveLength(2);
});

test("CONN-12, CONN-13: however the first data packets and their answers are lost, both ends soon hear each other", () => {
  for (let lost = 0; lost < 64; lost++) {
    const pair = new Pair({ seed: lost });
    let sent = 0;
    // Bit n says whether the n-th protected datagram of all is lost; most responders have no credit for a second answer.
    pair.filter = (_, bytes) => classify(bytes[0]!) !== "protected" || ((lost >> sent++) & 1) === 0;
    const initiator = pair.dial();
    pair.exchange();
    initiator.write(0, new Uint8Array(100));
    pair.exchange();
    pair.advance(10_000);
    const incoming = pair.listener.events.find((event) => event.type === "incoming");
    if (incoming?.type !== "incoming") throw new Error(`seed ${lost}: no connection came in`);
    incoming.connection.write(0, new Uint8Array(20_000));
    pair.exchange();
    pair.advance(1_000);
    let received = 0;
    for (let data = initiator.read(0); data !== undefined; data = initiator.read(0)) received += data.length;
    expect(received).toBe(20_000);
  }
});

test("CONN-8: a half-open connection is forgotten after 20 s, and its message stays used", () => {
  const pair = new Pair();
  pair.filter = (from, bytes) => from === pair.dialer && classify(bytes[0]!) === "init";
  pair.dial().close(0, "", pair.now);
  const init = new Pair({ seed: 1 });
  init.filter = (from) => from === init.dialer;
  init.dial();
  init.exchange();
  expect(init.listener.endpoint.connectionCount).toBe(1);
  const message = init.captured[0]!.bytes;
  init.filter = () => false;
  init.advance(20_001);
  expect(init.listener.endpoint.connectionCount).toBe(0);
  expect(init.inject(init.listener, message)).toEqual([]);
  expect(init.listener.endpoint.stats.dropped.replayed).toBe(1);
});

test("CONN-9: the last use of a ticket goes to the call that opens first", () => {
  const pair = new Pair({ uses: 1 });
  pair.filter = (from, bytes) => !(from === pair.dialer && classify(bytes[0]!) === "protected");
  const first = pair.dial();
  const second = pair.dial();
  pair.exchange();
  expect([first.state, second.state]).toEqual(["open", "open"]);
  pair.filter = () => true;
  pair.advance(5_000);
  const ends = [first, second].map((each) => pair.eventsOf(pair.dialer, each).find((event) => event.type === "closed"));
  expect(ends.filter((end) => end === undefined).length).toBe(1);
  expect(ends.find((end) => end !== undefined)).toMatchObject({
    reason: { kind: "closed", origin: "peer", code: 0xd },
  });
  expect(pair.listener.events.filter((event) => event.type === "incoming").length).toBe(1);
});

test("CONN-10: the holder of a dead ticket is told why, at a limited rate, and strangers meet silence", () => {
  const spent = new Pair({ uses: 1 });
  spent.connect();
  const again = spent.dial();
  spent.exchange();
  expect(spent.eventsOf(spent.dialer, again).at(-1)).toMatchObject({ reason: { kind: "refused", refusal: "used-up" } });

  const revoked = new Pair();
  revoked.listener.endpoint.revokeTicket(revoked.ticketId);
  const call = revoked.dial();
  revoked.exchange();
  expect(revoked.eventsOf(revoked.dialer, call).at(-1)).toMatchObject({
    reason: { kind: "refused", refusal: "revoked" },
  });

  const expired = new Pair({ expiresAt: 1_800_000_100 });
  expired.unixTime += 100;
  const late = expired.dial();
  expired.exchange();
  expect(expired.eventsOf(expired.dialer, late).at(-1)).toMatchObject({
    reason: { kind: "refused", refusal: "expired" },
  });

  for (let i = 0; i < 10; i++) revoked.dial();
  const before = revoked.captured.length;
  revoked.exchange();
  const answers = revoked.captured.slice(before).filter(({ from }) => from === revoked.listener);
  expect(answers.length).toBe(3);

  const stranger = new Pair();
  stranger.dial({ ...stranger.ticket, secret: new Uint8Array(16) });
  stranger.exchange();
  expect(kinds(stranger)).toEqual(["dialer init"]);
});

test("CONN-11: under load a call needs one more round trip, and a message without the cookie no Diffie-Hellman", () => {
  const pair = new Pair();
  const calls = Array.from({ length: 160 }, () => pair.dial());
  pair.exchange();
  pair.advance(3_000);
  expect(calls.filter((call) => call.state === "open").length).toBe(160);
  expect(pair.listener.endpoint.stats.dropped.cookie).toBeGreaterThan(0);
  expect(kinds(pair)).toContain("listener cookie");
});

test("the application decides on each peer before it is answered, and a refusal is authentic", () => {
  const pair = new Pair({ acceptHook: true });
  const first = pair.dial();
  pair.exchange();
  const request = pair.listener.events.find((event) => event.type === "request")!;
  expect(first.state).toBe("connecting");
  pair.listener.endpoint.answer(request.request.id, { accept: false, message: "not today" }, pair.now);
  pair.exchange();
  expect(pair.eventsOf(pair.dialer, first).at(-1)).toMatchObject({
    reason: { kind: "refused", refusal: "not-allowed", message: "not today" },
  });
  const second = pair.dial();
  pair.exchange();
  const next = pair.listener.events.filter((event) => event.type === "request")[1]!;
  pair.listener.endpoint.answer(next.request.id, { accept: true, message: "" }, pair.now);
  pair.exchange();
  expect(second.state).toBe("open");
});
