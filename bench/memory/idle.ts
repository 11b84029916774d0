/**
 * What an idle connection costs in memory: `npm run bench:memory [-- --connections 2000]`.
 *
 * Opens that many connections between two endpoints, moves 1 MiB through 50 of them, lets all fall silent, and divides
 * what the heap has grown by (external memory included) by the number of connection ends. Exits with 1 if an end costs
 * more than 20 KiB. The kernel's socket buffers are not part of it: all connections share a socket.
 *
 * @module
 */
import { parseArgs } from "node:util";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { idleCost, LIMIT } from "./idle-cost.ts";

const { values } = parseArgs({ options: { connections: { type: "string", default: "2000" } } });
setFlagsFromString("--expose-gc");
const cost = await idleCost(Math.max(100, Number(values.connections) || 0), runInNewContext("gc"));
const kib = (bytes: number) => `${(bytes / 1024).toFixed(1)} KiB`;
console.log(`${cost.connections} connections, ${cost.busy} of them with 1 MiB of traffic`);
console.log(`plain end: ${kib(cost.plain)}; end after traffic: ${kib(cost.afterTraffic)}; mean: ${kib(cost.mean)}`);
console.log(`resident memory for each end: ${kib(cost.resident)}`);
if (cost.mean > LIMIT || cost.afterTraffic > LIMIT) {
  console.error(`more than ${kib(LIMIT)}`);
  process.exitCode = 1;
}
