/**
 * A rendezvous server that does all that an honest one does, and then lies: the test sees each message that is about to
 * leave, and says what leaves instead.
 *
 * @module
 */
import { DEFAULT_CONFIG } from "../../src/connection/config.ts";
import type { ConnectionMachine } from "../../src/connection/connection.ts";
import { EndpointMachine } from "../../src/connection/endpoint.ts";
import type { KeyPair } from "../../src/crypto/primitives.ts";
import { deriveServerKeys, serverPin } from "../../src/crypto/server-keys.ts";
import { RendezvousServer } from "../../src/server/rendezvous.ts";
import type { SessionId } from "../../src/server/session.ts";
import { encodeMessage } from "../../src/signal/message-codec.ts";
import { MessageDecoder } from "../../src/signal/message-decoder.ts";
import type { Message } from "../../src/signal/messages.ts";
import { MAX_ANSWER_SIZE, StunResponder } from "../../src/stun/responder.ts";
import type { BufferPool, Datagram, Instant, Machine, Transmit } from "../../src/testing/index.ts";
import { earliest } from "../../src/util/time.ts";

/** What is said to a session instead of `message`. */
export type Lie = (message: Message, session: SessionId) => readonly Message[];

const CONTROL_STREAM = 0;

interface Client {
  readonly id: SessionId;
  readonly connection: ConnectionMachine;
  readonly said: MessageDecoder;
}

/** See the module. */
export class HostileServer implements Machine<never> {
  /** By default it is honest. */
  lie: Lie = (message) => [message];
  /** All that clients were to be told, in order. */
  readonly messages: { readonly session: SessionId; readonly message: Message }[] = [];
  /** Sessions that clients have ended, or whose messages made no sense to them. */
  closed = 0;
  readonly #endpoint: EndpointMachine;
  readonly #rendezvous: RendezvousServer;
  readonly #responder = new StunResponder();
  readonly #pool: BufferPool;
  readonly #clients = new Map<SessionId, Client>();
  readonly #outgoing: Transmit[] = [];
  #nextId = 1;
  #now = 0 as Instant;

  constructor(options: {
    readonly identity: KeyPair;
    readonly random: (size: number) => Uint8Array;
    readonly pool: BufferPool;
    readonly unixMillis: () => number;
    readonly sockets: number;
  }) {
    const { identity, random, pool, unixMillis, sockets } = options;
    this.#pool = pool;
    this.#endpoint = new EndpointMachine({
      ...{ random, pool, identity, config: DEFAULT_CONFIG, acceptHook: false },
      unixTime: () => Math.floor(unixMillis() / 1_000),
      sockets: Array.from({ length: sockets }, (_, id) => ({ id, family: 4 as const })),
      server: deriveServerKeys(serverPin(identity.publicKey)),
    });
    this.#rendezvous = new RendezvousServer({ random, unixMillis, backlogOf: () => 0 }, { identity });
  }

  receive(datagram: Datagram, now: Instant): void {
    this.#now = now;
    const { payload, from, via } = datagram;
    if (payload[0]! > 3) {
      this.#endpoint.receive(datagram, now);
      this.#proceed();
      return;
    }
    const out = new Uint8Array(MAX_ANSWER_SIZE);
    const answer = this.#responder.answer(payload, from, 0, out);
    if (answer === undefined) return;
    const bytes = this.#pool.take().subarray(0, answer.length);
    bytes.set(out.subarray(0, answer.length));
    this.#outgoing.push({ via, to: from, payload: bytes, segmentSize: bytes.length, ttl: undefined });
  }

  handleTimeout(now: Instant): void {
    this.#now = now;
    this.#endpoint.handleTimeout(now);
    this.#rendezvous.handleTimeout(now);
    this.#proceed();
  }

  pollTransmit(now: Instant): Transmit | undefined {
    return this.#outgoing.shift() ?? this.#endpoint.pollTransmit(now);
  }

  pollEvent(): undefined {
    this.#proceed();
    return undefined;
  }

  nextTimeout(): Instant | undefined {
    return earliest(this.#endpoint.nextTimeout(), this.#rendezvous.nextTimeout());
  }

  /** Sessions that are open. */
  get sessions(): readonly SessionId[] {
    return [...this.#clients.keys()];
  }

  /** Says something out of turn. */
  say(session: SessionId, ...messages: readonly Message[]): void {
    for (const message of messages) this.write(session, encodeMessage(message));
  }

  /** Says something that is no message, perhaps. */
  write(session: SessionId, bytes: Uint8Array): void {
    this.#clients.get(session)?.connection.write(CONTROL_STREAM, bytes);
  }

  #proceed(): void {
    for (let event = this.#endpoint.pollEvent(); event !== undefined; event = this.#endpoint.pollEvent()) {
      if (event.type === "client") this.#open(event.connection);
      if (event.type !== "connection") continue;
      const client = [...this.#clients.values()].find((each) => each.connection === event.connection);
      if (client === undefined) continue;
      if (event.event.type === "readable") this.#read(client);
      if (event.event.type === "closed") {
        this.closed += 1;
        this.#clients.delete(client.id);
        this.#rendezvous.onSessionClosed(client.id);
      }
    }
    for (let output = this.#rendezvous.pollOutput(); output !== undefined; output = this.#rendezvous.pollOutput()) {
      const client = this.#clients.get(output.session);
      if (output.type !== "send" || client === undefined) continue;
      client.said.push(output.bytes);
      for (let message = client.said.next(); message !== undefined; message = client.said.next()) {
        this.messages.push({ session: client.id, message });
        this.say(client.id, ...this.lie(message, client.id));
      }
    }
  }

  #open(connection: ConnectionMachine): void {
    const [path] = connection.paths();
    const { handshakeHash } = connection;
    if (path === undefined || handshakeHash === undefined) return;
    const client = { id: this.#nextId++, connection, said: new MessageDecoder() };
    this.#clients.set(client.id, client);
    const rtt = (): number | undefined => connection.stats().rtt || undefined;
    this.#rendezvous.onSessionOpened({ id: client.id, handshakeHash, remote: path.remote, rtt }, this.#now);
    this.#read(client);
  }

  #read({ id, connection }: Client): void {
    for (let bytes = connection.read(CONTROL_STREAM); bytes !== undefined; bytes = connection.read(CONTROL_STREAM)) {
      this.#rendezvous.onMessageBytes(id, bytes, this.#now);
    }
  }
}
