import { expect, test } from "vitest";
import { LocalConnectionIds, RemoteConnectionIds } from "../../src/connection/connection-ids.ts";
import { CLOSE_CODE } from "../../src/wire/codes.ts";

const id = (n: number) => new Uint8Array(8).fill(n);
const frame = (sequence: number, retirePriorTo: number, n = sequence) =>
  ({ type: "new-connection-id", sequence, retirePriorTo, connectionId: id(n) }) as const;

test("CONN-22: a fifth active id of the peer breaks the limit", () => {
  const remote = new RemoteConnectionIds();
  remote.start([id(0), id(1), id(2)]);
  expect(remote.onNew(frame(3, 0))).toEqual([]);
  expect(remote.onNew(frame(4, 0))).toBe(CLOSE_CODE.CONNECTION_ID_LIMIT);
});

test("retire_prior_to moves on to the lowest id that is left (RFC 9000 §5.1.2)", () => {
  const remote = new RemoteConnectionIds();
  remote.start([id(0), id(1), id(2)]);
  expect(remote.current).toEqual(id(0));
  expect(remote.onNew(frame(3, 2))).toEqual([0, 1]);
  expect(remote.current).toEqual(id(2));
  // Already given back, and again only if the peer has forgotten that it was.
  expect(remote.onNew(frame(1, 0, 9))).toEqual([]);
  remote.onRetirementAcked(1);
  expect(remote.onNew(frame(1, 0, 9))).toEqual([1]);
});

test("a sequence number that changes its id is a violation, a repetition is not (RFC 9000 §19.15)", () => {
  const remote = new RemoteConnectionIds();
  remote.start([id(0)]);
  expect(remote.onNew(frame(1, 0))).toEqual([]);
  expect(remote.onNew(frame(1, 0))).toEqual([]);
  expect(remote.onNew(frame(1, 0, 7))).toBe(CLOSE_CODE.PROTOCOL_VIOLATION);
  expect(remote.onNew(frame(2, 3))).toBe(CLOSE_CODE.FRAME_ENCODING);
});

test("the peer can retire each id of ours once, and none that it was never given (RFC 9000 §19.16)", () => {
  const local = new LocalConnectionIds([id(0), id(1)]);
  expect(local.retire(0)).toEqual(id(0));
  expect(local.retire(0)).toBeUndefined();
  expect(local.retire(2)).toBe(CLOSE_CODE.PROTOCOL_VIOLATION);
  expect(local.add(id(5))).toBe(2);
  expect(local.retire(2)).toBe(CLOSE_CODE.PROTOCOL_VIOLATION);
  local.markTold(2);
  expect(local.get(2)).toEqual(id(5));
  expect(local.all()).toEqual([id(1), id(5)]);
});
