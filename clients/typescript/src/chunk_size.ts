/** Chunk size of uploads by single calls: about half a second per call, so that progress is visible and a lost call costs little. */

/** Limit of the server, in bytes. */
export const LARGEST_CHUNK = 1 << 20;
const SMALLEST_CHUNK = 64 << 10;

const QUICK_MS = 400;
const SLOW_MS = 1500;

export class ChunkSize {
  #bytes = 2 * SMALLEST_CHUNK;

  get bytes(): number {
    return this.#bytes;
  }

  /** Adapts the size to the duration of a call with this many bytes. */
  took(bytes: number, milliseconds: number): void {
    if (milliseconds > SLOW_MS) this.failed();
    else if (milliseconds < QUICK_MS && bytes === this.#bytes) {
      this.#bytes = Math.min(LARGEST_CHUNK, this.#bytes * 2);
    }
  }

  /** Reduces the size after a lost call. */
  failed(): void {
    this.#bytes = Math.max(SMALLEST_CHUNK, this.#bytes / 2);
  }
}
