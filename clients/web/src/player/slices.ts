/**
 * The samples around the play position: slices of one second for each stem, as they came (16 bits, interleaved
 * stereo). Slices far from the position are dropped, so that memory does not grow with the song.
 */

/** Seconds that are kept behind the position, for a short way back. */
export const BEHIND_S = 10;
/** Seconds that are fetched ahead: while playing, and before, so that playback starts at once. */
export const AHEAD_S = 30;
export const AHEAD_UNPLAYED_S = 3;
/** Slices that one call fetches at most. */
export const RUN = 5;

/** Slices of one stem that are missing, one after the other. */
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

  /** One slice of every stem, or `null` where one of them is missing. */
  all(slice: number): Int16Array[] | null {
    const found: Int16Array[] = [];
    for (const stem of this.stems) {
      const samples = this.#held.get(stem)?.get(slice);
      if (!samples) return null;
      found.push(samples);
    }
    return found;
  }

  /** Lets go of what is outside the window around the slice `at`. */
  evict(at: number): void {
    for (const slices of this.#held.values()) {
      for (const slice of slices.keys()) {
        if (slice < at - BEHIND_S || slice > at + AHEAD_S) slices.delete(slice);
      }
    }
  }

  /**
   * What to fetch next: the missing slice that is due first, and those of the same stem that follow it. Of what is due
   * at once only that, so that no stem waits for the others' future.
   *
   * @param stop the first slice that is not wanted, or not there.
   * @param asked what is being fetched already.
   */
  missing(at: number, stop: number, asked: readonly Run[]): Run | null {
    const isAsked = (stem: string, slice: number) =>
      asked.some((run) => run.stem === stem && slice >= run.first && slice < run.first + run.count);
    const isMissing = (stem: string, slice: number) => !this.#held.get(stem)?.has(slice) && !isAsked(stem, slice);
    for (let slice = at; slice < stop; slice++) {
      for (const stem of this.stems) {
        if (!isMissing(stem, slice)) continue;
        let count = 1;
        const most = slice === at ? 1 : RUN;
        while (count < most && slice + count < stop && isMissing(stem, slice + count)) count++;
        return { stem, first: slice, count };
      }
    }
    return null;
  }
}
