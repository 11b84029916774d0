/**
 * Addresses in a row.
 *
 * @module
 */

/** The IPv4 address that comes `count` after this one. */
export function addressAfter(first: string, count: number): string {
  const number = first.split(".").reduce((sum, part) => sum * 256 + Number(part), 0) + count;
  return [24, 16, 8, 0].map((shift) => Math.floor(number / 2 ** shift) % 256).join(".");
}
