/** Whether and when a failed call is repeated. */
import { StemwireError, UnreachableError } from "./errors.js";
import { pauseMs } from "./backoff.js";

/**
 * How a client continues after a broken connection, a restart of the server or a full queue.
 *
 * Pauses double from the first up to the longest, less a random part so that many clients do not return at the same moment. A
 * pause is never shorter than the server asks for.
 */
export interface Retry {
  /** Consecutive failures without progress that are retried; 0 disables retries. */
  readonly attempts: number;
  readonly firstPauseMs: number;
  /** Limit of a pause that the server has not asked for. */
  readonly longestPauseMs: number;
}

export const DEFAULT_RETRY: Retry = { attempts: 8, firstPauseMs: 250, longestPauseMs: 10_000 };

/** Uploaded bytes and received frames. */
export type Position = readonly [bytes: number, frames: number];

/** Counts the consecutive failures of one operation. */
export class Failures {
  #count = 0;
  #last: Position = [0, 0];

  constructor(private readonly retry: Retry) {}

  /**
   * Milliseconds to wait after an error; `undefined` if the call must not be repeated. A position beyond the last one starts a new
   * count. A server that has never answered is not called again: its address is probably wrong.
   */
  pauseAfter(error: unknown, position: Position, answered: boolean): number | undefined {
    this.#count += 1;
    if (isBeyond(position, this.#last)) {
      this.#count = 1;
      this.#last = position;
    }
    if (!(error instanceof StemwireError) || this.#count > this.retry.attempts) return undefined;
    const isTransient = error instanceof UnreachableError ? answered : error.retryAfterMs !== undefined;
    return isTransient ? pauseMs(this.retry, this.#count, error.retryAfterMs) : undefined;
  }
}

function isBeyond(position: Position, last: Position): boolean {
  return position[0] > last[0] || (position[0] === last[0] && position[1] > last[1]);
}
