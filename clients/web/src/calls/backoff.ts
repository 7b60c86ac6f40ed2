/** Pauses between tries. */
import { pauseMs } from "stemwire/src/backoff";

const PAUSES = { firstPauseMs: 500, longestPauseMs: 10_000 };

export class Backoff {
  #tries = 0;

  /** Resets the delay after a success. */
  reset(): void {
    this.#tries = 0;
  }

  /** The next delay, at least `least`; about twice the previous one. */
  next(least = 0): number {
    this.#tries += 1;
    return pauseMs(PAUSES, this.#tries, least);
  }
}

/** Waits until the delay has passed or the browser is online again. Rejects if the signal aborts. */
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
