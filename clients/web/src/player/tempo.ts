/** Tempo from taps. */

export const SLOWEST = 30;
export const FASTEST = 300;

/** A longer pause begins anew. */
const PAUSE_MS = 2_000;

/** Taps that count. */
const MOST = 8;

/** The earlier taps that count with a new one, in milliseconds. */
export function tapped(taps: readonly number[], now: number): number[] {
  const last = taps.at(-1);
  return last !== undefined && now - last > PAUSE_MS ? [now] : [...taps.slice(1 - MOST), now];
}

/** Beats a minute of at least two taps; `null` of fewer. */
export function tempoOf(taps: readonly number[]): number | null {
  const [first, last] = [taps[0], taps.at(-1)];
  if (first === undefined || last === undefined || last <= first) return null;
  return within(Math.round((60_000 * (taps.length - 1)) / (last - first)));
}

/** The tempo of a song: the one chosen for it, else that of its tag, which is 0 where there is none, else the usual one. */
export function tempoFor(chosen: number | undefined, tag: number, usual: number): number {
  return chosen ?? (tag >= SLOWEST && tag <= FASTEST ? within(tag) : usual);
}

/** The nearest tempo in the range. */
export function within(perMinute: number): number {
  return Math.max(SLOWEST, Math.min(FASTEST, Math.round(perMinute)));
}
