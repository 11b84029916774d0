/**
 * Runs rows of Noise test vectors, in the format that the framework's implementations share.
 *
 * @module
 */
import { expect } from "vitest";
import { type CipherSuite, HandshakeState, noiseNonce, type Role } from "../../src/crypto/noise.ts";
import { type Aead, AeadKey, type HashName, type KeyPair, keyPairFromSeed } from "../../src/crypto/primitives.ts";
import { patternNamed } from "./noise-patterns.ts";

/** One row; all bytes are hexadecimal. */
export interface NoiseRow {
  readonly protocol_name: string;
  readonly init_prologue: string;
  readonly init_psks?: readonly string[];
  readonly init_static?: string;
  readonly init_ephemeral?: string;
  readonly init_remote_static?: string;
  readonly resp_prologue: string;
  readonly resp_psks?: readonly string[];
  readonly resp_static?: string;
  readonly resp_ephemeral?: string;
  readonly resp_remote_static?: string;
  readonly handshake_hash?: string;
  readonly messages: readonly { readonly payload: string; readonly ciphertext: string }[];
}

const CIPHERS: Readonly<Record<string, Aead>> = { ChaChaPoly: "chacha20-poly1305", AESGCM: "aes-256-gcm" };
const HASHES: readonly string[] = ["SHA256", "SHA512", "BLAKE2s", "BLAKE2b"] satisfies HashName[];

const EMPTY = new Uint8Array(0);

/** One side, before and after the handshake. */
interface Side {
  readonly state: HandshakeState;
  readonly e: KeyPair | undefined;
}

/** Keys and counters of transport messages, by who sends them. */
interface Transport {
  readonly aead: Aead;
  readonly keys: Readonly<Record<Role, AeadKey>>;
  readonly counts: Record<Role, number>;
}

/** Whether our primitives cover the row. */
export function isCovered(row: NoiseRow): boolean {
  return parseName(row) !== undefined;
}

/**
 * Runs a row: every message is written as the row says and read back. Before each reading, every byte of the message is
 * changed once: what is authenticated must be refused and leave the state as it was.
 */
export function runRow(row: NoiseRow): void {
  const { pattern, suite } = parseName(row)!;
  const sides = { initiator: side(row, "initiator"), responder: side(row, "responder") };
  const handshakeMessages = row.messages.slice(0, pattern.messages.length);
  for (const [index, message] of handshakeMessages.entries()) {
    const writer = index % 2 === 0 ? sides.initiator : sides.responder;
    const reader = index % 2 === 0 ? sides.responder : sides.initiator;
    const written = writer.state.writeMessage(bytes(message.payload), writer.e);
    expect(hex(written)).toBe(message.ciphertext);
    refuseFlips(reader.state, written);
    expect(hex(reader.state.readMessage(written))).toBe(message.payload);
  }
  expect(sides.initiator.state.isComplete && sides.responder.state.isComplete).toBe(true);
  expect(sides.responder.state.handshakeHash).toEqual(sides.initiator.state.handshakeHash);
  if (row.handshake_hash !== undefined) expect(hex(sides.initiator.state.handshakeHash)).toBe(row.handshake_hash);
  expect(sides.responder.state.split()).toEqual(sides.initiator.state.split());
  const keys = sides.initiator.state.split();
  const transport = {
    aead: suite.aead,
    keys: { initiator: new AeadKey(suite.aead, keys.initiator), responder: new AeadKey(suite.aead, keys.responder) },
    counts: { initiator: 0, responder: 0 },
  };
  for (const [offset, message] of row.messages.slice(handshakeMessages.length).entries()) {
    // After a pattern of one message only the initiator may go on.
    const isInitiators = handshakeMessages.length === 1 || (handshakeMessages.length + offset) % 2 === 0;
    runTransport(transport, isInitiators ? "initiator" : "responder", message);
  }
}

/** Makes a row from its inputs: the messages that we write. Only for freezing rows of our own. */
export function makeRow(inputs: Omit<NoiseRow, "messages" | "handshake_hash">, payloads: readonly string[]): NoiseRow {
  const row: NoiseRow = { ...inputs, messages: [] };
  const { pattern, suite } = parseName(row)!;
  const sides = { initiator: side(row, "initiator"), responder: side(row, "responder") };
  const messages: { payload: string; ciphertext: string }[] = [];
  const counts = { initiator: 0, responder: 0 };
  for (const [index, payload] of payloads.entries()) {
    const isOneWay = pattern.messages.length === 1;
    const sender: Role = isOneWay || index % 2 === 0 ? "initiator" : "responder";
    const { state, e } = sides[sender];
    let written: Uint8Array;
    if (index < pattern.messages.length) {
      written = state.writeMessage(bytes(payload), e);
      sides[sender === "initiator" ? "responder" : "initiator"].state.readMessage(written);
    } else {
      const key = new AeadKey(suite.aead, state.split()[sender]);
      written = key.seal(noiseNonce(suite.aead, counts[sender]++), EMPTY, bytes(payload));
    }
    messages.push({ payload, ciphertext: hex(written)! });
  }
  return { ...inputs, handshake_hash: hex(sides.initiator.state.handshakeHash)!, messages };
}

function refuseFlips(state: HandshakeState, message: Uint8Array): void {
  // A message of which no byte is encrypted is not authenticated either: a change shows with the next message.
  const probe = state.clone();
  probe.readMessage(message);
  const isAuthenticated = probe.hasKey;
  const honest = probe.handshakeHash;
  for (let i = 0; i < message.length; i++) {
    const forged = message.slice();
    forged[i] = forged[i]! ^ 1;
    if (isAuthenticated) {
      expect(state.readMessage(forged)).toBeUndefined();
    } else {
      const misled = state.clone();
      misled.readMessage(forged);
      expect(misled.handshakeHash).not.toEqual(honest);
    }
  }
  if (isAuthenticated) expect(state.readMessage(message.slice(0, -1))).toBeUndefined();
}

function runTransport(transport: Transport, sender: Role, message: NoiseRow["messages"][number]): void {
  const { aead, keys, counts } = transport;
  const nonce = noiseNonce(aead, counts[sender]);
  const sealed = keys[sender].seal(nonce, EMPTY, bytes(message.payload));
  expect(hex(sealed)).toBe(message.ciphertext);
  for (let i = 0; i < sealed.length; i++) {
    const forged = sealed.slice();
    forged[i] = forged[i]! ^ 1;
    expect(keys[sender].open(nonce, EMPTY, forged)).toBeUndefined();
  }
  expect(hex(keys[sender].open(nonce, EMPTY, sealed)!)).toBe(message.payload);
  counts[sender] += 1;
}

function side(row: NoiseRow, role: Role): Side {
  const { pattern, suite } = parseName(row)!;
  const own = role === "initiator" ? "init" : "resp";
  const s = row[`${own}_static`];
  const e = row[`${own}_ephemeral`];
  const rs = row[`${own}_remote_static`];
  const psk = row[`${own}_psks`]?.[0];
  const state = new HandshakeState({
    pattern,
    suite,
    role,
    prologue: bytes(row[`${own}_prologue`]),
    s: s === undefined ? undefined : keyPairFromSeed(bytes(s)),
    rs: rs === undefined ? undefined : bytes(rs),
    psk: psk === undefined ? undefined : bytes(psk),
  });
  return { state, e: e === undefined ? undefined : keyPairFromSeed(bytes(e)) };
}

function parseName(row: NoiseRow) {
  const [noise, name = "", curve, cipher = "", hash = ""] = row.protocol_name.split("_");
  const pattern = patternNamed(name);
  const aead = CIPHERS[cipher];
  if (noise !== "Noise" || curve !== "25519" || pattern === undefined) return undefined;
  if (aead === undefined || !HASHES.includes(hash)) return undefined;
  const suite: CipherSuite = { name: `${curve}_${cipher}_${hash}`, aead, hash: hash as HashName };
  return { pattern, suite };
}

function bytes(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, "hex"));
}

function hex(data: Uint8Array | undefined): string | undefined {
  return data === undefined ? undefined : Buffer.from(data).toString("hex");
}
