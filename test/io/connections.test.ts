/**
 * Connections between two ends on loopback: many at once, many streams, datagrams, closing.
 *
 * @module
 */
import { once } from "node:events";
import { networkInterfaces } from "node:os";
import { describe, expect, test } from "vitest";
import { type CloseReason, connect, listen, type PeerStream } from "../../src/index.ts";
import { collect, errorOf, firstOf, hashOf, pair, sample, sleep } from "./pair.ts";

describe("many at once", () => {
  test("100 connections on one listening and one dialling endpoint carry the right bytes", async () => {
    const listener = await listen({ host: "127.0.0.1" });
    const peers = new Set<number>();
    const serving = (async () => {
      for await (const stream of listener) {
        peers.add(stream.connection.paths()[0]!.remote.port);
        stream.pipe(stream);
      }
    })();
    const samples = Array.from({ length: 100 }, () => sample(4, 5_000));
    await Promise.all(
      samples.map(async ({ chunks, hash }) => {
        const stream = await connect(listener.ticket);
        const received = hashOf(stream);
        for (const chunk of chunks) stream.write(chunk);
        stream.end();
        expect(await received).toBe(hash);
      }),
    );
    expect(peers.size).toBe(1);
    await listener.close({ connections: true });
    await serving;
  });

  test("100 streams on one connection carry the right bytes", async () => {
    await using ends = await pair();
    const { connection } = ends.near;
    const serving = (async () => {
      for await (const stream of ends.far.connection.streams()) stream.pipe(stream);
    })();
    await Promise.all(
      Array.from({ length: 100 }, async () => {
        const { chunks, hash } = sample(8, 4_000);
        const stream = await connection.openStream();
        const received = hashOf(stream);
        for (const chunk of chunks) stream.write(chunk);
        stream.end();
        expect(await received).toBe(hash);
      }),
    );
    await connection.close();
    await serving;
  });

  test("beyond the peer's limit `openStream` waits until a stream is over", async () => {
    await using ends = await pair();
    const { connection } = ends.near;
    const opened: PeerStream[] = [];
    // The first stream counts, too.
    for (let i = 0; i < 99; i++) opened.push(await connection.openStream());
    let isOpen = false;
    const waiting = connection.openStream().then((stream) => {
      isOpen = true;
      return stream;
    });
    const controller = new AbortController();
    const givenUp = connection.openStream({ signal: controller.signal });
    await sleep(100);
    expect(isOpen).toBe(false);
    controller.abort(new Error("enough"));
    await expect(givenUp).rejects.toThrow("enough");
    opened[0]!.destroy();
    const destroyedAt = performance.now();
    const stream = await waiting;
    expect(performance.now() - destroyedAt).toBeLessThan(3_000);
    const far = ends.far.connection.streams();
    stream.end("made it");
    for await (const each of far) {
      if (each.id !== stream.id) continue;
      expect(String(await collect(each))).toBe("made it");
      break;
    }
  });
});

describe("streams of a connection", () => {
  test("both sides open streams, of one direction or two", async () => {
    await using ends = await pair();
    const fromNear = await ends.near.connection.openStream({ direction: "uni" });
    const fromFar = await ends.far.connection.openStream();
    expect([fromNear.readable, fromNear.writable, fromFar.readable]).toEqual([false, true, true]);
    fromNear.end("one way");
    fromFar.end("two ways");
    const [atFar, atNear] = await Promise.all([
      firstOf(ends.far.connection.streams()),
      firstOf(ends.near.connection.streams()),
    ]);
    expect([atFar.id, atNear.id]).toEqual([fromNear.id, fromFar.id]);
    expect([atFar.readable, atFar.writable]).toEqual([true, false]);
    expect(String(await collect(atFar))).toBe("one way");
    expect(String(await collect(atNear))).toBe("two ways");
    atNear.end("back");
    expect(String(await collect(fromFar))).toBe("back");
  });

  test("the `stream` event replaces the iteration", async () => {
    await using ends = await pair();
    const seen: PeerStream[] = [];
    ends.far.connection.on("stream", (stream) => seen.push(stream));
    const stream = await ends.near.connection.openStream();
    stream.end("x");
    await once(stream, "finish");
    expect(seen.map((each) => each.id)).toEqual([stream.id]);
    expect(String(await collect(seen[0]!))).toBe("x");
  });

  test("a stream that was reset before anybody took it is not handed out", async () => {
    await using ends = await pair();
    const lost = await ends.near.connection.openStream();
    lost.write("x");
    await sleep(50);
    lost.destroy();
    await sleep(50);
    const kept = await ends.near.connection.openStream();
    kept.write("y");
    expect((await firstOf(ends.far.connection.streams())).id).toBe(kept.id);
  });

  test("the number of streams that come and go is not limited", async () => {
    await using ends = await pair();
    ends.far.connection.on("stream", (stream) => stream.pipe(stream));
    for (let i = 0; i < 300; i++) {
      const stream = await ends.near.connection.openStream();
      stream.end("x");
      expect(String(await collect(stream))).toBe("x");
    }
  });
});

describe("datagrams", () => {
  test("reach the peer, and are refused beyond the size that fits", async () => {
    await using ends = await pair();
    const { connection } = ends.near;
    expect(connection.maxDatagramSize).toBeGreaterThan(1_000);
    expect(connection.sendDatagram(Buffer.from("ping"))).toBe(true);
    const datagrams = ends.far.connection.datagrams();
    expect(String((await datagrams.next()).value)).toBe("ping");
    const tooLarge = new Uint8Array(connection.maxDatagramSize + 1);
    expect(() => connection.sendDatagram(tooLarge)).toThrow(expect.objectContaining({ code: "ERR_OPTION" }));
    await connection.close();
    expect((await datagrams.next()).done).toBe(true);
    expect(() => connection.sendDatagram(Buffer.from("late"))).toThrow(expect.objectContaining({ code: "ERR_CLOSED" }));
  });
});

describe("closing", () => {
  test("`close` tells the peer code and reason, and ends the streams of both sides", async () => {
    await using ends = await pair();
    const told = new Promise<CloseReason>((resolve) => ends.far.connection.once("closed", resolve));
    const failed = errorOf(ends.far);
    const own = errorOf(ends.near);
    await ends.near.connection.close(0x123, "enough for today");
    expect(await told).toMatchObject({
      kind: "closed",
      origin: "peer",
      application: true,
      code: 0x123,
      message: "enough for today",
    });
    expect(await failed).toMatchObject({ code: "ERR_CLOSED_BY_PEER", peerCode: 0x123 });
    expect(await own).toMatchObject({ code: "ERR_CLOSED" });
    expect(ends.near.connection.closeReason).toMatchObject({ kind: "closed", origin: "local" });
    await expect(ends.near.connection.openStream()).rejects.toMatchObject({ code: "ERR_CLOSED" });
    await ends.near.connection.close();
  });

  test("`closed` comes once, also when both sides close at the same time", async () => {
    await using ends = await pair();
    let count = 0;
    ends.near.connection.on("closed", () => count++);
    ends.far.connection.on("closed", () => count++);
    await Promise.all([ends.near.connection.close(), ends.far.connection.close(), ends.near.connection.close()]);
    await sleep(50);
    expect(count).toBe(2);
  });

  test("two sides that close at the same time are both done at once (CONN-19)", async () => {
    for (let round = 0; round < 10; round++) {
      await using ends = await pair();
      ends.near.write(Buffer.alloc(10_000));
      const startedAt = performance.now();
      await Promise.all([ends.near.connection.close(0x101), ends.far.connection.close(0x102)]);
      expect(performance.now() - startedAt).toBeLessThan(700);
      expect(ends.near.connection.closeReason).toMatchObject({ origin: "local", code: 0x101 });
    }
  });

  test("a connection that `connect` made closes with its last stream", async () => {
    await using ends = await pair();
    const { connection } = ends.near;
    const second = await connection.openStream();
    second.write("x");
    const other = await firstOf(ends.far.connection.streams());
    const closed = once(connection as never, "closed");
    for (const stream of [ends.near, ends.far]) stream.resume().end();
    await once(ends.near, "close");
    await sleep(50);
    expect(connection.closeReason).toBeUndefined();
    for (const stream of [second, other]) stream.resume().end();
    const [reason] = await closed;
    expect(reason).toMatchObject({ kind: "closed", origin: "local", code: 0 });
  });

  test("ERR-10: `await using` of a connection ends its streams first", async () => {
    await using ends = await pair();
    const { connection } = ends.near;
    const { chunks, hash } = sample(20, 20_000);
    const received = hashOf(ends.far);
    for (const chunk of chunks) ends.near.write(chunk);
    await connection[Symbol.asyncDispose]();
    expect(await received).toBe(hash);
    expect(connection.closeReason).toMatchObject({ code: 0, origin: "local" });
    expect(connection.closeError).toBeUndefined();
  });

  test("`explain` tells the story in order", async () => {
    await using ends = await pair();
    await ends.near.connection.close(0x100, "done");
    const story = ends.near.connection.explain();
    expect(story).toMatch(
      /connecting[\s\S]*direct path to 127\.0\.0\.1:[0-9]+, rtt[\s\S]*closing \(code 256\)[\s\S]*closed/,
    );
  });

  test("`stats` and `paths` speak of what went over the line", async () => {
    await using ends = await pair();
    ends.near.end(Buffer.alloc(100_000));
    await collect(ends.far);
    const stats = ends.near.connection.stats();
    expect(stats.bytesSent).toBeGreaterThan(100_000);
    expect(stats.rtt).toBeGreaterThan(0);
    const [path] = ends.near.connection.paths();
    expect(path).toMatchObject({ kind: "direct", remote: ends.listener.address });
    expect(ends.near.connection.peerKey).toBe(ends.listener.key);
    expect(ends.far.connection.paths()[0]!.remote.port).toBe(path!.local.port);
  });
});

describe("addresses", () => {
  const hasIPv6 = Object.values(networkInterfaces()).some((all) => all?.some((each) => each.address === "::1"));

  test.skipIf(!hasIPv6)("IPv6 works alone", async () => {
    await using ends = await pair({ listen: { host: "::1" }, connect: { host: "::1" } });
    ends.near.end("six");
    expect(String(await collect(ends.far))).toBe("six");
    expect(ends.near.connection.paths()[0]!.remote).toMatchObject({ host: "::1", family: 6 });
  });

  test.skipIf(!hasIPv6)("both families share one port where that is possible", async () => {
    await using listener = await listen();
    const [four, six] = listener.addresses;
    expect([four!.host, six!.host]).toEqual(["0.0.0.0", "::"]);
    expect(six!.port).toBe(four!.port);
  });

  test("a listener on all addresses is reached by its own ticket", async () => {
    await using ends = await pair({ listen: { host: "0.0.0.0" } });
    ends.near.end("x");
    expect(String(await collect(ends.far))).toBe("x");
  });
});
