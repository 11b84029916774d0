/**
 * Every parser of bytes that strangers send, and the samples to damage for it.
 *
 * @module
 */
import { deriveDirection, SessionSecrets } from "../../src/crypto/key-schedule.ts";
import { PacketOpener, PacketSealer } from "../../src/crypto/packet-protection.ts";
import { sha256 } from "../../src/crypto/primitives.ts";
import type { Rng } from "../../src/testing/rng.ts";
import { decodeTicket, encodeTicket } from "../../src/ticket/ticket.ts";
import { assert } from "../../src/util/invariant.ts";
import { cut, MAX_SEGMENTS, recut } from "../../src/wire/datagram.ts";
import type { Frame } from "../../src/wire/frame.ts";
import { decodeErrorCode, decodeFrame, encodeFrame } from "../../src/wire/frame-codec.ts";
import { decodeCookie, decodeInit, decodeResp } from "../../src/wire/handshake-datagram.ts";
import { HEADER_SIZE, PACKET_OVERHEAD, writePacketHeader } from "../../src/wire/packet-header.ts";
import { decodeParameters, encodeParameters } from "../../src/wire/parameters.ts";
import { Reader } from "../../src/wire/reader.ts";
import { Writer } from "../../src/wire/writer.ts";
import type { Sample } from "./corpus.ts";

/** One parser. */
export interface Parser {
  readonly name: string;
  readonly samples: readonly Sample[];
  /** Parses; throws if the outcome is one that must not be. Returns whether the bytes were accepted. */
  readonly parse: (bytes: Uint8Array) => boolean;
}

/** All parsers. `datagrams` are real ones of all kinds. */
export function parsers(datagrams: readonly Sample[], rng: Rng): Parser[] {
  const reader = new Reader();
  const pieces: Uint8Array[] = [];
  const parameters = encodeParameters({ connectionIds: [rng.random(8)], aeads: [1, 2], metadata: rng.random(40) }, 9);
  const { opener, sealed } = protection(rng);
  const { decodeText, text } = tickets(rng);
  return [
    {
      name: "frame",
      samples: [{ name: "payload", bytes: payload() }],
      parse: (bytes) => {
        reader.reset(bytes);
        for (let frames = 0; reader.remaining > 0; frames++) {
          assert(frames <= bytes.length, "frames without bytes");
          if (decodeFrame(reader) !== undefined) continue;
          assert(reader.failed && decodeErrorCode(reader) > 0, "a reason");
          return false;
        }
        return true;
      },
    },
    { name: "init", samples: datagrams, parse: (bytes) => decodeInit(bytes) !== undefined },
    { name: "resp", samples: datagrams, parse: (bytes) => decodeResp(bytes) !== undefined },
    { name: "cookie", samples: datagrams, parse: (bytes) => decodeCookie(bytes) !== undefined },
    {
      name: "parameters",
      samples: [{ name: "parameters", bytes: parameters }],
      parse: (bytes) => decodeParameters(bytes) !== undefined,
    },
    {
      name: "cut",
      samples: datagrams,
      parse: (bytes) => {
        const hint = bytes.length === 0 ? 0 : bytes[0]! * 6;
        const count = cut(bytes, hint, pieces);
        assert(count <= MAX_SEGMENTS && count === pieces.length, "number of pieces");
        for (const piece of pieces) assert(piece.length > 0, "an empty piece");
        assert(recut(bytes, hint, pieces) <= MAX_SEGMENTS, "number of pieces");
        return count > 0;
      },
    },
    { name: "ticket", samples: [{ name: "ticket", bytes: text }], parse: decodeText },
    {
      name: "packet",
      samples: [{ name: "sealed", bytes: sealed, protectedSpans: [[0, sealed.length]] }],
      parse: (bytes) => {
        assert(opener.open(bytes) === undefined, "a forged packet opened");
        return false;
      },
    },
  ];
}

/** One frame of nearly each kind. */
function payload(): Uint8Array {
  const frames: Frame[] = [
    { type: "ping" },
    { type: "ack", largest: 900, delayUs: 800, ranges: [890, 901, 500, 600, 3, 4], ecn: { ect0: 1, ect1: 2, ce: 3 } },
    { type: "reset-stream", streamId: 4, code: 1, finalSize: 100_000 },
    { type: "stop-sending", streamId: 4, code: 70 },
    { type: "stream", streamId: 8, offset: 20_000, fin: true, data: new Uint8Array(90) },
    { type: "max-data", limit: 2 ** 40 },
    { type: "max-stream-data", streamId: 8, limit: 2 ** 20 },
    { type: "max-streams", direction: "uni", limit: 100 },
    { type: "streams-blocked", direction: "bidi", limit: 100 },
    { type: "new-connection-id", sequence: 4, retirePriorTo: 2, connectionId: new Uint8Array(8) },
    { type: "retire-connection-id", sequence: 1 },
    { type: "path-challenge", token: new Uint8Array(8) },
    { type: "path-response", token: new Uint8Array(8) },
    { type: "close", application: false, code: 7, cause: 6, reason: "grüße" },
    { type: "close", application: true, code: 7, cause: 0, reason: "bye" },
    { type: "observed-address", address: { host: "2001:db8::1", port: 443, family: 6 } },
    { type: "ack-frequency", sequence: 3, threshold: 10, maxAckDelayUs: 25_000, reorderingThreshold: 3 },
    { type: "datagram", data: new Uint8Array(30) },
    { type: "extension", id: 0x4000, body: new Uint8Array(5) },
    { type: "padding", count: 20 },
  ];
  const writer = new Writer(new Uint8Array(1_200));
  for (const frame of frames) encodeFrame(writer, frame);
  return writer.buffer.slice(0, writer.offset);
}

/** An opener, and a packet for it that never arrives whole. */
function protection(rng: Rng): { opener: PacketOpener; sealed: Uint8Array } {
  const session = new SessionSecrets(rng.random(32), rng.random(32), rng.random(32));
  const secrets = deriveDirection(session, "initiator", 1);
  const sealed = new Uint8Array(300 + PACKET_OVERHEAD);
  const { length } = sealed;
  writePacketHeader(sealed, 0, { space: "data", keyPhase: 0, length, connectionId: rng.random(8), packetNumber: 5 });
  sealed.fill(1, HEADER_SIZE, HEADER_SIZE + 300);
  const options = { space: "data", start: 0, segmentSize: length, total: length, firstPacketNumber: 5 } as const;
  new PacketSealer({ secrets }).sealBatch(sealed, options);
  return { opener: new PacketOpener({ secrets }), sealed };
}

/** A ticket as bytes, and a parser for what such bytes become when they are text. */
function tickets(rng: Rng): { decodeText: (bytes: Uint8Array) => boolean; text: Uint8Array } {
  const fields = {
    key: rng.random(32),
    secret: rng.random(16),
    expiresAt: 0,
    singleUse: false,
    directOnly: false,
    relayOnly: false,
    paste: false,
    servers: [],
    addresses: [
      { host: "192.0.2.1", port: 4_433, family: 4 as const },
      { host: "2001:db8::5", port: 4_433, family: 6 as const },
    ],
  };
  const whole = encodeTicket(fields, sha256);
  const decodeText = (bytes: Uint8Array): boolean => {
    // Latin 1: every byte is a character, so that damage stays damage.
    const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("latin1");
    const isTicket = "key" in decodeTicket(text, sha256);
    assert(!isTicket || text === whole, "a damaged ticket was taken for one");
    return isTicket;
  };
  return { decodeText, text: new TextEncoder().encode(whole) };
}
