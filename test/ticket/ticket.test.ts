/**
 * Tickets: frozen ones, every damage to one, and what a maker or a reader must refuse.
 *
 * @module
 */
import { readFileSync } from "node:fs";
import { inspect } from "node:util";
import { describe, expect, test } from "vitest";
import { sha256 } from "../../src/crypto/primitives.ts";
import { encodeBase62 } from "../../src/ticket/base62.ts";
import {
  decodeTicket,
  encodeTicket,
  type TicketFields,
  type TicketProblem,
  ticketCore,
} from "../../src/ticket/ticket.ts";
import type { Address } from "../../src/util/machine.ts";

const DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

interface FrozenTicket {
  readonly name: string;
  readonly fields: Omit<TicketFields, "key" | "secret" | "servers"> & {
    readonly key: string;
    readonly secret: string;
    readonly servers: readonly { readonly host: string; readonly port: number; readonly pin: string }[];
  };
  readonly core: string;
  readonly text: string;
}

const url = new URL("../../spec/vectors/ticket.json", import.meta.url);
const frozen: readonly FrozenTicket[] = JSON.parse(readFileSync(url, "utf8")).tickets;

function bytes(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, "hex"));
}

function hex(data: Uint8Array): string {
  return Buffer.from(data).toString("hex");
}

const BASE: TicketFields = {
  key: Uint8Array.from({ length: 32 }, (_, i) => 0x80 + i),
  secret: Uint8Array.from({ length: 16 }, (_, i) => 0x20 + i),
  expiresAt: 0,
  singleUse: false,
  directOnly: false,
  relayOnly: false,
  paste: false,
  servers: [],
  addresses: [],
};
const PIN = new Uint8Array(12).fill(0x5a);
const V4: Address = { host: "192.0.2.1", port: 4433, family: 4 };
const V6: Address = { host: "2001:db8::1", port: 4433, family: 6 };

function encode(fields: Partial<TicketFields>): string {
  return encodeTicket({ ...BASE, ...fields }, sha256);
}

function decode(text: string): TicketFields {
  const decoded = decodeTicket(text, sha256);
  if ("code" in decoded) throw new Error(`${decoded.code}: ${decoded.hint}`);
  return decoded;
}

function problemOf(text: string): TicketProblem["code"] | undefined {
  const decoded = decodeTicket(text, sha256);
  return "code" in decoded ? decoded.code : undefined;
}

/** A ticket with a right check around any bytes. */
function forge(content: Uint8Array): string {
  const check = sha256(new TextEncoder().encode("pl1"), content).subarray(0, 4);
  return `pl1${encodeBase62(Uint8Array.of(...content, ...check))}`;
}

describe("frozen tickets", () => {
  test.each(frozen)("with $name are written to the character, and read back (TKT-2, TKT-4, TKT-6)", (each) => {
    const fields: TicketFields = {
      ...each.fields,
      key: bytes(each.fields.key),
      secret: bytes(each.fields.secret),
      servers: each.fields.servers.map((server) => ({ ...server, pin: bytes(server.pin) })),
    };
    expect(encodeTicket(fields, sha256)).toBe(each.text);
    expect(hex(ticketCore(fields))).toBe(each.core);
    const decoded = decode(each.text);
    const { secret, ...shown } = decoded;
    const { secret: expectedSecret, ...expected } = fields;
    expect(shown).toEqual({ ignoredFlags: 0, ...expected });
    expect(hex(secret)).toBe(hex(expectedSecret));
    expect(hex(ticketCore(decoded))).toBe(each.core);
    expect(encodeTicket(decoded, sha256)).toBe(each.text);
  });

  test("the first is the sample of the specification", () => {
    expect(frozen[0]!.text).toBe(
      "pl11jkoXs4n1pRtagSAeEtB7N2BsBZZwtH6I6ipNR0ewlYrzLtEceszrsAd0ia9c0qACtWMCRrfivzB4n1LiTADj7d3mCrWVdCABgP4m8lWBDXFghP",
    );
  });
});

describe("the length of a ticket with", () => {
  const server = (host: string, port = 3478) => ({ host, port, pin: PIN });
  test.each<[string, Partial<TicketFields>, number]>([
    ["one direct IPv4 address", { addresses: [V4] }, 89],
    ["two direct IPv4 addresses", { addresses: [V4, V4] }, 99],
    ["one IPv4 server", { servers: [server("192.0.2.1")] }, 106],
    ["a name of 17 characters", { servers: [server("punch.example.net")] }, 114],
    ["an IPv4 server and an address", { servers: [server("192.0.2.1")], addresses: [V4] }, 115],
    ["a name of 20 characters and a port", { servers: [server("a".repeat(20), 443)] }, 119],
    ["a name of 21 characters and a port", { servers: [server("a".repeat(21), 443)] }, 119],
    ["a name of 24 characters", { servers: [server("a".repeat(24))] }, 119],
    ["one IPv6 server", { servers: [server("2001:db8::1")] }, 122],
    ["two IPv4 servers", { servers: [server("192.0.2.1"), server("192.0.2.2")] }, 131],
  ])("%s is that of the table (TKT-6)", (_, fields, length) => {
    expect(encode(fields).length).toBe(length);
  });

  test("as many records as there may be is far below 1,024", () => {
    const servers = new Array(4).fill(server(`${"a".repeat(60)}.${"b".repeat(32)}`, 443));
    expect(encode({ servers, addresses: new Array(8).fill(V6) }).length).toBeLessThan(1_024);
  });
});

describe("damage to a ticket", () => {
  const text = encode({ addresses: [V4], expiresAt: 1_800_000_000 });

  test("is noticed for every change of one character (TKT-3, TKT-7)", () => {
    for (let i = 0; i < text.length; i++) {
      for (const digit of `${DIGITS}-_ .é`) {
        if (digit === text[i]) continue;
        const damaged = text.slice(0, i) + digit + text.slice(i + 1);
        if (problemOf(damaged) === undefined) throw new Error(`not noticed: ${damaged}`);
      }
    }
  });

  test("is noticed for every cut, at either end or inside (TKT-3, TKT-7)", () => {
    for (let from = 0; from < text.length; from++) {
      for (let to = from + 1; to <= text.length; to++) {
        const damaged = text.slice(0, from) + text.slice(to);
        if (problemOf(damaged) === undefined) throw new Error(`not noticed: ${damaged}`);
      }
    }
  });

  test("is noticed for every character that is added or doubled (TKT-3, TKT-7)", () => {
    for (let i = 0; i <= text.length; i++) {
      for (const digit of `${DIGITS} `) {
        const damaged = text.slice(0, i) + digit + text.slice(i);
        if (problemOf(damaged) === undefined) throw new Error(`not noticed: ${damaged}`);
      }
    }
    expect(problemOf(text + text)).toBeDefined();
  });

  test("is noticed for every two characters that changed places (TKT-3, TKT-7)", () => {
    for (let i = 0; i < text.length; i++) {
      for (let j = i + 1; j < text.length; j++) {
        if (text[i] === text[j]) continue;
        const damaged = `${text.slice(0, i)}${text[j]}${text.slice(i + 1, j)}${text[i]}${text.slice(j + 1)}`;
        if (problemOf(damaged) === undefined) throw new Error(`not noticed: ${damaged}`);
      }
    }
  });

  test.each<[string, TicketProblem["code"], string]>([
    ["another prefix", "prefix", "ps1abc"],
    ["nothing", "prefix", ""],
    ["a prefix in capitals", "case", text.replace("pl1", "PL1")],
    ["all in capitals", "case", text.toUpperCase()],
    ["all in small letters", "case", text.toLowerCase()],
    ["only its body in small letters", "case", `pl1${text.slice(3).toLowerCase()}`],
    ["a space inside", "characters", `${text.slice(0, 40)} ${text.slice(40)}`],
    ["a line break inside", "characters", `${text.slice(0, 40)}\n${text.slice(40)}`],
    ["its last character cut", "checksum", text.slice(0, -1)],
    ["its half", "length", text.slice(0, 46)],
    ["the prefix alone", "length", "pl1"],
    ["a length that no ticket has", "length", `${text}0`],
    ["one wrong character", "checksum", `${text.slice(0, -1)}${text.endsWith("0") ? "1" : "0"}`],
    ["far more than a ticket", "length", `pl1${"0".repeat(1_100)}`],
    ["a number above its bytes", "checksum", `pl1${"zY".repeat(43)}`],
  ])("%s is called '%s' (TKT-7)", (_, code, damaged) => {
    const decoded = decodeTicket(damaged, sha256);
    expect(decoded).toMatchObject({ code });
    expect((decoded as TicketProblem).hint.length).toBeGreaterThan(20);
  });

  test("a text of a million characters is refused at once", () => {
    const started = performance.now();
    expect(problemOf(`pl1${"a".repeat(1_000_000)}`)).toBe("length");
    expect(problemOf("x".repeat(1_000_000))).toBe("prefix");
    expect(performance.now() - started).toBeLessThan(50);
  });
});

describe("a reader", () => {
  const core = ticketCore(BASE);
  const withRecords = (...records: number[]) => forge(Uint8Array.of(...core, ...records));

  test("refuses flags that it must know, and keeps those that it may ignore (TKT-2)", () => {
    const withFlags = (flags: number) => forge(Uint8Array.of(...core.subarray(0, 52), flags));
    for (const flags of [0x40, 0x80, 0xc1]) expect(problemOf(withFlags(flags))).toBe("unsupported");
    for (let flags = 0; flags < 0x40; flags++) {
      const decoded = decode(withFlags(flags));
      expect(ticketCore(decoded)[52]).toBe(flags);
      expect(decoded.singleUse).toBe((flags & 1) !== 0);
      expect(decoded.directOnly).toBe((flags & 2) !== 0);
      expect(decoded.relayOnly).toBe((flags & 4) !== 0);
      expect(decoded.paste).toBe((flags & 8) !== 0);
    }
  });

  test("passes over NAT profiles and extensions (TKT-4)", () => {
    const profile = [0xc0, ...new Array(10).fill(1)];
    const extension = [0xe5, 3, 9, 9, 9];
    const decoded = decode(withRecords(...profile, 0x80, 192, 0, 2, 1, 1, 0, ...extension, 0xe0, 0));
    expect(decoded.addresses).toEqual([{ host: "192.0.2.1", port: 256, family: 4 }]);
    expect(decoded.servers).toEqual([]);
  });

  test("refuses every record that is cut off (TKT-4)", () => {
    const name = [0x02, 0x0f, 0x10, 0x0f, 0x10, ...PIN];
    for (const record of [
      name,
      [0x22, 1, 0, 0x0f, 0x10, 0x0f, 0x10, ...PIN],
      [0x40, 192, 0, 2, 1, 1, 0, ...PIN],
      [0x60, ...new Array(16).fill(1), 1, 0, ...PIN],
      [0x80, 192, 0, 2, 1, 1, 0],
      [0xa0, ...new Array(16).fill(1), 1, 0],
      [0xc0, ...new Array(10).fill(0)],
      [0xe0, 2, 1, 1],
    ]) {
      expect(problemOf(withRecords(...record))).toBeUndefined();
      for (let length = 1; length < record.length; length++) {
        expect(problemOf(withRecords(...record.slice(0, length))), `${record} to ${length}`).toBe("malformed");
      }
    }
  });

  test("refuses port 0, stray bits, bad names and too many records (TKT-4, TKT-5)", () => {
    const address = [0x80, 192, 0, 2, 1, 1, 0];
    const server = [0x40, 192, 0, 2, 1, 1, 0, ...PIN];
    expect(problemOf(withRecords(0x80, 192, 0, 2, 1, 0, 0))).toBe("malformed");
    expect(problemOf(withRecords(0x40, 192, 0, 2, 1, 0, 0, ...PIN))).toBe("malformed");
    for (const [kind, size] of [
      [2, 18],
      [3, 30],
      [4, 6],
      [5, 18],
      [6, 10],
    ] as const) {
      const rest = new Array(size).fill(1);
      expect(problemOf(withRecords(kind << 5, ...rest))).toBeUndefined();
      expect(problemOf(withRecords((kind << 5) | 1, ...rest))).toBe("malformed");
    }
    expect(problemOf(withRecords(0x00, ...PIN))).toBe("malformed");
    expect(problemOf(withRecords(0x01, 0xff, 0xff, ...PIN))).toBe("malformed");
    expect(problemOf(withRecords(...new Array(8).fill(address).flat()))).toBeUndefined();
    expect(problemOf(withRecords(...new Array(9).fill(address).flat()))).toBe("malformed");
    expect(problemOf(withRecords(...new Array(4).fill(server).flat()))).toBeUndefined();
    expect(problemOf(withRecords(...new Array(5).fill(server).flat()))).toBe("malformed");
  });

  test("refuses a name that is a literal address (TKT-5)", () => {
    // "1.2.3.4" in words: 28 38 29, 38 30 38, 31 0 0.
    const words = [28 * 1600 + 38 * 40 + 29, 38 * 1600 + 30 * 40 + 38, 31 * 1600];
    expect(problemOf(withRecords(3, ...words.flatMap((word) => [word >>> 8, word & 0xff]), ...PIN))).toBe("malformed");
  });

  test("refuses less than a core and a check", () => {
    expect(problemOf(forge(core.slice(0, 52)))).toBe("length");
    expect(problemOf(forge(core))).toBeUndefined();
  });
});

describe("a maker", () => {
  test.each<[string, Partial<TicketFields>]>([
    ["a short key", { key: new Uint8Array(31) }],
    ["a long secret", { secret: new Uint8Array(17) }],
    ["an expiry before 1970", { expiresAt: -1 }],
    ["an expiry beyond 32 bits", { expiresAt: 2 ** 32 }],
    ["an expiry with a fraction", { expiresAt: 1.5 }],
    ["nine addresses", { addresses: new Array(9).fill(V4) }],
    ["five servers", { servers: new Array(5).fill({ host: "a", port: 1, pin: PIN }) }],
    ["port 0", { addresses: [{ ...V4, port: 0 }] }],
    ["port 65536", { servers: [{ host: "a", port: 65_536, pin: PIN }] }],
    ["a name as a direct address", { addresses: [{ ...V4, host: "example.net" }] }],
    ["no host name", { servers: [{ host: "-", port: 1, pin: PIN }] }],
    ["a short pin", { servers: [{ host: "a", port: 1, pin: new Uint8Array(11) }] }],
  ])("of a ticket with %s is told so", (_, fields) => {
    expect(() => encode(fields)).toThrow(RangeError);
  });
});

test("a ticket that was read does not show its secret (TKT-9)", () => {
  const decoded = decode(encode({ addresses: [V4] }));
  expect(hex(decoded.secret)).toBe(hex(BASE.secret));
  for (const shown of [inspect(decoded, { depth: 9, showHidden: true }), JSON.stringify(decoded)]) {
    expect(shown).toContain("<secret>");
    expect(shown).not.toContain("32, 33, 34");
    expect(shown).not.toContain('"0":32');
  }
});

test("records do not belong to the core (TKT-1)", () => {
  expect(ticketCore({ ...BASE, addresses: [V4, V6] })).toEqual(ticketCore(BASE));
  for (const change of [
    { expiresAt: 1 },
    { singleUse: true },
    { secret: new Uint8Array(16) },
    { key: new Uint8Array(32) },
  ]) {
    expect(ticketCore({ ...BASE, ...change })).not.toEqual(ticketCore(BASE));
  }
});
