import { describe, expect, test } from "vitest";
import { SendBuffer } from "../../src/stream/send-buffer.ts";
import { collectGarbage } from "./garbage.ts";

/** `length` bytes that count up from the low byte of `start`. */
function counting(start: number, length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => start + i);
}

function copy(buffer: SendBuffer, offset: number, length: number): Uint8Array {
  const target = new Uint8Array(length);
  buffer.copyTo(target, 0, offset, length);
  return target;
}

/** A buffer with chunks of the given lengths, all sent. */
function sent(...lengths: number[]): SendBuffer {
  const buffer = new SendBuffer();
  for (const length of lengths) buffer.write(counting(buffer.end, length));
  buffer.takeUnsent(buffer.unsent);
  return buffer;
}

describe("what is written", () => {
  test("is kept by reference and copied across the borders of chunks", () => {
    const buffer = new SendBuffer();
    const chunk = counting(0, 300);
    buffer.write(chunk);
    buffer.write(counting(300, 400));
    chunk[299] = 99;
    expect(copy(buffer, 298, 4)).toEqual(Uint8Array.of(298 & 255, 99, 300 & 255, 301 & 255));
    expect(copy(buffer, 0, 700)[299]).toBe(99);
  });

  test("of small chunks is gathered, so that a byte does not cost an object", () => {
    const buffer = new SendBuffer();
    for (let i = 0; i < 10_000; i++) buffer.write(Uint8Array.of(i));
    expect([buffer.end, buffer.unsent, buffer.buffered]).toEqual([10_000, 10_000, 10_000]);
    expect(copy(buffer, 0, 10_000)).toEqual(counting(0, 10_000));
  });

  test("of a small chunk after others that are partly acknowledged goes to its place", () => {
    const buffer = sent(300, 10);
    buffer.ack(0, 305);
    buffer.write(counting(310, 10));
    expect(copy(buffer, 305, 15)).toEqual(counting(305, 15));
  });

  test("of no bytes is nothing", () => {
    const buffer = new SendBuffer();
    buffer.write(new Uint8Array(0));
    expect([buffer.end, buffer.isAllAcked]).toEqual([0, true]);
  });
});

describe("what is acknowledged", () => {
  test("is released in any order, and the rest stays readable", () => {
    const buffer = sent(300, 300, 300);
    buffer.ack(300, 600);
    expect([buffer.buffered, buffer.isAllAcked]).toEqual([900, false]);
    buffer.ack(0, 300);
    expect(buffer.buffered).toBe(300);
    expect(copy(buffer, 600, 300)).toEqual(counting(600, 300));
    buffer.ack(650, 900);
    buffer.ack(600, 650);
    expect([buffer.buffered, buffer.isAllAcked]).toEqual([0, true]);
  });

  test("in pieces that touch is taken together", () => {
    const buffer = sent(300);
    buffer.ack(100, 200);
    buffer.ack(201, 300);
    buffer.ack(0, 201);
    expect(buffer.isAllAcked).toBe(true);
  });

  test("lets go of the chunks", async () => {
    const buffer = new SendBuffer();
    let chunk: Uint8Array | undefined = new Uint8Array(1_000);
    const reference = new WeakRef(chunk);
    buffer.write(chunk);
    buffer.write(new Uint8Array(1_000));
    chunk = undefined;
    buffer.takeUnsent(2_000);
    buffer.ack(0, 1_000);
    await collectGarbage();
    expect(reference.deref()).toBe(undefined);
    expect(buffer.buffered).toBe(1_000);
  });

  test("many times over leaves room for much more", () => {
    const buffer = new SendBuffer();
    for (let i = 0; i < 500; i++) {
      buffer.write(counting(buffer.end, 300));
      buffer.takeUnsent(300);
      if (i >= 3) buffer.ack(300 * (i - 3), 300 * (i - 2));
    }
    expect(buffer.buffered).toBe(900);
    expect(copy(buffer, buffer.end - 900, 900)).toEqual(counting(buffer.end - 900, 900));
  });
});

describe("what is lost (STR-6, RFC 9000 §13.3)", () => {
  test("is offered from the lowest byte on, in pieces of any size", () => {
    const buffer = sent(1_000);
    buffer.lose(600, 700);
    buffer.lose(100, 200);
    expect([buffer.lostStart, buffer.lostLength, buffer.lostBytes]).toEqual([100, 100, 200]);
    buffer.takeLost(30);
    expect([buffer.lostStart, buffer.lostLength]).toEqual([130, 70]);
    buffer.takeLost(70);
    expect([buffer.lostStart, buffer.lostLength]).toEqual([600, 100]);
    buffer.takeLost(100);
    expect([buffer.lostLength, buffer.lostBytes]).toEqual([0, 0]);
  });

  test("is not offered where it was acknowledged, before or after", () => {
    const buffer = sent(1_000);
    buffer.ack(0, 100);
    buffer.ack(200, 300);
    buffer.lose(50, 400);
    expect([buffer.lostStart, buffer.lostLength, buffer.lostBytes]).toEqual([100, 100, 200]);
    buffer.ack(100, 150);
    expect([buffer.lostStart, buffer.lostLength, buffer.lostBytes]).toEqual([150, 50, 150]);
    buffer.ack(0, 1_000);
    buffer.lose(0, 1_000);
    expect([buffer.lostLength, buffer.lostBytes]).toEqual([0, 0]);
  });
});

test("discarding leaves nothing to send", () => {
  const buffer = sent(500);
  buffer.write(counting(500, 500));
  buffer.lose(0, 100);
  buffer.discard();
  expect([buffer.unsent, buffer.lostLength, buffer.buffered, buffer.end]).toEqual([0, 0, 0, 500]);
});
