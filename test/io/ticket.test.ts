import { expect, test } from "vitest";
import { sha256 } from "../../src/crypto/primitives.ts";
import { PunchlineError } from "../../src/io/errors.ts";
import { Ticket } from "../../src/io/ticket.ts";
import { encodeTicket, type TicketFields } from "../../src/ticket/ticket.ts";

const fields: TicketFields = {
  key: new Uint8Array(32).fill(9),
  secret: new Uint8Array(16).fill(7),
  expiresAt: 0,
  singleUse: false,
  directOnly: false,
  relayOnly: false,
  paste: false,
  servers: [],
  addresses: [{ host: "192.0.2.1", port: 4433, family: 4 }],
};

test("a ticket is read from its text, with space around it, and written as it was", () => {
  const text = encodeTicket(fields, sha256);
  const ticket = Ticket.parse(`  ${text}\n`);
  expect(String(ticket)).toBe(text);
  expect(ticket.addresses).toEqual(fields.addresses);
});

test("a ticket whose key has a low order is refused before anything is computed with it", () => {
  const weak = encodeTicket({ ...fields, key: new Uint8Array(32) }, sha256);
  expect(() => Ticket.parse(weak)).toThrow(PunchlineError);
  expect(() => Ticket.parse(weak)).toThrow(/key/);
});
