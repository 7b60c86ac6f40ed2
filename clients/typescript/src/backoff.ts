/** Exponential back-off with jitter. */

export interface Pauses {
  readonly firstPauseMs: number;
  readonly longestPauseMs: number;
}

/** Milliseconds to wait after this many failures in a row: about twice the pause before it, and at least `leastMs`. */
export function pauseMs(pauses: Pauses, failures: number, leastMs = 0): number {
  const full = Math.min(pauses.longestPauseMs, pauses.firstPauseMs * 2 ** Math.max(0, failures - 1));
  return Math.max(leastMs, full * (1 - Math.random() / 4));
}

/** Waits; rejects with the reason of the signal once it aborts. */
export function sleep(milliseconds: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const end = () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", end);
      if (signal?.aborted) reject(signal.reason);
      else resolve();
    };
    const timer = setTimeout(end, milliseconds);
    signal?.addEventListener("abort", end);
    if (signal?.aborted) end();
  });
}
