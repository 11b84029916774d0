/**
 * Paste mode through the public interface, on loopback, with our own server for STUN.
 *
 * @module
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  connect,
  type Listener,
  type ListenOptions,
  listen,
  PunchlineError,
  type Server,
  serve,
} from "../../src/index.ts";
import { freePort } from "../free-port.ts";
import { collect } from "./pair.ts";

let server: Server;
let stun: string;

beforeAll(async () => {
  server = await serve({ host: "127.0.0.1", port: await freePort() });
  stun = `127.0.0.1:${server.addresses[0]?.port}`;
});

afterAll(async () => {
  await server?.close(0);
});

function listenByHand(options: ListenOptions = {}): Promise<Listener> {
  return listen({ host: "127.0.0.1", paste: true, stun, ...options });
}

/** Calls, and gives what is to be pasted to `onInvitation`. */
function call(ticket: string, onInvitation: (text: string) => void) {
  return connect(ticket, { host: "127.0.0.1", stun, onInvitation });
}

async function errorOf(promise: Promise<unknown>): Promise<PunchlineError> {
  const error = await promise.then(
    () => undefined,
    (thrown) => thrown,
  );
  expect(error).toBeInstanceOf(PunchlineError);
  return error;
}

function answerError(listener: Listener, text: string): PunchlineError {
  try {
    listener.answer(text);
  } catch (error) {
    return error as PunchlineError;
  }
  throw new Error("nothing was thrown");
}

describe("listen({ paste }) and connect({ onInvitation })", () => {
  test("connect by two strings, and carry bytes both ways (PASTE-8)", async () => {
    await using listener = await listenByHand();
    const accepted = listener[Symbol.asyncIterator]().next();
    const stream = await call(String(listener.ticket), (text) => listener.answer(text));
    const other = (await accepted).value;
    stream.end(Buffer.alloc(300_000, 1));
    other.end(Buffer.alloc(200_000, 2));
    const [here, there] = await Promise.all([collect(stream), collect(other)]);
    expect([here.length, there.length]).toEqual([200_000, 300_000]);
  });

  test("the ticket is for pasting, has one use, lives ten minutes and names where the server sees us (PASTE-4)", async () => {
    await using listener = await listenByHand();
    const { ticket } = listener;
    expect([ticket.paste, ticket.singleUse]).toEqual([true, true]);
    expect(ticket.addresses).toEqual([listener.address]);
    expect(ticket.expiresAt!.getTime() - Date.now()).toBeLessThanOrEqual(601_000);
    expect(ticket.expiresAt!.getTime() - Date.now()).toBeGreaterThan(590_000);
    expect(String(ticket).length).toBeLessThanOrEqual(104);
    const further = listener.createTicket();
    expect([further.paste, further.singleUse]).toEqual([true, true]);
  });

  test("an application that decides may let the peer in, or not", async () => {
    for (const verdict of [true, false]) {
      await using listener = await listenByHand({ accept: () => verdict });
      const stream = connect(String(listener.ticket), {
        ...{ host: "127.0.0.1", stun, timeout: 3_000 },
        onInvitation: (text) => listener.answer(text),
      });
      if (verdict) (await stream).destroy();
      // Nothing is sent to addresses for the sake of a refusal.
      else expect((await errorOf(stream)).code).toBe("ERR_UNREACHABLE");
    }
  });
});

describe("strings that cannot be used: ERR_PASTED, with a hint (PASTE-2, PASTE-7)", () => {
  test("what is none, is cut off, is changed, or is a ticket", async () => {
    await using listener = await listenByHand();
    const controller = new AbortController();
    const text = await new Promise<string>((resolve) => {
      const { signal } = controller;
      connect(listener.ticket, { host: "127.0.0.1", stun, signal, onInvitation: resolve }).catch(() => {});
    });
    controller.abort();
    const other = text.at(-1) === "a" ? "b" : "a";
    const cases: readonly (readonly [string, RegExp])[] = [
      ["hello", /begins with pa1/],
      [text.slice(0, -2), /copy it|changed/],
      [text.slice(0, 40), /not complete|changed/],
      [text.slice(0, -1) + other, /changed|capital/],
      [String(listener.ticket), /this is a ticket/],
    ];
    for (const [wrong, hint] of cases) {
      expect(answerError(listener, wrong)).toMatchObject({ code: "ERR_PASTED", hint: expect.stringMatching(hint) });
    }
  });

  test("one for another ticket, and one that is pasted to a listener that takes none", async () => {
    await using listener = await listenByHand();
    await using foreign = await listenByHand();
    await using plain = await listen({ host: "127.0.0.1" });
    const controller = new AbortController();
    const text = await new Promise<string>((resolve) => {
      const { signal } = controller;
      connect(foreign.ticket, { host: "127.0.0.1", stun, signal, onInvitation: resolve }).catch(() => {});
    });
    controller.abort();
    expect(answerError(listener, text)).toMatchObject({ code: "ERR_PASTED", hint: expect.stringContaining("ticket") });
    expect(answerError(plain, text)).toMatchObject({ code: "ERR_PASTED", hint: expect.stringContaining("paste") });
    await foreign.close();
    expect(answerError(foreign, text).code).toBe("ERR_CLOSED");
  });
});

describe("options", () => {
  test("a ticket for pasting needs somebody who takes the string, and a STUN server", async () => {
    await using listener = await listenByHand();
    expect(await errorOf(connect(listener.ticket))).toMatchObject({
      ...{ code: "ERR_OPTION", hint: expect.stringContaining("--paste") },
    });
    expect(await errorOf(connect(listener.ticket, { onInvitation: () => {} }))).toMatchObject({
      ...{ code: "ERR_OPTION", hint: expect.stringContaining("stun") },
    });
  });

  test.each<[string, ListenOptions]>([
    ["no STUN server", { paste: true }],
    ["a rendezvous server as well", { paste: true, stun: "127.0.0.1", server: "ps1" }],
    ["addresses of its own", { paste: true, stun: "127.0.0.1", addresses: ["192.0.2.1:1"] }],
    ["several uses", { paste: true, stun: "127.0.0.1", uses: 2 }],
    ["a STUN server that is none", { paste: true, stun: "127.0.0.1:99999" }],
    ["too many", { paste: true, stun: ["a", "b", "c", "d"] }],
  ])("a listener in paste mode with %s: ERR_OPTION", async (_, options) => {
    expect((await errorOf(listen(options))).code).toBe("ERR_OPTION");
  });

  test("no server that answers: ERR_SERVER within four seconds (PASTE-3)", async () => {
    const port = await freePort();
    const started = performance.now();
    const error = await errorOf(listenByHand({ stun: `127.0.0.1:${port}` }));
    expect(error).toMatchObject({ code: "ERR_SERVER", origin: "network" });
    expect(performance.now() - started).toBeLessThan(4_000);
  });
});
