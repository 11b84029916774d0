/**
 * The rendezvous server under any sequence of sessions, messages, garbage and pauses: nothing throws, what it holds stays
 * within its limits, what it says is well formed and goes to sessions that are open, and nothing is left when all are gone.
 *
 * @module
 */
import fc from "fast-check";
import { proveKey } from "../../src/crypto/key-proof.ts";
import { keyPairFromSeed } from "../../src/crypto/primitives.ts";
import { ticketSlot } from "../../src/crypto/slots.ts";
import { RendezvousServer } from "../../src/server/rendezvous.ts";
import { encodeMessage } from "../../src/signal/message-codec.ts";
import { MessageDecoder } from "../../src/signal/message-decoder.ts";
import type { Message } from "../../src/signal/messages.ts";
import { assert } from "../../src/util/invariant.ts";
import type { Instant } from "../../src/util/time.ts";
import { bytes, record } from "../arbitraries.ts";
import type { FuzzTarget } from "../target.ts";

const seed = (first: number): Uint8Array => Uint8Array.from({ length: 32 }, (_, i) => first + i);
const SERVER = keyPairFromSeed(seed(1));
const KEYS = [keyPairFromSeed(seed(40)), keyPairFromSeed(seed(80))] as const;
const BLINDS = [0, 1].map((i) => new Uint8Array(16).fill(i));
const LIMITS = {
  maxSessions: 4,
  maxSessionsPerSource: 3,
  maxSlots: 4,
  maxSlotsPerSession: 3,
  maxCallsBegun: 3,
  maxCallsInvited: 4,
};

/** A proof for every key, blind and session costs too much to be made for each input. */
const proofs = new Map<string, Uint8Array>();

type Op =
  | { readonly op: "open"; readonly host: number; readonly greets: boolean }
  | { readonly op: "close" | "move"; readonly session: number }
  | { readonly op: "raw"; readonly session: number; readonly bytes: Uint8Array }
  | {
      readonly op: "register";
      readonly session: number;
      readonly key: number;
      readonly blind: number;
      readonly isStolen: boolean;
    }
  | { readonly op: "invite"; readonly session: number; readonly key: number; readonly blind: number }
  | {
      readonly op: "call";
      readonly session: number;
      readonly call: number;
      readonly what: number;
      readonly flags: number;
    }
  | { readonly op: "pause"; readonly ms: number }
  | { readonly op: "backlog"; readonly session: number; readonly size: number }
  | { readonly op: "drain" };

const session = fc.nat(5);
const mostly = fc.nat(7).map((choice) => choice > 0);
const key = fc.nat(5).map((choice) => (choice === 0 ? 1 : 0));
const blind = fc.nat(1);

function of<Name extends Op["op"]>(name: Name): fc.Arbitrary<Name> {
  return fc.constant(name);
}

const op: fc.Arbitrary<Op> = fc.oneof(
  { weight: 3, arbitrary: record({ op: of("open"), host: fc.nat(2), greets: mostly }) },
  { weight: 5, arbitrary: record({ op: of("register"), session, key, blind, isStolen: mostly.map((yes) => !yes) }) },
  { weight: 6, arbitrary: record({ op: of("invite"), session, key, blind }) },
  { weight: 10, arbitrary: record({ op: of("call"), session, call: fc.nat(15), what: fc.nat(3), flags: fc.nat(3) }) },
  { weight: 1, arbitrary: record({ op: fc.constantFrom("close" as const, "move" as const), session }) },
  { weight: 1, arbitrary: record({ op: of("raw"), session, bytes: bytes(60) }) },
  { weight: 1, arbitrary: record({ op: of("pause"), ms: fc.nat(70_000) }) },
  { weight: 1, arbitrary: record({ op: of("backlog"), session, size: fc.constantFrom(0, 70_000, 140_000) }) },
  { weight: 1, arbitrary: record({ op: of("drain") }) },
);

/** What one input may make the server say: a call ended at every other session, and an answer. */
const MAX_OUTPUTS = 200;

class World {
  readonly backlog = new Map<number, number>();
  /** The sessions that are open: the number that the client uses next, and those of calls that it has heard of. */
  readonly open = new Map<number, { next: number; readonly calls: number[]; readonly decoder: MessageDecoder }>();
  readonly server = new RendezvousServer(
    { random: (size) => new Uint8Array(size), unixMillis: () => 0, backlogOf: (id) => this.backlog.get(id) ?? 0 },
    { identity: SERVER, limits: LIMITS, hasOtherPort: true },
  );
  now = 0 as Instant;
  #nextId = 0;

  run(each: Op): void {
    switch (each.op) {
      case "open": {
        const id = this.#nextId++;
        this.open.set(id, { next: 0, calls: [99], decoder: new MessageDecoder() });
        const remote = { host: `192.0.2.${each.host}`, port: 1, family: 4 as const };
        this.server.onSessionOpened({ id, handshakeHash: hashOf(id), remote, rtt: () => id * 7 }, this.now);
        if (each.greets) this.#say(id, { type: "hello", flags: 0, token: new Uint8Array(0) });
        break;
      }
      case "pause":
        this.now = (this.now + each.ms) as Instant;
        this.server.handleTimeout(this.now);
        assert((this.server.nextTimeout() ?? Infinity) > this.now, "a timer in the past");
        break;
      case "drain":
        this.server.drain(1_000, this.now);
        break;
      default:
        this.#ofSession(each);
    }
    this.#take();
  }

  finish(): void {
    for (const id of [...this.open.keys()]) {
      this.open.delete(id);
      this.server.onSessionClosed(id);
      this.#take();
    }
    const { sessions, sources, slots, calls } = this.server.health;
    assert(sessions + sources + slots + calls === 0, "something is left");
  }

  #ofSession(each: Extract<Op, { session: number }>): void {
    const id = [...this.open.keys()][each.session % Math.max(1, this.open.size)];
    if (id === undefined) return;
    switch (each.op) {
      case "close":
        this.open.delete(id);
        this.server.onSessionClosed(id);
        return;
      case "move":
        this.server.onAddressChanged(id, { host: `198.51.100.${id % 3}`, port: 2, family: 4 });
        return;
      case "backlog":
        this.backlog.set(id, each.size);
        return;
      case "raw":
        this.server.onMessageBytes(id, each.bytes, this.now);
        return;
      case "register":
        this.#say(id, { type: "register", request: this.#number(id), preimages: [], proof: proofOf(each, id) });
        return;
      case "invite": {
        const slot = ticketSlot(KEYS[each.key]!.publicKey, BLINDS[each.blind]!);
        this.#say(id, { type: "invite", call: this.#number(id), slot, flags: 0, envelope: Uint8Array.of(1, 1) });
        return;
      }
      case "call": {
        const { flags } = each;
        const { calls } = this.open.get(id)!;
        const call = calls[each.call % calls.length]!;
        const envelope = Uint8Array.of(3, 3);
        if (each.what === 0) this.#say(id, { type: "cancel", call });
        else this.#say(id, { type: each.what === 1 ? "signal" : "answer", call, flags, envelope });
      }
    }
  }

  #number(id: number): number {
    const client = this.open.get(id)!;
    client.next += 2;
    client.calls.push(client.next - 2);
    return client.next - 2;
  }

  #say(id: number, message: Message): void {
    this.server.onMessageBytes(id, encodeMessage(message), this.now);
  }

  /** Looks at everything that the server says, and at what it holds. */
  #take(): void {
    let count = 0;
    for (let each = this.server.pollOutput(); each !== undefined; each = this.server.pollOutput()) {
      const client = this.open.get(each.session);
      assert(client !== undefined, `${each.type} for a session that is over`);
      if (each.type === "close") this.open.delete(each.session);
      if (each.type === "send") {
        client.decoder.push(each.bytes);
        for (let message = client.decoder.next(); message !== undefined; message = client.decoder.next())
          if (message.type === "invited") client.calls.push(message.call);
        assert(!client.decoder.failed && client.decoder.held === 0, "a message that is none");
      }
      count += 1;
    }
    assert(count <= MAX_OUTPUTS, `${count} outputs`);
    const { sessions, slots, calls } = this.server.health;
    assert(sessions === this.open.size && sessions <= LIMITS.maxSessions, `${sessions} sessions`);
    assert(slots <= LIMITS.maxSlots, `${slots} slots`);
    assert(calls <= sessions * LIMITS.maxCallsBegun, `${calls} calls`);
  }
}

/** Few hashes, so that proofs can be made beforehand. */
function hashOf(id: number): Uint8Array {
  return new Uint8Array(32).fill(id % 8);
}

/** A proof of a key for one blind; a stolen one was made in another session. */
function proofOf(register: Extract<Op, { op: "register" }>, id: number): Uint8Array {
  const { key: index, blind: blindIndex, isStolen } = register;
  const handshakeHash = hashOf(isStolen ? id + 1 : id);
  const name = `${index} ${blindIndex} ${handshakeHash[0]}`;
  const known = proofs.get(name);
  if (known !== undefined) return known;
  const proof = proveKey({
    identity: KEYS[index]!,
    serverKey: SERVER.publicKey,
    handshakeHash,
    ephemeral: keyPairFromSeed(seed(120)),
    payload: Uint8Array.of(1, ...BLINDS[blindIndex]!),
  });
  proofs.set(name, proof);
  return proof;
}

export const target: FuzzTarget = {
  name: "rendezvous-server",
  property: () =>
    fc.property(fc.array(op, { minLength: 20, maxLength: 60 }), (ops) => {
      const world = new World();
      for (const host of [0, 1]) world.run({ op: "open", host, greets: true });
      for (const each of ops) world.run(each);
      world.finish();
    }),
};
