import { expect, test } from "vitest";
import { directionOf, openerOf, sequenceOf, streamIdOf } from "../../src/stream/stream-id.ts";
import { MAX_STREAM_COUNT } from "../../src/wire/frame-codec.ts";

const KINDS = [
  ["initiator", "bidi", 0],
  ["responder", "bidi", 1],
  ["initiator", "uni", 2],
  ["responder", "uni", 3],
] as const;

test.each(KINDS)(
  "streams of the %s, %s, are numbered from %i in steps of four (STR-1, RFC 9000 §2.1)",
  (role, direction, first) => {
    for (const sequence of [0, 1, 2, 2 ** 30, MAX_STREAM_COUNT - 1]) {
      const id = streamIdOf(role, direction, sequence);
      expect(id).toBe(4 * sequence + first);
      expect(Number.isSafeInteger(id)).toBe(true);
      expect([openerOf(id), directionOf(id), sequenceOf(id)]).toEqual([role, direction, sequence]);
    }
  },
);
