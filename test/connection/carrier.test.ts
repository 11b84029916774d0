/**
 * Handshakes that a carrier brings, and what peers without a path tell each other.
 *
 * @module
 */
import { describe, expect, test } from "vitest";
import type { ConnectionMachine } from "../../src/connection/connection.ts";
import { ProbeBook } from "../../src/connection/probe-book.ts";
import type { Situation } from "../../src/connection/situation.ts";
import type { Address } from "../../src/util/machine.ts";
import type { Instant } from "../../src/util/time.ts";
import { encodeResp } from "../../src/wire/handshake-datagram.ts";
import { UNKNOWN_NAT } from "../../src/wire/nat-profile.ts";
import { encodePad } from "../../src/wire/pad.ts";
import { Pair, type PairOptions } from "./pair.ts";

function at(generation: number, port: number): Situation {
  const address: Address = { host: "198.51.100.7", port, family: 4 };
  return { generation, candidates: [{ kind: "reflexive", address, group: 0 }], profile: UNKNOWN_NAT };
}

/** A pair without datagrams, whose answers by carriers are collected. */
class Carried {
  readonly pair: Pair;
  readonly initiator: ConnectionMachine;

  constructor(options: PairOptions = {}) {
    this.pair = new Pair(options);
    this.pair.filter = () => false;
    this.initiator = this.pair.dial();
  }

  /** Gives the listener a first message; returns its answers, by the carriers that they go to. */
  invite(core1: Uint8Array, ref: number) {
    const { endpoint, events } = this.pair.listener;
    const dropped = endpoint.onInvitation(core1, ref, this.pair.now);
    this.pair.exchange();
    const answers = events.flatMap((event) => (event.type === "answer" ? [event] : []));
    return { dropped, answers };
  }

  /** Both ends, with keys and without a path. */
  established(): { readonly initiator: ConnectionMachine; readonly responder: ConnectionMachine } {
    this.pair.situation = at(1, 2_000);
    const { answers } = this.invite(this.initiator.invite(at(1, 1_000))!, 1);
    expect(this.initiator.onAnswer(answers[0]!.core, this.pair.now)).toBeUndefined();
    return { initiator: this.initiator, responder: answers[0]!.connection! };
  }
}

describe("a handshake by a carrier (PATH-60)", () => {
  test("gives both sides keys, and neither a path nor anything to tell the application", () => {
    const carried = new Carried();
    const { initiator, responder } = carried.established();
    expect([initiator.state, responder.state]).toEqual(["connecting", "connecting"]);
    expect(initiator.exporter("test", new Uint8Array())).toEqual(responder.exporter("test", new Uint8Array()));
    expect([initiator.paths(), responder.paths()]).toEqual([[], []]);
    expect(carried.pair.listener.events.map(({ type }) => type)).toEqual(["answer"]);
  });

  test("copies by other carriers are answered with the same bytes, four at most, and by the same one not again", () => {
    const carried = new Carried();
    const core1 = carried.initiator.invite(at(1, 1_000))!;
    for (const ref of [1, 2, 3, 4]) expect(carried.invite(core1, ref).dropped).toBeUndefined();
    expect(carried.invite(core1, 5).dropped).toBe("replayed");
    const { dropped, answers } = carried.invite(core1, 1);
    expect(dropped).toBe("replayed");
    expect(answers.map(({ ref }) => ref)).toEqual([1, 2, 3, 4]);
    for (const { core } of answers) expect(core).toEqual(answers[0]!.core);
  });

  test("a dead ticket is refused there as well", () => {
    const carried = new Carried();
    carried.pair.listener.endpoint.revokeTicket(carried.pair.ticketId);
    const { answers } = carried.invite(carried.initiator.invite(at(1, 1_000))!, 1);
    expect(answers[0]!.connection).toBeUndefined();
    expect(carried.initiator.onAnswer(answers[0]!.core, carried.pair.now)).toBeUndefined();
    carried.pair.exchange();
    const closed = carried.pair.eventsOf(carried.pair.dialer, carried.initiator).at(-1);
    expect(closed).toMatchObject({ type: "closed", reason: { kind: "refused", refusal: "revoked" } });
  });

  test("garbage, answers to another message and answers without a question change nothing", () => {
    const carried = new Carried();
    expect(carried.invite(new Uint8Array(300), 1).dropped).toBe("no-ticket");
    expect(carried.invite(new Uint8Array(3), 1).dropped).toBe("malformed");
    expect(carried.initiator.onAnswer(new Uint8Array(200), carried.pair.now)).toBe("bad-response");
    const { answers } = carried.invite(carried.initiator.invite(at(1, 1_000))!, 1);
    carried.initiator.invite(at(2, 1_001));
    expect(carried.initiator.onAnswer(answers[0]!.core, carried.pair.now)).toBe("bad-response");
    expect(carried.initiator.state).toBe("connecting");
  });

  test("whichever handshake is answered first wins, and the other's half-open connection goes", () => {
    const carried = new Carried();
    carried.invite(carried.initiator.invite(at(1, 1_000))!, 1);
    carried.pair.filter = () => true;
    carried.pair.advance(1_000);
    expect(carried.initiator.state).toBe("open");
    expect(carried.pair.listener.endpoint.connectionCount).toBe(1);
    expect(carried.initiator.onAnswer(new Uint8Array(200), carried.pair.now)).toBe("bad-response");
  });
});

describe("the answer by datagram to a message that went by hand (HS-27)", () => {
  /** A message by hand, and the datagram that answers it, from an address that nobody has asked. */
  function pasted(options: { readonly isPasted: boolean; readonly echo?: Uint8Array } = { isPasted: true }) {
    const carried = new Carried();
    const { pair, initiator } = carried;
    const { answers } = carried.invite(initiator.invite(at(1, 1_000), options)!, 1);
    const { core, connection } = answers[0]!;
    const [echo, connectionId] = [options.echo ?? new Uint8Array(8), connection!.peerConnectionId];
    const datagram = encodeResp({ connectionId, echo, token: new Uint8Array(8), core });
    const from: Address = { host: "192.0.2.77", port: 77, family: 4 };
    const receive = (bytes: Uint8Array) => pair.inject(pair.dialer, bytes.slice(), from);
    const told = () => pair.eventsOf(pair.dialer, initiator).filter(({ type }) => type === "answered").length;
    return { carried, initiator, responder: connection!, datagram, receive, told };
  }

  const hasKeys = (connection: ConnectionMachine) => connection.exporter("test", new Uint8Array()) !== undefined;

  test("gives keys once, and no path", () => {
    const { initiator, responder, datagram, receive, told } = pasted();
    receive(datagram);
    expect(initiator.exporter("test", new Uint8Array())).toEqual(responder.exporter("test", new Uint8Array()));
    expect([initiator.state, initiator.paths(), told()]).toEqual(["connecting", [], 1]);
    expect(receive(datagram)).toEqual([]);
    expect(told()).toBe(1);
  });

  test("changes nothing if it was damaged, if it has another echo, or if the message went another way", () => {
    const damaged = pasted();
    for (let at = 32; at < damaged.datagram.length; at += 7) {
      const copy = damaged.datagram.slice();
      copy[at]! ^= 1;
      damaged.receive(copy);
    }
    expect(hasKeys(damaged.initiator)).toBe(false);
    damaged.receive(damaged.datagram);
    expect(hasKeys(damaged.initiator)).toBe(true);
    for (const options of [{ isPasted: false }, { isPasted: true, echo: Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 1) }]) {
      const other = pasted(options);
      other.receive(other.datagram);
      expect([hasKeys(other.initiator), other.told()]).toEqual([false, 0]);
    }
  });

  test("changes nothing if it answers an earlier message", () => {
    const { initiator, datagram, receive } = pasted();
    initiator.invite(at(2, 1_001), { isPasted: true });
    receive(datagram);
    expect(hasKeys(initiator)).toBe(false);
  });
});

describe("CANDIDATES by a carrier (PATH-64)", () => {
  const moves = (carried: Carried, connection: ConnectionMachine) =>
    carried.pair.eventsOf(carried.pair.listener, connection).filter(({ type }) => type === "peer-moved").length;

  test("count if they are newer than what is known", () => {
    const carried = new Carried();
    const { initiator, responder } = carried.established();
    const packets = [2, 4, 3].map((generation) => initiator.sealSituation(at(generation, 1_000), carried.pair.now)!);
    for (const packet of packets) expect(responder.onEnvelope(packet, carried.pair.now)).toBeUndefined();
    carried.pair.exchange();
    expect(moves(carried, responder)).toBe(2);
  });

  test("a replayed or forged packet changes nothing", () => {
    const carried = new Carried();
    const { initiator, responder } = carried.established();
    const packet = initiator.sealSituation(at(2, 1_000), carried.pair.now)!;
    const forged = packet.slice();
    forged[forged.length - 1]! ^= 1;
    expect(responder.onEnvelope(forged, carried.pair.now)).toBe("undecryptable");
    expect(responder.onEnvelope(packet.slice(), carried.pair.now)).toBeUndefined();
    expect(responder.onEnvelope(packet.slice(), carried.pair.now)).toBe("undecryptable");
    carried.pair.exchange();
    expect(moves(carried, responder)).toBe(1);
  });
});

describe("answers to probes (PATH-61)", () => {
  const to: Address = { host: "198.51.100.7", port: 1_000, family: 4 };
  const token = (n: number) => Uint8Array.of(n >>> 8, n, 3, 4, 5, 6, 7, 8);
  const now = 1_000 as Instant;

  test("prove a path once, from where they were asked, within five seconds", () => {
    const book = new ProbeBook();
    book.onSent(token(1), 0, to, now);
    expect(book.onAnswer(token(1), 0, { ...to, port: 1_001 }, (now + 40) as Instant)).toBeUndefined();
    expect(book.onAnswer(token(1), 1, to, (now + 40) as Instant)).toBeUndefined();
    expect(book.onAnswer(token(2), 0, to, (now + 40) as Instant)).toBeUndefined();
    expect(book.onAnswer(token(1), 0, to, (now + 40) as Instant)).toBe(40);
    expect(book.onAnswer(token(1), 0, to, (now + 40) as Instant)).toBeUndefined();
    book.onSent(token(3), 0, to, now);
    expect(book.onAnswer(token(3), 0, to, (now + 5_001) as Instant)).toBeUndefined();
  });

  test("the latest 4,096 are remembered", () => {
    const book = new ProbeBook();
    for (let n = 0; n < 4_097; n++) book.onSent(token(n), 0, to, now);
    expect(book.onAnswer(token(0), 0, to, now)).toBeUndefined();
    expect(book.onAnswer(token(1), 0, to, now)).toBe(0);
    expect(book.onAnswer(token(4_096), 0, to, now)).toBe(0);
  });
});

test("a PAD shows its length and is otherwise random", () => {
  const pad = encodePad((size) => new Uint8Array(size).fill(7), 16);
  expect([...pad]).toEqual([0x9f, 0, 16, 1, ...new Array(12).fill(7)]);
});
