/**
 * Collecting garbage on demand, and measuring what is left.
 *
 * @module
 */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

setFlagsFromString("--expose-gc");
const collect: () => void = runInNewContext("gc");

/** Collects all garbage; weak references to it are cleared then. */
export async function collectGarbage(): Promise<void> {
  // A weak reference holds on until the end of the turn that made it.
  await new Promise((resolve) => setImmediate(resolve));
  collect();
}

/** Collections until nothing more comes free: buffers are freed beside the program, a little after the collection. */
const COLLECTIONS = 6;

/** Bytes in use after a thorough collection, buffers included. */
export async function usedMemory(): Promise<number> {
  let used = Number.POSITIVE_INFINITY;
  for (let i = 0; i < COLLECTIONS; i++) {
    await collectGarbage();
    const { heapUsed, arrayBuffers } = process.memoryUsage();
    used = Math.min(used, heapUsed + arrayBuffers);
  }
  return used;
}
