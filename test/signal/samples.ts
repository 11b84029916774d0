/**
 * One control message of each type, for codec tests and frozen vectors.
 *
 * @module
 */
import { type Message, NO_RELAY } from "../../src/signal/messages.ts";

function counting(first: number, length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => first + i);
}

const SLOT = counting(0x10, 16);
const ENVELOPE = Uint8Array.of(1, 0xaa, 0xbb, 0xcc);

export const SAMPLES: readonly Message[] = [
  { type: "hello", flags: 0, token: counting(0x61, 3) },
  {
    type: "welcome",
    flags: 24,
    alive: 5,
    maxSlots: 64,
    address: { host: "192.0.2.1", port: 4433, family: 4 },
    clock: 1_800_000_000_123,
  },
  { type: "register", request: 0, preimages: [counting(0x40, 32)], proof: counting(0x80, 5) },
  { type: "registered", request: 0, results: ["registered", "full", "bad-proof", "too-fast"] },
  { type: "unregister", slots: [SLOT, counting(0x20, 16)] },
  { type: "invite", call: 2, slot: SLOT, flags: 2, envelope: ENVELOPE },
  { type: "invited", call: 1, slot: SLOT, flags: 2, rtt: 40_000, seen: undefined, envelope: ENVELOPE },
  { type: "answer", call: 1, flags: 0, envelope: ENVELOPE },
  {
    type: "answered",
    call: 2,
    flags: 0,
    wait: 10_000,
    rtt: 20_000,
    seen: "2001:db8::7",
    relay: NO_RELAY,
    envelope: ENVELOPE,
  },
  {
    type: "go",
    call: 1,
    wait: 0,
    relay: {
      status: "granted",
      channel: counting(0x70, 8),
      bytesPerSecond: 1_000_000,
      maxBytes: 2 ** 32,
      lifetime: 60,
    },
  },
  { type: "signal", call: 300, flags: 1, envelope: ENVELOPE },
  { type: "failed", id: 2, failure: "not-here", retry: 1_000 },
  { type: "cancel", call: 2 },
  { type: "release", channel: counting(0x70, 8) },
  { type: "goaway", drain: 30_000 },
  { type: "probe", request: 4, which: "both", token: counting(0xa0, 8) },
];
