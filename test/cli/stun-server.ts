/**
 * A STUN server with two addresses and two ports on loopback, for tests of `doctor`.
 *
 * @module
 */
import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { MAX_ANSWER_SIZE, StunResponder } from "../../src/stun/responder.ts";
import type { Address } from "../../src/util/machine.ts";

/** A server that is running; `address` is what to give to `--stun`. */
export interface StunServer {
  readonly address: string;
  close(): void;
}

/** Starts one. Port numbers are whatever is free, the same on both addresses. */
export async function startStunServer(): Promise<StunServer> {
  const first = await bind("127.0.0.1", 0);
  const second = await bind("127.0.0.1", 0);
  const [port, otherPort] = [first.address().port, second.address().port];
  const sockets = [first, second, await bind("127.0.0.2", port), await bind("127.0.0.2", otherPort)];
  const primary: Address = { host: "127.0.0.1", port, family: 4 };
  const responder = new StunResponder({
    diagnostics: { primary, other: { host: "127.0.0.2", port: otherPort, family: 4 } },
  });
  const out = new Uint8Array(MAX_ANSWER_SIZE);
  for (const [place, socket] of sockets.entries()) {
    socket.on("message", (request, { address, port: fromPort }) => {
      const answer = responder.answer(request, { host: address, port: fromPort, family: 4 }, place, out);
      if (answer !== undefined) sockets[answer.place]!.send(out.slice(0, answer.length), answer.port, address);
    });
  }
  return {
    address: `127.0.0.1:${port}`,
    close: () => {
      for (const socket of sockets) socket.close();
    },
  };
}

async function bind(host: string, port: number): Promise<Socket> {
  const socket = createSocket("udp4");
  socket.bind({ address: host, port });
  await once(socket, "listening");
  return socket;
}
