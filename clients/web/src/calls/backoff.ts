/** Waiting longer and longer between tries, never for all at the same moment. */

const FIRST_MS = 500;
const LONGEST_MS = 10_000;

export class Backoff {
  #tries = 0;

  /** Something went well: the next wait is short again. */
  reset(): void {
    this.#tries = 0;
  }

  /** How long to wait now, at least `least`; each time about twice as long. */
  next(least = 0): number {
    const full = Math.min(LONGEST_MS, FIRST_MS * 2 ** this.#tries++);
    return Math.max(least, full * (0.75 + Math.random() / 2));
  }
}

/** Waits, unless the signal or the browser's word that it is online again ends it. Rejects where it was aborted. */
export function sleep(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const end = () => {
      clearTimeout(timer);
      removeEventListener("online", end);
      signal.removeEventListener("abort", end);
      if (signal.aborted) reject(signal.reason);
      else resolve();
    };
    const timer = setTimeout(end, milliseconds);
    addEventListener("online", end);
    signal.addEventListener("abort", end);
    if (signal.aborted) end();
  });
}
