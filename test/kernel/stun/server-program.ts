/**
 * Runs on a host: our own answers at four places, or at one. Arguments: `diagnostics` or `plain`, then two addresses.
 *
 * @module
 */
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { isIP } from "node:net";
import { MAX_ANSWER_SIZE, StunResponder } from "../../../src/stun/responder.ts";
import type { Address } from "../../../src/util/machine.ts";

const [kind, first = "", second = ""] = process.argv.slice(2);
const family = isIP(first) === 6 ? 6 : 4;
const PORTS = [3478, 3479] as const;
const places: readonly Address[] = [first, second].flatMap((host) => PORTS.map((port) => ({ host, port, family })));
const diagnostics = { primary: places[0]!, other: places[3]! };
const responder = new StunResponder(kind === "diagnostics" ? { diagnostics } : {});

const sockets = places.map(() => createSocket(family === 4 ? { type: "udp4" } : { type: "udp6", ipv6Only: true }));
for (const [place, socket] of sockets.entries()) {
  socket.on("message", (payload, { address: host, port }) => {
    const out = new Uint8Array(MAX_ANSWER_SIZE);
    const answer = responder.answer(payload, { host, port, family }, place, out);
    if (answer !== undefined) sockets[answer.place]!.send(out.subarray(0, answer.length), answer.port, host, () => {});
  });
  const { host, port } = places[place]!;
  socket.bind(port, host);
  await once(socket, "listening");
}
process.stdout.write("ready\n");
