/**
 * Servers that lie, and strangers who send what was not asked for.
 *
 * @module
 */
import { describe, expect, test } from "vitest";
import { Discovery } from "../../src/stun/discovery/discovery.ts";
import { isOtherAddress } from "../../src/stun/discovery/mapping-test.ts";
import { ATTRIBUTE, MESSAGE_TYPE, transactionIdOf } from "../../src/stun/message.ts";
import { type Address, address, BufferPool, Rng } from "../../src/testing/index.ts";
import type { Transmit } from "../../src/util/machine.ts";
import type { Instant } from "../../src/util/time.ts";
import { home } from "./home.ts";
import { addressValue, attribute, message, xorAddressValue } from "./messages.ts";

const SERVER = address("192.0.2.1", 3478);
const MAPPED = address("203.0.113.7", 45_000);
const at = (time: number): Instant => time as Instant;

function discovery(): Discovery {
  const { random } = new Rng("hostile");
  return new Discovery({ family: 4, via: 0, localPort: 45_000, random, pool: new BufferPool() });
}

function sent(machine: Discovery, now: number): readonly Transmit[] {
  const transmits: Transmit[] = [];
  for (let next = machine.pollTransmit(at(now)); next !== undefined; next = machine.pollTransmit(at(now)))
    transmits.push({ ...next, payload: next.payload.slice() });
  return transmits;
}

function receive(machine: Discovery, payload: Uint8Array, now: number, from = SERVER): void {
  machine.receive({ via: 0, from, payload, segmentSize: payload.length }, at(now));
}

function answer(request: Uint8Array, mapped: Address, other?: Address): Uint8Array {
  const id = transactionIdOf(request).slice();
  const attributes = [attribute(ATTRIBUTE.XOR_MAPPED_ADDRESS, xorAddressValue(mapped, id))];
  if (other !== undefined) attributes.push(attribute(ATTRIBUTE.OTHER_ADDRESS, addressValue(other)));
  return message(MESSAGE_TYPE.RESPONSE, id, attributes);
}

/** Addresses that the main socket writes to after a server has named `other` as its other address. */
function askedAfter(other: Address): readonly Address[] {
  const machine = discovery();
  machine.addServer({ address: SERVER }, at(0));
  const [request] = sent(machine, 0);
  receive(machine, answer(request!.payload, MAPPED, other), 40);
  return sent(machine, 40)
    .filter((each) => each.via === 0)
    .map((each) => each.to);
}

describe("a server's other address (STUN-11)", () => {
  test("is asked at both ports", () => {
    const other = address("198.51.100.1", 3479);
    expect(askedAfter(other)).toEqual([{ ...other, port: 3478 }, other]);
  });

  test.each([
    "127.0.0.1",
    "192.168.1.1",
    "10.0.0.1",
    "100.64.0.1",
    "169.254.1.1",
    "224.0.0.1",
    "255.255.255.255",
    "0.0.0.0",
  ])("is not asked at %s, which is nearer than the server, or no host", (host) =>
    expect(askedAfter(address(host, 3479))).toEqual([]),
  );

  test("is asked in the network of the server", () => {
    expect(isOtherAddress(address("10.0.0.1", 1), address("10.0.0.2", 2))).toBe(true);
    expect(isOtherAddress(address("127.0.0.1", 1), address("127.0.0.2", 2))).toBe(true);
    expect(isOtherAddress(address("127.0.0.1", 1), address("::1", 2))).toBe(false);
  });

  test("costs a victim two requests of 20 bytes, repeated three times, whatever the servers say", () => {
    const victim = address("198.51.100.99", 53);
    const machine = discovery();
    for (let i = 0; i < 8; i++) machine.addServer({ address: address(`192.0.2.${i + 1}`, 3478) }, at(0));
    for (const { to, payload } of sent(machine, 0)) receive(machine, answer(payload, MAPPED, victim), 40, to);
    let bytes = 0;
    for (let now: number | undefined = 40; now !== undefined && now < 60_000; now = machine.nextTimeout()) {
      machine.handleTimeout(at(now));
      for (const { via, to, payload } of sent(machine, now)) {
        if (via === 0 && to.host === victim.host) bytes += payload.length;
      }
    }
    expect(bytes).toBeLessThanOrEqual(160);
  });
});

describe("forged answers", () => {
  test("without the id, from anywhere, change nothing (STUN-8)", () => {
    const machine = discovery();
    machine.addServer({ address: SERVER }, at(0));
    sent(machine, 0);
    const { random } = new Rng("attacker");
    for (let i = 0; i < 1000; i++) {
      const guess = message(MESSAGE_TYPE.REQUEST, random(12));
      receive(machine, answer(guess, address("198.51.100.66", 666)), 1);
      receive(machine, random(20 + (i % 200)), 1, address("198.51.100.66", 666));
    }
    expect(machine.reflexive).toEqual([]);
    expect(machine.pollEvent()).toBeUndefined();
    expect(machine.nextTimeout()).toBe(200);
  });

  test("with the id, from another address, neither (STUN-8)", () => {
    const machine = discovery();
    machine.addServer({ address: SERVER }, at(0));
    const [request] = sent(machine, 0);
    receive(machine, answer(request!.payload, address("198.51.100.66", 666)), 1, address("198.51.100.66", 3478));
    expect(machine.answered).toBeUndefined();
    receive(machine, answer(request!.payload, MAPPED), 2);
    expect(machine.reflexive).toEqual([MAPPED]);
  });

  test("of another family are no address of this one", () => {
    const machine = discovery();
    machine.addServer({ address: SERVER }, at(0));
    const [request] = sent(machine, 0);
    receive(machine, answer(request!.payload, address("2001:db8::1", 1)), 1);
    expect([machine.reflexive, machine.answered]).toEqual([[], true]);
  });
});

test("requests of strangers are neither answered nor taken for hairpinning (STUN-14)", () => {
  const found = home({ nat: { filtering: "endpoint-independent" } });
  const { world, host, discovery: machine, servers } = found;
  const stranger = message(MESSAGE_TYPE.REQUEST, new Rng("stranger").random(12));
  world.at(200, () => {
    for (let via = 0; via < 5; via++) {
      machine.receive({ via, from: SERVER, payload: stranger, segmentSize: stranger.length }, world.now);
    }
  });
  world.run();
  expect(machine.profile.hairpin).toBe(false);
  expect(host.counters.datagramsSent).toBe(19);
  expect(servers[0]!.counters.datagramsReceived).toBe(11);
});

test("a server that ignores CHANGE-REQUEST leaves filtering unknown (STUN-12)", () => {
  // It names another address, at which nobody honours the wish.
  const machine = discovery();
  machine.addServer({ address: SERVER }, at(0));
  const other = address("192.0.2.2", 3479);
  const sockets: number[] = [];
  const serve = (now: number): void => {
    for (let event = machine.pollEvent(); event !== undefined; event = machine.pollEvent()) {
      if (event.type !== "socket-wanted") continue;
      sockets.push(event.request);
      machine.onSocket(event.request, { via: event.request, localPort: 50_000 + 7 * event.request }, at(now));
    }
    for (const { via, to, payload } of sent(machine, now)) {
      const bytes = answer(payload, address("203.0.113.7", 45_000 + via), other);
      machine.receive({ via, from: to, payload: bytes, segmentSize: bytes.length }, at(now));
    }
  };
  serve(0);
  for (let now = 0; now < 3000; now += 10) {
    machine.handleTimeout(at(now));
    serve(now);
  }
  expect(sockets.length).toBeGreaterThan(4);
  expect(machine.profile).toMatchObject({ mapping: "endpoint-independent", filtering: undefined });
  expect(machine.nextTimeout()).toBeUndefined();
});
