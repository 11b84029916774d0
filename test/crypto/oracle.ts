/**
 * The handshake and the packets once more, written straight from the specification, for tests and frozen vectors.
 *
 * Nothing here comes from `src/`: node:crypto, BigInt nonces and one long function for each message. Where it and the
 * library agree, both have read the page in the same way.
 *
 * @module
 */
import {
  createCipheriv,
  createDecipheriv,
  createHash,
  createHmac,
  createPrivateKey,
  createPublicKey,
  diffieHellman,
  hkdfSync,
} from "node:crypto";

/** DER headers of a raw X25519 key (RFC 8410 §10.3 shows the like). */
const PRIVATE_HEADER = Buffer.from("302e020100300506032b656e04220420", "hex");
const PUBLIC_HEADER = Buffer.from("302a300506032b656e032100", "hex");

export type Bytes = Uint8Array;

export function utf8(text: string): Buffer {
  return Buffer.from(text, "utf8");
}

export function cat(...parts: readonly Bytes[]): Buffer {
  return Buffer.concat(parts);
}

export function H(...parts: readonly Bytes[]): Buffer {
  return createHash("sha256")
    .update(cat(...parts))
    .digest();
}

export function M(key: Bytes, ...parts: readonly Bytes[]): Buffer {
  return createHmac("sha256", key)
    .update(cat(...parts))
    .digest();
}

export function L(secret: Bytes, label: string, size = 32): Buffer {
  return M(secret, utf8(`punchline/1 ${label}`), Buffer.of(1)).subarray(0, size);
}

/** X25519 of a private and a public key. */
export function dh(privateKey: Bytes, publicKey: Bytes): Buffer {
  return diffieHellman({
    privateKey: createPrivateKey({ key: cat(PRIVATE_HEADER, privateKey), format: "der", type: "pkcs8" }),
    publicKey: createPublicKey({ key: cat(PUBLIC_HEADER, publicKey), format: "der", type: "spki" }),
  });
}

export function publicOf(privateKey: Bytes): Buffer {
  const handle = createPrivateKey({ key: cat(PRIVATE_HEADER, privateKey), format: "der", type: "pkcs8" });
  return createPublicKey(handle).export({ format: "der", type: "spki" }).subarray(PUBLIC_HEADER.length);
}

export type CipherName = "chacha20-poly1305" | "aes-128-gcm";

export function seal(cipher: CipherName, key: Bytes, nonce: Bytes, ad: Bytes, plaintext: Bytes): Buffer {
  const state = createCipheriv(cipher as "aes-128-gcm", key, nonce, { authTagLength: 16 });
  state.setAAD(ad);
  return cat(state.update(plaintext), state.final(), state.getAuthTag());
}

export function unseal(cipher: CipherName, key: Bytes, nonce: Bytes, ad: Bytes, sealed: Bytes): Buffer {
  const state = createDecipheriv(cipher as "aes-128-gcm", key, nonce, { authTagLength: 16 });
  state.setAAD(ad);
  state.setAuthTag(sealed.subarray(-16));
  return cat(state.update(sealed.subarray(0, -16)), state.final());
}

/** Values of the Noise state after one step; `k` is left out until there is one. */
export interface Step {
  readonly after: string;
  readonly ck: string;
  readonly h: string;
  readonly k?: string;
}

export interface HandshakeInputs {
  /** Private keys. */
  readonly listener: Bytes;
  readonly initiator: Bytes;
  readonly ephemeralI: Bytes;
  readonly ephemeralR: Bytes;
  readonly secret: Bytes;
  readonly core: Bytes;
  readonly payload1: Bytes;
  readonly payload2: Bytes;
}

/** What a ticket derives to. */
export function deriveTicket(listenerKey: Bytes, secret: Bytes, core: Bytes) {
  const root = M(utf8("punchline/1 ticket"), secret, listenerKey);
  return {
    hint: L(root, "hint", 8),
    seal: L(root, "seal"),
    psk: L(root, "psk"),
    cookie: L(root, "cookie"),
    hintKey: L(M(utf8("punchline/1 listener"), listenerKey), "hint", 16),
    prologue: cat(utf8("punchline/1 peer"), Buffer.of(0), H(core)),
  };
}

/** The whole handshake, step by step. */
export function runHandshake(inputs: HandshakeInputs) {
  const { listener, initiator, ephemeralI, ephemeralR } = inputs;
  const [S, I, EI, ER] = [listener, initiator, ephemeralI, ephemeralR].map(publicOf) as [
    Buffer,
    Buffer,
    Buffer,
    Buffer,
  ];
  const ticket = deriveTicket(S, inputs.secret, inputs.core);
  const steps: Step[] = [];
  let ck: Buffer;
  let h: Buffer;
  let k: Buffer | undefined;
  let n = 0n;
  const note = (after: string) => {
    steps.push({ after, ck: ck.toString("hex"), h: h.toString("hex"), ...(k && { k: k.toString("hex") }) });
  };
  const mixHash = (data: Bytes) => {
    h = H(h, data);
  };
  const mixKey = (input: Bytes) => {
    const out = Buffer.from(hkdfSync("sha256", input, ck, Buffer.alloc(0), 64));
    ck = out.subarray(0, 32);
    k = out.subarray(32);
    n = 0n;
  };
  const mixKeyAndHash = (input: Bytes) => {
    const out = Buffer.from(hkdfSync("sha256", input, ck, Buffer.alloc(0), 96));
    ck = out.subarray(0, 32);
    mixHash(out.subarray(32, 64));
    k = out.subarray(64);
    n = 0n;
  };
  const encryptAndHash = (plaintext: Bytes): Buffer => {
    const nonce = Buffer.alloc(12);
    nonce.writeBigUInt64LE(n, 4);
    n += 1n;
    const ciphertext = seal("chacha20-poly1305", k!, nonce, h, plaintext);
    mixHash(ciphertext);
    return ciphertext;
  };

  h = H(utf8("Noise_IKpsk2_25519_ChaChaPoly_SHA256"));
  ck = h;
  mixHash(ticket.prologue);
  mixHash(S);
  note("prologue and listener's key");
  mixHash(EI);
  mixKey(EI);
  note("1 e");
  mixKey(dh(ephemeralI, S));
  note("1 es");
  const sealedKey = encryptAndHash(I);
  note("1 s");
  mixKey(dh(initiator, S));
  note("1 ss");
  const sealedPayload1 = encryptAndHash(inputs.payload1);
  note("1 payload");
  mixHash(ER);
  mixKey(ER);
  note("2 e");
  mixKey(dh(ephemeralR, EI));
  note("2 ee");
  mixKey(dh(ephemeralR, I));
  note("2 se");
  mixKeyAndHash(ticket.psk);
  note("2 psk");
  const sealedPayload2 = encryptAndHash(inputs.payload2);
  note("2 payload");
  const split = Buffer.from(hkdfSync("sha256", Buffer.alloc(0), ck, Buffer.alloc(0), 64));

  const noise1 = cat(EI, sealedKey, sealedPayload1);
  const noise2 = cat(ER, sealedPayload2);
  const mask = createCipheriv("aes-128-ecb", ticket.hintKey, "").update(EI.subarray(0, 16));
  const maskedHint = Buffer.from(ticket.hint.map((byte, i) => byte ^ mask[i]!));
  const sealKey1 = M(ticket.seal, Buffer.of(1), EI);
  const sealKey2 = M(ticket.seal, Buffer.of(2), EI, ER);
  const zero = Buffer.alloc(12);
  return {
    ticket,
    publicKeys: { listener: S, initiator: I, ephemeralI: EI, ephemeralR: ER },
    steps,
    noise1,
    noise2,
    sealKey1,
    sealKey2,
    core1: cat(maskedHint, EI, seal("chacha20-poly1305", sealKey1, zero, maskedHint, noise1.subarray(32))),
    core2: cat(ER, seal("chacha20-poly1305", sealKey2, zero, Buffer.alloc(0), noise2.subarray(32))),
    handshakeHash: h,
    initiatorKey: split.subarray(0, 32),
    responderKey: split.subarray(32),
  };
}

/** The secrets and keys of one direction, for phases 0, 1 and 2. */
export function deriveTraffic(sessionKey: Bytes, handshakeHash: Bytes, aead: 1 | 2) {
  const traffic = M(sessionKey, utf8("punchline/1 traffic"), Buffer.of(0, aead), handshakeHash);
  const keysOf = (secret: Buffer) => ({
    secret,
    key: L(secret, "key", aead === 1 ? 16 : 32),
    iv: L(secret, "iv", 12),
  });
  const data0 = L(traffic, "data");
  const data1 = L(data0, "next");
  const data2 = L(data1, "next");
  return {
    traffic,
    data: [data0, data1, data2].map(keysOf),
    probe: keysOf(L(traffic, "probe")),
    header: L(traffic, "hp", 16),
  };
}

export interface PacketInputs {
  readonly aead: 1 | 2;
  readonly key: Bytes;
  readonly iv: Bytes;
  readonly header: Bytes;
  readonly space: "probe" | "data";
  readonly keyPhase: 0 | 1;
  readonly connectionId: Bytes;
  readonly packetNumber: bigint;
  readonly payload: Bytes;
}

/** One packet, with the header before and after masking. */
export function protect(inputs: PacketInputs) {
  const { iv, payload, packetNumber } = inputs;
  const header = Buffer.alloc(15);
  header[0] = 0xc0 | (inputs.space === "data" ? 0x20 : 0) | inputs.keyPhase;
  header.writeUInt16BE(15 + payload.length + 16, 1);
  header.set(inputs.connectionId, 3);
  header.writeUInt32BE(Number(packetNumber & 0xffff_ffffn), 11);
  const number = Buffer.alloc(12);
  number.writeBigUInt64BE(packetNumber, 4);
  const nonce = Buffer.from(iv.map((byte, i) => byte ^ number[i]!));
  const cipher = inputs.aead === 1 ? "aes-128-gcm" : "chacha20-poly1305";
  const sealed = seal(cipher, inputs.key, nonce, header, payload);
  const mask = createCipheriv("aes-128-ecb", inputs.header, "").update(sealed.subarray(0, 16));
  const masked = Buffer.from(header);
  masked[0] = masked[0]! ^ (mask[0]! & 0x1f);
  for (let i = 0; i < 4; i++) masked[11 + i] = masked[11 + i]! ^ mask[1 + i]!;
  return { header, nonce, mask: mask.subarray(0, 5), packet: cat(masked, sealed) };
}

/** The exporter secret of a session. */
export function deriveExporter(initiatorKey: Bytes, responderKey: Bytes, handshakeHash: Bytes): Buffer {
  return L(M(handshakeHash, initiatorKey, responderKey), "exporter");
}
