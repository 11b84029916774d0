/**
 * Makes the frozen vectors of handshake, ticket and packet protection: `npx tsx scripts/make-crypto-vectors.ts`.
 *
 * To be run only when the protocol changes: what is in spec/vectors is what two versions must agree on. All values come
 * from the oracle of the tests, except tickets, whose text is the library's own.
 */
import { writeFileSync } from "node:fs";
import { sha256 } from "../src/crypto/primitives.ts";
import { encodeBase62 } from "../src/ticket/base62.ts";
import { encodeName } from "../src/ticket/names.ts";
import { encodeTicket, type TicketFields, ticketCore } from "../src/ticket/ticket.ts";
import { makeRow, type NoiseRow } from "../test/conformance/noise-rows.ts";
import {
  type Bytes,
  deriveExporter,
  deriveTicket,
  deriveTraffic,
  H,
  type HandshakeInputs,
  M,
  protect,
  publicOf,
  runHandshake,
  seal,
  utf8,
} from "../test/crypto/oracle.ts";

function counting(first: number, length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => first + i);
}

function bytes(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, "hex"));
}

/** All byte strings inside, in hexadecimal. */
function toHex(value: unknown): unknown {
  if (value instanceof Uint8Array) return Buffer.from(value).toString("hex");
  if (typeof value === "bigint") return value.toString();
  if (Array.isArray(value)) return value.map(toHex);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, toHex(inner)]));
}

function write(name: string, vectors: Record<string, unknown>): void {
  const path = new URL(`../spec/vectors/${name}.json`, import.meta.url);
  writeFileSync(path, `${JSON.stringify(toHex(vectors), undefined, 2)}\n`);
}

const SERVER_KEY = publicOf(counting(0x01, 32));
const PIN = new Uint8Array(H(utf8("punchline/1 server key"), SERVER_KEY).subarray(0, 12));

const PLAIN: TicketFields = {
  key: new Uint8Array(publicOf(counting(0x10, 32))),
  secret: counting(0xd0, 16),
  expiresAt: 1_800_000_000,
  singleUse: true,
  directOnly: false,
  relayOnly: false,
  paste: false,
  servers: [],
  addresses: [],
};

const V4 = { host: "192.0.2.1", port: 4433, family: 4 } as const;
const V6 = { host: "2001:db8::1", port: 65_535, family: 6 } as const;

const TICKETS: readonly { readonly name: string; readonly fields: TicketFields }[] = [
  { name: "a server by name", fields: { ...PLAIN, servers: [{ host: "punch.example.net", port: 3478, pin: PIN }] } },
  { name: "no record", fields: { ...PLAIN, expiresAt: 0, singleUse: false } },
  { name: "an IPv4 address", fields: { ...PLAIN, addresses: [V4] } },
  { name: "an IPv6 address", fields: { ...PLAIN, addresses: [V6] } },
  {
    name: "a server by name and port",
    fields: { ...PLAIN, servers: [{ host: "punch.example.net", port: 443, pin: PIN }] },
  },
  { name: "a server by IPv4", fields: { ...PLAIN, servers: [{ host: "198.51.100.7", port: 3478, pin: PIN }] } },
  { name: "a server by IPv6", fields: { ...PLAIN, servers: [{ host: "2001:db8::7", port: 3478, pin: PIN }] } },
  {
    name: "everything at once",
    fields: {
      ...PLAIN,
      expiresAt: 0xffff_ffff,
      directOnly: true,
      relayOnly: true,
      paste: true,
      ignoredFlags: 0x30,
      servers: [
        { host: "a.b", port: 1, pin: PIN },
        { host: "198.51.100.7", port: 3478, pin: PIN },
      ],
      addresses: [V4, V6, { host: "10.0.0.1", port: 1, family: 4 }],
    },
  },
];

const sample = TICKETS[0]!;

const HANDSHAKES: readonly { readonly name: string; readonly inputs: HandshakeInputs }[] = [
  {
    name: "two payloads",
    inputs: {
      listener: counting(0x10, 32),
      initiator: counting(0x70, 32),
      ephemeralI: counting(0xa0, 32),
      ephemeralR: counting(0x40, 32),
      secret: sample.fields.secret,
      core: ticketCore(sample.fields),
      payload1: bytes("0108a1a2a3a4a5a6a7a8020201020301011308c1c2c3c4c5c6c7c8"),
      payload2: bytes("0108b1b2b3b4b5b6b7b8020101"),
    },
  },
  {
    name: "empty payloads",
    inputs: {
      listener: counting(0x11, 32),
      initiator: counting(0x71, 32),
      ephemeralI: counting(0xa1, 32),
      ephemeralR: counting(0x41, 32),
      secret: counting(0xe0, 16),
      core: ticketCore({ ...PLAIN, key: new Uint8Array(publicOf(counting(0x11, 32))), secret: counting(0xe0, 16) }),
      payload1: new Uint8Array(0),
      payload2: new Uint8Array(0),
    },
  },
];

function handshakeVector(name: string, inputs: HandshakeInputs) {
  const { ticket, publicKeys, ...run } = runHandshake(inputs);
  const secret = counting(0x55, 32);
  const cookie = M(secret, utf8("192.0.2.1:4433")).subarray(0, 16);
  const nonce = counting(0x60, 12);
  const token = counting(0x99, 8);
  const exporter = deriveExporter(run.initiatorKey, run.responderKey, run.handshakeHash);
  return {
    name,
    inputs,
    publicKeys,
    ticket,
    ...run,
    cookie: {
      secret,
      address: "192.0.2.1:4433",
      cookie,
      nonce,
      sealed: seal("chacha20-poly1305", ticket.cookie, nonce, run.core1.subarray(-16), cookie),
      token,
      mac2: M(cookie, run.core1, token).subarray(0, 16),
    },
    exporter: {
      secret: exporter,
      label: "test",
      context: utf8("context"),
      value: M(M(exporter, utf8("test")), H(utf8("context"))),
    },
  };
}

function noiseRows(): NoiseRow[] {
  const hex = (first: number) => Buffer.from(counting(first, 32)).toString("hex");
  const publicHex = (first: number) => publicOf(counting(first, 32)).toString("hex");
  const [init, resp, initE, respE] = [0x21, 0x61, 0xa1, 0xe1] as const;
  const both = { init_prologue: "70756e63680a", resp_prologue: "70756e63680a" };
  const payloads = ["", "00", "70756e63", "6c696e65", "ff".repeat(33), "0102030405060708"];
  const psks = { init_psks: [hex(0x90)], resp_psks: [hex(0x90)] };
  const statics = { init_static: hex(init), resp_static: hex(resp) };
  const ephemerals = { init_ephemeral: hex(initE), resp_ephemeral: hex(respE) };
  const known = { ...statics, ...ephemerals, ...both, init_remote_static: publicHex(resp) };
  return [
    makeRow({ protocol_name: "Noise_IKpsk2_25519_ChaChaPoly_SHA256", ...known, ...psks }, payloads),
    makeRow({ protocol_name: "Noise_IKpsk2_25519_AESGCM_BLAKE2b", ...known, ...psks }, payloads),
    makeRow({ protocol_name: "Noise_IK_25519_AESGCM_SHA512", ...known }, payloads),
    makeRow({ protocol_name: "Noise_XK1_25519_ChaChaPoly_BLAKE2s", ...known }, payloads),
    makeRow({ protocol_name: "Noise_X_25519_ChaChaPoly_SHA256", ...known }, payloads),
    makeRow(
      { protocol_name: "Noise_NX_25519_ChaChaPoly_SHA256", ...both, ...ephemerals, resp_static: hex(resp) },
      payloads,
    ),
    makeRow({ protocol_name: "Noise_NNpsk0_25519_ChaChaPoly_SHA256", ...both, ...ephemerals, ...psks }, payloads),
    makeRow(
      { protocol_name: "Noise_XXpsk3_25519_AESGCM_SHA256", ...both, ...statics, ...ephemerals, ...psks },
      payloads,
    ),
  ];
}

function packetVectors() {
  const run = runHandshake(HANDSHAKES[0]!.inputs);
  const connectionId = counting(0xb1, 8);
  const directions = ([1, 2] as const).flatMap((aead) =>
    (["initiator", "responder"] as const).map((sender) => {
      const sessionKey = sender === "initiator" ? run.initiatorKey : run.responderKey;
      const keys = deriveTraffic(sessionKey, run.handshakeHash, aead);
      const packet = (space: "probe" | "data", phase: number, packetNumber: bigint, payload: Bytes) => {
        const { key, iv } = space === "data" ? keys.data[phase]! : keys.probe;
        const keyPhase = (phase % 2) as 0 | 1;
        const made = protect({
          aead,
          key,
          iv,
          header: keys.header,
          space,
          keyPhase,
          connectionId,
          packetNumber,
          payload,
        });
        return { space, phase, packetNumber, payload, ...made };
      };
      const challenge = cat(0x1a, counting(0xc0, 8));
      const hello = cat(0x09, cat(0x00, utf8("hello, hole")));
      const packets = [
        packet("probe", 0, 0n, challenge),
        packet("data", 0, 0n, hello),
        packet("data", 0, 2n ** 32n - 1n, hello),
        packet("data", 0, 2n ** 32n, hello),
        packet("data", 1, 2n ** 32n + 1n, hello),
        packet("data", 2, 2n ** 53n - 2n, hello),
        packet("data", 2, 2n ** 53n - 1n, hello),
        packet("probe", 0, 2n ** 53n - 1n, challenge),
      ];
      const parts = [counting(0, 69), counting(69, 69), counting(138, 20)];
      const batch = parts.map((part, i) => packet("data", 0, BigInt(1000 + i), part));
      return {
        aead,
        sender,
        keys,
        packets,
        batch: {
          firstPacketNumber: 1000,
          segmentSize: 100,
          packets: batch,
          whole: new Uint8Array(Buffer.concat(batch.map((each) => each.packet))),
        },
      };
    }),
  );
  return {
    initiatorKey: run.initiatorKey,
    responderKey: run.responderKey,
    handshakeHash: run.handshakeHash,
    connectionId,
    directions,
  };
}

function cat(first: number, rest: Bytes): Uint8Array {
  return Uint8Array.of(first, ...rest);
}

function ticketVectors() {
  const byteStrings = [
    "",
    "00",
    "ff",
    "0000",
    "ffff",
    "000000",
    "00ff00",
    "ffffffffffffffff",
    "ff".repeat(76),
    "00".repeat(76),
  ];
  const names = [
    "a",
    "a.b",
    "xyz",
    "0-9",
    "punch.example.net",
    "xn--bcher-kva.example",
    "a".repeat(63),
    `${"b".repeat(60)}.${"c".repeat(32)}`,
  ];
  return {
    base62: byteStrings.map((text) => ({ bytes: text, text: encodeBase62(bytes(text)) })),
    names: names.map((name) => ({ name, words: encodeName(name) })),
    tickets: TICKETS.map(({ name, fields }) => ({
      name,
      fields,
      core: ticketCore(fields),
      text: encodeTicket(fields, sha256),
      derived: deriveTicket(fields.key, fields.secret, ticketCore(fields)),
    })),
  };
}

write("handshake", { handshakes: HANDSHAKES.map(({ name, inputs }) => handshakeVector(name, inputs)) });
write("noise", { vectors: noiseRows() });
write("packet-protection", packetVectors());
write("ticket", ticketVectors());
