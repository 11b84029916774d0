/**
 * Finding each other by a channel of the program's own, through the public interface.
 *
 * @module
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  connect,
  type ListenOptions,
  listen,
  PunchlineError,
  type Server,
  type Signalling,
  serve,
} from "../../src/index.ts";
import { freePort } from "../free-port.ts";
import { collect, sleep } from "./pair.ts";

let server: Server;
let stun: string;

beforeAll(async () => {
  const port = await freePort();
  server = await serve({ host: "127.0.0.1", port });
  stun = `127.0.0.1:${port}`;
});

afterAll(async () => {
  await server?.close(0);
});

/** A room: what one says in it, all others hear. */
class Room {
  readonly #members = new Map<Signalling, (envelope: Uint8Array) => void>();
  readonly said: Uint8Array[] = [];

  join(): Signalling {
    const member: Signalling = {
      send: (envelope) => {
        this.said.push(envelope);
        for (const [other, receive] of this.#members) if (other !== member) receive(envelope);
      },
      onMessage: (receive) => {
        this.#members.set(member, receive);
      },
    };
    return member;
  }
}

function listenIn(room: Room, options: ListenOptions = {}) {
  return listen({ host: "127.0.0.1", stun, signalling: room.join(), ...options });
}

function connectIn(room: Room, ticket: string) {
  return connect(ticket, { host: "127.0.0.1", stun, signalling: room.join() });
}

async function errorOf(promise: Promise<unknown>): Promise<PunchlineError> {
  const error = await promise.then(
    () => undefined,
    (thrown) => thrown,
  );
  expect(error).toBeInstanceOf(PunchlineError);
  return error;
}

describe("a channel of one's own", () => {
  test("brings two peers together; the ticket tells neither servers nor addresses", async () => {
    const room = new Room();
    await using listener = await listenIn(room);
    expect(listener.ticket).toMatchObject({ servers: [], addresses: [] });
    const accepted = listener[Symbol.asyncIterator]().next();
    const stream = await connectIn(room, String(listener.ticket));
    const other = (await accepted).value;
    stream.end(Buffer.alloc(300_000, 1));
    other.end(Buffer.alloc(200_000, 2));
    const [here, there] = await Promise.all([collect(stream), collect(other)]);
    expect([here.length, there.length]).toEqual([200_000, 300_000]);
    expect(stream.connection.explain()).toMatch(/called by the channel[\s\S]*answered by the channel/);
    // An invitation, its answer, and a packet or two; none of them is larger than the smallest datagram that passes everywhere.
    expect(room.said.length).toBeLessThan(8);
    expect(Math.max(...room.said.map(({ length }) => length))).toBeLessThanOrEqual(1_200);
  });

  test("may be shared by several callers at once", async () => {
    const room = new Room();
    await using listener = await listenIn(room);
    const ticket = String(listener.ticket);
    const streams = await Promise.all([1, 2, 3].map(() => connectIn(room, ticket)));
    expect(new Set(streams.map(({ connection }) => connection.peerKey)).size).toBe(1);
    for (const stream of streams) stream.destroy();
  });

  test("may say anything, and may fail: what it throws is a lost message", async () => {
    const room = new Room();
    await using listener = await listenIn(room);
    const good = room.join();
    let failures = 0;
    const bad: Signalling = {
      send: (envelope) => {
        failures += 1;
        if (failures === 1) throw new Error("not now");
        // An async function serves as well.
        if (failures === 2) return Promise.reject(new Error("nor now")) as unknown as undefined;
        good.send(envelope);
      },
      onMessage: (receive) => {
        good.onMessage(receive);
        for (const garbage of ["text", undefined, 7, new Uint8Array(), new Uint8Array(5_000)]) {
          receive(garbage as Uint8Array);
        }
      },
    };
    const stream = await connect(listener.ticket, { host: "127.0.0.1", stun, signalling: bad });
    expect(failures).toBeGreaterThan(2);
    stream.destroy();
  });

  test("refusals come by it, too", async () => {
    const room = new Room();
    await using listener = await listenIn(room, { allow: ["ab".repeat(32)] });
    const error = await errorOf(connectIn(room, String(listener.ticket)));
    expect(error).toMatchObject({ code: "ERR_REFUSED", refusal: "not-allowed" });
  });

  test("nobody answers: the error comes in time, and the sockets are closed", async () => {
    const ticket = await listenIn(new Room()).then(async (listener) => {
      await listener.close();
      return String(listener.ticket);
    });
    const call = connect(ticket, { host: "127.0.0.1", stun, signalling: new Room().join(), timeout: 300 });
    expect(await errorOf(call)).toMatchObject({ code: "ERR_UNREACHABLE" });
  });

  test("a closed listener says nothing any more", async () => {
    const room = new Room();
    const listener = await listenIn(room);
    await listener.close();
    const call = connect(listener.ticket, { host: "127.0.0.1", stun, signalling: room.join(), timeout: 300 });
    await errorOf(call);
    await sleep(50);
    expect(room.said).toHaveLength(1);
  });
});

describe("options", () => {
  const channel = new Room().join();

  test.each([
    [{ signalling: {} }, /send and onMessage/],
    [{ signalling: 7 }, /send and onMessage/],
    [{ signalling: null }, /send and onMessage/],
    [{ signalling: { send: () => {} } }, /send and onMessage/],
    [{ signalling: channel, paste: true, stun: "127.0.0.1" }, /paste mode/],
    [{ signalling: channel, stun: [] }, /stun/],
  ])("listen(%j): ERR_OPTION", async (options, message) => {
    const error = await errorOf(listen({ host: "127.0.0.1", ...(options as ListenOptions) }));
    expect(error.code).toBe("ERR_OPTION");
    expect(error.message).toMatch(message);
  });

  test("a server and a channel at once: ERR_OPTION", async () => {
    const error = await errorOf(listen({ host: "127.0.0.1", server: server.address, signalling: channel }));
    expect(error.code).toBe("ERR_OPTION");
  });

  test("with lan, tickets hold addresses all the same", async () => {
    await using listener = await listenIn(new Room(), { lan: true });
    expect(listener.ticket.addresses).toHaveLength(1);
  });
});
