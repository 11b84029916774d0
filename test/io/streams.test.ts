/**
 * Streams between two ends on loopback: bytes, ends, resets, backpressure.
 *
 * @module
 */
import { once } from "node:events";
import { Duplex, Readable, Writable } from "node:stream";
import { finished, pipeline } from "node:stream/promises";
import { describe, expect, test } from "vitest";
import type { PeerStream } from "../../src/index.ts";
import { collect, errorOf, firstOf, hashOf, pair, sample, sleep } from "./pair.ts";

describe("bytes", () => {
  test("what one end writes comes back from an echo, and both ends end", async () => {
    await using ends = await pair();
    ends.far.pipe(ends.far);
    const closed = Promise.all([once(ends.near, "close"), once(ends.far, "close")]);
    ends.near.end("hello, hole");
    expect(String(await collect(ends.near))).toBe("hello, hole");
    await closed;
  });

  test("the listener may speak first", async () => {
    await using ends = await pair();
    ends.far.write("welcome");
    const [chunk] = await once(ends.near, "data");
    expect(String(chunk)).toBe("welcome");
  });

  test("8 MiB each way at once arrive unchanged", async () => {
    await using ends = await pair();
    const there = sample(128, 65_536);
    const back = sample(1_000, 8_389);
    const [farHash, nearHash] = await Promise.all([
      hashOf(ends.far),
      hashOf(ends.near),
      pipeline(Readable.from(there.chunks), ends.near, { end: true }),
      pipeline(Readable.from(back.chunks), ends.far, { end: true }),
    ]);
    expect([farHash, nearHash]).toEqual([there.hash, back.hash]);
  });

  test("empty chunks, strings and single bytes make one sequence", async () => {
    await using ends = await pair();
    const received = collect(ends.far);
    ends.near.write("");
    ends.near.write("é", "utf8");
    ends.near.write(Buffer.alloc(0));
    for (const byte of [1, 2, 3]) ends.near.write(Uint8Array.of(byte));
    ends.near.end();
    expect([...(await received)]).toEqual([0xc3, 0xa9, 1, 2, 3]);
  });
});

describe("half-close", () => {
  test("the caller may end first, and still hears the answer", async () => {
    await using ends = await pair();
    ends.near.end("question");
    expect(String(await collect(ends.far))).toBe("question");
    await sleep(50);
    ends.far.end("answer");
    expect(String(await collect(ends.near))).toBe("answer");
  });

  test("the listener may end first, and still hears the rest", async () => {
    await using ends = await pair();
    ends.far.end("greeting");
    expect(String(await collect(ends.near))).toBe("greeting");
    await sleep(50);
    ends.near.end("reply");
    expect(String(await collect(ends.far))).toBe("reply");
  });

  test("an end without any data reaches a peer that does not read", async () => {
    await using ends = await pair();
    ends.near.end();
    await once(ends.far, "end");
    expect(ends.far.writable).toBe(true);
  });

  test("ERR-6: the end is not done before the peer's transport has everything, and needs no reader there", async () => {
    await using ends = await pair();
    const small = Buffer.alloc(100_000);
    ends.near.end(small);
    await finished(ends.near, { readable: false });
    expect(await collect(Readable.from(ends.far))).toHaveLength(100_000);
    // More than all windows together cannot have been acknowledged while nobody reads.
    const other = await ends.near.connection.openStream();
    const far = await firstOfAfter(ends.far, () => other.write(Buffer.alloc(24 * 1024 * 1024)));
    other.end();
    const outcome = await Promise.race([finished(other, { readable: false }).then(() => "finished"), sleep(500)]);
    expect(outcome).toBeUndefined();
    far.resume();
    await finished(other, { readable: false });
  });
});

describe("resets", () => {
  test("ERR-7: `destroy()` fails the peer's stream with ERR_STREAM_RESET and code 1", async () => {
    await using ends = await pair();
    ends.near.destroy();
    expect(await errorOf(ends.far)).toMatchObject({ code: "ERR_STREAM_RESET", peerCode: 1, origin: "peer" });
  });

  test("ERR-7: `destroy(error)` fails it with code 2", async () => {
    await using ends = await pair();
    ends.far.destroy(new Error("disk full"));
    expect(await errorOf(ends.near)).toMatchObject({ code: "ERR_STREAM_RESET", peerCode: 2 });
    expect((await errorOf(ends.far)).message).toBe("disk full");
  });

  test("a pipeline into a stream that the peer destroys fails", async () => {
    await using ends = await pair();
    const endless = new Readable({
      read() {
        this.push(Buffer.alloc(65_536));
      },
    });
    const piped = pipeline(endless, ends.near);
    await once(ends.far, "data");
    ends.far.destroy();
    await expect(piped).rejects.toMatchObject({ code: "ERR_STREAM_RESET", peerCode: 1 });
  });

  test("ERR-8: what was sent up to its end stays readable after the sender destroyed the stream", async () => {
    await using ends = await pair();
    const { chunks, hash } = sample(10, 20_000);
    for (const chunk of chunks) ends.near.write(chunk);
    ends.near.end();
    await finished(ends.near, { readable: false });
    ends.near.destroy();
    await sleep(100);
    expect(await hashOf(ends.far)).toBe(hash);
  });

  test("ERR-8: what was sent up to its end stays readable after the sender closed the connection", async () => {
    await using ends = await pair();
    const { chunks, hash } = sample(10, 20_000);
    for (const chunk of chunks) ends.near.write(chunk);
    ends.near.end();
    await finished(ends.near, { readable: false });
    await ends.near.connection.close();
    await sleep(50);
    expect(ends.far.connection.closeReason).toMatchObject({ kind: "closed", origin: "peer", code: 0 });
    expect(await hashOf(ends.far)).toBe(hash);
    await sleep(10);
    expect([ends.far.destroyed, ends.far.errored]).toEqual([true, null]);
  });
});

describe("backpressure", () => {
  test("a reader that stops stops the writer, within the windows and buffers of one stream", async () => {
    await using ends = await pair();
    let written = 0;
    const source = new Readable({
      read() {
        written += 65_536;
        this.push(written > 64 * 1024 * 1024 ? null : Buffer.alloc(65_536));
      },
    });
    const piped = pipeline(source, ends.near);
    await sleep(500);
    const paused = written;
    expect(paused).toBeLessThan(8 * 1024 * 1024);
    await sleep(300);
    expect(written).toBe(paused);
    let received = 0;
    for await (const chunk of ends.far) received += chunk.length;
    await piped;
    expect(received).toBe(64 * 1024 * 1024);
  });

  test("a slow reader gets every byte", async () => {
    await using ends = await pair();
    const { chunks, hash } = sample(60, 50_000);
    const slow = new Writable({
      highWaterMark: 1,
      write(_chunk, _encoding, callback) {
        setTimeout(callback, 2);
      },
    });
    const hashed = hashOf(Readable.from(tee(ends.far, slow)));
    await pipeline(Readable.from(chunks), ends.near);
    expect(await hashed).toBe(hash);
  });
});

test("a slow reader of a stream in one direction gets the end, wherever it falls", async () => {
  await using ends = await pair();
  for (const rest of [1, 20_000, 60_000, 90_000]) {
    const sending = await ends.near.connection.openStream({ direction: "uni" });
    sending.write(Buffer.alloc(50_000));
    const receiving = await firstOf(ends.far.connection.streams());
    await sleep(20);
    sending.end(Buffer.alloc(rest));
    await sleep(50);
    let received = 0;
    for await (const chunk of receiving) {
      received += chunk.length;
      await sleep(5);
    }
    expect(received).toBe(50_000 + rest);
  }
});

describe("await using", () => {
  test("ERR-10: ends cleanly: the peer reads to the end and sees no error", async () => {
    await using ends = await pair();
    const { chunks, hash } = sample(20, 30_000);
    const received = hashOf(ends.far);
    {
      await using stream = ends.near;
      for (const chunk of chunks) stream.write(chunk);
    }
    expect(await received).toBe(hash);
    await sleep(50);
    expect(ends.far.errored).toBeNull();
    expect(ends.far.connection.closeError).toBeUndefined();
  });

  test("ERR-10: a peer that has something to say is stopped with code 3", async () => {
    await using ends = await pair();
    ends.far.write("an answer that nobody waits for");
    {
      await using stream = ends.near;
      stream.write("x");
    }
    await sleep(50);
    const failed = new Promise((resolve) => ends.far.write("more", resolve));
    expect(await failed).toBeInstanceOf(Error);
  });

  test("ERR-8: a peer that reads to the end and then ends its own direction sees no error, whenever it does", async () => {
    for (const delay of [0, 1, 5, 30]) {
      await using ends = await pair();
      const serving = (async () => {
        ends.far.write("welcome");
        for await (const _ of ends.far);
        if (delay > 0) await sleep(delay);
        ends.far.end();
        await finished(ends.far);
      })();
      await once(ends.near, "data");
      {
        await using stream = ends.near;
        stream.write("x");
      }
      await serving;
      expect(ends.far.errored).toBeNull();
    }
  });

  test("both ends may leave at the same time", async () => {
    for (let round = 0; round < 20; round++) {
      await using ends = await pair();
      ends.near.resume();
      ends.far.resume();
      await Promise.all([ends.near[Symbol.asyncDispose](), ends.far[Symbol.asyncDispose]()]);
      expect([ends.near.errored, ends.far.errored]).toEqual([null, null]);
    }
  });
});

describe("web streams", () => {
  test("Duplex.toWeb carries bytes both ways, and both ends", async () => {
    await using ends = await pair();
    ends.far.pipe(ends.far);
    const { readable, writable } = Duplex.toWeb(ends.near);
    const writer = writable.getWriter();
    const { chunks, hash } = sample(16, 70_000);
    const received = hashOf(readable as unknown as AsyncIterable<Uint8Array>);
    for (const chunk of chunks) await writer.write(chunk);
    await writer.close();
    expect(await received).toBe(hash);
  });
});

/** The stream that the peer's connection gets once `action` has been taken. */
function firstOfAfter(stream: PeerStream, action: () => void): Promise<PeerStream> {
  const next = firstOf(stream.connection.streams());
  action();
  return next;
}

async function* tee(source: AsyncIterable<Uint8Array>, slow: Writable): AsyncGenerator<Uint8Array> {
  for await (const chunk of source) {
    if (!slow.write(chunk)) await once(slow, "drain");
    yield chunk;
  }
}
