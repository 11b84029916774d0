/**
 * Finding each other by servers, through the public interface.
 *
 * @module
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { connect, type ListenOptions, listen, PunchlineError, type Server, serve } from "../../src/index.ts";
import { freePort } from "../free-port.ts";
import { collect, sleep } from "./pair.ts";

let server: Server;

beforeAll(async () => {
  server = await serve({ host: "127.0.0.1", port: await freePort() });
});

afterAll(async () => {
  await server?.close(0);
});

function listenThere(options: ListenOptions = {}) {
  return listen({ host: "127.0.0.1", server: server.address, ...options });
}

async function errorOf(promise: Promise<unknown>): Promise<PunchlineError> {
  const error = await promise.then(
    () => undefined,
    (thrown) => thrown,
  );
  expect(error).toBeInstanceOf(PunchlineError);
  return error;
}

describe("listen({ server })", () => {
  test("gives out tickets that name the server and no address, of 160 characters at most (CLI-34)", async () => {
    await using listener = await listenThere();
    expect(listener.ticket.addresses).toEqual([]);
    expect(listener.ticket.servers).toHaveLength(1);
    expect(String(listener.ticket).length).toBeLessThanOrEqual(160);
    expect(listener.ticket.toJSON().servers).toEqual([{ host: "127.0.0.1", port: server.addresses[0]?.port }]);
    expect(server.health.slots).toBeGreaterThanOrEqual(1);
  });

  test("carries bytes both ways, and the server hears nothing of them", async () => {
    await using listener = await listenThere();
    const accepted = listener[Symbol.asyncIterator]().next();
    const stream = await connect(String(listener.ticket), { host: "127.0.0.1" });
    const other = (await accepted).value;
    stream.end(Buffer.alloc(300_000, 1));
    other.end(Buffer.alloc(200_000, 2));
    const [here, there] = await Promise.all([collect(stream), collect(other)]);
    expect([here.length, there.length]).toEqual([200_000, 300_000]);
  });

  test("leaves the server when it is closed", async () => {
    const listener = await listenThere();
    // Those of the tests before may be on their way out.
    await untilSlots(1);
    await listener.close();
    await untilSlots(0);
  });

  test("further tickets are registered as well", async () => {
    await using listener = await listenThere();
    const ticket = listener.createTicket({ uses: 1 });
    await sleep(100);
    const stream = await connect(ticket, { host: "127.0.0.1" });
    stream.destroy();
    const spent = await errorOf(connect(ticket, { host: "127.0.0.1" }));
    expect(spent).toMatchObject({ code: "ERR_REFUSED", refusal: "used-up" });
  });

  test("keys that are not allowed are refused by way of the server, too", async () => {
    await using listener = await listenThere({ allow: ["ab".repeat(32)] });
    const error = await errorOf(connect(listener.ticket, { host: "127.0.0.1" }));
    expect(error).toMatchObject({ code: "ERR_REFUSED", refusal: "not-allowed" });
  });

  test.each([
    ["nonsense", /server/],
    [["ps1", "ps1"], /server/],
    [7 as unknown as string, /string/],
  ])("%j is no server: ERR_OPTION", async (word, message) => {
    const error = await errorOf(listen({ server: word as string }));
    expect(error.code).toBe("ERR_OPTION");
    expect(error.message).toMatch(message);
  });

  test("an aborted wait for a server rejects with the reason of the signal (ERR-5)", async () => {
    const gone = await serve({ host: "127.0.0.1", port: await freePort() });
    const word = gone.address;
    await gone.close(0);
    const reason = new Error("enough");
    const waiting = listen({ host: "127.0.0.1", server: word, signal: abortAfter(300, reason) });
    await expect(waiting).rejects.toBe(reason);
  });
});

describe("connect by a server", () => {
  test("says how it went", async () => {
    await using listener = await listenThere();
    const stream = await connect(listener.ticket, { host: "127.0.0.1" });
    const story = stream.connection.explain();
    expect(story).toMatch(/server 127\.0\.0\.1:\d+ is asked[\s\S]*answers[\s\S]*peer's candidate[\s\S]*round 1 begins/);
    expect(stream.connection.explain({ redact: true })).not.toContain("127.0.0.1");
    stream.destroy();
  });

  test("nobody has the ticket there: ERR_NOT_THERE, with the story (ERR-3)", async () => {
    const listener = await listenThere();
    await listener.close();
    const error = await errorOf(connect(listener.ticket, { host: "127.0.0.1", timeout: 1_500 }));
    expect(error).toMatchObject({ code: "ERR_NOT_THERE", origin: "network" });
    expect(error.explain()).toMatch(/nobody is registered by this ticket/);
  });

  test("several calls share what they know of the server", async () => {
    await using listener = await listenThere();
    const streams = await Promise.all([1, 2, 3].map(() => connect(listener.ticket, { host: "127.0.0.1" })));
    for (const stream of streams) stream.destroy();
    expect(new Set(streams.map(({ connection }) => connection.peerKey)).size).toBe(1);
  });
});

/** Resolves when the server holds so many slots; the test runs out of time if it never does. */
async function untilSlots(count: number): Promise<void> {
  while (server.health.slots !== count) await sleep(20);
}

function abortAfter(ms: number, reason: Error): AbortSignal {
  const controller = new AbortController();
  setTimeout(() => controller.abort(reason), ms);
  return controller.signal;
}
