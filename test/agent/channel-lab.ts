/**
 * Agents behind NATs that find each other by a channel of their own, and a server that answers STUN, in the simulator.
 *
 * @module
 */
import { AgentMachine } from "../../src/agent/agent.ts";
import type { AgentEvent } from "../../src/agent/events.ts";
import { DEFAULT_CONFIG } from "../../src/connection/config.ts";
import type { ConnectionMachine } from "../../src/connection/connection.ts";
import type { CloseReason } from "../../src/connection/events.ts";
import { type KeyPair, keyPairFromSeed } from "../../src/crypto/primitives.ts";
import { ServerMachine } from "../../src/server/server-machine.ts";
import { type Address, address, type Host, type NatOptions, World } from "../../src/testing/index.ts";
import type { TicketFields } from "../../src/ticket/ticket.ts";

/** What the channel does to messages. All that is written to it reaches everybody else. */
export interface ChannelOptions {
  /** One way, in ms. */
  readonly latency?: number;
  /** Added by chance, in ms: later messages overtake earlier ones. */
  readonly jitter?: number;
  /** Share of messages that are lost, and that come twice. */
  readonly loss?: number;
  readonly repeats?: number;
}

/** What the laboratory is made like. */
export interface ChannelLabOptions extends ChannelOptions {
  readonly seed?: number;
  /** The NAT of each peer, the listener's first; none if `undefined`. */
  readonly nats: readonly (Partial<NatOptions> | undefined)[];
  /** Everybody lives behind this NAT instead. */
  readonly sharedNat?: Partial<NatOptions>;
  /** Whether there is a STUN server that answers; default yes. */
  readonly hasStun?: boolean;
  /** Whether the listener's application decides on each peer. */
  readonly acceptHook?: boolean;
}

/** One agent. */
export interface Peer {
  readonly host: Host<AgentMachine>;
  readonly events: { readonly at: number; readonly event: AgentEvent }[];
  /** Datagrams that it has sent and that go further than a router, but for those to the STUN server. */
  readonly probes: { readonly at: number; readonly payload: Uint8Array }[];
}

interface Delivery {
  readonly at: number;
  readonly from: Peer | undefined;
  readonly bytes: Uint8Array;
}

const STUN = address("192.0.2.1", 3_478);
const MAX_OPENER_TTL = 4;

/** See the module. */
export class ChannelLab {
  readonly world: World;
  readonly listener: Peer;
  readonly callers: readonly Peer[];
  readonly ticket: TicketFields;
  /** All messages that were written to the channel, in order. */
  readonly messages: { readonly at: number; readonly from: Peer; readonly bytes: Uint8Array }[] = [];
  readonly #options: ChannelLabOptions;
  readonly #rng;
  #deliveries: Delivery[] = [];
  #isCut = false;
  #lastPort = 5_000;

  constructor(options: ChannelLabOptions) {
    this.#options = options;
    this.world = new World({ seed: options.seed ?? 1 });
    this.#rng = this.world.rng.fork("channel");
    this.#addServer();
    const identity = this.#newKey();
    const shared =
      options.sharedNat && this.world.addNat({ name: "nat", address: "203.0.113.9", ...options.sharedNat });
    const peers = options.nats.map((nat, index) =>
      this.#addPeer(index, nat, shared, index === 0 ? identity : undefined),
    );
    [this.listener] = peers as [Peer];
    this.callers = peers.slice(1);
    this.ticket = {
      ...{ key: identity.publicKey, secret: this.#rng.random(16), expiresAt: 0, singleUse: false, directOnly: false },
      ...{ relayOnly: false, paste: false, servers: [], addresses: [] },
    };
    const { machine } = this.listener.host;
    machine.addTicket(this.ticket, Number.POSITIVE_INFINITY, this.world.now);
    machine.useChannel([STUN], this.world.now);
    this.world.wake(this.listener.host);
  }

  /** Calls the listener; its first stream carries one byte as soon as it is there. */
  call(peer: Peer = this.callers[0]!, options: { readonly timeout?: number } = {}): ConnectionMachine {
    const { machine } = peer.host;
    const { timeout = 20_000 } = options;
    const connection = machine.connect({ ticket: this.ticket, identity: this.#newKey(), timeout }, this.world.now);
    machine.callByChannel(connection, [STUN], this.world.now);
    this.world.wake(peer.host);
    return connection;
  }

  /** Lets time pass, in ms, or until something is so. */
  run(ms: number, until: () => boolean = () => false): void {
    for (let elapsed = 0; elapsed < ms && !until(); elapsed++) {
      this.#deliver();
      this.world.run({ for: 1 });
    }
  }

  /** Somebody writes to the channel. */
  inject(bytes: Uint8Array, delay = 0): void {
    this.#deliveries.push({ at: this.world.now + delay, from: undefined, bytes });
  }

  /** From now on nothing that peers say reaches anybody; what was said before, neither. */
  cut(): void {
    this.#isCut = true;
    this.#deliveries = [];
  }

  /** The channel works again. */
  mend(): void {
    this.#isCut = false;
  }

  /** When each connection could be read at the listener. */
  get arrivals(): readonly number[] {
    return this.listener.events
      .filter(({ event }) => event.type === "connection" && event.event.type === "readable")
      .map(({ at }) => at);
  }

  /** How a call has ended, if it has. */
  reasonOf(peer: Peer, connection: ConnectionMachine): CloseReason | undefined {
    for (const { event } of peer.events) {
      if (event.type !== "connection" || event.connection !== connection) continue;
      if (event.event.type === "closed") return event.event.reason;
    }
    return undefined;
  }

  /** Messages of a peer of this kind: 1 and 2 of the handshake, 3 for a packet. */
  sent(peer: Peer, kind: number): readonly { readonly at: number; readonly bytes: Uint8Array }[] {
    return this.messages.filter(({ from, bytes }) => from === peer && bytes[0] === kind);
  }

  #deliver(): void {
    const due = this.#deliveries.filter(({ at }) => at <= this.world.now).sort((a, b) => a.at - b.at);
    this.#deliveries = this.#deliveries.filter(({ at }) => at > this.world.now);
    for (const { from, bytes } of due) {
      for (const peer of [this.listener, ...this.callers]) {
        if (peer === from) continue;
        peer.host.machine.onChannelMessage(bytes, this.world.now);
        this.world.wake(peer.host);
      }
    }
  }

  #write(from: Peer, bytes: Uint8Array): void {
    const { latency = 0, jitter = 0, loss = 0, repeats = 0 } = this.#options;
    this.messages.push({ at: this.world.now, from, bytes });
    if (this.#isCut || this.#rng.float() < loss) return;
    for (let copies = this.#rng.float() < repeats ? 2 : 1; copies > 0; copies--) {
      this.#deliveries.push({ at: this.world.now + latency + jitter * this.#rng.float(), from, bytes });
    }
  }

  #newKey(): KeyPair {
    return keyPairFromSeed(this.#rng.random(32));
  }

  #addServer(): void {
    const { world } = this;
    const places: readonly Address[] = [STUN, { ...STUN, port: STUN.port + 1 }];
    const host = world.addHost({
      name: "server",
      addresses: places,
      link: { delay: 10 },
      machine: new ServerMachine(
        {
          identity: this.#newKey(),
          random: world.rng.fork("server").random,
          unixMillis: () => 1_800_000_000_000 + world.now,
          pool: world.pool,
          sockets: places.map((_, id) => ({ id, family: 4 })),
          config: DEFAULT_CONFIG,
        },
        world.now,
      ),
    });
    if (this.#options.hasStun === false) host.stop();
  }

  #addPeer(
    index: number,
    nat: Partial<NatOptions> | undefined,
    shared: ReturnType<World["addNat"]> | undefined,
    identity: KeyPair | undefined,
  ): Peer {
    const { world } = this;
    const own = nat && world.addNat({ name: `nat ${index}`, address: `203.0.113.${index + 1}`, ...nat });
    const behind = shared ?? own;
    const host = behind === undefined ? `198.51.100.${index + 1}` : `10.0.0.${index + 1}`;
    const port = 4_433;
    const machine = new AgentMachine({
      random: world.rng.fork(`peer ${index}`).random,
      unixTime: world.unixTime,
      pool: world.pool,
      sockets: [{ id: 0, family: 4, port }],
      identity: identity ?? this.#newKey(),
      config: DEFAULT_CONFIG,
      acceptHook: this.#options.acceptHook ?? false,
    });
    machine.onInterfaces([address(host, 0)], world.now);
    const events: Peer["events"] = [];
    const probes: Peer["probes"] = [];
    const peer: Peer = {
      events,
      probes,
      host: world.addHost({
        name: `peer ${index}`,
        machine,
        addresses: [address(host, port)],
        ...(behind && { behind }),
        link: { delay: 10 },
        onEvent: (event) => this.#onEvent(peer, event, host),
      }),
    };
    peer.host.link.up.filter = ({ payload, ttl }) => {
      if (payload[0] !== 0 && ttl > MAX_OPENER_TTL) probes.push({ at: world.now, payload });
      return "pass";
    };
    return peer;
  }

  #onEvent(peer: Peer, event: AgentEvent, host: string): void {
    peer.events.push({ at: this.world.now, event });
    if (event.type === "envelope") this.#write(peer, event.bytes);
    if (event.type === "sockets-wanted") {
      const sockets = Array.from({ length: event.count }, () => {
        this.#lastPort += 1;
        return { via: peer.host.bind(address(host, this.#lastPort)), localPort: this.#lastPort };
      });
      peer.host.machine.onSockets(event.request, sockets, this.world.now);
    }
    if (event.type === "sockets-unwanted") for (const via of event.sockets) peer.host.unbind(via);
    const isOpen = event.type === "connection" && event.event.type === "connected";
    if (isOpen && peer !== this.listener) event.connection.write(0, Uint8Array.of(1));
  }
}
