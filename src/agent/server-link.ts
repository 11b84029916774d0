/**
 * One rendezvous server: a session with it that is opened anew when it dies, and the client that speaks over it.
 *
 * Theory of operation. The link is down until somebody holds it. It then dials the server, and goes on dialling at growing
 * intervals for as long as it is held; what the client wishes to register outlives sessions. The sockets are the
 * transport's own, so the signs of life that keep the session alive keep the binding alive at which peers are expected.
 *
 * @module
 */
import { type Config, DEFAULT_CONFIG } from "../connection/config.ts";
import type { ConnectionMachine } from "../connection/connection.ts";
import type { EndpointMachine } from "../connection/endpoint.ts";
import type { ConnectionEvent } from "../connection/events.ts";
import type { ServerKeys } from "../crypto/server-keys.ts";
import type { SlotOwner } from "../signal/client-slots.ts";
import { RendezvousClient, type RendezvousEvent } from "../signal/rendezvous-client.ts";
import { Deque } from "../util/deque.ts";
import type { Address, SocketId } from "../util/machine.ts";
import { after, type Duration, earliest, type Instant } from "../util/time.ts";

// Specification

/** Outbound silence after which a session shows a sign of life, in ms (spec/rendezvous.md#sessions). */
export const ALIVE_INTERVAL: Duration = 5_000;

/** A server that has been silent for so long is gone, in ms: one sign of life, and three seconds of asking again. */
export const SERVER_LINGER: Duration = 8_000;

// Implementation

/** How long one attempt to open a session takes, in ms: as long as it takes to prove that UDP is blocked, and a bit. */
const ATTEMPT_TIMEOUT: Duration = 4_000;

/** Pauses between attempts, in ms (RDV-29). The first follows at once: a server that restarts is back soon. */
const RETRY_DELAYS: readonly Duration[] = [0, 250, 500, 1_000, 2_000, 5_000, 10_000, 30_000];

/** A session that has lasted for so long was one, in ms; others are failures, or a server could keep us dialling. */
const SETTLED_AFTER: Duration = 5_000;

/** Each pause varies by this share, so that the clients of a server that restarts do not all come at once. */
const JITTER = 0.2;

/** The stream that carries control messages. */
const CONTROL_STREAM = 0;

/** Sessions carry little, and a listener may have several; they need no search for the path's MTU. */
const SESSION_CONFIG: Config = {
  ...DEFAULT_CONFIG,
  linger: SERVER_LINGER,
  keepalive: ALIVE_INTERVAL,
  maxDatagramSize: 1_200,
  maxData: 256 * 1024,
  maxStreamData: 128 * 1024,
  memoryBudget: 512 * 1024,
};

/** Codes with which a session is closed; for people who look. */
const CLOSE_CODES = { done: 0, violation: 1 } as const;

/** A server that is known by its key and place. */
export interface ServerTarget {
  readonly keys: ServerKeys;
  /** Where it can be reached; all of the same server. */
  readonly addresses: readonly Address[];
}

/** What a link tells its owner. */
export type LinkEvent =
  | RendezvousEvent
  /** A session is open. */
  | { readonly type: "up"; readonly address: Address }
  /** The session is over, or could not be opened; the next attempt follows by itself. */
  | { readonly type: "down"; readonly wasUp: boolean };

/** What a link needs. */
export interface ServerLinkOptions extends SlotOwner {
  readonly endpoint: EndpointMachine;
  readonly target: ServerTarget;
  /** The only socket to use; the transport's own unless given. */
  readonly via?: SocketId | undefined;
}

/** See the module. */
export class ServerLink {
  readonly client: RendezvousClient;
  readonly target: ServerTarget;
  readonly #options: ServerLinkOptions;
  readonly #events = new Deque<LinkEvent>();
  #connection: ConnectionMachine | undefined;
  /** Since when a session is open. */
  #openedAt: Instant | undefined;
  #holders = 0;
  #failures = 0;
  #retryAt: Instant | undefined;
  /** Whether the session is ending because nobody needed it. */
  #isLeaving = false;

  constructor(options: ServerLinkOptions) {
    this.#options = options;
    this.target = options.target;
    this.client = new RendezvousClient(options);
  }

  // Inputs

  /** Input: an event of the session's connection. */
  onEvent(event: ConnectionEvent, now: Instant): void {
    const connection = this.#connection;
    if (connection === undefined) return;
    if (event.type === "connected") this.#open(connection, event.path.remote, now);
    if (event.type === "readable" && event.id === CONTROL_STREAM) this.#read(connection, now);
    if (event.type === "closed") this.#onClosed(now);
    this.flush(now);
  }

  /** Input: time has passed. */
  handleTimeout(now: Instant): void {
    this.client.handleTimeout(now);
    if (this.#retryAt !== undefined && this.#retryAt <= now) this.#dial(now);
    this.flush(now);
  }

  // Commands

  /** Somebody needs the server from now on, until {@link release}. */
  hold(now: Instant): void {
    this.#holders += 1;
    if (this.#connection === undefined && this.#retryAt === undefined) this.#dial(now);
  }

  /** Somebody needs it no longer. Nobody does: the session ends. */
  release(now: Instant): void {
    this.#holders -= 1;
    if (this.#holders > 0) return;
    this.#retryAt = undefined;
    if (this.#connection === undefined) return;
    // Whoever needs the server before it has heard of the end waits for another session.
    this.#isLeaving = true;
    this.#openedAt = undefined;
    this.client.onDisconnected();
    this.#connection.close(CLOSE_CODES.done, "", now);
  }

  /** Brings what the client has to say to the server, and what it has to tell to the owner. */
  flush(now: Instant): void {
    for (let bytes = this.client.pollWrite(); bytes !== undefined; bytes = this.client.pollWrite()) {
      this.#connection?.write(CONTROL_STREAM, bytes);
    }
    for (let event = this.client.pollEvent(); event !== undefined; event = this.client.pollEvent()) {
      this.#events.push(event);
      if (event.type === "violation") this.#connection?.close(CLOSE_CODES.violation, "unexpected message", now);
    }
  }

  // Outputs

  /** Output: the next thing that the owner should know; call until `undefined`. */
  pollEvent(): LinkEvent | undefined {
    return this.#events.shift();
  }

  /** Output: when to call {@link handleTimeout}. */
  nextTimeout(): Instant | undefined {
    return earliest(this.#retryAt, this.client.nextTimeout());
  }

  // Getters

  /** The connection of the session, or of the attempt to open one. */
  get connection(): ConnectionMachine | undefined {
    return this.#connection;
  }

  /** Whether somebody needs the server. */
  get isHeld(): boolean {
    return this.#holders > 0;
  }

  /** Whether a session is open. */
  get isUp(): boolean {
    return this.#openedAt !== undefined;
  }

  /** Whether a session is open, and the server has all that was said to it. */
  get isHeard(): boolean {
    return this.isUp && this.#connection?.unacknowledged(CONTROL_STREAM) === 0;
  }

  /** Whether the last attempt has failed, or the last session has ended. */
  get hasFailed(): boolean {
    return this.#failures > 0;
  }

  /** Round-trip time to the server in ms; `undefined` without a session. */
  get rtt(): Duration | undefined {
    return this.isUp ? this.#connection?.paths()[0]?.rtt : undefined;
  }

  #dial(now: Instant): void {
    const { endpoint, target, via } = this.#options;
    this.#retryAt = undefined;
    const { keys, addresses } = target;
    this.#connection = endpoint.connectServer(
      { keys, addresses, timeout: ATTEMPT_TIMEOUT, config: SESSION_CONFIG, via },
      now,
    );
  }

  #open(connection: ConnectionMachine, address: Address, now: Instant): void {
    const { handshakeHash, peerKey } = connection;
    if (handshakeHash === undefined || peerKey === undefined) return;
    this.#openedAt = now;
    this.client.onConnected({ serverKey: peerKey, handshakeHash }, now);
    this.#events.push({ type: "up", address });
  }

  #read(connection: ConnectionMachine, now: Instant): void {
    for (let bytes = connection.read(CONTROL_STREAM); bytes !== undefined; bytes = connection.read(CONTROL_STREAM)) {
      this.client.onBytes(bytes, now);
    }
  }

  #onClosed(now: Instant): void {
    const openedAt = this.#openedAt;
    this.#connection = undefined;
    if (this.#isLeaving) {
      this.#isLeaving = false;
      if (this.isHeld) this.#dial(now);
      return;
    }
    this.#openedAt = undefined;
    this.client.onDisconnected();
    this.#events.push({ type: "down", wasUp: openedAt !== undefined });
    if (openedAt !== undefined && now - openedAt >= SETTLED_AFTER) this.#failures = 0;
    const delay = RETRY_DELAYS[Math.min(this.#failures, RETRY_DELAYS.length - 1)]!;
    const unit = this.#options.random(1)[0]! / 255;
    this.#failures += 1;
    if (this.#holders === 0) return;
    if (delay === 0) this.#dial(now);
    else this.#retryAt = after(now, delay * (1 + JITTER * (2 * unit - 1)));
  }
}
