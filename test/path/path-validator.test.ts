import { expect, test } from "vitest";
import { PathValidator } from "../../src/path/path-validator.ts";
import type { Instant } from "../../src/util/time.ts";

const at = (ms: number) => ms as Instant;

function make(): PathValidator {
  let next = 1;
  return new PathValidator((size) => new Uint8Array(size).fill(next++));
}

test("a challenge that is answered proves the path and measures it (RFC 9000 §8.2)", () => {
  const validator = make();
  expect(validator.state).toBe("unknown");
  validator.start(at(0));
  const token = validator.pollChallenge(at(0))!;
  expect(validator.state).toBe("validating");
  expect(validator.pollChallenge(at(0))).toBeUndefined();
  expect(validator.onResponse(token, at(40))).toBe(40);
  expect(validator.state).toBe("valid");
  expect(validator.nextTimeout()).toBeUndefined();
});

test("each token counts once, and a foreign token never", () => {
  const validator = make();
  validator.start(at(0));
  const token = validator.pollChallenge(at(0))!;
  expect(validator.onResponse(new Uint8Array(8).fill(99), at(1))).toBeUndefined();
  expect(validator.onResponse(token, at(1))).toBe(1);
  expect(validator.onResponse(token, at(2))).toBeUndefined();
});

test("CONN-17: five challenges with new tokens at 0, 0.5, 1.5, 3.5 and 7.5 s, then silence", () => {
  const validator = make();
  validator.start(at(0));
  const sentAt: number[] = [];
  const tokens = new Set<string>();
  for (let now = 0; validator.nextTimeout() !== undefined; now = validator.nextTimeout() ?? now) {
    const token = validator.pollChallenge(at(now));
    if (token === undefined) break;
    sentAt.push(now);
    tokens.add(token.join());
  }
  expect(sentAt).toEqual([0, 500, 1_500, 3_500, 7_500]);
  expect(tokens.size).toBe(5);
  expect(validator.state).toBe("silent");
  validator.start(at(20_000));
  expect(validator.state).toBe("validating");
});

test("a valid path stays valid while it is asked again, and an answer after 5 s counts for nothing", () => {
  const validator = make();
  validator.markValid();
  validator.start(at(0));
  const token = validator.pollChallenge(at(0))!;
  expect(validator.state).toBe("valid");
  expect(validator.onResponse(token, at(5_001))).toBeUndefined();
});
