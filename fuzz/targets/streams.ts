/**
 * Two ends of streams with an adverse network and capricious applications between and above them.
 *
 * The model knows what every byte of every stream is, so a reader can tell at once whether it got a prefix of what was
 * written, each byte once. After the random part the network heals and the applications end all streams: then everything
 * must come to rest, both ends must have had one end for each half, and nothing may be left.
 *
 * @module
 */
import fc from "fast-check";
import type { StreamEvent } from "../../src/stream/stream-events.ts";
import { openerOf, directionOf as streamDirection } from "../../src/stream/stream-id.ts";
import { assert } from "../../src/util/invariant.ts";
import { connectedPair, type Packet, type Side } from "../../test/stream/channel.ts";
import { record } from "../arbitraries.ts";
import type { FuzzTarget } from "../target.ts";

const OPERATIONS = [
  "open",
  "write",
  "write",
  "finish",
  "reset",
  "stop",
  "read",
  "read",
  "events",
  "send",
  "send",
  "deliver",
  "deliver",
  "ack",
  "lose",
] as const;

interface Operation {
  readonly kind: (typeof OPERATIONS)[number];
  readonly isInitiators: boolean;
  readonly which: number;
  readonly amount: number;
}

const operation: fc.Arbitrary<Operation> = record({
  kind: fc.constantFrom(...OPERATIONS),
  isInitiators: fc.boolean(),
  which: fc.nat(1_000),
  amount: fc.nat(900),
});

const LIMITS = { maxData: 1_500, maxStreamData: 600, maxStreamsBidi: 3, maxStreamsUni: 2, memoryBudget: 6_000 };

/** What the application on one side knows about its half of a stream to send on. */
interface Sending {
  written: number;
  isFinished: boolean;
  /** Given up by us or at the peer's wish. */
  isReset: boolean;
  isStopped: boolean;
  ends: number;
}

/** What it knows about the half to receive on. */
interface Receiving {
  read: number;
  isStopped: boolean;
  ends: number;
  hasEnd: boolean;
  isTold: boolean;
}

/** A packet that is under way. */
interface Flight {
  readonly packet: Packet;
  deliveries: number;
}

/** The byte at `offset` of what `role` sends on stream `id`. */
function byteAt(role: string, id: number, offset: number): number {
  return (offset * 31 + (offset >> 8) * 17 + id * 7 + role.length) & 0xff;
}

class End {
  readonly role: "initiator" | "responder";
  readonly side: Side;
  readonly flights: Flight[] = [];
  readonly sending = new Map<number, Sending>();
  readonly receiving = new Map<number, Receiving>();
  readonly done = new Set<number>();

  constructor(role: "initiator" | "responder", side: Side) {
    this.role = role;
    this.side = side;
  }

  get peerRole(): "initiator" | "responder" {
    return this.role === "initiator" ? "responder" : "initiator";
  }

  know(id: number): void {
    const isOurs = openerOf(id) === this.role;
    assert(!this.sending.has(id) && !this.receiving.has(id), `stream ${id} is opened twice`);
    const isBidi = streamDirection(id) === "bidi";
    if (isBidi || isOurs)
      this.sending.set(id, { written: 0, isFinished: false, isReset: false, isStopped: false, ends: 0 });
    if (isBidi || !isOurs) {
      this.receiving.set(id, { read: 0, isStopped: false, ends: 0, hasEnd: false, isTold: false });
    }
  }

  open(isBidi: boolean): void {
    const id = this.side.streams.open(isBidi ? "bidi" : "uni");
    if (id !== undefined) this.know(id);
  }

  write(id: number, amount: number): void {
    const half = this.sending.get(id)!;
    if (half.isFinished) return;
    const chunk = new Uint8Array(amount);
    for (let i = 0; i < amount; i++) chunk[i] = byteAt(this.role, id, half.written + i);
    this.side.streams.write(id, chunk);
    half.written += amount;
  }

  finish(id: number): void {
    this.side.streams.finish(id);
    this.sending.get(id)!.isFinished = true;
  }

  reset(id: number, code: number): void {
    this.side.streams.reset(id, code);
    this.sending.get(id)!.isReset = true;
  }

  stop(id: number, code: number): void {
    const half = this.receiving.get(id)!;
    this.side.streams.stopSending(id, code);
    if (half.ends === 0 && !half.isStopped) half.isStopped = true;
  }

  /** Reads up to `pieces` pieces and checks every byte. */
  read(id: number, pieces: number, peer: End): void {
    const half = this.receiving.get(id)!;
    for (let i = 0; i < pieces; i++) {
      const piece = this.side.streams.read(id);
      if (piece === undefined) {
        half.isTold = false;
        break;
      }
      assert(piece.length > 0, "an empty piece");
      assert(half.ends === 0 && !half.isStopped, `bytes of stream ${id} after its end`);
      for (let j = 0; j < piece.length; j++) {
        assert(piece[j] === byteAt(this.peerRole, id, half.read + j), `byte ${half.read + j} of stream ${id} is wrong`);
      }
      half.read += piece.length;
    }
    const sent = peer.sending.get(id);
    assert(half.read <= (sent?.written ?? 0), `more was read of stream ${id} than was written`);
    if (this.side.streams.isFinished(id) && !half.hasEnd) {
      assert(sent!.isFinished && half.read === sent!.written, `stream ${id} ends at ${half.read}`);
      half.hasEnd = true;
      half.ends += 1;
    }
  }

  pollEvents(): void {
    for (const event of this.side.events()) this.#onEvent(event);
  }

  #onEvent(event: StreamEvent): void {
    if (event.type === "streams-available") return;
    const { type, id } = event;
    assert(!this.done.has(id), `${type} after the end of stream ${id}`);
    if (type === "opened") this.know(id);
    const sending = this.sending.get(id);
    const receiving = this.receiving.get(id);
    switch (type) {
      case "opened":
        break;
      case "readable":
        assert(!receiving!.isTold && receiving!.ends === 0 && !receiving!.isStopped, `readable, stream ${id}`);
        receiving!.isTold = true;
        break;
      case "writable":
        assert(!sending!.isReset, `writable after reset, stream ${id}`);
        break;
      case "stopped":
        // The application may have given the half up before it was told.
        assert(sending!.ends === 0 && !sending!.isStopped, `stopped, stream ${id}`);
        sending!.isStopped = sending!.isReset = true;
        break;
      case "finished":
        assert(sending!.isFinished, `finished, stream ${id}`);
        sending!.ends += 1;
        break;
      case "reset-acked":
        assert(sending!.isReset, `reset-acked, stream ${id}`);
        sending!.ends += 1;
        break;
      case "reset":
        assert(!receiving!.hasEnd, `reset after the end, stream ${id}`);
        receiving!.ends += 1;
        break;
      case "done":
        assert(sending === undefined || sending.ends === 1, `stream ${id} is done, its sending half is not`);
        assert(receiving === undefined || receiving.ends === 1 || receiving.isStopped, `stream ${id} is done unread`);
        this.done.add(id);
        break;
    }
  }

  send(size: number): void {
    const packet = this.side.build(size);
    if (packet !== undefined) this.flights.push({ packet, deliveries: 0 });
  }

  check(): void {
    for (const [id, half] of this.sending) assert(half.ends <= 1, `${half.ends} ends of the sending half of ${id}`);
    for (const [id, half] of this.receiving) assert(half.ends <= 1, `${half.ends} ends of the receiving half of ${id}`);
    const { receiveBuffered } = this.side.streams.stats;
    assert(receiveBuffered <= LIMITS.memoryBudget, `${receiveBuffered} bytes are buffered`);
  }
}

class World {
  readonly ends: readonly [End, End];

  constructor() {
    const { initiator, responder } = connectedPair({ initiator: LIMITS, responder: LIMITS, sendBuffer: 500 });
    this.ends = [new End("initiator", initiator), new End("responder", responder)];
  }

  step({ kind, isInitiators, which, amount }: Operation): void {
    const end = this.ends[isInitiators ? 0 : 1];
    const peer = this.ends[isInitiators ? 1 : 0];
    for (const each of this.ends) each.side.now += amount / 10;
    const sendable = [...end.sending.keys()];
    const readable = [...end.receiving.keys()];
    const toSend = sendable[which % sendable.length];
    const toRead = readable[which % readable.length];
    const flight = which % (end.flights.length || 1);
    if (kind === "open") end.open(which % 3 > 0);
    if (kind === "write" && toSend !== undefined) end.write(toSend, amount);
    if (kind === "finish" && toSend !== undefined) end.finish(toSend);
    if (kind === "reset" && toSend !== undefined && amount < 300) end.reset(toSend, amount);
    if (kind === "stop" && toRead !== undefined && amount < 300) end.stop(toRead, amount);
    if (kind === "read" && toRead !== undefined) end.read(toRead, 1 + (amount % 4), peer);
    if (kind === "events") end.pollEvents();
    if (kind === "send") end.send(64 + (amount % 300));
    if (kind === "deliver") this.deliver(end, peer, flight);
    if (kind === "ack") this.ack(end, flight);
    // A lost packet may still arrive, and be acknowledged after all.
    if (kind === "lose" && end.flights.length > 0) end.side.onLost(end.flights[flight]!.packet);
    for (const each of this.ends) each.check();
  }

  deliver(end: End, peer: End, index: number): void {
    const flight = end.flights[index];
    if (flight === undefined) return;
    const code = peer.side.receive(flight.packet);
    assert(code === 0, `a packet of the ${end.role} was answered with code ${code}`);
    flight.deliveries += 1;
  }

  ack(end: End, index: number): void {
    const flight = end.flights[index];
    if (flight === undefined || flight.deliveries === 0) return;
    end.side.onAcked(flight.packet);
    end.flights.splice(index, 1);
  }

  /** The network heals, and the applications read everything and end all streams. */
  finish(): void {
    for (let round = 0; this.#round(); round++) assert(round < 1_000, "no rest");
    for (const end of this.ends) {
      for (const id of end.sending.keys()) end.finish(id);
      for (const each of this.ends) each.check();
    }
    for (let round = 0; this.#round(); round++) assert(round < 1_000, "no rest after the end");
    for (const end of this.ends) {
      assert(end.side.streams.activeCount === 0, `${end.side.streams.activeCount} streams are left`);
      const { receiveBuffered, sendBuffered } = end.side.streams.stats;
      assert(receiveBuffered === 0 && sendBuffered === 0, "bytes are left");
      for (const id of [...end.sending.keys(), ...end.receiving.keys()]) assert(end.done.has(id), `${id} is not done`);
    }
  }

  #round(): boolean {
    let isBusy = false;
    this.ends.forEach((end, index) => {
      const peer = this.ends[1 - index]!;
      for (const flight of end.flights) {
        if (flight.deliveries === 0) end.side.onLost(flight.packet);
        else end.side.onAcked(flight.packet);
      }
      end.flights.length = 0;
      for (const packet of end.side.buildAll(256)) {
        isBusy = true;
        end.flights.push({ packet, deliveries: 0 });
        this.deliver(end, peer, end.flights.length - 1);
      }
    });
    for (const end of this.ends) {
      end.pollEvents();
      for (const id of end.receiving.keys())
        end.read(id, Number.POSITIVE_INFINITY, this.ends[end === this.ends[0] ? 1 : 0]);
      end.pollEvents();
      end.check();
    }
    return isBusy || this.ends.some((end) => end.side.streams.hasPending() || end.flights.length > 0);
  }
}

export const target: FuzzTarget = {
  name: "streams",
  property: () =>
    fc.property(fc.array(operation, { maxLength: 300, size: "max" }), (operations) => {
      const world = new World();
      for (const each of operations) world.step(each);
      world.finish();
      return true;
    }),
};
