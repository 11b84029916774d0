/**
 * Two endpoints, their applications and the wire between them, driven by random commands and compared with a model that
 * only knows which bytes were written.
 *
 * Whatever the commands are: nothing throws, what is read is a prefix of what was written, events come in a legal order,
 * and after the wire has healed everything that was written, and not given up by anybody, arrives to the end.
 *
 * @module
 */
import fc from "fast-check";
import type { ConnectionMachine } from "../../src/connection/connection.ts";
import type { ConnectionEvent } from "../../src/connection/events.ts";
import { directionOf, openerOf } from "../../src/stream/stream-id.ts";
import { assert } from "../../src/util/invariant.ts";
import type { End } from "../../test/connection/pair.ts";
import { Pair } from "../../test/connection/pair.ts";
import { record } from "../arbitraries.ts";
import type { FuzzTarget } from "../target.ts";

/** What happens to a datagram on its way. */
type Fate = "deliver" | "drop" | "duplicate" | "delay" | "damage";

/** Time after which a healed wire has carried everything, in ms: a few times the longest probe timeout. */
const HEALING_TIME = 60_000;

/** A time without the other side that no connection survives, in ms. */
const TOO_LONG: number = 40_000;

/** What the model knows of one direction of a stream. */
class Flow {
  written = 0;
  read = 0;
  isFinished = false;
  /** The writer or the reader has given up. */
  isGivenUp = false;
  ends = 0;
}

/** One side: the machine, and what its application has done. */
class Peer {
  readonly role: "initiator" | "responder";
  readonly end: End;
  connection: ConnectionMachine | undefined;
  readonly ids: number[] = [];
  /** Types of the events so far. */
  readonly told: ConnectionEvent["type"][] = [];
  #taken = 0;

  constructor(role: "initiator" | "responder", end: End) {
    this.role = role;
    this.end = end;
  }

  get isOpen(): boolean {
    return this.connection?.state === "open";
  }

  /** Events since the last call. */
  take(): ConnectionEvent[] {
    const events: ConnectionEvent[] = [];
    for (; this.#taken < this.end.events.length; this.#taken++) {
      const event = this.end.events[this.#taken]!;
      if (event.type === "incoming") this.connection ??= event.connection;
      if (event.type === "connection" && event.connection === this.connection) events.push(event.event);
    }
    return events;
  }
}

/** The world under test, and the model. */
class Real {
  readonly pair: Pair;
  readonly peers: { readonly initiator: Peer; readonly responder: Peer };
  readonly fates: Fate[] = [];
  readonly blocked = new Set<End>();
  readonly flows = new Map<string, Flow>();
  readonly #delayed: { readonly to: End; readonly from: End; readonly bytes: Uint8Array }[] = [];

  constructor(seed: number) {
    this.pair = new Pair({ seed, config: { packetsPerPhase: 4, maxData: 60_000, maxStreamData: 20_000 } });
    this.peers = {
      initiator: new Peer("initiator", this.pair.dialer),
      responder: new Peer("responder", this.pair.listener),
    };
    this.peers.initiator.connection = this.pair.dial();
    // The first stream is there from the start.
    this.peers.initiator.ids.push(0);
    this.pair.filter = (from, bytes) => this.#meets(from, bytes);
    this.run(0);
  }

  /** What `sender` has written to a stream, and what was read of it. */
  flow(sender: "initiator" | "responder", id: number): Flow {
    const key = `${sender} ${id}`;
    let flow = this.flows.get(key);
    if (flow === undefined) {
      flow = new Flow();
      this.flows.set(key, flow);
    }
    return flow;
  }

  /** Lets time pass, then checks what has come of it. */
  run(duration: number): void {
    this.pair.advance(duration);
    for (const { to, from, bytes } of this.#delayed.splice(0)) {
      to.endpoint.receive({ via: 0, from: from.address, payload: bytes, segmentSize: bytes.length }, this.pair.now);
    }
    this.pair.exchange();
    this.pair.captured.length = 0;
    for (const peer of [this.peers.initiator, this.peers.responder]) {
      for (const event of peer.take()) this.#hear(peer, event);
      peer.end.endpoint.audit();
    }
  }

  /** Reads up to `pieces` pieces of a stream and compares them with what was written. */
  read(peer: Peer, id: number, pieces: number): void {
    const { connection } = peer;
    if (connection === undefined) return;
    const flow = this.flow(other(peer.role), id);
    for (let n = 0; n < pieces; n++) {
      const piece = connection.read(id);
      if (piece === undefined) return;
      for (const [i, byte] of piece.entries()) assert(byte === byteAt(id, flow.read + i), `byte ${flow.read + i}`);
      flow.read += piece.length;
      assert(flow.read <= flow.written, `stream ${id} delivered more than was written`);
    }
  }

  #hear(peer: Peer, event: ConnectionEvent): void {
    const { told } = peer;
    assert(!told.includes("closed"), `${event.type} after closed`);
    assert(event.type === "closed" || event.type === "connected" || told.includes("connected"), `${event.type} first`);
    assert(event.type !== "connected" || !told.includes("connected"), "connected twice");
    told.push(event.type);
    switch (event.type) {
      case "opened":
        assert(openerOf(event.id) !== peer.role && !peer.ids.includes(event.id), `stream ${event.id} opened`);
        peer.ids.push(event.id);
        break;
      case "finished":
      case "reset-acked":
        this.#endOf(this.flow(peer.role, event.id));
        break;
      case "reset":
        assert(this.flow(other(peer.role), event.id).isGivenUp, `stream ${event.id} was reset by nobody`);
        break;
      case "stopped": {
        const flow = this.flow(peer.role, event.id);
        assert(flow.isGivenUp, `stream ${event.id} was stopped by nobody`);
        break;
      }
      case "closed":
        if (event.reason.kind === "closed") {
          assert(event.reason.application, `closed by the transport: ${JSON.stringify(event.reason)}`);
        }
        break;
      default:
        break;
    }
  }

  #endOf(flow: Flow): void {
    flow.ends += 1;
    assert(flow.ends === 1, "a stream ended twice for its writer");
  }

  /** Decides on a datagram; the pair delivers it if this is true. */
  #meets(from: End, bytes: Uint8Array): boolean {
    const to = from === this.pair.listener ? this.pair.dialer : this.pair.listener;
    if (this.blocked.has(from)) return false;
    const fate = this.fates.shift() ?? "deliver";
    const deliver = (payload: Uint8Array) =>
      to.endpoint.receive({ via: 0, from: from.address, payload, segmentSize: payload.length }, this.pair.now);
    switch (fate) {
      case "deliver":
        return true;
      case "drop":
        return false;
      case "duplicate":
        deliver(bytes.slice());
        return true;
      case "delay":
        this.#delayed.push({ to, from, bytes: bytes.slice() });
        return false;
      case "damage": {
        const damaged = bytes.slice();
        damaged[damaged.length - 1]! ^= 1;
        deliver(damaged);
        return false;
      }
    }
  }
}

function other(role: "initiator" | "responder"): "initiator" | "responder" {
  return role === "initiator" ? "responder" : "initiator";
}

function byteAt(id: number, offset: number): number {
  return (offset * 31 + (offset >> 8) * 17 + id * 7) & 0xff;
}

/** The model's state is in the real one: the model proper only knows whether the end was begun. */
interface Model {
  isEnding: boolean;
}

type Command = fc.Command<Model, Real>;

interface Choice {
  readonly role: "initiator" | "responder";
  readonly which: number;
  readonly amount: number;
}

const choice = record<Choice>({
  role: fc.constantFrom("initiator" as const, "responder" as const),
  which: fc.nat(100),
  amount: fc.nat(5_000),
});

/** A command of one application on one of its streams. */
function onStream(name: string, act: (real: Real, peer: Peer, id: number, amount: number) => void) {
  return choice.map(
    ({ role, which, amount }): Command => ({
      check: () => true,
      run: (_, real) => {
        const peer = real.peers[role];
        const id = peer.ids[which % Math.max(1, peer.ids.length)];
        if (!peer.isOpen || id === undefined) return;
        act(real, peer, id, amount);
        real.run(0);
      },
      toString: () => `${role}.${name}(${which}, ${amount})`,
    }),
  );
}

const maySend = (peer: Peer, id: number) => directionOf(id) === "bidi" || openerOf(id) === peer.role;
const mayReceive = (peer: Peer, id: number) => directionOf(id) === "bidi" || openerOf(id) !== peer.role;

const open = choice.map(
  ({ role, which }): Command => ({
    check: () => true,
    run: (_, real) => {
      const peer = real.peers[role];
      const id = peer.connection?.openStream(which % 2 === 0 ? "bidi" : "uni");
      if (id !== undefined) peer.ids.push(id);
      real.run(0);
    },
    toString: () => `${role}.open(${which % 2 === 0 ? "bidi" : "uni"})`,
  }),
);

const write = onStream("write", (real, peer, id, amount) => {
  const flow = real.flow(peer.role, id);
  if (!maySend(peer, id) || flow.isFinished || flow.isGivenUp) return;
  peer.connection!.write(
    id,
    Uint8Array.from({ length: amount }, (_, i) => byteAt(id, flow.written + i)),
  );
  flow.written += amount;
});

const finish = onStream("finish", (real, peer, id) => {
  const flow = real.flow(peer.role, id);
  if (!maySend(peer, id) || flow.isFinished || flow.isGivenUp) return;
  peer.connection!.finish(id);
  flow.isFinished = true;
});

const reset = onStream("reset", (real, peer, id, amount) => {
  const flow = real.flow(peer.role, id);
  if (!maySend(peer, id) || flow.ends > 0) return;
  peer.connection!.reset(id, amount);
  flow.isGivenUp = true;
});

const stop = onStream("stopSending", (real, peer, id, amount) => {
  if (!mayReceive(peer, id)) return;
  peer.connection!.stopSending(id, amount);
  real.flow(other(peer.role), id).isGivenUp = true;
});

const read = onStream("read", (real, peer, id, amount) => {
  if (mayReceive(peer, id)) real.read(peer, id, 1 + (amount % 8));
});

const datagram = choice.map(
  ({ role, amount }): Command => ({
    check: () => true,
    run: (_, real) => {
      const { connection, isOpen } = real.peers[role];
      if (isOpen) connection!.sendDatagram(new Uint8Array(amount % 1_100));
      real.run(0);
    },
    toString: () => `${role}.sendDatagram(${amount % 1_100})`,
  }),
);

const close = choice.map(
  ({ role, which, amount }): Command => ({
    check: (model) => !model.isEnding,
    run: (model, real) => {
      const { connection } = real.peers[role];
      // Seldom: what comes after it is of less interest.
      if (connection === undefined || which > 10) return;
      model.isEnding = true;
      connection.close(amount, "bye", real.pair.now);
      real.run(0);
    },
    toString: () => `${role}.close(${which}, ${amount})`,
  }),
);

const pass = fc.constantFrom(1, 5, 26, 100, 1_000, 16_000).map(
  (duration): Command => ({
    check: () => true,
    run: (_, real) => real.run(duration),
    toString: () => `pass(${duration})`,
  }),
);

const meet = fc
  .array(fc.constantFrom<Fate>("deliver", "drop", "drop", "duplicate", "delay", "damage"), {
    minLength: 1,
    maxLength: 12,
  })
  .map(
    (fates): Command => ({
      check: () => true,
      run: (_, real) => {
        real.fates.push(...fates);
      },
      toString: () => `meet(${fates.join(", ")})`,
    }),
  );

const block = record({
  role: fc.constantFrom("initiator" as const, "responder" as const),
  isBlocked: fc.boolean(),
}).map(
  ({ role, isBlocked }): Command => ({
    check: () => true,
    run: (_, real) => {
      const { end } = real.peers[role];
      if (isBlocked) real.blocked.add(end);
      else real.blocked.delete(end);
      real.run(0);
    },
    toString: () => `${isBlocked ? "block" : "unblock"}(${role})`,
  }),
);

const commands = fc.commands(
  [open, write, write, write, finish, reset, stop, read, read, datagram, close, pass, pass, meet, block],
  {
    maxCommands: 60,
  },
);

/** The wire heals, the applications read everything: what was not given up is whole then, or the connection is over. */
function settle(real: Real): void {
  real.fates.length = 0;
  real.blocked.clear();
  for (let round = 0; round < 60; round++) {
    real.run(HEALING_TIME / 60);
    for (const peer of [real.peers.initiator, real.peers.responder]) {
      if (!peer.isOpen) continue;
      for (const id of peer.ids) if (mayReceive(peer, id)) real.read(peer, id, 1_000);
    }
  }
  const { initiator, responder } = real.peers;
  if (initiator.isOpen && responder.isOpen) {
    for (const [name, flow] of real.flows) {
      if (flow.isGivenUp) continue;
      assert(flow.read === flow.written, `${name}: ${flow.read} of ${flow.written} bytes arrived`);
      assert(!flow.isFinished || flow.ends === 1, `${name} was not said to be finished`);
    }
    initiator.connection!.close(0, "", real.pair.now);
  }
  real.run(TOO_LONG);
  for (const { end, told, connection } of [initiator, responder]) {
    assert(connection === undefined || told.at(-1) === "closed", "the last event");
    assert(end.endpoint.connectionCount === 0, "a connection is left");
    assert(end.endpoint.nextTimeout() === undefined, "a timer is left");
  }
}

export const target: FuzzTarget = {
  name: "connection",
  property: () =>
    fc.property(fc.nat(1_000), commands, (seed, list) => {
      const real = new Real(seed);
      fc.modelRun(() => ({ model: { isEnding: false }, real }), list);
      settle(real);
    }),
};
