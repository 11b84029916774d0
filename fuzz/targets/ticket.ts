/**
 * Tickets: any text is read without a throw, and what is read is written back to the same text; any fields survive a
 * round trip; any damage to a valid ticket is noticed.
 *
 * @module
 */
import { deepStrictEqual } from "node:assert";
import fc from "fast-check";
import { sha256 } from "../../src/crypto/primitives.ts";
import { encodeBase62 } from "../../src/ticket/base62.ts";
import type { ServerRecord } from "../../src/ticket/records.ts";
import {
  decodeTicket,
  encodeTicket,
  type TicketFields,
  type TicketProblem,
  ticketCore,
} from "../../src/ticket/ticket.ts";
import { assert } from "../../src/util/invariant.ts";
import type { Address } from "../../src/util/machine.ts";
import { formatHost } from "../../src/wire/address.ts";
import { bytes, exactBytes, record } from "../arbitraries.ts";
import type { FuzzTarget } from "../target.ts";

const port = fc.integer({ min: 1, max: 65_535 });
const ipv4 = exactBytes(4).map(formatHost);
const ipv6 = exactBytes(16).map(formatHost);
const name = fc
  .array(fc.stringMatching(/^[a-z0-9]([a-z0-9-]{0,8}[a-z0-9])?$/), { minLength: 1, maxLength: 5 })
  .map((labels) => `${labels.join(".")}.x`);

const address: fc.Arbitrary<Address> = fc.oneof(
  record({ host: ipv4, port, family: fc.constant(4 as const) }),
  record({ host: ipv6, port, family: fc.constant(6 as const) }),
);

const server: fc.Arbitrary<ServerRecord> = record({ host: fc.oneof(name, ipv4, ipv6), port, pin: exactBytes(12) });

const fields: fc.Arbitrary<TicketFields> = record({
  key: exactBytes(32),
  secret: exactBytes(16),
  expiresAt: fc.nat(0xffff_ffff),
  singleUse: fc.boolean(),
  directOnly: fc.boolean(),
  relayOnly: fc.boolean(),
  paste: fc.boolean(),
  ignoredFlags: fc.constantFrom(0, 0x10, 0x20, 0x30),
  servers: fc.array(server, { maxLength: 4 }),
  addresses: fc.array(address, { maxLength: 8 }),
});

/** Text of every kind, most of it with the right prefix. */
const text = fc.oneof(
  fc.string({ maxLength: 200, unit: "binary" }),
  fc.stringMatching(/^pl1[0-9A-Za-z]{0,200}$/),
  bytes(200).map((data) => `pl1${encodeBase62(data)}`),
);

export const target: FuzzTarget = {
  name: "ticket",
  property: () =>
    fc.property(
      text,
      bytes(120),
      fields,
      fc.nat(),
      fc.stringMatching(/^[0-9A-Za-z]{1,3}$/),
      (raw, content, valid, at, patch) => {
        readRaw(raw);
        // Behind the checksum, where damage by accident never gets.
        readRaw(withCheck(content));
        readRaw(withCheck(Uint8Array.of(...ticketCore(valid), ...content)));
        const written = encodeTicket(valid, sha256);
        roundTrip(valid, written);
        damage(written, at, patch);
      },
    ),
};

function readRaw(raw: string): void {
  const decoded = decodeTicket(raw, sha256);
  if (isProblem(decoded)) {
    assert(decoded.hint.length > 0, "a problem without a hint");
    return;
  }
  assert(decoded.servers.length <= 4 && decoded.addresses.length <= 8, "too many records");
  // Records that are passed over are not written again; what is written says the same.
  const again = decodeTicket(encodeTicket(decoded, sha256), sha256);
  assert(!isProblem(again), "not read again");
  deepStrictEqual(plain(again), plain(decoded));
}

function roundTrip(valid: TicketFields, written: string): void {
  assert(/^pl1[0-9A-Za-z]+$/.test(written) && written.length <= 1_024, "no ticket");
  const decoded = decodeTicket(written, sha256);
  assert(!isProblem(decoded), "not read");
  deepStrictEqual(plain(decoded), plain(valid));
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
    if (damaged !== written) assert(isProblem(decodeTicket(damaged, sha256)), `not noticed: ${damaged}`);
  }
}

function withCheck(content: Uint8Array): string {
  const check = sha256(new TextEncoder().encode("pl1"), content).subarray(0, 4);
  return `pl1${encodeBase62(Uint8Array.of(...content, ...check))}`;
}

function isProblem(decoded: TicketFields | TicketProblem): decoded is TicketProblem {
  return "code" in decoded;
}

/** The fields with plain bytes for the secret, so that they can be compared. */
function plain(ticket: TicketFields): TicketFields {
  return { ...ticket, secret: Uint8Array.from(ticket.secret) };
}
