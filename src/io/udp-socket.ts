/**
 * One bound UDP socket, with as little between the machine and the kernel as `node:dgram` allows.
 *
 * Sends never call back: a datagram that could not be sent is a lost datagram (rule 3 of the machine contract), so no
 * error of a send is looked at, whether the network is unreachable, the datagram too large or the peer's port closed.
 *
 * @module
 */
import { createSocket, type RemoteInfo, type Socket } from "node:dgram";
import { isIP } from "node:net";
import type { Address, Datagram, SocketId } from "../util/machine.ts";
import { PunchlineError } from "./errors.ts";
import { fragmentsMade } from "./fragments.ts";

/** How to open a socket. */
export interface UdpSocketOptions {
  readonly id: SocketId;
  /** Literal address to bind. */
  readonly host: string;
  /** 0 for any free port. */
  readonly port: number;
}

// Implementation

/** Asked of the kernel, which grants what it may: a burst of 4 MiB waits while the process is busy for some 30 ms at 1 Gbit/s. */
const RECEIVE_BUFFER_SIZE = 4 * 1024 * 1024;

/** The hop limit that systems give to what they send. */
const USUAL_TTL = 64;

/** One bound UDP socket. */
export class UdpSocket {
  readonly id: SocketId;
  readonly #socket: Socket;
  readonly #address: Address;
  #onDatagram: (datagram: Datagram) => void = ignore;
  /** The sender of the previous datagram: nearly always that of the next one. */
  #lastFrom: Address;

  private constructor(id: SocketId, socket: Socket) {
    this.id = id;
    this.#socket = socket;
    const { address, port, family } = socket.address();
    this.#address = { host: address, port, family: family === "IPv6" ? 6 : 4 };
    this.#lastFrom = this.#address;
    socket.on("message", (payload, info) => this.#receive(payload, info));
    // The kernel reports unreachable peers on the socket; to the protocol that is loss.
    socket.on("error", ignore);
  }

  /**
   * Binds a socket.
   *
   * @throws {@link PunchlineError} `ERR_BIND`; `cause` is the error of the system.
   */
  static async open(options: UdpSocketOptions): Promise<UdpSocket> {
    const { id, host, port } = options;
    const family = isIP(host);
    const socket =
      family === 6
        ? createSocket({ type: "udp6", ipv6Only: true, lookup: lookupLiteral })
        : createSocket({ type: "udp4", lookup: lookupLiteral });
    try {
      await new Promise<void>((resolve, reject) => {
        socket.once("error", reject);
        socket.bind({ address: host, port, exclusive: true }, () => {
          socket.off("error", reject);
          resolve();
        });
      });
    } catch (cause) {
      socket.close();
      throw bindError(host, port, cause);
    }
    enlargeReceiveBuffer(socket);
    return new UdpSocket(id, socket);
  }

  /** Command: hands every datagram to `onDatagram` from now on. */
  start(onDatagram: (datagram: Datagram) => void): void {
    this.#onDatagram = onDatagram;
  }

  /** Command: sends one datagram. Its bytes must not change before the next turn of the event loop, or longer while {@link isSending}. */
  send(payload: Uint8Array, to: Address): void {
    // Datagrams do come from port 0, forged as a rule; answering there would throw.
    if (to.port !== 0) this.#socket.send(payload, to.port, to.host);
  }

  /** Command: sends a part of `payload`; see {@link send}. */
  sendPart(payload: Uint8Array, offset: number, length: number, to: Address): void {
    if (to.port !== 0) this.#socket.send(payload, offset, length, to.port, to.host);
  }

  /**
   * Command: sends one datagram that is meant to die on its way, after `ttl` routers. What else is sent meanwhile is not
   * affected: the hop limit is the usual one again before this returns, or the datagram is left out.
   */
  sendNear(payload: Uint8Array, to: Address, ttl: number): void {
    // A datagram that had to wait would leave with the usual hop limit, and those before it with this one.
    if (to.port === 0 || this.queuedBytes > 0) return;
    this.#socket.setTTL(ttl);
    this.#socket.send(payload, to.port, to.host);
    this.#socket.setTTL(USUAL_TTL);
  }

  /**
   * Command: sends one datagram that is worth something only in one piece. Calls back, in a later turn, if the kernel
   * would not send it or cut it into fragments; where the kernel does not tell, it is taken to be whole.
   */
  sendWhole(payload: Uint8Array, to: Address, onRefused: () => void): void {
    // Deviates from RFC 8899 §4.5: Node cannot switch off what the kernel does about MTUs, but Linux shows that it did.
    const before = fragmentsMade(to.family);
    this.#socket.send(payload, to.port, to.host, (error) => {
      if (error !== null || fragmentsMade(to.family) !== before) onRefused();
    });
  }

  /** Command: closes the socket; `onClosed` is called when its port is free. */
  close(onClosed: () => void = ignore): void {
    this.#onDatagram = ignore;
    this.#socket.close(onClosed);
  }

  /** Command: lets the process live for this socket, or not. */
  ref(): void {
    this.#socket.ref();
  }

  unref(): void {
    this.#socket.unref();
  }

  /** Where the socket is bound. */
  get address(): Address {
    return this.#address;
  }

  /** Bytes of buffer for what arrives: what was asked for, and what the kernel granted. */
  get receiveBuffer(): { readonly asked: number; readonly granted: number } {
    // Linux reports twice what it grants, for its own book-keeping (socket(7)).
    const share = process.platform === "linux" ? 2 : 1;
    return { asked: RECEIVE_BUFFER_SIZE, granted: Math.floor(this.#socket.getRecvBufferSize() / share) };
  }

  /** Bytes that wait in this process because the kernel takes no more at present. */
  get queuedBytes(): number {
    return this.#socket.getSendQueueSize();
  }

  #receive(payload: Uint8Array, info: RemoteInfo): void {
    const last = this.#lastFrom;
    let from = last;
    if (info.port !== last.port || info.address !== last.host) {
      from = { host: info.address, port: info.port, family: this.#address.family };
      this.#lastFrom = from;
    }
    this.#onDatagram({ via: this.id, from, payload, segmentSize: payload.length });
  }
}

type LookupCallback = (error: Error | null, address: string, family: number) => void;

/** Addresses are always literal here; answering at once spares each send a turn of the event loop. */
function lookupLiteral(host: string, _family: unknown, callback: LookupCallback): void {
  callback(null, host, 0);
}

function enlargeReceiveBuffer(socket: Socket): void {
  try {
    socket.setRecvBufferSize(RECEIVE_BUFFER_SIZE);
  } catch {
    // The system's default has to do.
  }
}

function bindError(host: string, port: number, cause: unknown): PunchlineError {
  const code = cause instanceof Error && "code" in cause ? String(cause.code) : "";
  const place = isIP(host) === 6 ? `[${host}]:${port}` : `${host}:${port}`;
  const reason =
    code === "EADDRINUSE" ? "the port is in use" : code === "EADDRNOTAVAIL" ? "this machine has no such address" : code;
  return new PunchlineError("ERR_BIND", `cannot bind ${place}: ${reason}`, { cause });
}

function ignore(): void {}
