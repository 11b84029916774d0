/**
 * The stream adapter against a small machine of its own: backpressure both ways, ends, resets.
 *
 * @module
 */

import { Writable } from "node:stream";
import { finished, pipeline } from "node:stream/promises";
import { describe, expect, test } from "vitest";
import { StreamDuplex, type StreamHost, type StreamMachine } from "../../src/io/duplex.ts";
import { PunchlineError } from "../../src/io/errors.ts";

/** Plays the machine of one stream: a bounded send buffer, and whatever the test lets arrive. */
class FakeMachine implements StreamMachine {
  readonly written: Uint8Array[] = [];
  readonly calls: string[] = [];
  incoming: Uint8Array[] = [];
  hasEnded = false;
  /** Bytes that `write` takes before it asks to wait. */
  room = Number.POSITIVE_INFINITY;
  reads = 0;
  /** Bytes that the peer has not acknowledged. */
  unacked = 0;

  write(_id: number, chunk: Uint8Array): boolean {
    this.written.push(chunk);
    this.room -= chunk.length;
    return this.room > 0;
  }

  finish(): void {
    this.calls.push("finish");
  }

  reset(_id: number, code: number): void {
    this.calls.push(`reset ${code}`);
  }

  stopSending(_id: number, code: number): void {
    this.calls.push(`stop ${code}`);
  }

  read(): Uint8Array | undefined {
    this.reads += 1;
    return this.incoming.shift();
  }

  unacknowledged(): number {
    return this.unacked;
  }

  isFinished(): boolean {
    return this.hasEnded && this.incoming.length === 0;
  }
}

function make(directions = { readable: true, writable: true }) {
  const machine = new FakeMachine();
  const released: boolean[] = [];
  let wakes = 0;
  const host: StreamHost = {
    machine,
    linger: 100,
    wake: () => {
      wakes += 1;
    },
    released: (_stream, wasReset) => released.push(wasReset),
  };
  const stream = new StreamDuplex(host, 4, directions);
  return { machine, released, stream, wakes: () => wakes };
}

const tick = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const bytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text));

describe("writing", () => {
  test("the callback waits for the machine's high-water mark; afterwards the buffer is the writer's again", async () => {
    const { machine, stream } = make();
    machine.room = 3;
    const chunk = Buffer.from("abcd");
    let isDone = false;
    stream.write(chunk, () => {
      isDone = true;
    });
    await tick();
    expect(isDone).toBe(false);
    stream.onWritable();
    await tick();
    expect(isDone).toBe(true);
    chunk.fill(0);
    expect(String(machine.written[0])).toBe("abcd");
  });

  test("a writer that ignores backpressure fills Node's buffer, not the machine's", async () => {
    const { machine, stream } = make();
    machine.room = 1;
    for (let i = 0; i < 100; i++) stream.write("x");
    await tick();
    expect(machine.written).toHaveLength(1);
    expect(stream.writableLength).toBe(100);
    machine.room = 1_000;
    stream.onWritable();
    await tick();
    expect(Buffer.concat(machine.written)).toHaveLength(100);
    expect(stream.writableLength).toBe(0);
  });

  test("ERR-6: `end` completes when the peer has acknowledged the end, not before", async () => {
    const { machine, stream } = make();
    let isFinished = false;
    stream.end("x", () => {
      isFinished = true;
    });
    await tick();
    expect(machine.calls).toEqual(["finish"]);
    expect([isFinished, stream.writableFinished]).toEqual([false, false]);
    stream.onFinished();
    await tick();
    expect([isFinished, stream.writableFinished]).toEqual([true, true]);
  });

  test("a peer that stops reading fails the write that waits", async () => {
    const { machine, stream } = make();
    machine.room = 0;
    const failed = new Promise((resolve) => stream.write("x", resolve));
    await tick();
    stream.onStopped(0x101);
    expect(await failed).toMatchObject({ code: "ERR_STREAM_RESET", peerCode: 0x101, origin: "peer" });
    await tick();
    // The machine has given the direction up by itself; only the other one is still to be stopped.
    expect(machine.calls).toEqual(["stop 2"]);
  });

  test("a peer that stops reading fails the next write, if none waits", async () => {
    const { stream } = make();
    stream.onStopped(3);
    await tick();
    expect(stream.destroyed).toBe(false);
    const failed = new Promise((resolve) => stream.write("x", resolve));
    expect(await failed).toMatchObject({ code: "ERR_STREAM_RESET", peerCode: 3 });
  });
});

describe("reading", () => {
  test("small pieces are joined, and nothing is read ahead of the consumer beyond Node's buffer", async () => {
    const { machine, stream } = make();
    machine.incoming = Array.from({ length: 400 }, () => new Uint8Array(1_024));
    stream.start();
    await tick();
    expect(stream.readableLength).toBe(64 * 1024);
    expect(machine.incoming).toHaveLength(400 - 64);
    stream.read();
    await tick();
    expect(machine.incoming.length).toBeGreaterThanOrEqual(400 - 3 * 64);
  });

  test("data that arrives later is pushed as it comes, until the end", async () => {
    const { machine, stream } = make();
    const chunks: string[] = [];
    stream.on("data", (chunk) => chunks.push(String(chunk)));
    await tick();
    for (const text of ["a", "b"]) {
      machine.incoming.push(bytes(text));
      stream.onReadable();
      await tick();
    }
    machine.hasEnded = true;
    stream.onReadable();
    await new Promise((resolve) => stream.once("end", resolve));
    expect(chunks).toEqual(["a", "b"]);
  });

  test("a consumer that throws gets what comes after, if the process survives", async () => {
    const { machine, stream } = make();
    const chunks: string[] = [];
    stream.on("data", (chunk) => {
      chunks.push(String(chunk));
      if (chunks.length === 1) throw new Error("a bug of somebody else");
    });
    await tick();
    machine.incoming.push(bytes("a"));
    expect(() => stream.onReadable()).toThrow("a bug of somebody else");
    machine.incoming.push(bytes("b"));
    stream.onReadable();
    expect(chunks).toEqual(["a", "b"]);
  });

  test("a single piece is not copied", async () => {
    const { machine, stream } = make();
    const piece = bytes("hello");
    machine.incoming.push(piece);
    const chunk: Buffer = await new Promise((resolve) => stream.once("data", resolve));
    expect(chunk.buffer).toBe(piece.buffer);
    expect(Buffer.isBuffer(chunk)).toBe(true);
  });

  test("an end without data is told to those who do not read", async () => {
    const { machine, stream } = make();
    stream.start();
    machine.hasEnded = true;
    const ended = new Promise((resolve) => stream.once("end", resolve));
    stream.onReadable();
    await ended;
  });

  test("an end behind bytes that fill Node's buffer is told, though the machine forgets the stream at once", async () => {
    const { machine, stream } = make();
    machine.incoming.push(new Uint8Array(40_000));
    stream.start();
    await tick();
    machine.incoming.push(new Uint8Array(40_000));
    machine.hasEnded = true;
    stream.onReadable();
    machine.hasEnded = false;
    let total = 0;
    for await (const chunk of stream as AsyncIterable<Buffer>) total += chunk.length;
    expect(total).toBe(80_000);
  });

  test("a reset destroys the stream, and stops what we send", async () => {
    const { machine, stream } = make();
    const error = new Promise((resolve) => stream.once("error", resolve));
    stream.onReset(9);
    expect(await error).toMatchObject({ code: "ERR_STREAM_RESET", peerCode: 9 });
    expect(machine.calls).toEqual(["reset 2"]);
  });

  test("ERR-11: a reset of a stream that nobody listens to does not end the process", async () => {
    const { stream } = make();
    stream.onReset(9);
    await tick();
    expect(stream.errored).toMatchObject({ code: "ERR_STREAM_RESET" });
  });
});

describe("ends", () => {
  test("ERR-7: `destroy` resets both directions with code 1, with an error code 2", async () => {
    const plain = make();
    plain.stream.destroy();
    await tick();
    expect(plain.machine.calls).toEqual(["reset 1", "stop 1"]);
    expect(plain.released).toEqual([true]);
    const failed = make();
    failed.stream.destroy(new Error("no"));
    await tick();
    expect(failed.machine.calls).toEqual(["reset 2", "stop 2"]);
  });

  test("ERR-7: `destroy` is nothing after both directions have ended", async () => {
    const { machine, stream, released } = make();
    stream.resume();
    machine.hasEnded = true;
    stream.onReadable();
    stream.end();
    await tick();
    stream.onFinished();
    await new Promise((resolve) => stream.once("close", resolve));
    stream.destroy(new Error("late"));
    expect(machine.calls).toEqual(["finish"]);
    expect(released).toEqual([false]);
  });

  test("ERR-7: `destroy` after the end of one direction touches the other only", async () => {
    const { machine, stream } = make();
    stream.end();
    await tick();
    stream.onFinished();
    stream.destroy();
    await tick();
    expect(machine.calls).toEqual(["finish", "stop 1"]);
  });

  test("the callback of a waiting write is called when the stream is destroyed", async () => {
    const { machine, stream } = make();
    machine.room = 0;
    const failed = new Promise((resolve) => stream.write("x", resolve));
    await tick();
    stream.destroy();
    expect(await failed).toBeInstanceOf(Error);
  });

  test("ERR-8: what has arrived up to its end stays readable when the connection closes", async () => {
    const { machine, stream } = make();
    machine.incoming.push(new Uint8Array(500_000), new Uint8Array(500_000));
    machine.hasEnded = true;
    stream.onConnectionClosed(new PunchlineError("ERR_CLOSED_BY_PEER", "closed"), true);
    let total = 0;
    await pipeline(
      stream,
      new Writable({
        write(chunk, _encoding, callback) {
          total += chunk.length;
          setImmediate(callback);
        },
      }),
    );
    expect(total).toBe(1_000_000);
    await tick();
    expect([stream.destroyed, stream.errored]).toEqual([true, null]);
  });

  test("ERR-8: an end that was not acknowledged when the connection closes is an error", async () => {
    const { machine, stream } = make();
    machine.hasEnded = true;
    stream.resume();
    stream.end("x");
    await tick();
    machine.unacked = 1;
    stream.onConnectionClosed(new PunchlineError("ERR_CLOSED_BY_PEER", "closed"), true);
    await expect(finished(stream)).rejects.toMatchObject({ code: "ERR_CLOSED_BY_PEER" });
  });

  test("ERR-8: an end behind bytes that were all acknowledged is none, if the peer went cleanly", async () => {
    for (const leave of [
      (stream: StreamDuplex) => stream.onStopped(3),
      (stream: StreamDuplex) => stream.onConnectionClosed(new PunchlineError("ERR_CLOSED_BY_PEER", "closed"), true),
    ]) {
      const { machine, stream } = make();
      machine.hasEnded = true;
      stream.resume();
      stream.end("x");
      await tick();
      leave(stream);
      await finished(stream);
      expect(stream.errored).toBeNull();
    }
  });

  test("ERR-8: an end behind acknowledged bytes is an error, if the peer did not go cleanly", async () => {
    const { machine, stream } = make();
    machine.hasEnded = true;
    stream.resume();
    stream.end("x");
    await tick();
    stream.onStopped(1);
    await expect(finished(stream)).rejects.toMatchObject({ code: "ERR_STREAM_RESET", peerCode: 1 });
  });

  test("ERR-8: a stream that was only read ends without an error, however the peer leaves", async () => {
    for (const code of [0, 1, 2, 3, 0x100]) {
      const { machine, stream } = make();
      machine.hasEnded = true;
      stream.onStopped(code);
      stream.resume();
      await finished(stream);
      stream.end();
      expect(stream.errored).toBeNull();
    }
  });

  test("a stream that was written to, and whose peer leaves before it has everything, fails once it is read", async () => {
    const { machine, stream } = make();
    machine.unacked = 1;
    machine.hasEnded = true;
    stream.write("x");
    stream.onStopped(3);
    await tick();
    expect(stream.destroyed).toBe(false);
    stream.resume();
    await expect(finished(stream)).rejects.toMatchObject({ code: "ERR_STREAM_RESET", peerCode: 3 });
  });

  test("a stream of one direction fails at once when the peer does not read it any more", async () => {
    const { stream } = make({ readable: false, writable: true });
    stream.onStopped(3);
    await expect(finished(stream)).rejects.toMatchObject({ code: "ERR_STREAM_RESET" });
  });

  test("ERR-9: a stream that was cut is destroyed with the error of the connection", async () => {
    const { machine, stream } = make();
    machine.incoming.push(bytes("half of it"));
    stream.onConnectionClosed(new PunchlineError("ERR_PEER_LOST", "lost"), false);
    await tick();
    expect(stream.errored).toMatchObject({ code: "ERR_PEER_LOST" });
    expect(machine.calls).toEqual([]);
  });

  test("directions that do not exist are neither reset nor stopped", async () => {
    const outgoing = make({ readable: false, writable: true });
    outgoing.stream.destroy();
    const incoming = make({ readable: true, writable: false });
    incoming.stream.destroy();
    await tick();
    expect(outgoing.machine.calls).toEqual(["reset 1"]);
    expect(incoming.machine.calls).toEqual(["stop 1"]);
    expect([outgoing.stream.readable, incoming.stream.writable]).toEqual([false, false]);
  });
});

describe("await using", () => {
  test("ERR-10: ends our direction, waits for the acknowledgement, then stops the other one with code 3", async () => {
    const { machine, stream } = make();
    stream.write("x");
    const disposed = stream[Symbol.asyncDispose]();
    await tick();
    expect(machine.calls).toEqual(["finish"]);
    stream.onFinished();
    await disposed;
    expect(machine.calls).toEqual(["finish", "stop 3"]);
    expect(stream.errored).toBeNull();
    expect(stream.destroyed).toBe(true);
  });

  test("ERR-10: after both directions have ended there is nothing left to do", async () => {
    const { machine, stream } = make();
    machine.hasEnded = true;
    stream.resume();
    stream.end();
    await tick();
    stream.onFinished();
    await stream[Symbol.asyncDispose]();
    await stream[Symbol.asyncDispose]();
    expect(machine.calls).toEqual(["finish"]);
  });

  test("ERR-10: a peer that does not take what was written within `linger` is an error", async () => {
    const { machine, stream } = make();
    stream.write("x");
    await expect(stream[Symbol.asyncDispose]()).rejects.toMatchObject({ code: "ERR_PEER_LOST" });
    expect(machine.calls).toEqual(["finish", "reset 2", "stop 2"]);
  });

  test("ERR-10: fails if the connection ends meanwhile", async () => {
    const { stream } = make();
    stream.write("x");
    const disposed = stream[Symbol.asyncDispose]();
    await tick();
    stream.onConnectionClosed(new PunchlineError("ERR_PEER_LOST", "lost"), false);
    await expect(disposed).rejects.toMatchObject({ code: "ERR_PEER_LOST" });
  });

  test("says nothing more about a stream that has failed before", async () => {
    const { stream } = make();
    stream.onReset(1);
    await stream[Symbol.asyncDispose]();
  });
});
