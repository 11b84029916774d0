/**
 * node:net, the kernel's TCP: nothing is encrypted, and the kernel's offloads do most of the work.
 *
 * @module
 */
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import type { Stack } from "../stack.ts";

export const tcp: Stack = {
  isEncrypted: false,
  async receive(host) {
    const server = createServer();
    const stream = once(server, "connection").then(([socket]): Socket => socket);
    server.listen(0, host);
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    return { target: JSON.stringify({ host, port }), stream, close: () => void server.close() };
  },
  async send(target) {
    const socket = connect(JSON.parse(target));
    await once(socket, "connect");
    return socket;
  },
};
