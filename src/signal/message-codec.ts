/**
 * Control messages as bytes.
 *
 * ```
 * +----------+------------+--------+
 * | type (v) | length (v) | body … |
 * +----------+------------+--------+
 * ```
 *
 * Byte strings in a decoded message are views of what was decoded; whoever keeps one copies it. Decoding checks the
 * layout and nothing else.
 *
 * @module
 */
import { PREIMAGE_SIZE, SLOT_SIZE } from "../crypto/slots.ts";
import { formatHost, parseHost, readAddress, writeAddress } from "../wire/address.ts";
import { Reader } from "../wire/reader.ts";
import { varintLength } from "../wire/varint.ts";
import { WITNESS_TOKEN_SIZE } from "../wire/witness.ts";
import { Writer } from "../wire/writer.ts";
import {
  type Attested,
  CHANNEL_SIZE,
  FAILURES,
  type Failure,
  MAX_BODY_SIZE,
  MESSAGE_TYPE,
  type Message,
  type MessageOf,
  PROBE_SOURCES,
  REGISTER_RESULTS,
  RELAY_STATUSES,
  type RegisterResult,
  type Relay,
  type Welcome,
} from "./messages.ts";

// Implementation

/** Bytes of all fields of a message that have no length of their own, more than any needs. */
const FIXED_SIZE = 96;

/**
 * The bytes of a message.
 *
 * @throws RangeError if a field has a value that it can't have, or the body is too long.
 */
export function encodeMessage(message: Message): Uint8Array {
  const writer = new Writer(new Uint8Array(FIXED_SIZE + variableSize(message)));
  const type = writeBody(writer, message);
  const body = writer.buffer.subarray(0, writer.offset);
  if (body.length > MAX_BODY_SIZE) throw new RangeError(`${message.type} of ${body.length} bytes`);
  const bytes = new Uint8Array(varintLength(type) + varintLength(body.length) + body.length);
  const framed = new Writer(bytes);
  framed.varint(type);
  framed.varint(body.length);
  framed.bytes(body);
  return bytes;
}

/** The message of a type and body: `undefined` if the type is not known, `"malformed"` if the body is not one. */
export function decodeBody(type: number, body: Uint8Array): Message | "malformed" | undefined {
  const reader = new Reader(body);
  const message = readBody(reader, type);
  return reader.failed ? "malformed" : message;
}

function variableSize(message: Message): number {
  switch (message.type) {
    case "hello":
      return message.token.length;
    case "register":
      return message.preimages.length * PREIMAGE_SIZE + message.proof.length;
    case "registered":
      return message.results.length;
    case "unregister":
      return message.slots.length * SLOT_SIZE;
    case "invite":
    case "invited":
    case "answer":
    case "answered":
    case "signal":
      return message.envelope.length;
    case "welcome":
    case "go":
    case "failed":
    case "cancel":
    case "release":
    case "goaway":
    case "probe":
      return 0;
  }
}

/** Writes the body and returns the type. */
function writeBody(writer: Writer, message: Message): number {
  switch (message.type) {
    case "hello":
      writer.varint(message.flags);
      writeString(writer, message.token);
      return MESSAGE_TYPE.HELLO;
    case "welcome":
      writeWelcome(writer, message);
      return MESSAGE_TYPE.WELCOME;
    case "register":
      writer.varint(message.request);
      writeList(writer, message.preimages, PREIMAGE_SIZE);
      writeString(writer, message.proof);
      return MESSAGE_TYPE.REGISTER;
    case "registered":
      writer.varint(message.request);
      writer.varint(message.results.length);
      for (const result of message.results) writer.u8(REGISTER_RESULTS.indexOf(result));
      return MESSAGE_TYPE.REGISTERED;
    case "unregister":
      writeList(writer, message.slots, SLOT_SIZE);
      return MESSAGE_TYPE.UNREGISTER;
    case "invite":
    case "invited":
    case "answer":
    case "answered":
    case "signal":
      return writeCall(writer, message);
    case "go":
      writer.varint(message.call);
      writer.varint(message.wait);
      writeRelay(writer, message.relay);
      return MESSAGE_TYPE.GO;
    case "failed":
      writer.varint(message.id);
      writer.varint(FAILURES.indexOf(message.failure) + 1);
      writer.varint(message.retry);
      return MESSAGE_TYPE.FAILED;
    case "cancel":
      writer.varint(message.call);
      return MESSAGE_TYPE.CANCEL;
    case "release":
      writeExact(writer, message.channel, CHANNEL_SIZE);
      return MESSAGE_TYPE.RELEASE;
    case "goaway":
      writer.varint(message.drain);
      return MESSAGE_TYPE.GOAWAY;
    case "probe":
      writer.varint(message.request);
      writer.u8(PROBE_SOURCES.indexOf(message.which) + 1);
      writeExact(writer, message.token, WITNESS_TOKEN_SIZE);
      return MESSAGE_TYPE.PROBE;
  }
}

function writeCall(
  writer: Writer,
  message: MessageOf<"invite" | "invited" | "answer" | "answered" | "signal">,
): number {
  writer.varint(message.call);
  if (message.type === "invite" || message.type === "invited") writeExact(writer, message.slot, SLOT_SIZE);
  writer.u8(message.flags);
  if (message.type === "answered") writer.varint(message.wait);
  if (message.type === "invited" || message.type === "answered") {
    writer.varint(message.rtt);
    writeSeen(writer, message.seen);
  }
  if (message.type === "answered") writeRelay(writer, message.relay);
  writeString(writer, message.envelope);
  switch (message.type) {
    case "invite":
      return MESSAGE_TYPE.INVITE;
    case "invited":
      return MESSAGE_TYPE.INVITED;
    case "answer":
      return MESSAGE_TYPE.ANSWER;
    case "answered":
      return MESSAGE_TYPE.ANSWERED;
    case "signal":
      return MESSAGE_TYPE.SIGNAL;
  }
}

function writeWelcome(writer: Writer, message: Welcome): void {
  writer.varint(message.flags);
  writer.u8(message.alive);
  writer.varint(message.maxSlots);
  writeAddress(writer, message.address);
  writer.u32(Math.floor(message.clock / 2 ** 32));
  writer.u32(message.clock % 2 ** 32);
}

function writeRelay(writer: Writer, relay: Relay): void {
  writer.u8(RELAY_STATUSES.indexOf(relay.status));
  if (relay.status !== "granted") return;
  writeExact(writer, relay.channel, CHANNEL_SIZE);
  writer.varint(relay.bytesPerSecond);
  writer.varint(relay.maxBytes);
  writer.varint(relay.lifetime);
}

function writeSeen(writer: Writer, seen: string | undefined): void {
  if (seen === undefined) {
    writer.u8(0);
    return;
  }
  const host = parseHost(seen);
  if (host === undefined) throw new RangeError(`no address: ${seen}`);
  writer.u8(host.length === 4 ? 4 : 6);
  writer.bytes(host);
}

function writeString(writer: Writer, bytes: Uint8Array): void {
  writer.varint(bytes.length);
  writer.bytes(bytes);
}

function writeList(writer: Writer, items: readonly Uint8Array[], size: number): void {
  writer.varint(items.length);
  for (const item of items) writeExact(writer, item, size);
}

function writeExact(writer: Writer, bytes: Uint8Array, size: number): void {
  if (bytes.length !== size) throw new RangeError(`field of ${size} bytes has ${bytes.length}`);
  writer.bytes(bytes);
}

/** Reads a body; what lies behind its fields belongs to a later version and is passed over. */
function readBody(reader: Reader, type: number): Message | undefined {
  switch (type) {
    case MESSAGE_TYPE.HELLO:
      return { type: "hello", flags: reader.varint(), token: readString(reader) };
    case MESSAGE_TYPE.WELCOME:
      return readWelcome(reader);
    case MESSAGE_TYPE.REGISTER:
      return {
        type: "register",
        request: reader.varint(),
        preimages: readList(reader, PREIMAGE_SIZE),
        proof: readString(reader),
      };
    case MESSAGE_TYPE.REGISTERED:
      return { type: "registered", request: reader.varint(), results: readResults(reader) };
    case MESSAGE_TYPE.UNREGISTER:
      return { type: "unregister", slots: readList(reader, SLOT_SIZE) };
    case MESSAGE_TYPE.INVITE:
    case MESSAGE_TYPE.INVITED:
    case MESSAGE_TYPE.ANSWER:
    case MESSAGE_TYPE.ANSWERED:
    case MESSAGE_TYPE.SIGNAL:
      return readCall(reader, type);
    case MESSAGE_TYPE.GO:
      return { type: "go", call: reader.varint(), wait: reader.varint(), relay: readRelay(reader) };
    case MESSAGE_TYPE.FAILED:
      return { type: "failed", id: reader.varint(), failure: readFailure(reader), retry: reader.varint() };
    case MESSAGE_TYPE.CANCEL:
      return { type: "cancel", call: reader.varint() };
    case MESSAGE_TYPE.RELEASE:
      return { type: "release", channel: reader.bytes(CHANNEL_SIZE) };
    case MESSAGE_TYPE.GOAWAY:
      return { type: "goaway", drain: reader.varint() };
    case MESSAGE_TYPE.PROBE:
      return {
        type: "probe",
        request: reader.varint(),
        which: readOneOf(reader, PROBE_SOURCES, reader.u8() - 1),
        token: reader.bytes(WITNESS_TOKEN_SIZE),
      };
    default:
      return undefined;
  }
}

function readCall(reader: Reader, type: number): Message {
  const call = reader.varint();
  switch (type) {
    case MESSAGE_TYPE.INVITE: {
      const slot = reader.bytes(SLOT_SIZE);
      return { type: "invite", call, slot, flags: reader.u8(), envelope: readString(reader) };
    }
    case MESSAGE_TYPE.INVITED: {
      const slot = reader.bytes(SLOT_SIZE);
      const flags = reader.u8();
      return { type: "invited", call, slot, flags, ...readAttested(reader), envelope: readString(reader) };
    }
    case MESSAGE_TYPE.ANSWERED: {
      const flags = reader.u8();
      const wait = reader.varint();
      const attested = readAttested(reader);
      const relay = readRelay(reader);
      return { type: "answered", call, flags, wait, ...attested, relay, envelope: readString(reader) };
    }
    default: {
      const name = type === MESSAGE_TYPE.ANSWER ? "answer" : "signal";
      return { type: name, call, flags: reader.u8(), envelope: readString(reader) };
    }
  }
}

function readWelcome(reader: Reader): Welcome {
  const flags = reader.varint();
  const alive = reader.u8();
  const maxSlots = reader.varint();
  const address = readAddress(reader);
  const clock = reader.u32() * 2 ** 32 + reader.u32();
  if (!Number.isSafeInteger(clock)) reader.fail();
  return { type: "welcome", flags, alive, maxSlots, address, clock };
}

function readAttested(reader: Reader): Attested {
  const rtt = reader.varint();
  const family = reader.u8();
  if (family === 0) return { rtt, seen: undefined };
  if (family !== 4 && family !== 6) reader.fail();
  return { rtt, seen: formatHost(reader.bytes(family === 4 ? 4 : 16)) };
}

function readRelay(reader: Reader): Relay {
  const status = readOneOf(reader, RELAY_STATUSES, reader.u8());
  if (status !== "granted") return { status };
  return {
    status,
    channel: reader.bytes(CHANNEL_SIZE),
    bytesPerSecond: reader.varint(),
    maxBytes: reader.varint(),
    lifetime: reader.varint(),
  };
}

/** A failure that a later version knows is, to us, one that we can't help. */
function readFailure(reader: Reader): Failure {
  return FAILURES[reader.varint() - 1] ?? "unsupported";
}

function readResults(reader: Reader): RegisterResult[] {
  return [...reader.bytes(reader.varint())].map((result) => readOneOf(reader, REGISTER_RESULTS, result));
}

function readOneOf<Name extends string>(reader: Reader, names: readonly Name[], index: number): Name {
  const name = names[index];
  if (name === undefined) reader.fail();
  return name ?? names[0]!;
}

function readString(reader: Reader): Uint8Array {
  return reader.bytes(reader.varint());
}

/** Items of one size. A count that the body is too short for fails before anything is made of it. */
function readList(reader: Reader, size: number): Uint8Array[] {
  const count = reader.varint();
  if (count * size > reader.remaining) reader.fail();
  if (reader.failed) return [];
  return Array.from({ length: count }, () => reader.bytes(size));
}
