/**
 * Addresses for scenarios.
 *
 * @module
 */
import type { Address } from "../util/machine.ts";

/** The address of a literal IP address and a port; the family follows from the text. */
export function address(host: string, port: number): Address {
  return { host, port, family: host.includes(":") ? 6 : 4 };
}
