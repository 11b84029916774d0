/**
 * Which pairs of NATs meet by simple opening: every cell of the table that was measured with kernels, for both scopes of
 * filter state.
 *
 * @module
 */
import { describe, expect, test } from "vitest";
import { type FilterScope, isSimple, type Side } from "../../src/doctor/odds.ts";
import { KINDS, type Kind, profileOfKind, TRUTH } from "./nat-kinds.ts";

function side(kind: Kind, scope: FilterScope): Side {
  const { mapping, filtering } = profileOfKind(kind);
  return { mapping, filtering, allocator: "random", foreignFlows: 0, filterScope: scope };
}

const cells = KINDS.flatMap((a, row) => KINDS.slice(row).map((b, column) => [a, b, TRUTH[row]![column]!] as const));

describe("simple opening", () => {
  test("is measured for 55 pairs: 50 meet with state for endpoints, 41 with state for mappings (DOC-10)", () => {
    expect(cells).toHaveLength(55);
    expect(cells.filter(([, , cell]) => cell !== "F")).toHaveLength(50);
    expect(cells.filter(([, , cell]) => cell === "ok")).toHaveLength(41);
  });

  test.each(cells)("of %s and %s: %s (DOC-10)", (a, b, cell) => {
    for (const [scope, expected] of [
      ["endpoint", cell !== "F"],
      ["mapping", cell === "ok"],
    ] as const) {
      expect(isSimple(side(a, scope), side(b, scope)), scope).toBe(expected);
      expect(isSimple(side(b, scope), side(a, scope)), scope).toBe(expected);
    }
  });

  test("works wherever ports are kept, as if mappings did not depend on anything", () => {
    for (const [a, b] of cells) {
      const kept = { ...side(a, "mapping"), allocator: "preserving" } as const;
      const other = { ...side(b, "mapping"), allocator: "preserving" } as const;
      expect(isSimple(kept, other), `${a} ${b}`).toBe(true);
    }
  });
});
