import { describe, expect, test } from "vitest";
import { LocalStreams, PeerStreams } from "../../src/stream/stream-limits.ts";
import { MAX_STREAM_COUNT } from "../../src/wire/frame-codec.ts";

describe("our streams (RFC 9000 §4.6)", () => {
  test("are opened up to the limit, which never goes down", () => {
    const streams = new LocalStreams();
    expect(streams.open()).toBe(undefined);
    expect([streams.isBlocked, streams.raise(2), streams.isBlocked]).toEqual([true, true, false]);
    expect([streams.raise(1), streams.limit]).toEqual([false, 2]);
    expect([streams.open(), streams.open(), streams.opened]).toEqual([0, 1, 2]);
    expect([streams.isBlocked, streams.open(), streams.isBlocked]).toEqual([false, undefined, true]);
  });

  test("a limit that nobody waited for is no news", () => {
    expect(new LocalStreams().raise(5)).toBe(false);
  });
});

describe("the peer's streams (STR-21, RFC 9000 §4.6)", () => {
  test("may always be open in the allowed number; the limit rises by an eighth", () => {
    const streams = new PeerStreams(16);
    expect([streams.limit, streams.canGrant, streams.hasNewCredit]).toEqual([16, false, false]);
    streams.openUpTo(16);
    streams.onDone();
    expect([streams.canGrant, streams.hasNewCredit]).toEqual([true, false]);
    streams.onDone();
    expect([streams.hasNewCredit, streams.grant(), streams.limit, streams.canGrant]).toEqual([true, 18, 18, false]);
  });

  test("a peer that waits hears of every single one that is done, until its limit was raised", () => {
    const streams = new PeerStreams(16);
    streams.openUpTo(16);
    streams.onBlocked(15);
    streams.onDone();
    expect(streams.hasNewCredit).toBe(false);
    streams.onBlocked(16);
    expect([streams.hasNewCredit, streams.grant()]).toEqual([true, 17]);
    streams.onDone();
    expect(streams.hasNewCredit).toBe(false);
    const early = new PeerStreams(16);
    early.openUpTo(16);
    early.onBlocked(16);
    expect(early.hasNewCredit).toBe(false);
    early.onDone();
    expect([early.hasNewCredit, early.grant()]).toEqual([true, 17]);
  });

  test("a single one is allowed again at once", () => {
    const streams = new PeerStreams(1);
    streams.openUpTo(1);
    streams.onDone();
    expect([streams.hasNewCredit, streams.grant()]).toEqual([true, 2]);
  });

  test("none at all stays none, and the greatest number is never passed", () => {
    const none = new PeerStreams(0);
    expect([none.limit, none.hasNewCredit]).toEqual([0, false]);
    const all = new PeerStreams(MAX_STREAM_COUNT);
    all.onDone();
    expect([all.limit, all.canGrant]).toEqual([MAX_STREAM_COUNT, false]);
  });
});
