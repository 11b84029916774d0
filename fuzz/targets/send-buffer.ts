/**
 * The send buffer against a model that keeps the fate of each byte.
 *
 * @module
 */
import fc from "fast-check";
import { SendBuffer } from "../../src/stream/send-buffer.ts";
import { assert } from "../../src/util/invariant.ts";
import { record } from "../arbitraries.ts";
import type { FuzzTarget } from "../target.ts";

const operation = record({
  kind: fc.constantFrom("write", "write", "send", "send", "send", "repair", "repair", "ack", "ack", "lose"),
  /** Mostly small, now and then larger than a block of gathered chunks. */
  amount: fc.oneof({ weight: 3, arbitrary: fc.nat(40) }, { weight: 2, arbitrary: fc.nat(700) }, fc.nat(9_000)),
  which: fc.nat(1_000),
});

type Fate = "unsent" | "in flight" | "lost" | "acked";

class Model {
  readonly #buffer = new SendBuffer();
  readonly #fates: Fate[] = [];
  /** Ranges that were put into packets, and may be acknowledged or lost in any order, also again. */
  readonly #packets: (readonly [start: number, end: number])[] = [];

  write(amount: number): void {
    const start = this.#fates.length;
    const chunk = Uint8Array.from({ length: amount }, (_, i) => byteAt(start + i));
    this.#buffer.write(chunk);
    for (let i = 0; i < amount; i++) this.#fates.push("unsent");
  }

  send(amount: number): void {
    const length = Math.min(amount, this.#buffer.unsent);
    if (length === 0) return;
    const start = this.#buffer.sent;
    this.#copy(start, length);
    this.#buffer.takeUnsent(length);
    this.#fates.fill("in flight", start, start + length);
    this.#packets.push([start, start + length]);
  }

  repair(amount: number): void {
    const length = Math.min(amount, this.#buffer.lostLength);
    if (length === 0) return;
    const start = this.#buffer.lostStart;
    this.#copy(start, length);
    this.#buffer.takeLost(length);
    this.#fates.fill("in flight", start, start + length);
    this.#packets.push([start, start + length]);
  }

  ack(which: number): void {
    const [start, end] = this.#packets[which % this.#packets.length] ?? [0, 0];
    this.#buffer.ack(start, end);
    this.#fates.fill("acked", start, end);
  }

  lose(which: number): void {
    const [start, end] = this.#packets[which % this.#packets.length] ?? [0, 0];
    this.#buffer.lose(start, end);
    for (let i = start; i < end; i++) if (this.#fates[i] !== "acked") this.#fates[i] = "lost";
  }

  check(): void {
    const fates = this.#fates;
    const buffer = this.#buffer;
    const firstUnacked = fates.findIndex((fate) => fate !== "acked");
    const lostStart = fates.indexOf("lost");
    let lostEnd = lostStart;
    while (lostEnd >= 0 && fates[lostEnd] === "lost") lostEnd += 1;
    const buffered = firstUnacked === -1 ? 0 : fates.length - firstUnacked;
    assert(buffer.end === fates.length, `end ${buffer.end}, not ${fates.length}`);
    assert(buffer.unsent === count(fates, "unsent"), `unsent ${buffer.unsent}`);
    assert(buffer.lostBytes === count(fates, "lost"), `lost bytes ${buffer.lostBytes}`);
    assert(buffer.lostLength === lostEnd - lostStart, `lost length ${buffer.lostLength}, not ${lostEnd - lostStart}`);
    if (lostStart >= 0) assert(buffer.lostStart === lostStart, `lost start ${buffer.lostStart}, not ${lostStart}`);
    assert(buffer.buffered === buffered, `buffered ${buffer.buffered}, not ${buffered}`);
    assert(buffer.isAllAcked === (firstUnacked === -1), `all acked: ${buffer.isAllAcked}`);
  }

  /** Every byte that is not acknowledged can still be sent, and only those. */
  #copy(start: number, length: number): void {
    const target = new Uint8Array(length + 2).fill(0xaa);
    this.#buffer.copyTo(target, 1, start, length);
    for (let i = 0; i < length; i++) assert(target[1 + i] === byteAt(start + i), `byte ${start + i} is wrong`);
    assert(target[0] === 0xaa && target[length + 1] === 0xaa, "bytes outside were touched");
  }
}

function byteAt(offset: number): number {
  return (offset * 31 + (offset >> 8) * 17) & 0xff;
}

function count(fates: readonly Fate[], wanted: Fate): number {
  return fates.reduce((total, fate) => total + (fate === wanted ? 1 : 0), 0);
}

export const target: FuzzTarget = {
  name: "send-buffer",
  property: () =>
    fc.property(fc.array(operation, { maxLength: 120, size: "max" }), (operations) => {
      const model = new Model();
      for (const { kind, amount, which } of operations) {
        if (kind === "write") model.write(amount);
        else if (kind === "send") model.send(amount);
        else if (kind === "repair") model.repair(amount);
        else if (kind === "ack") model.ack(which);
        else model.lose(which);
        model.check();
      }
      return true;
    }),
};
