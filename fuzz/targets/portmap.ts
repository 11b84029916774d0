/**
 * Port mapping: answers of any bytes are read without a throw; and whatever a gateway answers, and whenever, the machine makes
 * progress, tells what its state is, sends little, and comes to an end when it is closed.
 *
 * @module
 */
import fc from "fast-check";
import { decodePmpAnswer } from "../../src/portmap/nat-pmp.ts";
import { decodePcpAnswer } from "../../src/portmap/pcp.ts";
import { CLOSE_LIMIT, type PortMapEvent, PortMapMachine } from "../../src/portmap/port-map-machine.ts";
import type { UpnpRequest } from "../../src/portmap/upnp-lane.ts";
import { BufferPool } from "../../src/util/buffer-pool.ts";
import { assert } from "../../src/util/invariant.ts";
import type { Address } from "../../src/util/machine.ts";
import type { Instant } from "../../src/util/time.ts";
import { bytes, exactBytes, record } from "../arbitraries.ts";
import type { FuzzTarget } from "../target.ts";

const GATEWAY: Address = { host: "192.168.1.1", port: 5351, family: 4 };

/** Something that happens to the machine. */
type Step =
  | { readonly kind: "wait"; readonly ms: number }
  | { readonly kind: "raw"; readonly payload: Uint8Array }
  | { readonly kind: "answer"; readonly back: number; readonly answer: Answer }
  | { readonly kind: "upnp"; readonly outcome: "good" | "failed" | "wrong"; readonly code: number | undefined }
  | { readonly kind: "renew" };

/** An answer to a request that was sent before. */
interface Answer {
  readonly result: number;
  readonly lifetime: number;
  readonly epoch: number;
  readonly port: number;
  readonly host: Uint8Array;
  readonly flip: number | undefined;
}

const answer: fc.Arbitrary<Answer> = record({
  result: fc.oneof({ weight: 4, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.nat(14) }),
  lifetime: fc.oneof(fc.constantFrom(0, 1, 7, 8, 120, 7_200, 0xffff_ffff), fc.nat(100_000)),
  epoch: fc.oneof(fc.constantFrom(0, 1, 0xffff_ffff), fc.nat(100_000)),
  port: fc.nat(65_535),
  host: fc.oneof(fc.constantFrom(Uint8Array.of(5, 6, 7, 8), Uint8Array.of(100, 64, 1, 1)), exactBytes(4)),
  flip: fc.option(fc.nat(59 * 8), { nil: undefined, freq: 8 }),
});

const step: fc.Arbitrary<Step> = fc.oneof(
  record({ kind: fc.constant("wait" as const), ms: fc.oneof(fc.nat(10), fc.nat(5_000), fc.nat(10_000_000)) }),
  record({ kind: fc.constant("raw" as const), payload: bytes(80) }),
  { weight: 4, arbitrary: record({ kind: fc.constant("answer" as const), back: fc.nat(3), answer }) },
  record({
    kind: fc.constant("upnp" as const),
    outcome: fc.constantFrom("good" as const, "failed" as const, "wrong" as const),
    code: fc.constantFrom(undefined, 402, 606, 718, 724, 725),
  }),
  record({ kind: fc.constant("renew" as const) }),
);

/** Bytes with a version and an opcode that are known. */
const typedBytes = fc
  .tuple(fc.constantFrom(0, 1, 2), fc.constantFrom(0, 1, 128, 129, 130), bytes(80))
  .map(([version, opcode, rest]) => Uint8Array.of(version, opcode, ...rest));

export const target: FuzzTarget = {
  name: "portmap",
  property: () =>
    fc.property(
      bytes(1_200),
      typedBytes,
      fc.array(step, { maxLength: 60 }),
      fc.constantFrom("start" as const, "probe" as const),
      fc.nat(),
      (raw, typed, steps, purpose, seed) => {
        for (const payload of [raw, typed]) {
          decodePmpAnswer(payload);
          const pcp = decodePcpAnswer(payload);
          assert(pcp === undefined || (payload.length >= 24 && payload.length <= 1_100), "no such length");
        }
        new Run(purpose, seed).play(steps);
      },
    ),
};

/** One machine and what it has asked for. */
class Run {
  readonly #machine: PortMapMachine;
  readonly #requests: Uint8Array[] = [];
  readonly #work: UpnpRequest[] = [];
  #now = 0 as Instant;
  #state: "none" | "mapped" | "closed" = "none";
  #sent = 0;
  #received = 0;

  constructor(purpose: "start" | "probe", seed: number) {
    let state = seed;
    const random = (size: number): Uint8Array =>
      Uint8Array.from({ length: size }, () => {
        state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
        return state >>> 24;
      });
    this.#machine = new PortMapMachine({
      via: 0,
      gateway: GATEWAY,
      localHost: "192.168.1.20",
      internalPort: 4_242,
      random,
      pool: new BufferPool(),
      upnp: true,
    });
    this.#machine[purpose](this.#now);
    this.#pump();
  }

  play(steps: readonly Step[]): void {
    for (const each of steps) {
      this.#do(each);
      this.#pump();
    }
    // Repeats get rarer and rarer, and each answer makes two requests at most.
    const mostRepeats = 60 + this.#now / 4_000;
    assert(this.#sent <= mostRepeats + 3 * this.#received, `${this.#sent} requests`);
    this.#machine.close(this.#now);
    this.#pump();
    this.#wait(CLOSE_LIMIT);
    assert(this.#state === "closed", "not closed");
    assert(this.#machine.nextTimeout() === undefined && this.#machine.mapping === undefined, "not over");
  }

  #do(each: Step): void {
    if (each.kind === "wait") this.#wait(each.ms);
    else if (each.kind === "raw") this.#receive(each.payload);
    else if (each.kind === "renew") {
      this.#received += 1;
      this.#machine.renew(this.#now);
    } else if (each.kind === "answer") {
      const request = this.#requests.at(-1 - each.back);
      if (request !== undefined) this.#receive(answerTo(request, each.answer));
    } else this.#finishWork(each);
  }

  #receive(payload: Uint8Array): void {
    this.#received += 1;
    this.#machine.receive({ via: 0, from: GATEWAY, payload, segmentSize: payload.length }, this.#now);
  }

  #finishWork({ outcome, code }: Step & { kind: "upnp" }): void {
    const request = this.#work.shift();
    if (request === undefined) return;
    const id = outcome === "wrong" ? request.id + 1 : request.id;
    const [externalHost, reason] = ["5.6.7.8", "no"];
    if (outcome === "failed") this.#machine.onUpnpResult({ kind: "failed", id, reason, code }, this.#now);
    else if (request.kind === "discover") this.#machine.onUpnpResult({ kind: "found", id, externalHost }, this.#now);
    else if (request.kind === "remove") this.#machine.onUpnpResult({ kind: "removed", id }, this.#now);
    else {
      const { externalPort } = request;
      this.#machine.onUpnpResult({ kind: "added", id, externalHost, externalPort }, this.#now);
    }
    if (outcome === "wrong") this.#work.unshift(request);
  }

  #wait(ms: number): void {
    const end = (this.#now + ms) as Instant;
    for (let due = this.#machine.nextTimeout(); due !== undefined && due <= end; due = this.#machine.nextTimeout()) {
      this.#now = Math.max(this.#now, due) as Instant;
      this.#machine.handleTimeout(this.#now);
      this.#pump();
      const next = this.#machine.nextTimeout();
      assert(next === undefined || next > this.#now, "no progress");
    }
    this.#now = end;
  }

  #pump(): void {
    for (let out = this.#machine.pollTransmit(this.#now); out; out = this.#machine.pollTransmit(this.#now)) {
      assert(out.to === GATEWAY && out.payload.length <= 60, "an odd request");
      this.#requests.push(Uint8Array.from(out.payload));
      this.#sent += 1;
    }
    for (let event = this.#machine.pollEvent(); event; event = this.#machine.pollEvent()) this.#onEvent(event);
    assert((this.#state === "mapped") === (this.#machine.mapping !== undefined), "told otherwise");
  }

  #onEvent(event: PortMapEvent): void {
    assert(this.#state !== "closed" || event.type === "upnp", "something after the end");
    if (event.type === "upnp") this.#work.push(event.request);
    else if (event.type === "mapped") {
      assert(event.mapping.external.port > 0 && event.mapping.lifetime >= 8, "of no use");
      this.#state = "mapped";
    } else if (event.type === "lost") {
      assert(this.#state === "mapped", "nothing to lose");
      this.#state = "none";
    } else if (event.type === "closed") this.#state = "closed";
  }
}

/** What a gateway might answer to these bytes. */
function answerTo(request: Uint8Array, { result, lifetime, epoch, port, host, flip }: Answer): Uint8Array {
  const isPcp = request[0] === 2;
  const size = isPcp ? request.length : request[1] === 0 ? 12 : 16;
  const reply = new Uint8Array(size);
  const view = new DataView(reply.buffer);
  if (isPcp) {
    reply.set(request.subarray(24), 24);
    reply.set([2, 0x80 | request[1]!, 0, result]);
    view.setUint32(4, lifetime);
    view.setUint32(8, epoch);
    if (size === 60) {
      view.setUint16(42, port);
      reply.set(host, 56);
    }
  } else {
    reply.set([0, 0x80 | request[1]!, 0, result]);
    view.setUint32(4, epoch);
    if (size === 12) reply.set(host, 8);
    else {
      reply.set(request.subarray(4, 6), 8);
      view.setUint16(10, port);
      view.setUint32(12, lifetime);
    }
  }
  if (flip !== undefined && flip >> 3 < size) reply[flip >> 3]! ^= 1 << (flip & 7);
  return reply;
}
