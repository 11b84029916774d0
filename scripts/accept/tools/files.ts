/**
 * Large files for transfers, and their hashes.
 *
 * @module
 */
import { createCipheriv, createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";

const CHUNK_SIZE = 1 << 20;

/** Makes a file of `size` bytes that does not repeat itself, and returns its SHA-256. */
export async function makeFile(folder: string, name: string, size: number): Promise<string> {
  const stream = createCipheriv("aes-128-ctr", Buffer.alloc(16, 7), Buffer.alloc(16, size % 251));
  const zeros = Buffer.alloc(CHUNK_SIZE);
  const hash = createHash("sha256");
  const file = await open(join(folder, name), "w");
  try {
    for (let left = size; left > 0; left -= CHUNK_SIZE) {
      const chunk = stream.update(left < CHUNK_SIZE ? zeros.subarray(0, left) : zeros);
      hash.update(chunk);
      await file.write(chunk);
    }
  } finally {
    await file.close();
  }
  return hash.digest("hex");
}

/** SHA-256 of a file. */
export async function hashOf(folder: string, name: string): Promise<string> {
  const hash = createHash("sha256");
  await pipeline(createReadStream(join(folder, name)), hash);
  return hash.digest("hex");
}
