/**
 * Errors against the tables of spec/errors.md.
 *
 * @module
 */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import type { CloseReason } from "../../src/connection/events.ts";
import type { ErrorCode } from "../../src/index.ts";
import { PunchlineError } from "../../src/index.ts";
import { APPLICATION_CODE, closeError, isCleanClose, streamResetError } from "../../src/io/errors.ts";
import { pair } from "./pair.ts";

const page = readFileSync(new URL("../../spec/errors.md", import.meta.url), "utf8");

describe("PunchlineError", () => {
  const codes = [...page.matchAll(/^\| `(ERR_[A-Z_]+)` \|/gm)].map((match) => match[1] as ErrorCode);

  test("ERR-2: every code of the table has a hint; `local` is the origin unless said otherwise", () => {
    expect(codes.length).toBeGreaterThanOrEqual(13);
    for (const code of codes) {
      const error = new PunchlineError(code, "it went wrong");
      expect(error).toMatchObject({ name: "PunchlineError", code, origin: "local", attempts: [] });
      expect(error.hint.length).toBeGreaterThan(10);
      expect([error.refusal, error.peerCode, "cause" in error]).toEqual([undefined, undefined, false]);
    }
  });

  test("a cause that is given is kept, even if it is undefined", () => {
    const cause = new Error("EADDRINUSE");
    expect(new PunchlineError("ERR_BIND", "no", { cause }).cause).toBe(cause);
    expect("cause" in new PunchlineError("ERR_BIND", "no", { cause: undefined })).toBe(true);
  });
});

describe("the end of a connection", () => {
  const attempts = [
    {
      address: { host: "192.0.2.1", port: 443, family: 4 },
      kind: "ticket",
      sent: 8,
      received: 0,
      elapsed: 20_000,
      outcome: "no-answer",
    },
    {
      address: { host: "2001:db8::1", port: 443, family: 6 },
      kind: "ticket",
      sent: 0,
      received: 0,
      elapsed: 0,
      outcome: "unsent",
    },
  ] as const;
  const closed = { kind: "closed", message: "" } as const;
  const cases: [CloseReason, string, string, RegExp][] = [
    [{ ...closed, origin: "local", application: true, code: 0 }, "ERR_CLOSED", "local", /closed/],
    [{ ...closed, origin: "peer", application: true, code: 0x105 }, "ERR_CLOSED_BY_PEER", "peer", /code 261/],
    [{ ...closed, origin: "peer", application: false, code: 0xf }, "ERR_CLOSED_BY_PEER", "peer", /code 15/],
    [{ ...closed, origin: "peer", application: false, code: 0xd }, "ERR_REFUSED", "peer", /used/],
    [{ ...closed, origin: "peer", application: false, code: 0x7 }, "ERR_PROTOCOL", "peer", /violation, code 7/],
    [
      { ...closed, origin: "local", application: false, code: 0x7, message: "bad frame" },
      "ERR_PROTOCOL",
      "local",
      /bad frame/,
    ],
    [
      { kind: "unreachable", attempts },
      "ERR_UNREACHABLE",
      "network",
      /20000 ms from 192\.0\.2\.1:443 \(8 sent\), \[2001:db8::1\]:443/,
    ],
    [{ kind: "unreachable", attempts: [] }, "ERR_UNREACHABLE", "network", /nothing is known/],
    [{ kind: "lost", silence: 30_000 }, "ERR_PEER_LOST", "network", /30000 ms/],
    [{ kind: "aborted" }, "ERR_ABORTED", "local", /given up/],
    [
      { kind: "refused", refusal: "not-allowed", message: "members only", attempts },
      "ERR_REFUSED",
      "peer",
      /members only/,
    ],
  ];

  test.each(cases)("%o is told as %s of %s", (reason, code, origin, message) => {
    const error = closeError(reason);
    expect(error).toMatchObject({ code, origin, message: expect.stringMatching(message) });
  });

  test("each refusal has its sentence and its hint (ERR-4)", () => {
    const refusals = ["expired", "revoked", "used-up", "not-allowed", "busy", "version"] as const;
    const errors = refusals.map((refusal) => closeError({ kind: "refused", refusal, message: "", attempts: [] }));
    expect(errors.map((error) => error.refusal)).toEqual(refusals);
    expect(new Set(errors.map((error) => error.message)).size).toBe(refusals.length);
    for (const refusal of refusals) expect(page).toContain(`\`${refusal}\``);
  });

  test("only code 0 is a clean end", () => {
    expect(isCleanClose({ ...closed, origin: "peer", application: true, code: 0 })).toBe(true);
    expect(isCleanClose({ ...closed, origin: "peer", application: true, code: 1 })).toBe(false);
    expect(isCleanClose({ kind: "lost", silence: 1 })).toBe(false);
  });
});

describe("codes of streams and connections", () => {
  test("ERR-12: the table names each of them, and the first that is left to applications", () => {
    const rows = [...page.matchAll(/^\| ([0-9]) \| ([a-z ]+)/gm)].map((match) => Number(match[1]));
    const { first, ...own } = APPLICATION_CODE;
    expect(rows).toEqual(Object.values(own));
    expect(page).toContain(`use 0x${first.toString(16)} and up`);
    expect(streamResetError("reset", 0x123)).toMatchObject({ peerCode: 0x123, code: "ERR_STREAM_RESET" });
  });

  test("ERR-12: an application cannot close with one of the library's codes", async () => {
    await using ends = await pair();
    for (const code of [1, 4, 0xff, -1, 1.5, 2 ** 53, Number.NaN]) {
      expect(() => ends.near.connection.close(code)).toThrow(expect.objectContaining({ code: "ERR_OPTION" }));
    }
    await ends.near.connection.close(0x100);
  });
});
