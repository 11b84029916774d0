/**
 * Which of the peer's streams is the first.
 *
 * @module
 */
import { expect, test } from "vitest";
import type { ConnectionMachine } from "../../src/connection/connection.ts";
import { Connection, type PeerStream } from "../../src/io/connection.ts";
import type { Instant } from "../../src/util/time.ts";

/** A machine on whose streams nothing arrives. */
const machine = {
  role: "responder",
  read: () => undefined,
  isFinished: () => false,
  unacknowledged: () => 0,
} as unknown as ConnectionMachine;

test("the first stream is the one that was opened first, whichever arrives first (CONN-3)", async () => {
  const first: PeerStream[] = [];
  const owner = { wake: () => {}, localAddress: () => undefined };
  const connection = new Connection(machine, owner, {
    closesWithLastStream: false,
    linger: 1_000,
    onFirstStream: (stream) => first.push(stream),
  });
  const now = 0 as Instant;
  connection.onEvent({ type: "opened", id: 2 }, now);
  expect(first).toEqual([]);
  connection.onEvent({ type: "opened", id: 0 }, now);
  connection.onEvent({ type: "opened", id: 4 }, now);
  expect(first.map((stream) => stream.id)).toEqual([0]);
  const others = connection.streams();
  expect([(await others.next()).value?.id, (await others.next()).value?.id]).toEqual([2, 4]);
});
