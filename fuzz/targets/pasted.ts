/**
 * Pasted strings: any text is read without a throw, what is written is read back, any damage is noticed.
 *
 * @module
 */
import { deepStrictEqual } from "node:assert";
import fc from "fast-check";
import { sha256 } from "../../src/crypto/primitives.ts";
import { decodePasted, encodePasted, MAX_PASTED_LENGTH, MIN_PASTED_SIZE } from "../../src/ticket/pasted.ts";
import { encodeWord } from "../../src/ticket/word.ts";
import { assert } from "../../src/util/invariant.ts";
import { MAX_CORE_SIZE } from "../../src/wire/handshake-datagram.ts";
import { bytes } from "../arbitraries.ts";
import type { FuzzTarget } from "../target.ts";

const core = fc.uint8Array({ minLength: MIN_PASTED_SIZE, maxLength: MAX_CORE_SIZE });

const text = fc.oneof(
  fc.string({ maxLength: 400, unit: "binary" }),
  fc.stringMatching(/^pa1[0-9A-Za-z]{0,400}$/),
  bytes(400).map((content) => encodeWord({ prefix: "pa1", minSize: 0, maxLength: MAX_PASTED_LENGTH }, content, sha256)),
);

export const target: FuzzTarget = {
  name: "pasted",
  property: () =>
    fc.property(text, core, fc.nat(), fc.stringMatching(/^[0-9A-Za-z]{1,3}$/), (raw, valid, at, patch) => {
      const read = decodePasted(raw, sha256);
      if (read instanceof Uint8Array) deepStrictEqual(decodePasted(encodePasted(read, sha256), sha256), read);
      else assert(read.hint.length > 0, "a problem without a hint");
      const written = encodePasted(valid, sha256);
      assert(/^pa1[0-9A-Za-z]+$/.test(written) && written.length <= MAX_PASTED_LENGTH, "no word");
      deepStrictEqual(Uint8Array.from(decodePasted(written, sha256) as Uint8Array), Uint8Array.from(valid));
      damage(written, at % written.length, patch);
    }),
};

function damage(written: string, at: number, patch: string): void {
  const [before, after] = [written.slice(0, at), written.slice(at)];
  for (const damaged of [before + patch + after.slice(patch.length), before + patch + after, before + after.slice(1)]) {
    if (damaged !== written) assert("code" in decodePasted(damaged, sha256), `not noticed: ${damaged}`);
  }
}
