/**
 * Addresses of servers: any text is read without a throw, and what is read survives a round trip; any damage to a valid
 * one is noticed.
 *
 * @module
 */
import { deepStrictEqual } from "node:assert";
import fc from "fast-check";
import { sha256 } from "../../src/crypto/primitives.ts";
import type { Place } from "../../src/ticket/records.ts";
import { decodeServerString, encodeServerString, type ServerAddress } from "../../src/ticket/server-string.ts";
import { encodeWord } from "../../src/ticket/word.ts";
import { assert } from "../../src/util/invariant.ts";
import { formatHost } from "../../src/wire/address.ts";
import { bytes, exactBytes, record } from "../arbitraries.ts";
import type { FuzzTarget } from "../target.ts";

const label = fc.stringMatching(/^[a-z0-9]([a-z0-9-]{0,8}[a-z0-9])?$/);
const name = fc.array(label, { minLength: 1, maxLength: 5 }).map((labels) => `${labels.join(".")}.x`);
const host = fc.oneof(name, exactBytes(4).map(formatHost), exactBytes(16).map(formatHost));

const place: fc.Arbitrary<Place> = record({ host, port: fc.integer({ min: 1, max: 65_534 }) });

const address: fc.Arbitrary<ServerAddress> = record({
  places: fc.array(place, { minLength: 1, maxLength: 4 }),
  hasNextPort: fc.boolean(),
  key: exactBytes(32),
});

const text = fc.oneof(
  fc.string({ maxLength: 200, unit: "binary" }),
  fc.stringMatching(/^ps1[0-9A-Za-z]{0,200}$/),
  bytes(200).map(withCheck),
);

export const target: FuzzTarget = {
  name: "server-string",
  property: () =>
    fc.property(text, address, fc.nat(), fc.stringMatching(/^[0-9A-Za-z]{1,3}$/), (raw, valid, at, patch) => {
      readRaw(raw);
      const written = encodeServerString(valid, sha256);
      deepStrictEqual(decodeServerString(written, sha256), valid);
      damage(written, at % written.length, patch);
    }),
};

function readRaw(raw: string): void {
  const decoded = decodeServerString(raw, sha256);
  if ("code" in decoded) {
    assert(decoded.hint.length > 0, "a problem without a hint");
    return;
  }
  assert(decoded.places.length >= 1 && decoded.places.length <= 4, "a wrong number of places");
  deepStrictEqual(decodeServerString(encodeServerString(decoded, sha256), sha256), decoded);
}

function damage(written: string, at: number, patch: string): void {
  const [before, after] = [written.slice(0, at), written.slice(at)];
  for (const damaged of [before + patch + after.slice(patch.length), before + patch + after, before + after.slice(1)]) {
    if (damaged !== written) assert("code" in decodeServerString(damaged, sha256), `not noticed: ${damaged}`);
  }
}

function withCheck(content: Uint8Array): string {
  return encodeWord({ prefix: "ps1", minSize: 0, maxLength: 512 }, content, sha256);
}
