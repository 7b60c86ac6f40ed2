/** How many bytes one call carries: as many as take about half a second, so that progress moves and a lost call costs little. */

/** The server takes no more. */
export const LARGEST_CHUNK = 1 << 20;
const SMALLEST_CHUNK = 64 << 10;

const QUICK_MS = 400;
const SLOW_MS = 1500;

export class ChunkSize {
  #bytes = 2 * SMALLEST_CHUNK;

  get bytes(): number {
    return this.#bytes;
  }

  /** Learns from a call that carried this much. */
  took(bytes: number, milliseconds: number): void {
    if (milliseconds > SLOW_MS) this.failed();
    else if (milliseconds < QUICK_MS && bytes === this.#bytes) {
      this.#bytes = Math.min(LARGEST_CHUNK, this.#bytes * 2);
    }
  }

  /** A call was lost: the next is shorter. */
  failed(): void {
    this.#bytes = Math.max(SMALLEST_CHUNK, this.#bytes / 2);
  }
}
