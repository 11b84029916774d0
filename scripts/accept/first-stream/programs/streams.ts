/**
 * Scenarios for the library, each run by `streams.ts NAME`. Prints one line of JSON: the figure, and when all was closed.
 *
 * @module
 */
import { createCipheriv, createHash, randomInt } from "node:crypto";
import { Readable, Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { importBuilt } from "../../../../bench/built.ts";
import type { PeerStream } from "../../../../src/index.ts";
import { must } from "../../row.ts";

const { connect, listen } = await importBuilt();

const MEBIBYTE = 2 ** 20;

/** Bytes that do not repeat themselves, and their hash once they are all read. */
function source(size: number, seed: number): { readonly stream: Readable; hash(): string } {
  const cipher = createCipheriv("aes-128-ctr", Buffer.alloc(16, 1), Buffer.alloc(16, seed));
  const hash = createHash("sha256");
  function* chunks(): Iterable<Buffer> {
    for (let left = size; left > 0; left -= 65_536) {
      const chunk = cipher.update(Buffer.alloc(Math.min(left, 65_536)));
      hash.update(chunk);
      yield chunk;
    }
  }
  return { stream: Readable.from(chunks(), { objectMode: false }), hash: () => hash.digest("hex") };
}

/** Reads a stream to its end, and returns its hash. `onBytes` may hold the reader up. */
async function digest(stream: Readable, onBytes?: (total: number) => Promise<void>): Promise<string> {
  const hash = createHash("sha256");
  let total = 0;
  for await (const chunk of stream as AsyncIterable<Uint8Array>) {
    hash.update(chunk);
    total += chunk.length;
    await onBytes?.(total);
  }
  return hash.digest("hex");
}

async function slowPipeline(): Promise<string> {
  const size = 1024 * MEBIBYTE;
  // More than any window, so that the end cannot have arrived while the reader holds.
  const holdAt = size - 64 * MEBIBYTE;
  let releasedAt = 0;
  await using listener = await listen({ host: "127.0.0.1" });
  const received = (async () => {
    for await (const stream of listener) {
      const hash = await digest(stream, async (total) => {
        if (randomInt(2000) === 0) await sleep(randomInt(100));
        if (releasedAt !== 0 || total < holdAt) return;
        await sleep(3000);
        releasedAt = performance.now();
      });
      stream.end();
      return hash;
    }
    throw new Error("nobody came");
  })();
  const startedAt = performance.now();
  await using stream = await connect(listener.ticket);
  const sent = source(size, 1);
  await pipeline(sent.stream, stream);
  const doneAt = performance.now();
  must(releasedAt !== 0 && doneAt > releasedAt, "pipeline() was done before the peer had the end");
  must((await received) === sent.hash(), "the two ends differ");
  return `${(size / 1000 / (doneAt - startedAt)).toFixed(1)} MB/s with pauses`;
}

async function awaitUsing(): Promise<string> {
  const rounds = 200;
  const size = 300_000;
  let arrived = 0;
  await using listener = await listen({ host: "127.0.0.1" });
  const serving = (async () => {
    for await (const stream of listener) {
      let bytes = 0;
      const sink = new Writable({
        write(chunk: Uint8Array, _encoding, done) {
          bytes += chunk.length;
          done();
        },
      });
      // The README's receiver. A reset would make this throw.
      await pipeline(stream, sink);
      must(bytes === size, `${bytes} bytes arrived`);
      arrived += 1;
      if (arrived === rounds) return;
    }
  })();
  for (let round = 0; round < rounds; round++) {
    await using stream = await connect(listener.ticket);
    // Every other time nothing ends the stream but the end of this block.
    if (round % 2 === 0) await pipeline(source(size, round).stream, stream);
    else stream.write(Buffer.alloc(size));
  }
  await serving;
  return `${arrived} of ${rounds}`;
}

/** Sends `size` bytes on a stream whose peer sends them back; compares what comes. */
async function echo(stream: PeerStream, size: number, seed: number): Promise<void> {
  const sent = source(size, seed);
  const [, hash] = await Promise.all([pipeline(sent.stream, stream, { end: true }), digest(stream)]);
  must(hash === sent.hash(), `stream ${seed} came back different`);
}

async function hundredConnections(): Promise<string> {
  await using listener = await listen({ host: "127.0.0.1" });
  listener.on("stream", (stream) => void pipeline(stream, stream));
  const startedAt = performance.now();
  await Promise.all(
    Array.from({ length: 100 }, async (_, index) => {
      await using stream = await connect(listener.ticket);
      await echo(stream, MEBIBYTE, index);
    }),
  );
  return `100 connections, 1 MiB there and back each, in ${((performance.now() - startedAt) / 1000).toFixed(1)} s`;
}

async function hundredStreams(): Promise<string> {
  await using listener = await listen({ host: "127.0.0.1" });
  listener.on("stream", async (first) => {
    void pipeline(first, first);
    for await (const stream of first.connection.streams()) void pipeline(stream, stream);
  });
  const startedAt = performance.now();
  await using first = await connect(listener.ticket);
  const others = Array.from({ length: 99 }, () => first.connection.openStream());
  const all = [first, ...(await Promise.all(others))];
  await Promise.all(all.map((stream, index) => echo(stream, MEBIBYTE, index)));
  return `100 streams, 1 MiB there and back each, in ${((performance.now() - startedAt) / 1000).toFixed(1)} s`;
}

const SCENARIOS: Readonly<Record<string, () => Promise<string>>> = {
  "pipeline-1g": slowPipeline,
  "await-using": awaitUsing,
  "100-connections": hundredConnections,
  "100-streams": hundredStreams,
};

const figure = await SCENARIOS[process.argv[2] ?? ""]!();
console.log(JSON.stringify({ figure, closedAt: Date.now() }));
