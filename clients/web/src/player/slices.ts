/**
 * Samples around the play position, as slices of one second per stem (16-bit interleaved stereo, as received). Slices
 * far from the position are dropped, so that memory does not grow with the song.
 */

/** Seconds kept behind the position, for short jumps back. */
export const BEHIND_S = 10;
/** Seconds fetched ahead while playing, and while paused, so that playback starts at once. */
export const AHEAD_S = 30;
export const AHEAD_UNPLAYED_S = 3;
/** Limit of slices per call. */
export const RUN = 5;

/** Gain of the samples, which may exceed full scale: at half gain 16 bits do not clip. */
export const HEADROOM = 2;

/** Consecutive missing slices of a stem. */
export interface Run {
  readonly stem: string;
  readonly first: number;
  readonly count: number;
}

export class Slices {
  #held = new Map<string, Map<number, Int16Array>>();

  constructor(readonly stems: readonly string[]) {
    for (const stem of stems) this.#held.set(stem, new Map());
  }

  put(stem: string, slice: number, samples: Int16Array): void {
    this.#held.get(stem)?.set(slice, samples);
  }

  /** One slice of every stem; `null` if one is missing. */
  all(slice: number): Int16Array[] | null {
    const found: Int16Array[] = [];
    for (const stem of this.stems) {
      const samples = this.#held.get(stem)?.get(slice);
      if (!samples) return null;
      found.push(samples);
    }
    return found;
  }

  /** Drops slices outside the window around the slice `at`, except those that are wanted next. */
  evict(at: number, wanted: readonly number[] = []): void {
    for (const slices of this.#held.values()) {
      for (const slice of slices.keys()) {
        if ((slice < at - BEHIND_S || slice > at + AHEAD_S) && !wanted.includes(slice)) slices.delete(slice);
      }
    }
  }

  /**
   * The next run to fetch: the missing slice that is due first, and those of the same stem that follow it. Of slices due
   * at once only one, so that no stem waits for later slices of another.
   *
   * @param order the slices that are wanted, in the order in which they are due.
   * @param asked the slices that are being fetched.
   */
  missing(order: readonly number[], asked: readonly Run[]): Run | null {
    const isAsked = (stem: string, slice: number) =>
      asked.some((run) => run.stem === stem && slice >= run.first && slice < run.first + run.count);
    const isMissing = (stem: string, slice: number) => !this.#held.get(stem)?.has(slice) && !isAsked(stem, slice);
    for (const [place, slice] of order.entries()) {
      for (const stem of this.stems) {
        if (!isMissing(stem, slice)) continue;
        let count = 1;
        const most = place === 0 ? 1 : RUN;
        while (count < most && order[place + count] === slice + count && isMissing(stem, slice + count)) count++;
        return { stem, first: slice, count };
      }
    }
    return null;
  }
}
