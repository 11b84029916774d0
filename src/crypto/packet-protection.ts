/**
 * Packet protection: AEAD, header protection, key phases and limits of one connection (spec/handshake.md#packets).
 *
 * Theory of operation. Sealing works on batches: headers and plaintexts of up to 64 packets lie in one buffer, all are
 * sealed under one key with consecutive numbers, then all their headers are masked with one call of AES. Opening undoes
 * this for one packet: unmask a copy of the header, restore the number, choose the key by space, phase and number, open,
 * and only then look at the replay window (RFC 9001 §9.5). Nothing changes before the AEAD has said yes, except the count
 * of failures.
 *
 * Key phases follow RFC 9001 §6. A sealer has the current key. An opener has the current and the next one, so that a
 * changed phase bit is no slower than an unchanged one, and after an update the previous one until it is told to drop it.
 * When to update is not decided here.
 *
 * @module
 */
import { assert } from "../util/invariant.ts";
import { wipe } from "../util/secret-bytes.ts";
import { CLOSE_CODE } from "../wire/codes.ts";
import {
  HEADER_SIZE,
  isDataPacket,
  keyPhaseOf,
  MIN_PACKET_SIZE,
  type PacketSpace,
  truncatedPacketNumber,
} from "../wire/packet-header.ts";
import { expand, MAX_PACKET_NUMBER } from "../wire/packet-number.ts";
import { HeaderProtection, MAX_BATCH_PACKETS } from "./header-protection.ts";
import { type AeadId, type DirectionSecrets, nextSecret } from "./key-schedule.ts";
import { PROTECTION_LIMITS, type ProtectionLimits } from "./limits.ts";
import { createPacketKey, type PacketKey, type PacketKeyFactory } from "./packet-key.ts";
import { ReplayWindow } from "./replay-window.ts";

// Specification

/** Packets below the highest number that are still told from replays: a burst of 100 ms at 1 Gbit/s and half again. */
const DATA_WINDOW = 16_384;
const PROBE_WINDOW = 4_096;

/** What one direction is protected with. */
export interface ProtectionOptions {
  readonly secrets: DirectionSecrets;
  /** Lower limits, for tests. */
  readonly limits?: Partial<ProtectionLimits>;
  /** Another implementation of the AEAD. */
  readonly createKey?: PacketKeyFactory;
  /** First packet number of both spaces: 0 but in tests of large numbers. */
  readonly firstPacketNumber?: number;
}

/** Packets to be sealed: they lie one behind the other, numbered without gap. */
export interface SealOptions {
  readonly space: PacketSpace;
  /** Where the first packet begins in the buffer. */
  readonly start: number;
  /** Bytes of each packet; the last may be shorter. */
  readonly segmentSize: number;
  /** Bytes of all packets. */
  readonly total: number;
  readonly firstPacketNumber: number;
}

/** Protects what this side sends. */
export class PacketSealer {
  readonly #aead: AeadId;
  readonly #limits: ProtectionLimits;
  readonly #createKey: PacketKeyFactory;
  readonly #header: HeaderProtection;
  readonly #probeKey: PacketKey;
  #secret: Uint8Array;
  #dataKey: PacketKey;
  #phase = 0;
  #sealedInPhase = 0;
  #sealedProbes = 0;
  /** Lowest number that may still be used, by space: a number never comes back, whatever happens. */
  #nextData: number;
  #nextProbe: number;

  constructor(options: ProtectionOptions) {
    const { secrets, limits, createKey = createPacketKey, firstPacketNumber = 0 } = options;
    this.#nextData = firstPacketNumber;
    this.#nextProbe = firstPacketNumber;
    this.#aead = secrets.aead;
    this.#limits = { ...PROTECTION_LIMITS[secrets.aead], ...limits };
    this.#createKey = createKey;
    this.#header = new HeaderProtection(secrets.header);
    this.#probeKey = createKey(secrets.probe, secrets.aead);
    this.#secret = secrets.data.slice();
    this.#dataKey = createKey(secrets.data, secrets.aead);
  }

  /**
   * Command: seals a batch in its place, then masks its headers. Headers (unmasked, with {@link keyPhase}) and plaintexts
   * are there; the last 16 bytes of each packet are room for the tag.
   *
   * @throws Error if a number is used again, or the key is used up ({@link remaining}): bugs of the caller.
   */
  sealBatch(buffer: Uint8Array, options: SealOptions): void {
    const { space, start, segmentSize, total, firstPacketNumber } = options;
    const count = Math.ceil(total / segmentSize);
    assert(count >= 1 && count <= MAX_BATCH_PACKETS, "a batch of 1 to 64 packets");
    assert(total - (count - 1) * segmentSize >= MIN_PACKET_SIZE, "a packet has room for a sample");
    this.#use(space, firstPacketNumber, count);
    const key = space === "data" ? this.#dataKey : this.#probeKey;
    key.sealBatch(buffer, { start, end: start + total, segmentSize, firstPacketNumber });
    this.#header.maskBatch(buffer, { start, segmentSize, count });
  }

  /** Command: goes on to the next key phase, for good. */
  advance(): void {
    const old = this.#secret;
    this.#secret = nextSecret(old);
    this.#dataKey.wipe();
    this.#dataKey = this.#createKey(this.#secret, this.#aead);
    wipe(old);
    this.#phase += 1;
    this.#sealedInPhase = 0;
  }

  /** Command: overwrites all keys; nothing can be sealed any more. */
  wipe(): void {
    wipe(this.#secret);
    this.#dataKey.wipe();
    this.#probeKey.wipe();
  }

  /** Packets of a space that may still be sealed: until the next phase, or for probes until the end. */
  remaining(space: PacketSpace): number {
    return space === "data"
      ? this.#limits.sealedPerPhase - this.#sealedInPhase
      : this.#limits.sealedProbes - this.#sealedProbes;
  }

  /** Key updates so far. */
  get phase(): number {
    return this.#phase;
  }

  /** The bit for headers of data packets. */
  get keyPhase(): 0 | 1 {
    return phaseBit(this.#phase);
  }

  /** Data packets sealed under the current key. */
  get sealedInPhase(): number {
    return this.#sealedInPhase;
  }

  /** Takes the numbers before they are used, so that a failure burns them. */
  #use(space: PacketSpace, first: number, count: number): void {
    assert(count <= this.remaining(space), "the key may seal so many packets");
    // Subtracts: a sum beyond 2^53 would be rounded.
    assert(first <= MAX_PACKET_NUMBER - (count - 1), "packet numbers end at 2^53 − 1");
    assert(first >= (space === "data" ? this.#nextData : this.#nextProbe), "packet numbers are used once");
    if (space === "data") {
      this.#nextData = first + count;
      this.#sealedInPhase += count;
    } else {
      this.#nextProbe = first + count;
      this.#sealedProbes += count;
    }
  }
}

/** A packet that opened. The object is reused: it holds until the next packet is opened. */
export interface OpenedPacket {
  readonly space: PacketSpace;
  readonly packetNumber: number;
  readonly keyPhase: 0 | 1;
  /** Whether no packet of its space with a higher number has opened. */
  readonly isNewest: boolean;
  /** Whether it is the first of a new key phase: our sending keys have to follow (RFC 9001 §6.2). */
  readonly isNewPhase: boolean;
  /** The frames; the memory is the caller's. */
  readonly payload: Uint8Array;
}

/** Datagrams that were dropped, by reason. */
export interface OpenFailures {
  /** Too short, or of another length than it says. */
  malformed: number;
  /** No key opened it. */
  badTag: number;
  /** Opened, but its number was seen before or is too old to tell. */
  replayed: number;
}

/** The key of one phase and the numbers that it has opened. */
class PhaseKey {
  readonly key: PacketKey;
  /** Lowest and highest number opened with the key; none yet: `Infinity` and −1. */
  lowest = Number.POSITIVE_INFINITY;
  highest = -1;

  constructor(key: PacketKey) {
    this.key = key;
  }
}

/** A header unmasked; shared by all openers, like the samples of header protection. */
const HEADER = new Uint8Array(HEADER_SIZE);

/** Opens what the peer sends. */
export class PacketOpener {
  readonly failures: OpenFailures = { malformed: 0, badTag: 0, replayed: 0 };
  readonly #aead: AeadId;
  readonly #limits: ProtectionLimits;
  readonly #createKey: PacketKeyFactory;
  readonly #header: HeaderProtection;
  readonly #probeKey: PacketKey;
  readonly #dataWindow: ReplayWindow;
  readonly #probeWindow: ReplayWindow;
  readonly #opened: { -readonly [Field in keyof OpenedPacket]: OpenedPacket[Field] };
  /** Secret of the next phase. */
  #nextSecret: Uint8Array;
  #previous: PhaseKey | undefined;
  #current: PhaseKey;
  #next: PhaseKey;
  #phase = 0;
  /** Highest number that opened in any phase before the current one. */
  #highestOfOlder = -1;
  #violation: number | undefined;

  constructor(options: ProtectionOptions) {
    const { secrets, limits, createKey = createPacketKey, firstPacketNumber = 0 } = options;
    this.#dataWindow = new ReplayWindow(DATA_WINDOW, firstPacketNumber);
    this.#probeWindow = new ReplayWindow(PROBE_WINDOW, firstPacketNumber);
    this.#aead = secrets.aead;
    this.#limits = { ...PROTECTION_LIMITS[secrets.aead], ...limits };
    this.#createKey = createKey;
    this.#header = new HeaderProtection(secrets.header);
    this.#probeKey = createKey(secrets.probe, secrets.aead);
    this.#current = new PhaseKey(createKey(secrets.data, secrets.aead));
    this.#nextSecret = nextSecret(secrets.data);
    this.#next = new PhaseKey(createKey(this.#nextSecret, secrets.aead));
    this.#opened = {
      space: "data",
      packetNumber: 0,
      keyPhase: 0,
      isNewest: false,
      isNewPhase: false,
      payload: new Uint8Array(0),
    };
  }

  /**
   * Input: a datagram with a protected packet. `undefined` if it is not to be processed; {@link failures} counts why, and
   * {@link violation} and {@link isExhausted} say whether the connection has to end.
   */
  open(datagram: Uint8Array): OpenedPacket | undefined {
    if (this.#violation !== undefined || this.isExhausted) return undefined;
    if (datagram.length < MIN_PACKET_SIZE || ((datagram[1]! << 8) | datagram[2]!) !== datagram.length) {
      this.failures.malformed += 1;
      return undefined;
    }
    this.#header.unmask(datagram, HEADER);
    return isDataPacket(HEADER[0]!) ? this.#openData(datagram) : this.#openProbe(datagram);
  }

  /** Command: drops the keys of the phase before the current one (RFC 9001 §6.5: three probe timeouts after it began). */
  dropOldKeys(): void {
    this.#previous?.key.wipe();
    this.#previous = undefined;
  }

  /** Command: overwrites all keys; nothing opens any more. */
  wipe(): void {
    this.dropOldKeys();
    this.#current.key.wipe();
    this.#next.key.wipe();
    this.#probeKey.wipe();
    wipe(this.#nextSecret);
  }

  /** Key updates of the peer so far. */
  get phase(): number {
    return this.#phase;
  }

  /** The bit that data packets of the current phase have. */
  get keyPhase(): 0 | 1 {
    return phaseBit(this.#phase);
  }

  /** Whether keys of the phase before the current one are still held. */
  get hasOldKeys(): boolean {
    return this.#previous !== undefined;
  }

  /** The code to close with, once the peer has changed keys against the rules. */
  get violation(): number | undefined {
    return this.#violation;
  }

  /** RFC 9001 §6.6: whether so many packets failed to open that the keys must not be used any more. */
  get isExhausted(): boolean {
    return this.failures.badTag >= this.#limits.failedOpens;
  }

  #openProbe(datagram: Uint8Array): OpenedPacket | undefined {
    const window = this.#probeWindow;
    const packetNumber = expand(truncatedPacketNumber(HEADER, 0), window.highest);
    const payload = this.#probeKey.open(datagram, HEADER, packetNumber);
    if (payload === undefined) {
      this.failures.badTag += 1;
      return undefined;
    }
    this.#opened.keyPhase = 0;
    this.#opened.isNewPhase = false;
    return this.#finish("probe", packetNumber, payload);
  }

  #openData(datagram: Uint8Array): OpenedPacket | undefined {
    const packetNumber = expand(truncatedPacketNumber(HEADER, 0), this.#dataWindow.highest);
    const phaseKey = this.#choose(keyPhaseOf(HEADER[0]!), packetNumber);
    let used = phaseKey;
    let payload = phaseKey.key.open(datagram, HEADER, packetNumber);
    if (payload === undefined && phaseKey === this.#next && this.#previous !== undefined) {
      // The bit is the same for the next and the previous phase. Under the previous key this number breaks the rules.
      used = this.#previous;
      payload = used.key.open(datagram, HEADER, packetNumber);
    }
    if (payload === undefined) {
      this.failures.badTag += 1;
      return undefined;
    }
    if (this.#breaksOrder(used, packetNumber)) {
      this.#violation = CLOSE_CODE.KEY_UPDATE;
      return undefined;
    }
    this.#opened.isNewPhase = used === this.#next;
    if (used === this.#next) this.#advance();
    used.lowest = Math.min(used.lowest, packetNumber);
    used.highest = Math.max(used.highest, packetNumber);
    this.#opened.keyPhase = keyPhaseOf(HEADER[0]!);
    return this.#finish("data", packetNumber, payload);
  }

  /** RFC 9001 §6.5: the number tells the previous phase from the next, which have the same bit. */
  #choose(bit: 0 | 1, packetNumber: number): PhaseKey {
    if (bit === this.keyPhase) return this.#current;
    if (this.#previous !== undefined && packetNumber < this.#current.lowest) return this.#previous;
    return this.#next;
  }

  /** RFC 9001 §6.4: higher numbers are protected with the same or newer keys. */
  #breaksOrder(used: PhaseKey, packetNumber: number): boolean {
    if (used === this.#previous) return packetNumber > this.#current.lowest;
    return packetNumber < (used === this.#next ? this.#current.highest : this.#highestOfOlder);
  }

  /** The peer has begun the next phase. */
  #advance(): void {
    this.dropOldKeys();
    this.#highestOfOlder = Math.max(this.#highestOfOlder, this.#current.highest);
    this.#previous = this.#current;
    this.#current = this.#next;
    const secret = nextSecret(this.#nextSecret);
    wipe(this.#nextSecret);
    this.#nextSecret = secret;
    this.#next = new PhaseKey(this.#createKey(secret, this.#aead));
    this.#phase += 1;
  }

  #finish(space: PacketSpace, packetNumber: number, payload: Uint8Array): OpenedPacket | undefined {
    const window = space === "data" ? this.#dataWindow : this.#probeWindow;
    const isNewest = packetNumber > window.highest;
    if (!window.accept(packetNumber)) {
      this.failures.replayed += 1;
      return undefined;
    }
    const opened = this.#opened;
    opened.space = space;
    opened.packetNumber = packetNumber;
    opened.isNewest = isNewest;
    opened.payload = payload;
    return opened;
  }
}

function phaseBit(phase: number): 0 | 1 {
  return phase % 2 === 0 ? 0 : 1;
}
