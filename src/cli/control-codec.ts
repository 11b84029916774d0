/**
 * Messages of the control stream (spec/cli.md#control-stream).
 *
 * ```text
 * stream  = kind (1 byte, 0x43) *message
 * message = type (1 byte)  length (2 bytes, big-endian)  body
 *
 * type 1  DELIVERED   body = count of payload bytes, 8 bytes, big-endian
 * type 2  FAILED      body = code (2 bytes, big-endian), reason (UTF-8)
 * ```
 *
 * @module
 */

// Specification

/** First byte of a control stream, so that other streams may be told from it: `C`. */
export const CONTROL_KIND = 0x43;

const DELIVERED = 1;
const FAILED = 2;
const HEADER_SIZE = 3;

/** Longest body that is accepted, in bytes; a longer one makes the stream malformed. */
const MAX_BODY = 1024;

/** Longest reason that is sent, in bytes. */
const MAX_REASON = 256;

/** Codes of FAILED, and of the CLOSE that follows it. */
export const FailCode = {
  /** The other side's user, or its system, ended the command by a signal. */
  INTERRUPTED: 0x100,
  /** It could not write what it received. */
  OUTPUT: 0x101,
  /** It could not read what it should send. */
  INPUT: 0x102,
  /** What we confirmed is not what it sent. */
  INTEGRITY: 0x103,
  /** It met a fault of its own. */
  INTERNAL: 0x104,
  /** It serves another peer and takes no second one. */
  BUSY: 0x105,
  /** One side measures and the other does not, or not in the same way. */
  MISMATCH: 0x106,
} as const;

/** What one side tells the other about the payload. */
export type ControlMessage =
  | { readonly type: "delivered"; readonly bytes: number }
  | { readonly type: "failed"; readonly code: number; readonly reason: string };

/** The bytes of one message. */
export function encodeControl(message: ControlMessage): Uint8Array {
  switch (message.type) {
    case "delivered": {
      const bytes = Buffer.alloc(HEADER_SIZE + 8);
      bytes.writeUInt8(DELIVERED, 0);
      bytes.writeUInt16BE(8, 1);
      bytes.writeBigUInt64BE(BigInt(message.bytes), HEADER_SIZE);
      return bytes;
    }
    case "failed": {
      const reason = Buffer.from(message.reason).subarray(0, MAX_REASON);
      const head = Buffer.alloc(HEADER_SIZE + 2);
      head.writeUInt8(FAILED, 0);
      head.writeUInt16BE(2 + reason.length, 1);
      head.writeUInt16BE(message.code, HEADER_SIZE);
      return Buffer.concat([head, reason]);
    }
  }
}

/** Cuts a control stream, after its kind byte, into messages. Unknown types are skipped (CLI-14). */
export class ControlDecoder {
  #buffer: Buffer = Buffer.alloc(0);

  /** Input: the next bytes. Returns the messages they complete, or `undefined` if the stream is malformed. */
  push(chunk: Uint8Array): ControlMessage[] | undefined {
    this.#buffer = Buffer.concat([this.#buffer, chunk]);
    const messages: ControlMessage[] = [];
    while (this.#buffer.length >= HEADER_SIZE) {
      const length = this.#buffer.readUInt16BE(1);
      if (length > MAX_BODY) return undefined;
      if (this.#buffer.length < HEADER_SIZE + length) break;
      const type = this.#buffer.readUInt8(0);
      const body = this.#buffer.subarray(HEADER_SIZE, HEADER_SIZE + length);
      this.#buffer = this.#buffer.subarray(HEADER_SIZE + length);
      if (type !== DELIVERED && type !== FAILED) continue;
      const message = type === DELIVERED ? decodeDelivered(body) : decodeFailed(body);
      if (message === undefined) return undefined;
      messages.push(message);
    }
    return messages;
  }
}

function decodeDelivered(body: Buffer): ControlMessage | undefined {
  if (body.length !== 8) return undefined;
  const bytes = Number(body.readBigUInt64BE(0));
  return Number.isSafeInteger(bytes) ? { type: "delivered", bytes } : undefined;
}

function decodeFailed(body: Buffer): ControlMessage | undefined {
  if (body.length < 2) return undefined;
  return { type: "failed", code: body.readUInt16BE(0), reason: body.toString("utf8", 2) };
}
