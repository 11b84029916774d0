/**
 * A rendezvous server and its clients in one virtual time: every byte takes the one-way delay of its client.
 *
 * @module
 */
import type { KeyPair } from "../../src/crypto/primitives.ts";
import type { ServerLimits } from "../../src/server/limits.ts";
import { RendezvousServer } from "../../src/server/rendezvous.ts";
import { RendezvousClient, type RendezvousEvent } from "../../src/signal/rendezvous-client.ts";
import type { Instant } from "../../src/util/time.ts";
import { counting, SERVER } from "../server/raw.ts";

/** An event, and when the client learned of it. */
export interface Timed {
  readonly at: number;
  readonly event: RendezvousEvent;
}

/** One client with its way to the server. */
export interface LabClient {
  readonly name: string;
  readonly machine: RendezvousClient;
  /** One way, in ms. */
  readonly delay: number;
  readonly host: string;
  /** Session in use; bytes of another one are lost. */
  session: number | undefined;
  readonly events: Timed[];
}

interface Delivery {
  readonly at: number;
  readonly order: number;
  readonly run: () => void;
}

/** See the module. */
export class SignalLab {
  now = 0 as Instant;
  server: RendezvousServer;
  readonly clients: LabClient[] = [];
  readonly #limits: Partial<ServerLimits>;
  readonly #pending: Delivery[] = [];
  #order = 0;
  #nextSession = 1;

  constructor(limits: Partial<ServerLimits> = {}) {
    this.#limits = limits;
    this.server = this.#newServer();
  }

  add(options: {
    readonly name: string;
    readonly delay: number;
    readonly host: string;
    readonly identity?: KeyPair;
    readonly concealsAddress?: boolean;
  }): LabClient {
    const { name, delay, host, identity, concealsAddress = false } = options;
    const random = (size: number): Uint8Array => counting(this.#order++, size);
    const machine = new RendezvousClient({ random, identity, concealsAddress });
    const client: LabClient = { name, machine, delay, host, session: undefined, events: [] };
    this.clients.push(client);
    return client;
  }

  /** A session is open from now on at both ends; an earlier one of the client is over at the server when it hears of it. */
  connect(client: LabClient): void {
    const id = this.#nextSession++;
    const handshakeHash = counting(id, 32);
    client.session = id;
    this.server.onSessionOpened(
      { id, handshakeHash, remote: { host: client.host, port: 4_000 + id, family: 4 }, rtt: () => 2 * client.delay },
      this.now,
    );
    client.machine.onConnected({ serverKey: SERVER.publicKey, handshakeHash }, this.now);
    this.pump();
  }

  /** The client's session ends; the server hears of it after a delay, or never. */
  disconnect(client: LabClient, options: { readonly tellsServer: boolean }): void {
    const id = client.session!;
    client.session = undefined;
    client.machine.onDisconnected();
    if (options.tellsServer) this.#after(client.delay, () => this.server.onSessionClosed(id));
    this.pump();
  }

  /** The server's process dies and another one takes its place; every session is lost. */
  restartServer(): void {
    this.server = this.#newServer();
    for (const client of this.clients)
      if (client.session !== undefined) this.disconnect(client, { tellsServer: false });
  }

  /** Runs until `ms` later. */
  run(ms: number): void {
    const end = this.now + ms;
    this.pump();
    for (;;) {
      const timers = [this.server.nextTimeout(), ...this.clients.map(({ machine }) => machine.nextTimeout())];
      const next = Math.min(this.#pending[0]?.at ?? Infinity, ...timers.map((each) => each ?? Infinity));
      if (next > end) break;
      this.now = Math.max(next, this.now) as Instant;
      while (this.#pending[0] !== undefined && this.#pending[0].at <= this.now) this.#pending.shift()!.run();
      this.server.handleTimeout(this.now);
      for (const { machine } of this.clients) machine.handleTimeout(this.now);
      this.pump();
    }
    this.now = end as Instant;
  }

  /** Takes all outputs and puts them on their way. */
  pump(): void {
    for (let each = this.server.pollOutput(); each !== undefined; each = this.server.pollOutput()) {
      const output = each;
      const client = this.clients.find(({ session }) => session === output.session);
      if (client === undefined || output.type === "witness") continue;
      this.#after(client.delay, () => {
        if (client.session !== output.session) return;
        if (output.type === "send") client.machine.onBytes(output.bytes, this.now);
        else this.disconnect(client, { tellsServer: false });
      });
    }
    for (const client of this.clients) {
      const { machine, session } = client;
      for (let bytes = machine.pollWrite(); bytes !== undefined; bytes = machine.pollWrite()) {
        const sent = bytes;
        if (session !== undefined) this.#after(client.delay, () => this.server.onMessageBytes(session, sent, this.now));
      }
      for (let event = machine.pollEvent(); event !== undefined; event = machine.pollEvent())
        client.events.push({ at: this.now, event });
    }
  }

  #newServer(): RendezvousServer {
    return new RendezvousServer(
      { random: (size) => new Uint8Array(size), unixMillis: () => this.now, backlogOf: () => 0 },
      { identity: SERVER, limits: this.#limits, hasOtherPort: true },
    );
  }

  #after(delay: number, run: () => void): void {
    this.#pending.push({ at: this.now + delay, order: this.#order++, run });
    this.#pending.sort((a, b) => a.at - b.at || a.order - b.order);
  }
}
