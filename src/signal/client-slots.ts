/**
 * The slots that a rendezvous client wishes to hold, and how far the server has let it.
 *
 * A wish outlives sessions. What is due goes into the next REGISTER; what the server has no room for, or no time, is due
 * again later.
 *
 * @module
 */
import { proveKey } from "../crypto/key-proof.ts";
import { type KeyPair, keyPairFromSeed } from "../crypto/primitives.ts";
import { connectionSlot, ticketSlot } from "../crypto/slots.ts";
import { concatBytes, toHex } from "../util/bytes.ts";
import { assert } from "../util/invariant.ts";
import { after, type Duration, type Instant } from "../util/time.ts";
import { varintLength, writeVarint } from "../wire/varint.ts";
import type { MessageOf, RegisterResult } from "./messages.ts";

// Implementation

/** Slots in one message: with their proof they stay far below the largest body. */
export const SLOTS_PER_MESSAGE = 64;

/** Slots in all: those of a listener's live tickets, and of tickets that are remembered as dead. */
const MAX_SLOTS = 1_024;

/** When what was too fast, or met a full server, is tried again, in ms. */
const RETRY_DELAY: Readonly<Record<"too-fast" | "full", Duration>> = { "too-fast": 2_000, full: 10_000 };

const NO_PROOF = new Uint8Array(0);

/** A slot that the client wishes to hold. */
export type WantedSlot =
  /** Of a ticket: by the blind at this server, proven with the client's key. */
  | { readonly kind: "ticket"; readonly blind: Uint8Array }
  /** Of a connection. */
  | { readonly kind: "connection"; readonly preimage: Uint8Array };

/** A session that has been opened, as its handshake has left it. */
export interface ServerSession {
  readonly serverKey: Uint8Array;
  readonly handshakeHash: Uint8Array;
}

/** Who proves the key of tickets' slots. */
export interface SlotOwner {
  readonly random: (size: number) => Uint8Array;
  /** The listener's key; without one only connections can be registered. */
  readonly identity?: KeyPair | undefined;
}

/** A slot with its name. */
interface NamedSlot {
  readonly name: Uint8Array;
  readonly slot: WantedSlot;
}

/** What became of slots. */
export interface SlotOutcome {
  readonly slots: readonly Uint8Array[];
  readonly result: RegisterResult;
}

/** See the module. */
export class ClientSlots {
  readonly #owner: SlotOwner;
  /** By their names in hexadecimal. */
  readonly #wanted = new Map<string, NamedSlot>();
  readonly #due = new Set<string>();
  readonly #retrying = new Set<string>();
  #retryAt: Instant | undefined;
  /** Slots of each REGISTER that has not been answered, by its number: connections first, as on the wire. */
  readonly #asked = new Map<number, readonly NamedSlot[]>();

  constructor(owner: SlotOwner) {
    this.#owner = owner;
  }

  /**
   * Command: wishes for slots; returns their names.
   *
   * @throws RangeError beyond 1,024 slots, or if a ticket's is among them and there is no key.
   */
  want(slots: readonly WantedSlot[]): Uint8Array[] {
    const named = slots.map((slot) => ({ name: this.#nameOf(slot), slot }));
    const fresh = named.filter(({ name }) => !this.#wanted.has(toHex(name)));
    if (this.#wanted.size + fresh.length > MAX_SLOTS) throw new RangeError(`more than ${MAX_SLOTS} slots`);
    for (const each of fresh) {
      const key = toHex(each.name);
      this.#wanted.set(key, each);
      this.#due.add(key);
    }
    return named.map(({ name }) => name);
  }

  /** Command: slots are not wished for any more; returns those that were. */
  drop(slots: readonly Uint8Array[]): Uint8Array[] {
    return slots
      .filter((slot) => {
        const key = toHex(slot);
        this.#due.delete(key);
        this.#retrying.delete(key);
        return this.#wanted.delete(key);
      })
      .map((slot) => slot.slice());
  }

  /** Command: a new session knows nothing of us; everything is due. */
  restart(): void {
    this.#asked.clear();
    this.#retrying.clear();
    this.#retryAt = undefined;
    for (const key of this.#wanted.keys()) this.#due.add(key);
  }

  /** Input: time has passed. */
  handleTimeout(now: Instant): void {
    if (this.#retryAt === undefined || now < this.#retryAt) return;
    this.#retryAt = undefined;
    for (const key of this.#retrying) this.#due.add(key);
    this.#retrying.clear();
  }

  /** Output: the next REGISTER, with a number that `next` gives; call until `undefined`. */
  pollRegister(session: ServerSession, next: () => number): MessageOf<"register"> | undefined {
    const connections: NamedSlot[] = [];
    const tickets: NamedSlot[] = [];
    const preimages: Uint8Array[] = [];
    const blinds: Uint8Array[] = [];
    for (const key of this.#due) {
      if (connections.length + tickets.length === SLOTS_PER_MESSAGE) break;
      this.#due.delete(key);
      const named = this.#wanted.get(key)!;
      if (named.slot.kind === "connection") {
        connections.push(named);
        preimages.push(named.slot.preimage);
      } else {
        tickets.push(named);
        blinds.push(named.slot.blind);
      }
    }
    if (connections.length + tickets.length === 0) return undefined;
    const request = next();
    this.#asked.set(request, [...connections, ...tickets]);
    return { type: "register", request, preimages, proof: this.#prove(blinds, session) };
  }

  /** Input: the server's answer. What became of the slots, or `undefined` if it answers nothing that was asked. */
  onRegistered(message: MessageOf<"registered">, now: Instant): SlotOutcome[] | undefined {
    const { request, results } = message;
    const asked = this.#asked.get(request);
    if (asked === undefined) return undefined;
    this.#asked.delete(request);
    // RDV-12: one result may stand for all blinds.
    const connections = asked.filter(({ slot }) => slot.kind === "connection").length;
    if (results.length !== asked.length && results.length !== connections + 1) return undefined;
    const outcomes = new Map<RegisterResult, Uint8Array[]>();
    for (const [i, { name }] of asked.entries()) {
      const result = results[Math.min(i, results.length - 1)]!;
      outcomes.set(result, [...(outcomes.get(result) ?? []), name]);
      if (result === "full" || result === "too-fast") this.#retryLater(name, RETRY_DELAY[result], now);
    }
    return Array.from(outcomes, ([result, slots]) => ({ result, slots }));
  }

  /** Output: when to call {@link handleTimeout}. */
  nextTimeout(): Instant | undefined {
    return this.#retryAt;
  }

  #retryLater(name: Uint8Array, delay: Duration, now: Instant): void {
    const key = toHex(name);
    if (!this.#wanted.has(key)) return;
    this.#retrying.add(key);
    this.#retryAt ??= after(now, delay);
  }

  #prove(blinds: readonly Uint8Array[], session: ServerSession): Uint8Array {
    if (blinds.length === 0) return NO_PROOF;
    const { identity, random } = this.#owner;
    assert(identity !== undefined, "slots of tickets need a key");
    const count = new Uint8Array(varintLength(blinds.length));
    writeVarint(count, 0, blinds.length);
    const { serverKey, handshakeHash } = session;
    const ephemeral = keyPairFromSeed(random(32));
    return proveKey({ identity, serverKey, handshakeHash, ephemeral, payload: concatBytes(count, ...blinds) });
  }

  #nameOf(slot: WantedSlot): Uint8Array {
    if (slot.kind === "connection") return connectionSlot(slot.preimage);
    const { identity } = this.#owner;
    if (identity === undefined) throw new RangeError("slots of tickets need a key");
    return ticketSlot(identity.publicKey, slot.blind);
  }
}
