/**
 * Addresses as text and as bytes.
 *
 * @module
 */
import { SocketAddress } from "node:net";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { address as anyAddress, exactBytes } from "../../fuzz/arbitraries.ts";
import { addressLength, formatHost, parseHost, readAddress, writeAddress } from "../../src/wire/address.ts";
import { Reader } from "../../src/wire/reader.ts";
import { Writer } from "../../src/wire/writer.ts";

function hex(bytes: Uint8Array | undefined): string | undefined {
  return bytes === undefined ? undefined : Buffer.from(bytes).toString("hex");
}

describe("text to bytes", () => {
  test.each([
    ["0.0.0.0", "00000000"],
    ["192.0.2.255", "c00002ff"],
    ["::", "00000000000000000000000000000000"],
    ["::1", "00000000000000000000000000000001"],
    ["1::", "00010000000000000000000000000000"],
    ["2001:db8::7:0:8", "20010db8000000000000000700000008"],
    ["2001:DB8:0:0:1:2:3:4", "20010db8000000000001000200030004"],
    ["1:2:3:4:5:6:7::", "00010002000300040005000600070000"],
    ["::ffff:192.0.2.1", "00000000000000000000ffffc0000201"],
    ["64:ff9b::192.0.2.1", "0064ff9b0000000000000000c0000201"],
    ["fe80::1%eth0", "fe800000000000000000000000000001"],
  ])("%s", (text, bytes) => {
    expect(hex(parseHost(text))).toBe(bytes);
  });

  test.each([
    "",
    "1.2.3",
    "1.2.3.4.5",
    "1.2.3.256",
    "1.2.3.04",
    "1.2.3.-4",
    "1.2.3.4 ",
    "1.2.3.0x4",
    "localhost",
    ":",
    ":::",
    "1::2::3",
    "1:2:3:4:5:6:7",
    "1:2:3:4:5:6:7:8:9",
    "1:2:3:4:5:6:7:8::",
    "::1:2:3:4:5:6:7:8",
    "12345::",
    "g::",
    "1.2.3.4::",
    "::1.2.3",
    "::1.2.3.4:5",
    "1:",
    ":1",
    "%eth0",
    "1::2:",
    "::1.2.3.4:",
  ])('"%s" is no address', (text) => {
    expect(parseHost(text)).toBeUndefined();
  });
});

describe("bytes to text", () => {
  test.each([
    ["2001:db8::1", "RFC 5952 §4.2.1: zeros are shortened as far as possible"],
    ["2001:db8:0:1:1:1:1:1", "RFC 5952 §4.2.2: one group of zeros is not"],
    ["2001:0:0:1::1", "RFC 5952 §4.2.3: the longest run is"],
    ["2001:db8::1:0:0:1", "RFC 5952 §4.2.3: the first of equal runs is"],
    ["::ffff:192.0.2.1", "RFC 5952 §5: an IPv4 address inside is shown as one"],
  ])("%s (%s)", (text) => {
    expect(formatHost(parseHost(text)!)).toBe(text);
  });

  test("is what the system prints, so that addresses from the wire and from sockets compare equal", () => {
    fc.assert(
      fc.property(anyAddress, ({ host, family }) => {
        expect(new SocketAddress({ address: host, family: `ipv${family}` }).address).toBe(host);
      }),
      { numRuns: 2_000 },
    );
  });

  test("any 16 bytes survive the way through text and back", () => {
    fc.assert(
      fc.property(exactBytes(16), (bytes) => {
        expect(parseHost(formatHost(bytes))).toEqual(bytes);
      }),
    );
  });
});

describe("on the wire", () => {
  test("any address survives a round trip, and no shorter bytes are one", () => {
    fc.assert(
      fc.property(anyAddress, (address) => {
        const bytes = new Uint8Array(addressLength(address));
        writeAddress(new Writer(bytes), address);
        expect(readAddress(new Reader(bytes))).toEqual(address);
        for (let length = 0; length < bytes.length; length++) {
          const reader = new Reader(bytes.subarray(0, length));
          readAddress(reader);
          expect(reader.failed).toBe(true);
        }
      }),
    );
  });

  test("another family is malformed (WIRE-13)", () => {
    for (let family = 0; family < 256; family++) {
      const reader = new Reader(Uint8Array.of(family, 0, 1, ...new Uint8Array(16)));
      readAddress(reader);
      expect(reader.failed).toBe(family !== 4 && family !== 6);
    }
  });

  test("a host that is none, or of the other family, is misuse", () => {
    const writer = new Writer(new Uint8Array(32));
    for (const [host, family] of [
      ["example.net", 4],
      ["::1", 4],
      ["192.0.2.1", 6],
    ] as const)
      expect(() => writeAddress(writer, { host, family, port: 1 })).toThrow(RangeError);
    expect(writer.offset).toBe(0);
  });
});
