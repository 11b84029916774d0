/**
 * Live endpoints under fire: what arrives must not change anything but the counters of what was dropped.
 *
 * Each target is one end of a pair with a connection in the middle of a transfer, some of whose datagrams are held back.
 * After the fire they are let through, and the transfer has to complete.
 *
 * @module
 */
import type { ConnectionMachine } from "../../src/connection/connection.ts";
import { sealCookie } from "../../src/crypto/cookie.ts";
import { deriveTicketKeys } from "../../src/crypto/ticket-keys.ts";
import { ticketCore } from "../../src/ticket/ticket.ts";
import { equalBytes } from "../../src/util/bytes.ts";
import { assert } from "../../src/util/invariant.ts";
import type { Address } from "../../src/util/machine.ts";
import { classify } from "../../src/wire/datagram.ts";
import { decodeInit, encodeCookie, HANDSHAKE_HEADER_SIZE } from "../../src/wire/handshake-datagram.ts";
import { type End, Pair } from "../../test/connection/pair.ts";
import type { Sample } from "./corpus.ts";

/** An endpoint that can be fired at. */
export interface LiveTarget {
  readonly name: string;
  readonly samples: readonly Sample[];
  /** Hands over one hostile buffer. @throws Error if the endpoint sends something or changes its timer. */
  fire(bytes: Uint8Array): void;
  /** @throws Error if anything has changed since the target was made. */
  check(): void;
  /** Lets the call or the transfer go on. @throws Error unless it completes. */
  complete(): void;
  /** Datagrams dropped so far, by reason. */
  dropped(): Readonly<Record<string, number>>;
}

/** Bytes that are transferred in each direction. */
const TRANSFER = 200_000;

const REASONABLE_TIME = 30_000;

/** All targets. */
export function liveTargets(seed: number): LiveTarget[] {
  return [openEnd("listener", seed), openEnd("dialer", seed), calling(seed)];
}

/** Datagrams of every kind from calls that are over and done with. */
export function realDatagrams(seed: number): Sample[] {
  const pair = new Pair({ seed });
  pair.connect();
  pair.advance(40_000);
  const samples = pair.captured.slice(0, 40).map(({ bytes }) => ({ name: classify(bytes[0]!), bytes }));
  return [...samples, { name: "cookie", bytes: cookieFor(pair, pair.captured[0]!.bytes) }];
}

/** One end of an open connection with data under way in both directions. */
function openEnd(which: "listener" | "dialer", seed: number): LiveTarget {
  const pair = new Pair({ seed });
  const { initiator, responder } = pair.connect();
  pair.advance(1_000);
  const data = pair.rng.random(TRANSFER);
  const sides = [
    { end: pair.dialer, connection: initiator, received: [] as Uint8Array[] },
    { end: pair.listener, connection: responder, received: [] as Uint8Array[] },
  ];
  for (const { connection } of sides) {
    connection.write(0, data);
    connection.finish(0);
  }
  const delivered = pair.captured.slice(-60).concat(pair.captured.slice(0, 4)).map(sampleOf);
  // From here on everything is held back: it is authentic and unknown to its receiver.
  const held: { readonly from: End; readonly bytes: Uint8Array }[] = [];
  pair.filter = (from, bytes) => {
    held.push({ from, bytes });
    return false;
  };
  pair.dial();
  pair.exchange();
  const target = which === "listener" ? pair.listener : pair.dialer;
  const unknown = held.filter(({ from }) => from !== target).map(({ bytes }) => unknownSample(bytes));
  const samples = [...delivered, ...unknown];
  const complete = () => {
    pair.filter = () => true;
    for (const { from, bytes } of held) {
      const to = from === pair.listener ? pair.dialer : pair.listener;
      to.endpoint.receive({ via: 0, from: from.address, payload: bytes, segmentSize: bytes.length }, pair.now);
    }
    for (let round = 0; round < 200; round++) {
      pair.advance(10);
      for (const { connection, received } of sides) {
        for (let piece = connection.read(0); piece !== undefined; piece = connection.read(0)) received.push(piece);
      }
    }
    for (const { end, received } of sides) {
      assert(equalBytes(Buffer.concat(received), data), `${end.name} received something else than was written`);
    }
  };
  return targetOf(`open connection of the ${which}`, pair, {
    target,
    samples,
    connection: target === pair.dialer ? initiator : responder,
    complete,
  });
}

/** A dialer that waits for an answer while an earlier connection of it is open. */
function calling(seed: number): LiveTarget {
  const pair = new Pair({ seed });
  pair.connect();
  pair.advance(1_000);
  const delivered = pair.captured.slice(0, 40).map(sampleOf);
  const held: Uint8Array[] = [];
  let init: Uint8Array | undefined;
  pair.filter = (from, bytes) => {
    if (from === pair.dialer) init ??= bytes;
    else held.push(bytes);
    return from === pair.dialer;
  };
  const call = pair.dial();
  pair.exchange();
  const [answer] = held;
  assert(answer !== undefined && init !== undefined && call.state === "connecting", "a call without an answer");
  const cookie = cookieFor(pair, init);
  const samples: Sample[] = [
    ...delivered,
    // The length, the addressee, the echoed token and the core; the token of the responder is not protected.
    {
      name: "resp",
      bytes: answer,
      protectedSpans: [
        [0, 6],
        [8, 24],
        [HANDSHAKE_HEADER_SIZE, answer.length],
      ],
    },
    {
      name: "cookie",
      bytes: cookie,
      protectedSpans: [
        [0, 4],
        [8, 28],
        [32, 64],
      ],
    },
  ];
  const complete = () => {
    pair.filter = () => true;
    pair.inject(pair.dialer, answer);
    pair.advance(REASONABLE_TIME);
    assert(call.state === "open", "the call did not get through");
  };
  return targetOf("call of the dialer", pair, { target: pair.dialer, samples, connection: call, complete });
}

interface TargetOptions {
  readonly target: End;
  readonly samples: readonly Sample[];
  readonly connection: ConnectionMachine;
  readonly complete: () => void;
}

function targetOf(name: string, pair: Pair, { target, samples, connection, complete }: TargetOptions): LiveTarget {
  const { endpoint } = target;
  const peer = target === pair.listener ? pair.dialer : pair.listener;
  const strangers: Address[] = [
    peer.address,
    ...[1, 2, 3].map((n): Address => ({ host: `198.51.100.${n}`, port: n, family: 4 })),
  ];
  const timeout = endpoint.nextTimeout();
  const { sent } = endpoint.stats;
  const fingerprint = () =>
    JSON.stringify([
      connection.state,
      connection.stats(),
      connection.paths(),
      connection.nextTimeout(),
      endpoint.connectionCount,
      endpoint.nextTimeout(),
      endpoint.stats.sent,
      target.events.length,
    ]);
  const before = fingerprint();
  let shots = 0;
  return {
    name,
    samples,
    fire: (payload) => {
      const from = strangers[shots & 3]!;
      shots += 1;
      endpoint.receive({ via: 0, from, payload, segmentSize: payload.length }, pair.now);
      assert(endpoint.pollTransmit(pair.now) === undefined && endpoint.stats.sent === sent, "it was answered");
      assert(endpoint.nextTimeout() === timeout, "a timer changed");
    },
    check: () => {
      assert(endpoint.pollEvent() === undefined, "an event");
      assert(fingerprint() === before, `a change from\n${before}\nto\n${fingerprint()}`);
      endpoint.audit();
    },
    complete,
    dropped: () => endpoint.stats.dropped,
  };
}

function sampleOf({ bytes }: { readonly bytes: Uint8Array }): Sample {
  return { name: classify(bytes[0]!), bytes };
}

/** A datagram that its receiver has not seen: only its protected bytes may be damaged. */
function unknownSample(bytes: Uint8Array): Sample {
  const init = decodeInit(bytes);
  const name = classify(bytes[0]!);
  if (init === undefined) return { name, bytes, protectedSpans: [[0, bytes.length]] };
  // What states the layout, and the core; a copy with another token is a call from another place.
  const coreEnd = HANDSHAKE_HEADER_SIZE + init.core.length;
  return {
    name,
    bytes,
    protectedSpans: [
      [0, 6],
      [HANDSHAKE_HEADER_SIZE, coreEnd],
    ],
  };
}

/** What a busy listener would answer to a first message. */
function cookieFor(pair: Pair, message: Uint8Array): Uint8Array {
  const init = decodeInit(message)!;
  const { key, secret } = pair.ticket;
  const keys = deriveTicketKeys({ key, secret, core: ticketCore(pair.ticket) });
  const nonce = pair.rng.random(12);
  const sealed = sealCookie(keys, { cookie: pair.rng.random(16), nonce, core: init.core });
  return encodeCookie({ echo: init.token, nonce, sealed });
}
