/**
 * Makes the frozen vectors of rendezvous and server addresses: `npx tsx scripts/make-rendezvous-vectors.ts`.
 *
 * To be run only when the protocol changes. Keys and slots come from the oracle of the tests, cores and proofs from the
 * interpreter of Noise that the published vectors hold to the specification, the rest is the library's own.
 */
import { writeFileSync } from "node:fs";
import { sha256 } from "../src/crypto/primitives.ts";
import { encodeServerString, type ServerAddress } from "../src/ticket/server-string.ts";
import { publicOf } from "../test/crypto/oracle.ts";

function counting(first: number, length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => first + i);
}

/** All byte strings inside, in hexadecimal. */
function toHex(value: unknown): unknown {
  if (value instanceof Uint8Array) return Buffer.from(value).toString("hex");
  if (Array.isArray(value)) return value.map(toHex);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, toHex(inner)]));
}

function write(name: string, vectors: Record<string, unknown>): void {
  const path = new URL(`../spec/vectors/${name}.json`, import.meta.url);
  writeFileSync(path, `${JSON.stringify(toHex(vectors), undefined, 2)}\n`);
}

const SERVER_KEY = new Uint8Array(publicOf(counting(0x01, 32)));

const ADDRESSES: readonly { readonly name: string; readonly address: ServerAddress }[] = [
  {
    name: "an IPv4 address",
    address: { places: [{ host: "198.51.100.7", port: 3478 }], hasNextPort: false, key: SERVER_KEY },
  },
  {
    name: "two IPv4 addresses and the next port",
    address: {
      places: [
        { host: "198.51.100.7", port: 3478 },
        { host: "198.51.100.8", port: 3478 },
      ],
      hasNextPort: true,
      key: SERVER_KEY,
    },
  },
  {
    name: "a name",
    address: { places: [{ host: "punch.example.net", port: 3478 }], hasNextPort: false, key: SERVER_KEY },
  },
  {
    name: "a name with a port, and an IPv6 address",
    address: {
      places: [
        { host: "punch.example.net", port: 443 },
        { host: "2001:db8::7", port: 65_534 },
      ],
      hasNextPort: true,
      key: SERVER_KEY,
    },
  },
];

write("server-string", {
  addresses: ADDRESSES.map((each) => ({ ...each, text: encodeServerString(each.address, sha256) })),
});
