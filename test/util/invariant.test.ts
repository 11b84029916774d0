/**
 * Checks of the program itself.
 *
 * @module
 */
import { expect, test } from "vitest";
import { assert, assertNever } from "../../src/util/invariant.ts";

test("assert is silent about what holds and throws about what does not", () => {
  expect(() => assert(true, "never seen")).not.toThrow();
  expect(() => assert(undefined, "a length")).toThrow("invariant broken: a length");
});

test("assertNever names the value that nobody expected", () => {
  expect(() => assertNever({ type: "new" } as never)).toThrow('invariant broken: unexpected {"type":"new"}');
});
