/**
 * Changes of valid bytes, as an attacker on the path or a bad link makes them.
 *
 * @module
 */
import fc from "fast-check";
import { bytes } from "./arbitraries.ts";

/** One change. Places are taken modulo the length of what is changed. */
export type Mutation =
  | { readonly kind: "flip"; readonly at: number; readonly mask: number }
  | { readonly kind: "overwrite"; readonly at: number; readonly patch: Uint8Array }
  | { readonly kind: "cut"; readonly at: number; readonly length: number }
  | { readonly kind: "insert"; readonly at: number; readonly patch: Uint8Array }
  | { readonly kind: "swap"; readonly at: number; readonly other: number };

/** Any change; flips of single bits are the most frequent. */
export const mutation: fc.Arbitrary<Mutation> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant("flip" as const), at: fc.nat(), mask: fc.integer({ min: 1, max: 255 }) }),
  },
  fc.record({ kind: fc.constant("overwrite" as const), at: fc.nat(), patch: bytes(40, 1) }),
  fc.record({ kind: fc.constant("cut" as const), at: fc.nat(), length: fc.nat(60) }),
  fc.record({ kind: fc.constant("insert" as const), at: fc.nat(), patch: bytes(20, 1) }),
  fc.record({ kind: fc.constant("swap" as const), at: fc.nat(), other: fc.nat() }),
);

/** A changed copy; it may happen to be equal. */
export function mutate(source: Uint8Array, change: Mutation): Uint8Array {
  const at = source.length === 0 ? 0 : change.at % source.length;
  switch (change.kind) {
    case "flip": {
      const copy = source.slice();
      if (copy.length > 0) copy[at] = copy[at]! ^ change.mask;
      return copy;
    }
    case "overwrite": {
      const copy = source.slice();
      copy.set(change.patch.subarray(0, copy.length - at), at);
      return copy;
    }
    case "cut":
      return Uint8Array.of(...source.subarray(0, at), ...source.subarray(at + change.length));
    case "insert":
      return Uint8Array.of(...source.subarray(0, at), ...change.patch, ...source.subarray(at));
    case "swap": {
      const copy = source.slice();
      if (copy.length === 0) return copy;
      const other = change.other % copy.length;
      [copy[at], copy[other]] = [copy[other]!, copy[at]!];
      return copy;
    }
  }
}
