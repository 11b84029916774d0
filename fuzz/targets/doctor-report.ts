/**
 * Pasted reports: any text is read without a throw, and what is read says the same when it is written and read again;
 * any report survives a round trip; any damage to a valid one is noticed.
 *
 * @module
 */
import { deepStrictEqual } from "node:assert";
import fc from "fast-check";
import { sha256 } from "../../src/crypto/primitives.ts";
import type { NetworkReport } from "../../src/doctor/report.ts";
import { decodeReport, encodeReport, type ReportProblem } from "../../src/doctor/report-string.ts";
import { encodeBase62 } from "../../src/ticket/base62.ts";
import { assert } from "../../src/util/invariant.ts";
import { bytes } from "../arbitraries.ts";
import { networkReport } from "../doctor-arbitraries.ts";
import type { FuzzTarget } from "../target.ts";

/** Text of every kind, most of it with the right prefix. */
const text = fc.oneof(
  fc.string({ maxLength: 300, unit: "binary" }),
  fc.stringMatching(/^pr1[0-9A-Za-z]{0,260}$/),
  bytes(200).map((data) => `pr1${encodeBase62(data)}`),
);

export const target: FuzzTarget = {
  name: "doctor-report",
  property: () =>
    fc.property(
      text,
      bytes(80),
      networkReport,
      fc.nat(),
      fc.stringMatching(/^[0-9A-Za-z]{1,3}$/),
      (raw, content, valid, at, patch) => {
        readRaw(raw);
        // Behind the checksum, where damage by accident never gets.
        readRaw(withCheck(content));
        const written = encodeReport(valid);
        assert(/^pr1[0-9A-Za-z]{1,253}$/.test(written), "no report");
        deepStrictEqual(decodeReport(written), valid);
        damage(written, at, patch);
      },
    ),
};

function readRaw(raw: string): void {
  const decoded = decodeReport(raw);
  if (isProblem(decoded)) {
    assert(decoded.hint.length > 0, "a problem without a hint");
    return;
  }
  assert(decoded.lans.length <= 4, "too many tags");
  deepStrictEqual(decodeReport(encodeReport(decoded)), decoded);
}

/** Overwrites, inserts, removes and swaps at one place: all are noticed, but for one in 2^32. */
function damage(written: string, at: number, patch: string): void {
  const i = at % written.length;
  const [before, after] = [written.slice(0, i), written.slice(i)];
  const swapped = before + (after[1] ?? "") + (after[0] ?? "") + after.slice(2);
  for (const damaged of [
    before + patch + after.slice(patch.length),
    before + patch + after,
    before + after.slice(1),
    swapped,
  ]) {
    if (damaged !== written) assert(isProblem(decodeReport(damaged)), `not noticed: ${damaged}`);
  }
}

function withCheck(content: Uint8Array): string {
  const check = sha256(new TextEncoder().encode("pr1"), content).subarray(0, 4);
  return `pr1${encodeBase62(Uint8Array.of(...content, ...check))}`;
}

function isProblem(decoded: NetworkReport | ReportProblem): decoded is ReportProblem {
  return "code" in decoded;
}
