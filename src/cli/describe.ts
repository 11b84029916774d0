/**
 * What the library's objects look like in events and sentences.
 *
 * @module
 */
import type { Connection } from "../index.ts";

/** The path that carries a connection. */
export interface PathReport {
  readonly path: "direct" | "relay";
  /** The peer's address on this path. */
  readonly remote: string;
  /** Smoothed round-trip time in milliseconds. */
  readonly rtt: number;
}

/** An address as people write it: `192.0.2.1:443`, `[2001:db8::1]:443`. */
export function addressText(address: { readonly host: string; readonly port: number }): string {
  return address.host.includes(":") ? `[${address.host}]:${address.port}` : `${address.host}:${address.port}`;
}

/** The path that carries `connection` now. */
export function pathReport(connection: Connection): PathReport {
  const path = connection.paths()[0];
  if (path === undefined) return { path: "direct", remote: "unknown", rtt: 0 };
  return { path: path.kind, remote: addressText(path.remote), rtt: Math.round(path.rtt * 1000) / 1000 };
}
