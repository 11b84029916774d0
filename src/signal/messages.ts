/**
 * What a client and a rendezvous server say to each other (spec/rendezvous.md#messages).
 *
 * @module
 */
import type { Address } from "../util/machine.ts";

// Specification

/** Bytes of the longest body, RDV-9. */
export const MAX_BODY_SIZE = 8_192;

/** Bytes of the name of a relay's channel. */
export const CHANNEL_SIZE = 8;

/** Type numbers. */
export const MESSAGE_TYPE = {
  HELLO: 0x01,
  WELCOME: 0x02,
  REGISTER: 0x03,
  REGISTERED: 0x04,
  UNREGISTER: 0x05,
  INVITE: 0x06,
  INVITED: 0x07,
  ANSWER: 0x08,
  ANSWERED: 0x09,
  GO: 0x0a,
  SIGNAL: 0x0b,
  FAILED: 0x0c,
  CANCEL: 0x0d,
  RELEASE: 0x0e,
  GOAWAY: 0x10,
  PROBE: 0x11,
} as const;

/** Flags of WELCOME. */
export const WELCOME_FLAG = { RELAY: 1, DIAGNOSTICS: 2, DRAINING: 4, OTHER_PORT: 8, OTHER_ADDRESS: 16 } as const;

/** Flags of INVITE and ANSWER, and of what the server forwards for them. */
export const CALL_FLAG = { RELAY_WANTED: 1, CONCEAL_ADDRESS: 2 } as const;

/** Flags of SIGNAL. */
export const SIGNAL_FLAG = { GO_WANTED: 1, RELAY_WANTED: 2 } as const;

/** What became of one slot; the index is the number on the wire. */
export const REGISTER_RESULTS = ["registered", "full", "bad-proof", "too-fast"] as const;
export type RegisterResult = (typeof REGISTER_RESULTS)[number];

/** Why a call or request failed; the number on the wire is one more than the index. */
export const FAILURES = ["not-here", "limit", "gone", "malformed", "unsupported"] as const;
export type Failure = (typeof FAILURES)[number];

/** Where a probe is to come from; the number on the wire is one more than the index. */
export const PROBE_SOURCES = ["other-port", "other-address", "both"] as const;
export type ProbeSource = (typeof PROBE_SOURCES)[number];

/** What a server says to a wish for relaying; the index is the number on the wire. */
export const RELAY_STATUSES = ["none", "granted", "denied", "full", "key-needed"] as const;

/** Whether the server relays for a call. */
export type Relay =
  | { readonly status: Exclude<(typeof RELAY_STATUSES)[number], "granted"> }
  | {
      readonly status: "granted";
      readonly channel: Uint8Array;
      readonly bytesPerSecond: number;
      readonly maxBytes: number;
      /** Seconds. */
      readonly lifetime: number;
    };

/** No relay. */
export const NO_RELAY: Relay = { status: "none" };

/** What a client says first. */
export interface Hello {
  readonly type: "hello";
  readonly flags: number;
  /** What an operator may ask for. */
  readonly token: Uint8Array;
}

/** What a server answers. */
export interface Welcome {
  readonly type: "welcome";
  /** Of {@link WELCOME_FLAG}. */
  readonly flags: number;
  /** Seconds between two signs of life that the server wishes for. */
  readonly alive: number;
  /** Slots that one session may hold. */
  readonly maxSlots: number;
  /** Where the server sees the client. */
  readonly address: Address;
  /** Milliseconds since 1970. */
  readonly clock: number;
}

/** An envelope for a call, in either of four messages. */
export interface CallEnvelope {
  /** The number by which the client of the session knows the call. */
  readonly call: number;
  readonly flags: number;
  readonly envelope: Uint8Array;
}

/** What a server tells one side about the other. */
export interface Attested {
  /** Round-trip time between the server and the other side, in µs; 0 if it is not known. */
  readonly rtt: number;
  /** The other side's IP address as the server sees it; `undefined` if that side conceals it. */
  readonly seen: string | undefined;
}

/** One control message. */
export type Message =
  | Hello
  | Welcome
  | {
      readonly type: "register";
      readonly request: number;
      readonly preimages: readonly Uint8Array[];
      /** Empty if only preimages are registered. */
      readonly proof: Uint8Array;
    }
  | { readonly type: "registered"; readonly request: number; readonly results: readonly RegisterResult[] }
  | { readonly type: "unregister"; readonly slots: readonly Uint8Array[] }
  | (CallEnvelope & { readonly type: "invite"; readonly slot: Uint8Array })
  | (CallEnvelope & Attested & { readonly type: "invited"; readonly slot: Uint8Array })
  | (CallEnvelope & { readonly type: "answer" })
  | (CallEnvelope & Attested & { readonly type: "answered"; readonly wait: number; readonly relay: Relay })
  | { readonly type: "go"; readonly call: number; readonly wait: number; readonly relay: Relay }
  | (CallEnvelope & { readonly type: "signal" })
  | { readonly type: "failed"; readonly id: number; readonly failure: Failure; readonly retry: number }
  | { readonly type: "cancel"; readonly call: number }
  | { readonly type: "release"; readonly channel: Uint8Array }
  | { readonly type: "goaway"; readonly drain: number }
  | { readonly type: "probe"; readonly request: number; readonly which: ProbeSource; readonly token: Uint8Array };

/** A message of one type. */
export type MessageOf<Type extends Message["type"]> = Extract<Message, { readonly type: Type }>;
