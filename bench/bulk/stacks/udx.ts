/**
 * udx-native: a reliable stream over UDP in C, used through Node-API; nothing is encrypted.
 *
 * @module
 */
import { createRequire } from "node:module";
import type { Duplex } from "node:stream";
import type { Stack } from "../stack.ts";

/** The part of udx-native that is used here; it comes without types. */
interface Udx {
  createSocket(): UdxSocket;
  createStream(id: number): UdxStream;
}
interface UdxSocket {
  bind(port: number, host: string): void;
  close(): Promise<void>;
}
type UdxStream = Duplex & { connect(socket: UdxSocket, remoteId: number, port: number, host: string): void };

/** Both ends must know each other beforehand: udx has no handshake. */
const [RECEIVER_PORT, SENDER_PORT] = [47_101, 47_102];
const [RECEIVER_ID, SENDER_ID] = [1, 2];

export const udx: Stack = {
  isEncrypted: false,
  async receive(host) {
    const engine = load();
    const socket = engine.createSocket();
    socket.bind(RECEIVER_PORT, host);
    const stream = engine.createStream(RECEIVER_ID);
    // The sender of a pair of hosts is the other of the two; on loopback it is the same.
    stream.connect(socket, SENDER_ID, SENDER_PORT, process.env.BENCH_SENDER ?? host);
    stream.once("end", () => stream.end());
    return { target: host, stream: Promise.resolve(stream), close: () => {} };
  },
  async send(target, host) {
    const engine = load();
    const socket = engine.createSocket();
    socket.bind(SENDER_PORT, host);
    const stream = engine.createStream(SENDER_ID);
    stream.connect(socket, RECEIVER_ID, RECEIVER_PORT, target);
    stream.resume();
    return stream;
  },
};

function load(): Udx {
  const Engine: new () => Udx = createRequire(import.meta.url)("udx-native");
  return new Engine();
}
