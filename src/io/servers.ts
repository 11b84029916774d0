/**
 * Servers as tickets and callers name them, and as agents use them.
 *
 * @module
 */
import type { AgentServer } from "../agent/agent.ts";
import { sha256 } from "../crypto/primitives.ts";
import { serverPin } from "../crypto/server-keys.ts";
import { MAX_SERVERS, type ServerRecord } from "../ticket/records.ts";
import { decodeServerString } from "../ticket/server-string.ts";
import { toHex } from "../util/bytes.ts";
import type { Address } from "../util/machine.ts";
import { isLoopback } from "./addresses.ts";
import { PunchlineError } from "./errors.ts";
import { lookUpServer } from "./server-names.ts";

/**
 * The records for tickets of servers that are given by their address strings: the main place of each first, since a ticket
 * has room for four.
 *
 * @throws {@link PunchlineError} `ERR_OPTION` if one is no server address, or there are more than four.
 */
export function serverRecords(texts: readonly string[]): readonly ServerRecord[] {
  if (texts.length > MAX_SERVERS) throw new PunchlineError("ERR_OPTION", `at most ${MAX_SERVERS} servers can be named`);
  const servers = texts.map((text) => {
    const decoded = typeof text === "string" ? decodeServerString(text.trim(), sha256) : undefined;
    if (decoded === undefined) throw new PunchlineError("ERR_OPTION", "the address of a server is a string");
    if ("code" in decoded) {
      throw new PunchlineError("ERR_OPTION", `not the address of a server: ${decoded.code}`, { hint: decoded.hint });
    }
    const pin = serverPin(decoded.key);
    return decoded.places.map((place): ServerRecord => ({ ...place, pin }));
  });
  const ranks = Math.max(0, ...servers.map((places) => places.length));
  const inOrder = Array.from({ length: ranks }, (_, rank) => servers.flatMap((places) => places[rank] ?? [])).flat();
  return inOrder.slice(0, MAX_SERVERS);
}

/** Where the servers are: one for each key, with all its addresses. Those whose names lead nowhere are left out. */
export async function resolveServers(records: readonly ServerRecord[]): Promise<readonly AgentServer[]> {
  const found = await Promise.all(records.map(async (record) => ({ record, addresses: await lookUpServer(record) })));
  const servers = new Map<string, { readonly pin: Uint8Array; readonly addresses: Address[] }>();
  for (const { record, addresses } of found) {
    const key = toHex(record.pin);
    const server = servers.get(key) ?? { pin: record.pin, addresses: [] };
    servers.set(key, server);
    server.addresses.push(...addresses);
  }
  return [...servers.values()].filter(({ addresses }) => addresses.length > 0);
}

/** Whether somebody outside of this machine may come by these servers. */
export function areElsewhere(servers: readonly AgentServer[]): boolean {
  return servers.some(({ addresses }) => addresses.some(({ host }) => !isLoopback(host)));
}
