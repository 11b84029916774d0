/**
 * Ports for programs that must be told one.
 *
 * @module
 */
import { createSocket } from "node:dgram";
import { once } from "node:events";

/** A UDP port of loopback that was free a moment ago, with one after it. */
export async function freePort(): Promise<number> {
  for (;;) {
    const socket = createSocket("udp4");
    socket.bind({ address: "127.0.0.1", port: 0 });
    await once(socket, "listening");
    const { port } = socket.address();
    socket.close();
    if (port < 65_000) return port;
  }
}
