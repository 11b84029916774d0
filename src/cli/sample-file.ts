/**
 * Files for the demonstration: made on the spot, and compared by their SHA-256.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { createReadStream, createWriteStream } from "node:fs";
import { pipeline } from "node:stream/promises";

// Implementation

/** Bytes made, written or hashed at a time. */
const CHUNK = 1024 * 1024;

/** Any number but 0, where the generator would stand still. */
const SEED = 0x9e37_79b9;

/**
 * Writes `size` pseudo-random bytes to `path`: nothing along the way can make them smaller, and a piece that is lost,
 * repeated or moved changes the hash.
 */
export async function writeSampleFile(path: string, size: number, signal: AbortSignal): Promise<void> {
  await pipeline(sampleChunks(size), createWriteStream(path, { flags: "wx", mode: 0o600, highWaterMark: CHUNK }), {
    signal,
  });
}

/** SHA-256 of a file, in hexadecimal. */
export async function hashFile(path: string, signal: AbortSignal): Promise<string> {
  const hash = createHash("sha256");
  await pipeline(createReadStream(path, { highWaterMark: CHUNK }), hash, { signal });
  return hash.digest("hex");
}

function* sampleChunks(size: number): Generator<Uint8Array> {
  let state = SEED;
  for (let offset = 0; offset < size; offset += CHUNK) {
    const words = new Uint32Array(CHUNK / 4);
    for (let i = 0; i < words.length; i++) {
      // Marsaglia's xorshift: not secret, but fast.
      state ^= state << 13;
      state ^= state >>> 17;
      state ^= state << 5;
      words[i] = state;
    }
    yield new Uint8Array(words.buffer, 0, Math.min(CHUNK, size - offset));
  }
}
