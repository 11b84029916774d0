import { describe, expect, test } from "vitest";
import { UpnpLane, type UpnpRequest, type UpnpResult } from "../../src/portmap/upnp-lane.ts";
import type { Instant } from "../../src/util/time.ts";
import { INTERNAL_PORT, seededRandom } from "./bench.ts";

const at = (ms: number) => ms as Instant;
const HOST = "5.6.7.8";

function make(): UpnpLane {
  return new UpnpLane(INTERNAL_PORT, 50_000, seededRandom());
}

/** The next piece of work, which must be of that kind. */
function take<Kind extends UpnpRequest["kind"]>(lane: UpnpLane, kind: Kind): UpnpRequest & { kind: Kind } {
  const request = lane.pollRequest();
  expect(request?.kind).toBe(kind);
  return request as UpnpRequest & { kind: Kind };
}

function find(lane: UpnpLane, now = 0): void {
  lane.onResult({ kind: "found", id: take(lane, "discover").id, externalHost: HOST }, at(now));
}

function add(lane: UpnpLane, now = 0): void {
  const { id, externalPort } = take(lane, "add");
  lane.onResult({ kind: "added", id, externalHost: HOST, externalPort }, at(now));
}

function fail(lane: UpnpLane, request: UpnpRequest, code: number | undefined, now = 0): void {
  lane.onResult({ kind: "failed", id: request.id, reason: "no", code }, at(now));
}

test("one piece of work at a time, and each result counts once", () => {
  const lane = make();
  lane.ask(at(0));
  const discover = take(lane, "discover");
  expect(lane.pollRequest()).toBeUndefined();
  const found: UpnpResult = { kind: "found", id: discover.id, externalHost: HOST };
  lane.onResult({ ...found, id: discover.id + 1 }, at(0));
  expect(lane.pollRequest()).toBeUndefined();
  lane.onResult(found, at(0));
  lane.onResult(found, at(0));
  expect(take(lane, "add")).toMatchObject({ internalPort: INTERNAL_PORT, externalPort: 50_000, lifetime: 7200 });
  expect(lane.pollRequest()).toBeUndefined();
});

describe("MAP-12: errors of the service", () => {
  test("a port that is taken gives way to another, four times", () => {
    const lane = make();
    lane.ask(at(0));
    find(lane);
    const ports = new Set<number>();
    for (let i = 0; i < 4; i++) {
      const request = take(lane, "add");
      ports.add(request.externalPort);
      fail(lane, request, 718);
    }
    expect(ports.size).toBe(4);
    expect(lane.pollRequest()).toBeUndefined();
    expect(lane.report).toMatchObject({ state: "refused" });
  });

  test.each([402, 725])("error %i: without a lease, and renewed all the same", (code) => {
    const lane = make();
    lane.ask(at(0));
    find(lane);
    fail(lane, take(lane, "add"), code);
    const request = take(lane, "add");
    expect(request.lifetime).toBe(0);
    lane.onResult({ kind: "added", id: request.id, externalHost: HOST, externalPort: 50_000 }, at(0));
    expect(lane.grant).toMatchObject({ lifetime: 7200 });
    lane.handleTimeout(lane.nextTimeout()!);
    expect(take(lane, "add").lifetime).toBe(0);
  });

  test("error 724: the same port outside as inside", () => {
    const lane = make();
    lane.ask(at(0));
    find(lane);
    fail(lane, take(lane, "add"), 724);
    const request = take(lane, "add");
    expect(request.externalPort).toBe(INTERNAL_PORT);
    fail(lane, request, 724);
    expect(lane.isSettled).toBe(true);
  });

  test("any other error is a refusal, and asked again after 1024 s", () => {
    const lane = make();
    lane.ask(at(0));
    find(lane);
    fail(lane, take(lane, "add"), 606);
    expect(lane.isSettled).toBe(true);
    expect(lane.nextTimeout()).toBe(1_024_000);
    lane.handleTimeout(at(1_024_000));
    take(lane, "discover");
  });
});

describe("MAP-5: a renewal that fails", () => {
  const mappedLane = (): { lane: UpnpLane; due: Instant } => {
    const lane = make();
    lane.ask(at(0));
    find(lane);
    add(lane);
    const due = lane.nextTimeout()!;
    expect(due).toBeGreaterThanOrEqual(3_600_000);
    expect(due).toBeLessThanOrEqual(4_500_000);
    lane.handleTimeout(due);
    return { lane, due };
  };

  test("without an answer, the service is searched for at once", () => {
    const { lane, due } = mappedLane();
    fail(lane, take(lane, "add"), undefined, due);
    find(lane, due);
    add(lane, due);
    expect(lane.grant!.expiresAt).toBe(due + 7_200_000);
  });

  test("again, the mapping stays until its end, and the next attempt is halfway there", () => {
    const { lane, due } = mappedLane();
    fail(lane, take(lane, "add"), undefined, due);
    find(lane, due);
    fail(lane, take(lane, "add"), undefined, due);
    expect(lane.pollRequest()).toBeUndefined();
    expect(lane.grant).toBeDefined();
    const again = lane.nextTimeout()!;
    expect(again - due).toBeGreaterThanOrEqual((7_200_000 - due) / 2);
    lane.handleTimeout(again);
    fail(lane, take(lane, "discover"), undefined, again);
    expect(lane.pollRequest()).toBeUndefined();
    lane.handleTimeout(at(7_200_000));
    expect(lane.grant).toBeUndefined();
  });

  test("because somebody else has the port now, the mapping is lost, and another port is asked for", () => {
    const { lane, due } = mappedLane();
    fail(lane, take(lane, "add"), 718, due);
    expect(lane.grant).toBeUndefined();
    expect(take(lane, "add").externalPort).not.toBe(50_000);
  });
});

describe("MAP-7: removal", () => {
  test("what was added is removed", () => {
    const lane = make();
    lane.ask(at(0));
    find(lane);
    add(lane);
    lane.remove(at(1));
    expect(lane.isRemoving).toBe(true);
    const { id, externalPort } = take(lane, "remove");
    expect(externalPort).toBe(50_000);
    lane.onResult({ kind: "removed", id }, at(2));
    expect(lane.isRemoving).toBe(false);
    expect(lane.pollRequest()).toBeUndefined();
  });

  test("what is added while closing is removed afterwards", () => {
    const lane = make();
    lane.ask(at(0));
    find(lane);
    const request = take(lane, "add");
    lane.remove(at(1));
    expect(lane.isRemoving).toBe(true);
    lane.onResult({ kind: "added", id: request.id, externalHost: HOST, externalPort: 50_001 }, at(2));
    expect(lane.grant).toBeUndefined();
    expect(take(lane, "remove").externalPort).toBe(50_001);
  });

  test("what was asked for without an answer is removed; what was refused is not", () => {
    const silent = make();
    silent.ask(at(0));
    find(silent);
    fail(silent, take(silent, "add"), undefined);
    silent.remove(at(1));
    take(silent, "remove");
    const refused = make();
    refused.ask(at(0));
    find(refused);
    fail(refused, take(refused, "add"), 606);
    refused.remove(at(1));
    expect(refused.pollRequest()).toBeUndefined();
    expect(refused.isRemoving).toBe(false);
  });

  test("work that nobody has begun is withdrawn", () => {
    const lane = make();
    lane.ask(at(0));
    lane.rest();
    expect(lane.pollRequest()).toBeUndefined();
  });
});
