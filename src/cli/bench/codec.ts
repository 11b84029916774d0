/**
 * What the two sides of `punchline bench` say to each other (spec/cli.md#bench-protocol).
 *
 * ```text
 * control stream  kind (1 byte, 0x42)  *message
 * message         length (2 bytes, big-endian)  JSON object in UTF-8
 * load stream     kind (1 byte, 0x4c)  bytes without meaning
 * ping            kind (1 byte, 0x50)  number (4 bytes, big-endian), as a datagram; the answer is a copy
 * ```
 *
 * JSON, because these are a handful of messages with many numbers to which more will be added; everything that comes
 * from the peer is checked field by field before it is used.
 *
 * @module
 */

// Specification

/** Version of these messages. */
export const BENCH_VERSION = 1;

/** First byte of the control stream: `B`. */
export const BENCH_KIND = 0x42;

/** First byte of a stream of load: `L`. */
export const LOAD_KIND = 0x4c;

/** First byte of a ping: `P`. */
export const PING_KIND = 0x50;

/** Bytes of a ping. */
export const PING_SIZE = 5;

/** Longest message that is accepted, in bytes. */
const MAX_MESSAGE = 1024;

/** Longest phase, in milliseconds. */
export const MAX_PHASE = 3_600_000;

const LENGTH_SIZE = 2;

/** What is measured at a time: nothing but pings, or load from the initiator (`up`) or to it (`down`). */
export const PHASES = ["idle", "up", "down", "tcp-up", "tcp-down"] as const;
export type Phase = (typeof PHASES)[number];

/** What one side counted in one phase. */
export interface PhaseCounts {
  /** Bytes of load that arrived here, beginning after the first piece, and the milliseconds they took; 0 if we sent. */
  readonly bytes: number;
  readonly ms: number;
  /** Seconds of processor time that our process used. */
  readonly cpu: number;
  /** Packets that we sent, and how many of them never arrived. */
  readonly packetsSent: number;
  readonly packetsLost: number;
  /** Bytes that we sent, and stream bytes among them that were sent before. */
  readonly bytesSent: number;
  readonly retransmittedBytes: number;
}

/** Names of {@link PhaseCounts}, as they travel. */
const COUNTS = ["bytes", "ms", "cpu", "packetsSent", "packetsLost", "bytesSent", "retransmittedBytes"] as const;

/** What both sides say of themselves first. */
export interface Hello {
  readonly type: "hello";
  readonly version: number;
  /** Congestion controller of what this side sends. */
  readonly congestion: string;
  /** That of its TCP, if known. */
  readonly tcpCongestion?: string;
}

export type BenchMessage =
  | Hello
  /** The initiator asks for a TCP listener. */
  | { readonly type: "tcp"; readonly port: number }
  /** It is open; whoever sends these bytes first, as hexadecimal digits, is meant. */
  | { readonly type: "tcp-open"; readonly token: string }
  | { readonly type: "tcp-failed"; readonly reason: string }
  | { readonly type: "begin"; readonly phase: Phase; readonly ms: number }
  | { readonly type: "ready" }
  | { readonly type: "end" }
  | ({ readonly type: "report" } & PhaseCounts)
  | { readonly type: "done" };

/** The bytes of one message. */
export function encodeMessage(message: BenchMessage): Uint8Array {
  const body = Buffer.from(JSON.stringify(message));
  const head = Buffer.alloc(LENGTH_SIZE);
  head.writeUInt16BE(body.length);
  return Buffer.concat([head, body]);
}

/** Cuts the control stream, after its kind byte, into messages. Unknown types and fields are skipped. */
export class BenchDecoder {
  #buffer: Buffer = Buffer.alloc(0);

  /** Input: the next bytes. Returns the messages they complete, or `undefined` if the stream is malformed. */
  push(chunk: Uint8Array): BenchMessage[] | undefined {
    this.#buffer = Buffer.concat([this.#buffer, chunk]);
    const messages: BenchMessage[] = [];
    while (this.#buffer.length >= LENGTH_SIZE) {
      const length = this.#buffer.readUInt16BE();
      if (length > MAX_MESSAGE) return undefined;
      if (this.#buffer.length < LENGTH_SIZE + length) break;
      const message = decodeMessage(this.#buffer.toString("utf8", LENGTH_SIZE, LENGTH_SIZE + length));
      this.#buffer = this.#buffer.subarray(LENGTH_SIZE + length);
      if (message === "malformed") return undefined;
      if (message !== "unknown") messages.push(message);
    }
    return messages;
  }
}

function decodeMessage(text: string): BenchMessage | "malformed" | "unknown" {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return "malformed";
  }
  if (typeof value !== "object" || value === null) return "malformed";
  const fields = value as Readonly<Record<string, unknown>>;
  switch (fields.type) {
    case "hello":
      return decodeHello(fields);
    case "tcp":
      return isWhole(fields.port, 1, 65_535) ? { type: "tcp", port: fields.port } : "malformed";
    case "tcp-open":
      return isMatch(fields.token, /^[0-9a-f]{32}$/) ? { type: "tcp-open", token: fields.token } : "malformed";
    case "tcp-failed":
      return typeof fields.reason === "string" ? { type: "tcp-failed", reason: fields.reason } : "malformed";
    case "begin":
      return decodeBegin(fields);
    case "report":
      return decodeReport(fields);
    case "ready":
    case "end":
    case "done":
      return { type: fields.type };
    default:
      return "unknown";
  }
}

function decodeHello({ version, congestion, tcpCongestion }: Readonly<Record<string, unknown>>): Hello | "malformed" {
  const isName = (value: unknown): value is string => isMatch(value, /^[\w-]{1,32}$/);
  if (!isWhole(version, 1, 255) || !isName(congestion)) return "malformed";
  return { type: "hello", version, congestion, ...(isName(tcpCongestion) ? { tcpCongestion } : {}) };
}

function decodeBegin({ phase, ms }: Readonly<Record<string, unknown>>): BenchMessage | "malformed" {
  const known = PHASES.find((each) => each === phase);
  if (known === undefined || !isWhole(ms, 1, MAX_PHASE)) return "malformed";
  return { type: "begin", phase: known, ms };
}

function decodeReport(fields: Readonly<Record<string, unknown>>): BenchMessage | "malformed" {
  const counts: Partial<Record<keyof PhaseCounts, number>> = {};
  for (const name of COUNTS) {
    const value = fields[name];
    if (typeof value !== "number" || !(value >= 0 && value <= Number.MAX_SAFE_INTEGER)) return "malformed";
    counts[name] = value;
  }
  return { type: "report", ...(counts as PhaseCounts) };
}

function isWhole(value: unknown, least: number, most: number): value is number {
  return Number.isInteger(value) && (value as number) >= least && (value as number) <= most;
}

function isMatch(value: unknown, pattern: RegExp): value is string {
  return typeof value === "string" && pattern.test(value);
}
