/**
 * The simplest way through two NATs, without any of the product's code: both send to the address that the server saw of the
 * other one, answer to wherever datagrams come from, and are through once an answer has come.
 *
 * What it can do and what it cannot is known for every pair of kinds, so it tells whether the kinds are what they should be.
 *
 * @module
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { Reflector } from "./probe.ts";
import type { Station, StationSocket } from "./station.ts";
import type { HostPort } from "./station-program.ts";

/** How often both sides send, and with what pause in ms. What gets through at all does so at the second try. */
const VOLLEYS = 4;
const PAUSE = 40;

/** What the sides say to each other. */
const KNOCK = "knock";
const ANSWER = "answer";

export interface PunchOptions {
  /** Datagrams with this TTL go first; they open our NAT and do not reach the other one. */
  readonly openerTtl?: number;
  /** How long one side waits for the other one's first datagrams, in ms; default not at all. */
  readonly headStart?: number;
}

/** Whether two hosts get through to each other, and have been answered. */
export async function punch(
  a: Station,
  b: Station,
  reflector: Reflector,
  { openerTtl, headStart = 0 }: PunchOptions = {},
): Promise<boolean> {
  const sides = [new Side(await a.open(), reflector), new Side(await b.open(), reflector)] as const;
  const [seenA, seenB] = [await sides[0].discover(), await sides[1].discover()];
  if (openerTtl !== undefined) {
    sides[0].knock(seenB, openerTtl);
    sides[1].knock(seenA, openerTtl);
    await sleep(PAUSE);
  }
  for (let volley = 0; volley < VOLLEYS && !sides.every((side) => side.isThrough); volley++) {
    sides[1].knock(seenA);
    if (volley === 0) await sleep(headStart);
    sides[0].knock(seenB);
    await sleep(PAUSE);
  }
  for (const side of sides) side.close();
  return sides.every((side) => side.isThrough);
}

class Side {
  readonly #socket: StationSocket;
  readonly #reflector: Reflector;
  #isThrough = false;

  constructor(socket: StationSocket, reflector: Reflector) {
    this.#socket = socket;
    this.#reflector = reflector;
    socket.onArrival(({ from, text }) => {
      if (text === ANSWER) this.#isThrough = true;
      else if (text === KNOCK) {
        socket.send(ANSWER, from);
        // The peer may not get what we send to the address that the server saw.
        if (!this.#isThrough) socket.send(KNOCK, from);
      }
    });
  }

  /** Where the server sees us. */
  discover(): Promise<HostPort> {
    return this.#reflector.mapped(this.#socket);
  }

  knock(to: HostPort, ttl?: number): void {
    this.#socket.send(KNOCK, to, ttl === undefined ? {} : { ttl });
  }

  close(): void {
    this.#socket.close();
  }

  /** Whether the peer has answered us. */
  get isThrough(): boolean {
    return this.#isThrough;
  }
}
