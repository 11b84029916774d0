/**
 * A rendezvous server in memory, and clients that say exactly what a test wants.
 *
 * @module
 */
import { proveKey } from "../../src/crypto/key-proof.ts";
import { type KeyPair, keyPairFromSeed } from "../../src/crypto/primitives.ts";
import { ticketSlot } from "../../src/crypto/slots.ts";
import type { ServerLimits } from "../../src/server/limits.ts";
import type { ServerOutput } from "../../src/server/outbox.ts";
import { RendezvousServer } from "../../src/server/rendezvous.ts";
import { encodeMessage } from "../../src/signal/message-codec.ts";
import { MessageDecoder } from "../../src/signal/message-decoder.ts";
import type { Message } from "../../src/signal/messages.ts";
import type { Instant } from "../../src/util/time.ts";

/** Bytes that count up. */
export function counting(first: number, length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => first + i);
}

export const SERVER = keyPairFromSeed(counting(0x01, 32));
export const LISTENER = keyPairFromSeed(counting(0x10, 32));
export const OTHER = keyPairFromSeed(counting(0x70, 32));
export const BLIND = counting(0x90, 16);
export const SLOT = ticketSlot(LISTENER.publicKey, BLIND);
export const UNIX = 1_800_000_000_000;

export interface RawOptions {
  readonly limits?: Partial<ServerLimits>;
  readonly hasOtherPort?: boolean;
  readonly hasOtherAddress?: boolean;
}

/** One client's side of a session. */
export interface RawClient {
  readonly id: number;
  readonly handshakeHash: Uint8Array;
  /** What it was told and has not been looked at. */
  readonly inbox: Message[];
  closed: string | undefined;
}

/** The server, its clock, and its sessions. */
export class RawLab {
  readonly server: RendezvousServer;
  readonly clients = new Map<number, RawClient>();
  readonly witnesses: Extract<ServerOutput, { type: "witness" }>[] = [];
  readonly backlog = new Map<number, number>();
  now = 0 as Instant;
  #nextId = 1;
  readonly #decoders = new Map<number, MessageDecoder>();

  constructor(options: RawOptions = {}) {
    this.server = new RendezvousServer(
      {
        random: (size) => new Uint8Array(size).fill(0x47),
        unixMillis: () => UNIX + this.now,
        backlogOf: (session) => this.backlog.get(session) ?? 0,
      },
      { identity: SERVER, ...options },
    );
  }

  /** A client whose session is open; with HELLO said and WELCOME read unless asked otherwise. */
  open(options: { readonly host?: string; readonly rtt?: number; readonly greets?: boolean } = {}): RawClient {
    const { host = "192.0.2.1", rtt, greets = true } = options;
    const id = this.#nextId++;
    const client: RawClient = { id, handshakeHash: counting(id, 32), inbox: [], closed: undefined };
    this.clients.set(id, client);
    this.#decoders.set(id, new MessageDecoder());
    const family = host.includes(":") ? 6 : 4;
    const { handshakeHash } = client;
    this.server.onSessionOpened(
      { id, handshakeHash, remote: { host, port: 40_000 + id, family }, rtt: () => rtt },
      this.now,
    );
    if (greets) {
      this.say(client, { type: "hello", flags: 0, token: new Uint8Array(0) });
      client.inbox.length = 0;
    }
    this.drain();
    return client;
  }

  /** The client says something; what the server does about it is in the inboxes afterwards. */
  say(client: RawClient, ...messages: readonly Message[]): void {
    for (const message of messages) this.bytes(client, encodeMessage(message));
  }

  bytes(client: RawClient, bytes: Uint8Array): void {
    this.server.onMessageBytes(client.id, bytes, this.now);
    this.drain();
  }

  close(client: RawClient): void {
    this.server.onSessionClosed(client.id);
    this.drain();
  }

  advance(ms: number): void {
    this.now = (this.now + ms) as Instant;
    this.server.handleTimeout(this.now);
    this.drain();
  }

  /** What the client was told since it was asked last. */
  read(client: RawClient): Message[] {
    return client.inbox.splice(0);
  }

  drain(): void {
    for (let each = this.server.pollOutput(); each !== undefined; each = this.server.pollOutput()) {
      if (each.type === "witness") this.witnesses.push(each);
      else if (each.type === "close") this.clients.get(each.session)!.closed = each.reason;
      else {
        const decoder = this.#decoders.get(each.session)!;
        decoder.push(each.bytes);
        const { inbox } = this.clients.get(each.session)!;
        for (let message = decoder.next(); message !== undefined; message = decoder.next()) inbox.push(message);
        if (decoder.failed) throw new Error("the server broke the rules");
      }
    }
  }

  /** REGISTER for blinds, with a right proof unless something is changed. */
  registration(
    client: RawClient,
    changes: {
      readonly request?: number;
      readonly identity?: KeyPair;
      readonly handshakeHash?: Uint8Array;
      readonly blinds?: readonly Uint8Array[];
      readonly payload?: Uint8Array;
    } = {},
  ): Message {
    const { request = 0, identity = LISTENER, handshakeHash = client.handshakeHash, blinds = [BLIND] } = changes;
    const payload = changes.payload ?? Uint8Array.of(blinds.length, ...blinds.flatMap((blind) => [...blind]));
    const ephemeral = keyPairFromSeed(counting(0xb0, 32));
    const proof = proveKey({ identity, serverKey: SERVER.publicKey, handshakeHash, ephemeral, payload });
    return { type: "register", request, preimages: [], proof };
  }

  /** A client that holds {@link SLOT}. */
  listener(options: { readonly host?: string; readonly rtt?: number } = {}): RawClient {
    const client = this.open({ host: "198.51.100.1", ...options });
    this.say(client, this.registration(client));
    client.inbox.length = 0;
    return client;
  }
}

/** An invitation to {@link SLOT}. */
export function invite(call: number, changes: Partial<Extract<Message, { type: "invite" }>> = {}): Message {
  return { type: "invite", call, slot: SLOT, flags: 0, envelope: Uint8Array.of(1, 7, 7, 7), ...changes };
}
