/**
 * The same load over plain TCP, for comparison: the listener opens a port for whoever knows a token, which travels over
 * the encrypted connection.
 *
 * @module
 */
import { readFileSync } from "node:fs";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { describeSystemError, systemCode } from "../failure.ts";

// Implementation

const TOKEN_SIZE = 16;

/** How long a TCP connection may take to be there and to show its token, in milliseconds. */
const CONNECT_TIMEOUT = 5_000;

/** Strangers that may be connected at a time. */
const MAX_CONNECTIONS = 8;

/** Words for the errors that people meet here. */
const REASONS: Readonly<Record<string, string>> = {
  EADDRINUSE: "the port is in use there",
  EACCES: "that port needs privileges there",
  ECONNREFUSED: "the port is closed: a firewall, or a NAT in between",
  ETIMEDOUT: "nothing answers on that port: a firewall, or a NAT in between",
};

/** A TCP port that serves one peer. */
export class TcpServer {
  /** What the peer has to send first, as hexadecimal digits. */
  readonly token = Buffer.from(crypto.getRandomValues(new Uint8Array(TOKEN_SIZE))).toString("hex");
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #onSocket: ((socket: Socket) => void) | undefined;

  private constructor() {
    this.#server = createServer({ noDelay: true }, (socket) => this.#onConnection(socket));
    this.#server.maxConnections = MAX_CONNECTIONS;
  }

  /** Opens `port` on a local address. @throws the system's error. */
  static async open(host: string, port: number): Promise<TcpServer> {
    const tcp = new TcpServer();
    await new Promise<void>((resolve, reject) => {
      tcp.#server.once("error", reject).listen({ host, port, exclusive: true }, resolve);
    });
    tcp.#server.on("error", () => {});
    return tcp;
  }

  /** Command: hands the next connection that shows the token to `onSocket`. All others are ended. */
  expect(onSocket: (socket: Socket) => void): void {
    this.#onSocket = onSocket;
  }

  /** Command: ends all connections. */
  hangUp(): void {
    this.#onSocket = undefined;
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  /** Command: ends everything. */
  close(): void {
    this.hangUp();
    this.#server.close();
  }

  /** The port that is open. */
  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  #onConnection(socket: Socket): void {
    this.#sockets.add(socket);
    const timer = setTimeout(() => socket.destroy(), CONNECT_TIMEOUT);
    const onReadable = (): void => {
      const token = socket.read(TOKEN_SIZE) as Buffer | null;
      if (token === null) return;
      socket.off("readable", onReadable);
      clearTimeout(timer);
      const onSocket = this.#onSocket;
      if (onSocket === undefined || token.toString("hex") !== this.token) {
        socket.destroy();
        return;
      }
      this.#onSocket = undefined;
      onSocket(socket);
    };
    // A peer that resets its connection has simply ended it.
    socket.on("error", () => {});
    socket.on("readable", onReadable).once("close", () => {
      clearTimeout(timer);
      this.#sockets.delete(socket);
    });
  }
}

/** Connects to a {@link TcpServer}. @throws the system's error. */
export async function dialTcp(host: string, port: number, token: string): Promise<Socket> {
  const socket = connect({ host, port, noDelay: true });
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once("connect", resolve).once("error", reject);
      socket.setTimeout(CONNECT_TIMEOUT, () => {
        reject(Object.assign(new Error("no answer"), { code: "ETIMEDOUT" }));
      });
    });
  } catch (error) {
    socket.destroy();
    throw error;
  }
  socket.setTimeout(0);
  socket.on("error", () => {});
  socket.write(Buffer.from(token, "hex"));
  return socket;
}

/** Why there is no TCP, in one clause. */
export function tcpReason(error: unknown): string {
  return REASONS[systemCode(error) ?? ""] ?? describeSystemError(error);
}

/** The controller of this machine's TCP; `undefined` where it cannot be known. */
export function tcpCongestion(): string | undefined {
  try {
    return readFileSync("/proc/sys/net/ipv4/tcp_congestion_control", "utf8").trim();
  } catch {
    return undefined;
  }
}
