/**
 * Getting connected, or not: tickets, hooks, aborts, and what cannot be reached.
 *
 * @module
 */
import { createSocket } from "node:dgram";
import { getEventListeners, once } from "node:events";
import { inspect } from "node:util";
import { describe, expect, test } from "vitest";
import { connect, Identity, listen, type PeerRequest, PunchlineError, Ticket } from "../../src/index.ts";
import { collect, errorOf, firstOf, pair, sleep } from "./pair.ts";

/** A ticket for an address where nobody answers. */
async function deadTicket(): Promise<Ticket> {
  const listener = await listen({ host: "127.0.0.1" });
  await listener.close();
  return listener.ticket;
}

function rejection(promise: Promise<unknown>): Promise<PunchlineError> {
  return promise.then(
    () => {
      throw new Error("did not reject");
    },
    (error) => error,
  );
}

describe("tickets", () => {
  test("text and object open the same door; white space does not matter", async () => {
    await using listener = await listen({ host: "127.0.0.1" });
    const text = String(listener.ticket);
    expect(text).toMatch(/^pl1[0-9A-Za-z]+$/);
    const parsed = Ticket.parse(`  ${text}\n`);
    expect([parsed.id, parsed.key, parsed.addresses]).toEqual([listener.ticket.id, listener.key, [listener.address]]);
    const streams = await Promise.all([connect(text), connect(parsed)]);
    for (const stream of streams) stream.destroy();
  });

  test("a printed ticket shows no secret", async () => {
    await using listener = await listen({ host: "127.0.0.1" });
    const text = String(listener.ticket);
    for (const shown of [
      inspect(listener.ticket),
      JSON.stringify(listener.ticket),
      inspect({ a: { b: listener.ticket } }),
    ]) {
      expect(shown).toContain(listener.ticket.id);
      expect(shown).not.toContain(text.slice(3, 20));
    }
    expect(inspect(Identity.generate())).toMatch(/^Identity [0-9a-f]{64}$/);
  });

  test.each(["", "x", "pl1", "pl1!!!!", `pl1${"a".repeat(2_000)}`, "hello world"])(
    "ERR-1: %j is no ticket",
    async (text) => {
      const error = await rejection(connect(text));
      expect(error).toBeInstanceOf(PunchlineError);
      expect(error).toMatchObject({ code: "ERR_TICKET", origin: "local" });
      expect(error.hint).not.toBe("");
    },
  );

  test("a ticket with a changed character is refused before anything is sent", async () => {
    const text = String(await deadTicket());
    const changed = `${text.slice(0, 40)}${text[40] === "a" ? "b" : "a"}${text.slice(41)}`;
    expect(await rejection(connect(changed))).toMatchObject({ code: "ERR_TICKET" });
  });

  test("a ticket that says that it is too old is refused before anything is sent", async () => {
    await using listener = await listen({ host: "127.0.0.1" });
    const ticket = listener.createTicket({ expiresAt: Date.now() - 10_000 });
    expect(await rejection(connect(ticket))).toMatchObject({ code: "ERR_TICKET_EXPIRED" });
  });

  test("ERR-4: a ticket that was used up is refused as such", async () => {
    await using listener = await listen({ host: "127.0.0.1", uses: 1 });
    expect(listener.ticket.singleUse).toBe(true);
    const first = await connect(listener.ticket);
    await firstOf(listener);
    const error = await rejection(connect(listener.ticket));
    expect(error).toMatchObject({ code: "ERR_REFUSED", refusal: "used-up", origin: "peer" });
    expect(error.attempts).toMatchObject([{ outcome: "refused" }]);
    await first.connection.close();
  });

  test("ERR-4: of two calls that race for the last use one is refused as used up", async () => {
    await using listener = await listen({ host: "127.0.0.1", uses: 1 });
    const outcomes = await Promise.all(
      [1, 2].map(async () => {
        try {
          const stream = await connect(listener.ticket);
          stream.write("x");
          return await Promise.race([errorOf(stream), sleep(300).then(() => stream)]);
        } catch (error) {
          return error;
        }
      }),
    );
    const refused = outcomes.filter((each) => each instanceof PunchlineError);
    expect(refused).toMatchObject([{ code: "ERR_REFUSED", refusal: "used-up" }]);
    await listener.close({ connections: true });
  });

  test("ERR-4: a ticket that was revoked is refused as such; connections that it opened live on", async () => {
    await using listener = await listen({ host: "127.0.0.1" });
    const ticket = listener.createTicket();
    const near = await connect(ticket);
    const far = await firstOf(listener);
    expect(listener.revoke(String(ticket))).toBe(true);
    expect(await rejection(connect(ticket))).toMatchObject({ code: "ERR_REFUSED", refusal: "revoked" });
    near.end("still here");
    expect(String(await collect(far))).toBe("still here");
    expect(listener.revoke(await deadTicket())).toBe(false);
    (await connect(listener.ticket)).destroy();
    await listener.close({ connections: true });
  });

  test("a ticket expires while it is out", async () => {
    await using listener = await listen({ host: "127.0.0.1" });
    const ticket = listener.createTicket({ expiresAt: new Date(Date.now() + 1_000) });
    (await connect(ticket)).destroy();
    await sleep(2_100);
    expect(await rejection(connect(ticket))).toMatchObject({ code: "ERR_TICKET_EXPIRED" });
  });
});

describe("who may come in", () => {
  test("`allow` lets in the keys that it lists, and tells the others", async () => {
    const friend = Identity.generate();
    await using listener = await listen({ host: "127.0.0.1", allow: [friend.key.toUpperCase()] });
    const error = await rejection(connect(listener.ticket));
    expect(error).toMatchObject({ code: "ERR_REFUSED", refusal: "not-allowed" });
    expect(error.hint).toMatch(/key/);
    const near = await connect(listener.ticket, { identity: friend });
    const far = await firstOf(listener);
    expect(far.connection.peerKey).toBe(friend.key);
    await near.connection.close();
  });

  test("`accept` decides on key, metadata, address and ticket, at leisure", async () => {
    const asked: PeerRequest[] = [];
    await using listener = await listen({
      host: "127.0.0.1",
      accept: async (peer) => {
        asked.push(peer);
        await sleep(300);
        return Buffer.from(peer.metadata).toString() === "open sesame";
      },
    });
    const metadata = Buffer.from("open sesame");
    const [near, refused] = await Promise.all([
      connect(listener.ticket, { metadata }),
      rejection(connect(listener.ticket)),
    ]);
    expect(refused).toMatchObject({ code: "ERR_REFUSED", refusal: "not-allowed" });
    expect(asked).toHaveLength(2);
    expect(asked[0]).toMatchObject({ ticketId: listener.ticket.id, address: { host: "127.0.0.1", family: 4 } });
    await near.connection.close();
  });

  test("an `accept` that throws, rejects or says something else than true refuses", async () => {
    for (const accept of [
      () => {
        throw new Error("no");
      },
      () => Promise.reject(new Error("no")),
      () => "yes" as unknown as boolean,
    ]) {
      await using listener = await listen({ host: "127.0.0.1", accept });
      expect(await rejection(connect(listener.ticket))).toMatchObject({ refusal: "not-allowed" });
    }
  });
});

describe("nobody there", () => {
  test("ERR-3: names the address that was tried, and how", async () => {
    const ticket = await deadTicket();
    const startedAt = performance.now();
    const error = await rejection(connect(ticket, { timeout: 600 }));
    expect(performance.now() - startedAt).toBeGreaterThanOrEqual(590);
    expect(error).toMatchObject({ code: "ERR_UNREACHABLE", origin: "network" });
    expect(error.attempts).toMatchObject([{ address: ticket.addresses[0], outcome: "no-answer", received: 0 }]);
    expect(error.attempts[0]!.sent).toBeGreaterThanOrEqual(3);
    expect(error.message).toMatch(/127\.0\.0\.1:[0-9]+/);
  });

  test("ERR-3: an address of a family that is not bound counts as unsent", async () => {
    const ticket = await deadTicket();
    const error = await rejection(connect(ticket, { host: "::1", timeout: 100 }));
    expect(error.attempts).toMatchObject([{ outcome: "unsent", sent: 0 }]);
  });

  test("a listener that is closed is silent", async () => {
    await using ends = await pair();
    await ends.listener.close();
    expect(await rejection(connect(ends.listener.ticket, { timeout: 300 }))).toMatchObject({ code: "ERR_UNREACHABLE" });
    ends.near.end("but what is open stays open");
    expect(String(await collect(ends.far))).toMatch(/stays open/);
  });
});

describe("a listener that closes", () => {
  test("tells a caller whom it has answered, but whom nobody has seen yet", async () => {
    for (let round = 0; round < 5; round++) {
      const listener = await listen({ host: "127.0.0.1" });
      const told: unknown[] = [];
      listener.on("connection", (connection) => told.push(connection));
      const near = await connect(listener.ticket);
      const failed = errorOf(near);
      void listener.close();
      if (told.length === 0) {
        expect(await failed).toMatchObject({
          code: "ERR_CLOSED_BY_PEER",
          message: expect.stringMatching(/listener is closed/),
        });
      } else {
        await near.connection.close();
      }
    }
  });
});

describe("abort", () => {
  test("ERR-5: a signal that is aborted already rejects at once", async () => {
    const ticket = await deadTicket();
    const reason = new Error("changed my mind");
    expect(await rejection(connect(ticket, { signal: AbortSignal.abort(reason) }))).toBe(reason);
    expect(await rejection(listen({ signal: AbortSignal.abort(reason) }))).toBe(reason);
  });

  test("ERR-5: a signal ends connecting with its reason", async () => {
    const ticket = await deadTicket();
    const controller = new AbortController();
    const connecting = connect(ticket, { signal: controller.signal });
    await sleep(50);
    controller.abort();
    expect(await rejection(connecting)).toBe(controller.signal.reason);
    expect(getEventListeners(controller.signal, "abort")).toHaveLength(0);
  });

  test("ERR-5: AbortSignal.timeout() rejects with a TimeoutError", async () => {
    const ticket = await deadTicket();
    const error = await rejection(connect(ticket, { signal: AbortSignal.timeout(100) }));
    expect(error.name).toBe("TimeoutError");
  });

  test("ERR-5: a signal has no effect on a stream that was handed out", async () => {
    const controller = new AbortController();
    await using ends = await pair({ connect: { signal: controller.signal } });
    expect(getEventListeners(controller.signal, "abort")).toHaveLength(0);
    controller.abort();
    ends.near.end("x");
    expect(String(await collect(ends.far))).toBe("x");
  });

  test("a signal closes a listener, which lets go of the signal when it closes by itself", async () => {
    const controller = new AbortController();
    const first = await listen({ host: "127.0.0.1", signal: controller.signal });
    const second = await listen({ host: "127.0.0.1", signal: controller.signal });
    await second.close();
    expect(getEventListeners(controller.signal, "abort")).toHaveLength(1);
    const closed = once(first as never, "closed");
    controller.abort();
    await closed;
    for await (const _ of first) throw new Error("nothing comes any more");
  });
});

describe("listening", () => {
  test("a port in use is ERR_BIND with the system's error as cause", async () => {
    const socket = createSocket("udp4");
    socket.bind(0, "127.0.0.1");
    await once(socket, "listening");
    const error = await rejection(listen({ host: "127.0.0.1", port: socket.address().port }));
    expect(error).toMatchObject({ code: "ERR_BIND", cause: { code: "EADDRINUSE" } });
    expect(error.message).toMatch(/in use/);
    socket.close();
  });

  test("an address that this machine does not have is ERR_BIND", async () => {
    expect(await rejection(listen({ host: "192.0.2.1" }))).toMatchObject({
      code: "ERR_BIND",
      cause: { code: "EADDRNOTAVAIL" },
    });
    const ticket = await deadTicket();
    expect(await rejection(connect(ticket, { host: "192.0.2.1" }))).toMatchObject({ code: "ERR_BIND" });
  });

  test("given addresses go into the ticket, with the listener's port where they name none", async () => {
    await using listener = await listen({ host: "127.0.0.1", addresses: ["192.0.2.7", "[2001:db8::7]:443"] });
    expect(listener.ticket.addresses).toEqual([
      { host: "192.0.2.7", port: listener.address.port, family: 4 },
      { host: "2001:db8::7", port: 443, family: 6 },
    ]);
  });

  test("events tell of connections, and streams go to who listens", async () => {
    await using listener = await listen({ host: "127.0.0.1" });
    const told: string[] = [];
    listener.on("connection", (connection) => told.push(`connection ${connection.role}`));
    listener.on("stream", (stream) => {
      told.push(`stream ${stream.id}`);
      stream.end("hello");
    });
    listener.on("closed", () => told.push("closed"));
    const near = await connect(listener.ticket);
    expect(String(await collect(near))).toBe("hello");
    await near.connection.close();
    await listener.close();
    await listener.close();
    expect(told).toEqual(["connection responder", "stream 0", "closed"]);
  });

  test("connections that nobody takes are turned away as busy beyond 128", async () => {
    await using listener = await listen({ host: "127.0.0.1" });
    const streams: { error?: Error }[] = [];
    for (let i = 0; i < 130; i++) {
      const stream = await connect(listener.ticket, { timeout: 5_000 });
      const entry: { error?: Error } = {};
      stream.on("error", (error) => {
        entry.error = error;
      });
      streams.push(entry);
      if (i % 10 === 9) await sleep(100);
    }
    await sleep(200);
    const busy = streams.filter((each) => each.error !== undefined);
    expect(busy.map((each) => each.error)).toMatchObject([
      { code: "ERR_CLOSED_BY_PEER", peerCode: 4 },
      { code: "ERR_CLOSED_BY_PEER", peerCode: 4 },
    ]);
    await listener.close({ connections: true });
  });
});

describe("options", () => {
  test.each([
    [{ timeout: 0 }],
    [{ timeout: Number.NaN }],
    [{ timeout: "20" }],
    [{ linger: 10 }],
    [{ keepalive: -1 }],
    [{ host: "localhost" }],
    [{ host: [] }],
    [{ host: ["127.0.0.1", "127.0.0.2"] }],
    [{ identity: 7 }],
    [{ metadata: "text" }],
    [{ metadata: new Uint8Array(257) }],
    [{ signal: {} }],
  ])("connect refuses %o with ERR_OPTION", async (options) => {
    expect(await rejection(connect("pl1", options as never))).toMatchObject({ code: "ERR_OPTION" });
  });

  test.each([
    [{ port: -1 }],
    [{ port: 65_536 }],
    [{ port: 1.5 }],
    [{ uses: 0 }],
    [{ uses: 1.5 }],
    [{ expiresAt: Number.NaN }],
    [{ expiresAt: new Date(Number.NaN) }],
    [{ allow: ["abc"] }],
    [{ allow: [new Uint8Array(31)] }],
    [{ accept: true }],
    [{ addresses: ["localhost"] }],
    [{ addresses: [] }],
  ])("listen refuses %o with ERR_OPTION", async (options) => {
    expect(await rejection(listen(options as never))).toMatchObject({ code: "ERR_OPTION" });
  });
});
