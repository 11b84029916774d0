/**
 * What happened in a simulation, in order: a hash of everything, and the text of the last entries or of all.
 *
 * Two runs with equal hashes sent, delivered and dropped the same datagrams at the same instants and raised the same
 * events. Of a payload the hash takes the length and both ends: the tail of a protected packet is its authentication tag,
 * which depends on every byte.
 *
 * @module
 */
import { type Address, formatAddress } from "../util/machine.ts";
import type { Instant } from "../util/time.ts";
import type { Packet } from "./packet.ts";
import type { Timeline } from "./timeline.ts";

/** What an entry tells: a host sent, got or lost a datagram, a fault hit one, a timer fired, an event was raised, … */
export type TraceKind = "send" | "deliver" | "drop" | "fault" | "timer" | "event" | "action" | "note";

/** One line of a trace. */
export interface TraceEntry {
  readonly at: Instant;
  readonly kind: TraceKind;
  /** Name of the host, link, NAT or network. */
  readonly where: string;
  /** Type of the event, reason of the drop, kind of the fault. */
  readonly what: string;
  /** {@link Packet.id}, −1 if the entry is not about a datagram. */
  readonly packet: number;
  /** Bytes of the payload. */
  readonly size: number;
  readonly from: Address | undefined;
  readonly to: Address | undefined;
}

// Implementation

/** Entries kept for error messages: enough to see the last round trips of a small scenario. */
const DEFAULT_TAIL = 60;

/** Bytes of each end of a payload that are hashed: an authentication tag, and a header with as much again. */
const SAMPLE_SIZE = 16;

/** Records and hashes entries. */
export class Trace {
  readonly #timeline: Timeline;
  readonly #tail: number;
  /** A ring of the last `#tail` entries. */
  readonly #entries: TraceEntry[] = [];
  #count = 0;
  readonly #hash = new TraceHash();

  /** `tail` is the number of last entries to keep; `Infinity` keeps all. */
  constructor(timeline: Timeline, tail: number = DEFAULT_TAIL) {
    this.#timeline = timeline;
    this.#tail = tail;
  }

  /** Input: something happened to a datagram. */
  packet(kind: TraceKind, where: string, what: string, packet: Packet): void {
    const hash = this.#hash;
    hash.time(this.#timeline.now);
    hash.text(kind);
    hash.text(where);
    hash.text(what);
    hash.word(packet.from.port);
    hash.word(packet.to.port);
    hash.bytes(packet.payload);
    this.#keep({
      at: this.#timeline.now,
      kind,
      where,
      what,
      packet: packet.id,
      size: packet.payload.length,
      from: packet.from,
      to: packet.to,
    });
  }

  /** Input: something happened that is not about a datagram. */
  note(kind: TraceKind, where: string, what: string): void {
    const hash = this.#hash;
    hash.time(this.#timeline.now);
    hash.text(kind);
    hash.text(where);
    hash.text(what);
    this.#keep({ at: this.#timeline.now, kind, where, what, packet: -1, size: 0, from: undefined, to: undefined });
  }

  /** The entries that were kept, oldest first. */
  entries(): readonly TraceEntry[] {
    const oldest = this.#count > this.#entries.length ? this.#count % this.#tail : 0;
    return [...this.#entries.slice(oldest), ...this.#entries.slice(0, oldest)];
  }

  /** The last `lines` kept entries as text, one a line. */
  text(lines: number = Number.POSITIVE_INFINITY): string {
    const entries = this.entries();
    return entries
      .slice(Math.max(0, entries.length - lines))
      .map(formatEntry)
      .join("\n");
  }

  /** 64 bits over all entries so far, as 16 hexadecimal digits. */
  get hash(): string {
    return this.#hash.digest();
  }

  /** Entries so far, kept or not. */
  get count(): number {
    return this.#count;
  }

  #keep(entry: TraceEntry): void {
    if (this.#entries.length < this.#tail) this.#entries.push(entry);
    else if (this.#tail > 0) this.#entries[this.#count % this.#tail] = entry;
    this.#count += 1;
  }
}

/** Two independent 32-bit multiplicative hashes: not for adversaries, but for runs that differ. */
class TraceHash {
  #low = 0x811c9dc5;
  #high = 0x9747b28c;
  readonly #float = new Float64Array(1);
  readonly #words = new Uint32Array(this.#float.buffer);
  /** Names and reasons repeat all the time; each is hashed once. */
  readonly #texts = new Map<string, number>();

  word(value: number): void {
    const low = Math.imul(this.#low ^ value, 0x9e3779b1);
    this.#low = (low << 13) | (low >>> 19);
    const high = Math.imul(this.#high ^ value, 0x85ebca6b);
    this.#high = (high << 17) | (high >>> 15);
  }

  time(at: number): void {
    this.#float[0] = at;
    this.word(this.#words[0]!);
    this.word(this.#words[1]!);
  }

  text(text: string): void {
    let hash = this.#texts.get(text);
    if (hash === undefined) {
      hash = 0x811c9dc5;
      for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
      this.#texts.set(text, hash);
    }
    this.word(hash);
  }

  bytes(bytes: Uint8Array): void {
    const length = bytes.length;
    this.word(length);
    const head = length < 2 * SAMPLE_SIZE ? length : SAMPLE_SIZE;
    for (let i = 0; i < head; i++) this.word(bytes[i]!);
    for (let i = Math.max(head, length - SAMPLE_SIZE); i < length; i++) this.word(bytes[i]!);
  }

  digest(): string {
    return hex(this.#high ^ (this.#low >>> 16)) + hex(this.#low);
  }
}

function hex(word: number): string {
  return (word >>> 0).toString(16).padStart(8, "0");
}

function formatEntry(entry: TraceEntry): string {
  const head = `${entry.at.toFixed(3).padStart(12)}  ${entry.kind.padEnd(8)} ${entry.where.padEnd(12)} ${entry.what}`;
  if (entry.from === undefined || entry.to === undefined) return head.trimEnd();
  const addresses = `${formatAddress(entry.from)} → ${formatAddress(entry.to)}`;
  return `${head}${entry.what === "" ? "" : " "}#${entry.packet} ${entry.size} B ${addresses}`;
}
