/**
 * Recycled buffers for outgoing batches.
 *
 * @module
 */

// Implementation

/**
 * Bytes in one pooled buffer: the largest batch that a kernel takes in one offloaded send is just below 64 KiB, and one
 * UDP payload never exceeds 65,507.
 */
export const BATCH_BUFFER_SIZE = 65_536;

/** Idle buffers kept: enough for the batches in flight between two turns of the event loop, 1 MiB in all. */
const MAX_IDLE_BUFFERS = 16;

/**
 * A free list of equal-sized buffers.
 *
 * A machine takes one for each batch that it builds. The owner gives it back once the bytes have left; a buffer that is
 * never given back is simply collected.
 */
export class BufferPool {
  readonly #idle: Uint8Array[] = [];

  /** A buffer of {@link BATCH_BUFFER_SIZE} bytes with arbitrary old contents. */
  take(): Uint8Array {
    return this.#idle.pop() ?? new Uint8Array(BATCH_BUFFER_SIZE);
  }

  /** Returns the buffer under `view`, which must have come from {@link take}. */
  give(view: Uint8Array): void {
    if (this.#idle.length >= MAX_IDLE_BUFFERS) return;
    if (view.buffer.byteLength !== BATCH_BUFFER_SIZE) return;
    this.#idle.push(new Uint8Array(view.buffer));
  }
}
