/**
 * The host whose port is mapped, run in its namespace by portmap.test.ts: a UDP socket, and a port mapper at the default gateway.
 *
 * Argument: `map` or `probe`. Lines on standard input: `renew`, `close` (the mapper, not the socket). Lines on standard output: JSON,
 * events of the mapper as they are, `{ type: "bound", port }` first, `{ type: "datagram", text }`, `{ type: "closed", ms }`.
 *
 * @module
 */
import { createSocket } from "node:dgram";
import { createInterface } from "node:readline";
import { PortMapper } from "../../../src/io/portmap/port-mapper.ts";

const tell = (line: object): void => void process.stdout.write(`${JSON.stringify(line)}\n`);

const socket = createSocket("udp4");
socket.on("message", (payload) => tell({ type: "datagram", text: payload.toString("latin1") }));
socket.bind(0, () => {
  const { port } = socket.address();
  tell({ type: "bound", port });
  const mapper = new PortMapper({ internalPort: port, onEvent: tell });
  if (process.argv[2] === "probe") mapper.probe();
  else mapper.start();
  createInterface({ input: process.stdin })
    .on("line", (line) => {
      if (line === "renew") mapper.renew();
      else {
        const before = performance.now();
        void mapper.close().then(() => tell({ type: "closed", ms: performance.now() - before }));
      }
    })
    .on("close", () => process.exit());
});
