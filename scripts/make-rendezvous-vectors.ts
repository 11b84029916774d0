/**
 * Makes the frozen vectors of rendezvous and server addresses: `npx tsx scripts/make-rendezvous-vectors.ts`.
 *
 * To be run only when the protocol changes. Keys and slots come from the oracle of the tests, cores and proofs from the
 * interpreter of Noise that the published vectors hold to the specification, the rest is the library's own.
 */
import { writeFileSync } from "node:fs";
import { proveKey } from "../src/crypto/key-proof.ts";
import { keyPairFromSeed, sha256 } from "../src/crypto/primitives.ts";
import { ClientHandshake, ServerHandshake } from "../src/crypto/server-handshake.ts";
import { deriveServerKeys } from "../src/crypto/server-keys.ts";
import { encodeMessage } from "../src/signal/message-codec.ts";
import { encodeServerString, type ServerAddress } from "../src/ticket/server-string.ts";
import { H, L, M, publicOf, utf8 } from "../test/crypto/oracle.ts";
import { SAMPLES } from "../test/signal/samples.ts";

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

const PIN = new Uint8Array(H(utf8("punchline/1 server key"), SERVER_KEY).subarray(0, 12));
const ROOT = M(utf8("punchline/1 server"), PIN);
const LISTENER_KEY = new Uint8Array(publicOf(counting(0x10, 32)));
const SECRET = counting(0xd0, 16);
const SLOT_ROOT = L(M(utf8("punchline/1 ticket"), SECRET, LISTENER_KEY), "slot");
const BLIND = new Uint8Array(M(SLOT_ROOT, PIN).subarray(0, 16));
const PREIMAGE = counting(0x40, 32);

/** A handshake with a server and, in its session, a proof of the listener's key. */
function makeSession() {
  const keys = deriveServerKeys(PIN);
  const identity = keyPairFromSeed(counting(0x01, 32));
  const [payload1, payload2] = [counting(1, 9), counting(50, 9)];
  const client = new ClientHandshake({ keys, ephemeral: keyPairFromSeed(counting(0xa0, 32)), payload: payload1 });
  const received = ServerHandshake.read(ServerHandshake.openSeal(client.core1, keys)!, keys, identity)!;
  const { core2, session } = received.respond(payload2, keyPairFromSeed(counting(0x40, 32)));
  const proof = proveKey({
    identity: keyPairFromSeed(counting(0x10, 32)),
    serverKey: SERVER_KEY,
    handshakeHash: session.handshakeHash,
    ephemeral: keyPairFromSeed(counting(0xb0, 32)),
    payload: Uint8Array.of(1, ...BLIND),
  });
  return {
    inputs: {
      server: counting(0x01, 32),
      ephemeralI: counting(0xa0, 32),
      ephemeralR: counting(0x40, 32),
      payload1,
      payload2,
    },
    core1: client.core1,
    core2,
    handshakeHash: session.handshakeHash,
    initiatorKey: Uint8Array.from(session.initiator),
    responderKey: Uint8Array.from(session.responder),
    proof: { identity: counting(0x10, 32), ephemeral: counting(0xb0, 32), blinds: [BLIND], message: proof },
  };
}

write("rendezvous", {
  server: {
    key: SERVER_KEY,
    pin: PIN,
    hintKey: new Uint8Array(L(ROOT, "hint key", 16)),
    hint: new Uint8Array(L(ROOT, "hint", 8)),
    seal: new Uint8Array(L(ROOT, "seal")),
    cookie: new Uint8Array(L(ROOT, "cookie")),
  },
  session: makeSession(),
  slots: {
    listenerKey: LISTENER_KEY,
    secret: SECRET,
    blind: BLIND,
    ticketSlot: new Uint8Array(H(utf8("punchline/1 slot"), Uint8Array.of(0), LISTENER_KEY, BLIND).subarray(0, 16)),
    preimage: PREIMAGE,
    connectionSlot: new Uint8Array(H(utf8("punchline/1 slot"), Uint8Array.of(1), PREIMAGE).subarray(0, 16)),
  },
  messages: SAMPLES.map((sample) => ({ type: sample.type, bytes: encodeMessage(sample) })),
});
