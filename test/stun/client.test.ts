/**
 * Transactions: when they ask, whose answers count, and how many there are.
 *
 * @module
 */
import { describe, expect, test } from "vitest";
import { MAX_TRANSACTIONS, MAX_TRANSACTIONS_PER_SERVER, StunClient, type StunRequest } from "../../src/stun/client.ts";
import { ATTRIBUTE, MESSAGE_TYPE, transactionIdOf } from "../../src/stun/message.ts";
import { address, BufferPool, Rng, World } from "../../src/testing/index.ts";
import type { Address, Transmit } from "../../src/util/machine.ts";
import type { Instant } from "../../src/util/time.ts";
import { addressValue, attribute, message, xorAddressValue } from "./messages.ts";
import { ServerMachine } from "./server-machine.ts";

const SERVER = address("192.0.2.1", 3478);
const OTHER = address("192.0.2.2", 3479);
const MAPPED = address("203.0.113.7", 40_000);
const STRANGER = address("198.51.100.1", 3478);

const at = (time: number): Instant => time as Instant;

function client(timing?: { rto: number; requests: number; lastWait: number }): StunClient {
  const { random } = new Rng("client");
  return new StunClient({ random, pool: new BufferPool(), ...(timing === undefined ? {} : { timing }) });
}

/** All that the client wants to send at this instant. */
function sent(machine: StunClient, now: number): readonly Transmit[] {
  const transmits: Transmit[] = [];
  for (let next = machine.pollTransmit(at(now)); next !== undefined; next = machine.pollTransmit(at(now)))
    transmits.push(next);
  return transmits;
}

function events(machine: StunClient) {
  const found = [];
  for (let next = machine.pollEvent(); next !== undefined; next = machine.pollEvent()) found.push(next);
  return found;
}

/** An answer to a request. */
function answer(request: Uint8Array, mapped: Address = MAPPED, ...more: readonly Uint8Array[]): Uint8Array {
  const id = transactionIdOf(request).slice();
  return message(MESSAGE_TYPE.RESPONSE, id, [
    attribute(ATTRIBUTE.XOR_MAPPED_ADDRESS, xorAddressValue(mapped, id)),
    ...more,
  ]);
}

function receive(machine: StunClient, payload: Uint8Array, now: number, from = SERVER, via = 0): void {
  machine.receive({ via, from, payload, segmentSize: payload.length }, at(now));
}

/** A client that has asked once at 0; returns what it sent. */
function asked(request: Partial<StunRequest> = {}) {
  const machine = client();
  const number = machine.request({ via: 0, server: SERVER, ...request }, at(0))!;
  const [transmit] = sent(machine, 0);
  return { machine, number, bytes: transmit!.payload.slice() };
}

describe("time", () => {
  /** Instants at which requests leave, and the one at which the transaction ends. */
  function schedule(machine: StunClient, start = 0): readonly number[] {
    const instants: number[] = sent(machine, start).map(() => start);
    for (let next = machine.nextTimeout(); next !== undefined; next = machine.nextTimeout()) {
      machine.handleTimeout(at(next - 0.001));
      expect(sent(machine, next)).toEqual([]);
      machine.handleTimeout(next);
      const count = sent(machine, next).length;
      if (count === 0) expect(machine.pollEvent()).toMatchObject({ type: "timed-out", request: 1 });
      instants.push(next);
    }
    return instants;
  }

  test("is that of RFC 8489 §6.2.1 (STUN-7)", () => {
    const machine = client();
    machine.request({ via: 0, server: SERVER }, at(0));
    expect(schedule(machine)).toEqual([0, 500, 1500, 3500, 7500, 15_500, 31_500, 39_500]);
    expect(machine.pending).toBe(0);
  });

  test("is what the owner says, for all requests or for one (STUN-7)", () => {
    const machine = client({ rto: 200, requests: 4, lastWait: 8 });
    machine.request({ via: 0, server: SERVER }, at(10));
    expect(schedule(machine, 10)).toEqual([10, 210, 610, 1410, 3010]);
    const other = client();
    other.request({ via: 0, server: SERVER, timing: { rto: 100, requests: 1, lastWait: 3 } }, at(0));
    expect(schedule(other)).toEqual([0, 300]);
  });

  test("follows from earlier answers for ten minutes (RFC 6298 §2.2, RFC 8489 §6.2.1, STUN-7)", () => {
    const { machine, bytes } = asked();
    receive(machine, answer(bytes), 60);
    machine.request({ via: 0, server: { ...SERVER, port: 9 } }, at(60));
    // SRTT 60 and RTTVAR 30.
    expect(machine.nextTimeout()).toBe(60 + 180);
    machine.cancel(2);
    machine.request({ via: 0, server: SERVER }, at(600_060));
    expect(machine.nextTimeout()).toBe(600_060 + 500);
  });

  test("of an answer to a repeated request tells nothing (RFC 8489 §6.2.1, STUN-7)", () => {
    const { machine, bytes } = asked();
    machine.handleTimeout(at(500));
    sent(machine, 500);
    receive(machine, answer(bytes), 540);
    expect(machine.pollEvent()).toMatchObject({ type: "answered", rtt: undefined, askedAt: 0 });
    machine.request({ via: 0, server: SERVER }, at(600));
    expect(machine.nextTimeout()).toBe(600 + 500);
  });

  test("late timers do not make up for lost ones", () => {
    const { machine } = asked();
    machine.handleTimeout(at(10_000));
    expect(sent(machine, 10_000)).toHaveLength(1);
    expect(machine.nextTimeout()).toBe(11_000);
  });
});

describe("an answer", () => {
  test("counts once (STUN-8)", () => {
    const { machine, number, bytes } = asked();
    const other = attribute(ATTRIBUTE.OTHER_ADDRESS, addressValue(OTHER));
    receive(machine, answer(bytes, MAPPED, other), 40);
    receive(machine, answer(bytes, STRANGER), 41);
    expect(events(machine)).toEqual([
      {
        type: "answered",
        request: number,
        via: 0,
        server: SERVER,
        mapped: MAPPED,
        origin: undefined,
        other: OTHER,
        rtt: 40,
        askedAt: 0,
      },
    ]);
    expect(machine.nextTimeout()).toBeUndefined();
  });

  test.each<[string, (machine: StunClient, bytes: Uint8Array) => void]>([
    ["from another host", (machine, bytes) => receive(machine, answer(bytes), 1, STRANGER)],
    ["from another port", (machine, bytes) => receive(machine, answer(bytes), 1, { ...SERVER, port: 3479 })],
    ["by another socket", (machine, bytes) => receive(machine, answer(bytes), 1, SERVER, 1)],
    [
      "with another id",
      (machine, bytes) => receive(machine, answer(bytes.map((byte, i) => (i === 19 ? ~byte : byte))), 1),
    ],
    ["without an address", (machine, bytes) => receive(machine, message(0x101, transactionIdOf(bytes)), 1)],
    ["that is a request", (machine, bytes) => receive(machine, bytes.slice(), 1)],
    ["cut short", (machine, bytes) => receive(machine, answer(bytes).subarray(0, 28), 1)],
    ["of three bytes", (machine) => receive(machine, Uint8Array.of(1, 2, 3), 1)],
    ["of no bytes", (machine) => receive(machine, new Uint8Array(0), 1)],
  ])("%s changes nothing (STUN-8)", (_, forge) => {
    const { machine, bytes } = asked();
    forge(machine, bytes);
    expect(events(machine)).toEqual([]);
    expect(machine.nextTimeout()).toBe(500);
    receive(machine, answer(bytes), 40);
    expect(events(machine)).toMatchObject([{ type: "answered", mapped: MAPPED }]);
  });

  test("may come merged with others", () => {
    const machine = client();
    machine.request({ via: 0, server: SERVER }, at(0));
    machine.request({ via: 0, server: SERVER }, at(0));
    const [first, second] = sent(machine, 0).map(({ payload }) => answer(payload));
    const payload = Uint8Array.of(...first!, ...second!);
    machine.receive({ via: 0, from: SERVER, payload, segmentSize: first!.length }, at(5));
    expect(events(machine).map((event) => event.request)).toEqual([1, 2]);
  });

  test("to a CHANGE-REQUEST comes from the place that was to answer (STUN-8)", () => {
    const change = { address: true, port: true, from: OTHER };
    const { machine, bytes } = asked({ change });
    expect(bytes.subarray(20)).toEqual(attribute(ATTRIBUTE.CHANGE_REQUEST, [0, 0, 0, 6]));
    receive(machine, answer(bytes), 1, STRANGER);
    receive(machine, answer(bytes), 2, OTHER);
    expect(events(machine)).toMatchObject([{ type: "answered", rtt: 2 }]);
    const ignoring = asked({ change });
    receive(ignoring.machine, answer(ignoring.bytes), 1, SERVER);
    expect(events(ignoring.machine)).toMatchObject([{ type: "unchanged", server: SERVER }]);
  });

  test("to RESPONSE-PORT comes in by the other socket (STUN-8)", () => {
    const { machine, bytes } = asked({ response: { port: 41_000, via: 1 } });
    receive(machine, answer(bytes), 1, SERVER, 0);
    expect(events(machine)).toEqual([]);
    receive(machine, answer(bytes), 2, SERVER, 1);
    expect(events(machine)).toMatchObject([{ type: "answered", via: 0 }]);
  });

  test("that refuses ends the transaction, and so does one that is not understood (RFC 8489 §6.3.3)", () => {
    const refused = asked();
    const code = attribute(ATTRIBUTE.ERROR_CODE, [0, 0, 4, 20]);
    receive(refused.machine, message(MESSAGE_TYPE.ERROR, transactionIdOf(refused.bytes), [code]), 1);
    expect(events(refused.machine)).toMatchObject([{ type: "refused", errorCode: 420 }]);
    const strange = asked();
    receive(strange.machine, answer(strange.bytes, MAPPED, attribute(0x7000, [])), 1);
    expect(events(strange.machine)).toMatchObject([{ type: "refused", errorCode: undefined }]);
    expect(strange.machine.pending).toBe(0);
  });
});

describe("bounds", () => {
  test("ten transactions with one address, the others in their turn (STUN-9)", () => {
    const machine = client();
    for (let i = 0; i < 15; i++) machine.request({ via: 0, server: SERVER }, at(0));
    machine.request({ via: 0, server: OTHER }, at(0));
    const first = sent(machine, 0).map(({ to, payload }) => ({ to, payload: payload.slice() }));
    expect(first.filter(({ to }) => to === SERVER)).toHaveLength(MAX_TRANSACTIONS_PER_SERVER);
    expect(first).toHaveLength(MAX_TRANSACTIONS_PER_SERVER + 1);
    receive(machine, answer(first[0]!.payload), 30);
    expect(sent(machine, 30)).toHaveLength(1);
    machine.cancel(2);
    expect(sent(machine, 30)).toHaveLength(1);
  });

  test("128 in all, and no request more (STUN-9)", () => {
    const machine = client();
    for (let i = 0; i < MAX_TRANSACTIONS; i++) expect(machine.request({ via: 0, server: SERVER }, at(0))).toBe(i + 1);
    expect(machine.request({ via: 0, server: SERVER }, at(0))).toBeUndefined();
    expect(machine.pending).toBe(MAX_TRANSACTIONS);
  });

  test("a cancelled request, or one of a closed socket, is neither sent nor heard of", () => {
    const machine = client();
    const cancelled = machine.request({ via: 0, server: SERVER }, at(0))!;
    machine.cancel(cancelled);
    machine.request({ via: 3, server: SERVER }, at(0));
    machine.request({ via: 0, server: SERVER, response: { port: 9, via: 3 } }, at(0));
    machine.cancelSocket(3);
    expect(sent(machine, 0)).toEqual([]);
    expect(machine.nextTimeout()).toBeUndefined();
    expect(events(machine)).toEqual([]);
  });
});

test("with a server: 30 at once, a tenth of the packets lost each way, all are answered", () => {
  const world = new World({ seed: 7 });
  const server = world.addHost({
    name: "server",
    machine: new ServerMachine({ pool: world.pool, places: [SERVER] }),
    addresses: [SERVER],
  });
  const machine = new StunClient({ random: world.rng.fork("client").random, pool: world.pool });
  const host = world.addHost({
    name: "client",
    machine,
    addresses: [MAPPED],
    link: { delay: 20, loss: 0.1 },
  });
  for (let i = 0; i < 30; i++) machine.request({ via: 0, server: SERVER }, world.now);
  world.run();
  expect(host.events).toHaveLength(30);
  for (const event of host.events) expect(event).toMatchObject({ type: "answered", mapped: MAPPED });
  expect(server.counters.datagramsSent).toBe(server.counters.datagramsReceived);
});
