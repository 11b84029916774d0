/**
 * Both sides of one connection.
 *
 * @module
 */
import { setTimeout as sleep } from "node:timers/promises";
import { must, type Workplace } from "../row.ts";
import { type Exit, type Pipeline, Side } from "./side.ts";

/** Which side sends, when one does. */
export const DIRECTIONS = ["to-listener", "to-connector"] as const;
export type Direction = (typeof DIRECTIONS)[number];

/** What stands around each side; `args` are added to those that every run needs. */
export interface PairOptions {
  readonly listener: Partial<Pipeline>;
  readonly connector: Partial<Pipeline>;
  /** `--host` of the listener; default loopback. */
  readonly host?: string;
}

/** Two sides that are connected, or about to be. */
export interface Pair {
  readonly listener: Side;
  readonly connector: Side;
}

/** How one transfer in one direction is arranged. */
export interface Flow extends Pair {
  readonly sender: Side;
  readonly receiver: Side;
}

/** Starts both sides. */
export async function startPair(
  place: Workplace,
  { listener, connector, host = "127.0.0.1" }: PairOptions,
): Promise<Pair> {
  const listening = new Side(
    "listener",
    { ...listener, args: `listen --json --host ${host} ${listener.args ?? ""}` },
    place,
  );
  const { ticket } = await listening.next("listening");
  const connecting = new Side(
    "connector",
    { ...connector, args: `connect ${ticket} --json ${connector.args ?? ""}` },
    place,
  );
  return { listener: listening, connector: connecting };
}

/** Starts both sides so that one sends and the other receives. */
export async function startFlow(
  place: Workplace,
  direction: Direction,
  ends: { readonly sender: Partial<Pipeline>; readonly receiver: Partial<Pipeline>; readonly host?: string },
): Promise<Flow> {
  const toListener = direction === "to-listener";
  const { sender, receiver, ...rest } = ends;
  const pair = await startPair(place, {
    ...rest,
    listener: toListener ? receiver : sender,
    connector: toListener ? sender : receiver,
  });
  const [sending, receiving] = toListener ? [pair.connector, pair.listener] : [pair.listener, pair.connector];
  return { ...pair, sender: sending, receiver: receiving };
}

/** Waits for a side to end, but not for ever. */
export async function exitOf(side: Side, seconds: number): Promise<Exit> {
  const patience = new AbortController();
  const late = sleep(seconds * 1000, undefined, { signal: patience.signal }).then(() => {
    side.stop();
    throw new Error(`${side.name} still runs after ${seconds} s: ${side.summary()}`);
  });
  try {
    return await Promise.race([side.exit, late]);
  } finally {
    patience.abort();
    late.catch(() => {});
  }
}

/** Waits for both sides to end with exit code 0. */
export async function bothSucceed({ listener, connector }: Pair, seconds: number): Promise<readonly Exit[]> {
  const exits = await Promise.all([exitOf(listener, seconds), exitOf(connector, seconds)]).finally(() => {
    listener.stop();
    connector.stop();
  });
  must(exits[0].code === 0, `listener: exit ${exits[0].code}, ${listener.summary()}`);
  must(exits[1].code === 0, `connector: exit ${exits[1].code}, ${connector.summary()}`);
  return exits;
}
