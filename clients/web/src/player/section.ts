/** The looped section: its limits, the slices that it needs next, and its seam. Positions are frames of the song. */

export interface Section {
  readonly start: number;
  /** The first frame behind it. */
  readonly end: number;
}

/** Duration of the shortest section; what is shorter is a slip of the pointer. */
export const LEAST_S = 0.1;

/** Duration of the cross-fade at the seam. */
const SEAM_S = 0.003;

/** The section between two positions in any order; `null` if it is too short. */
export function between(one: number, other: number, frames: number, rate: number): Section | null {
  const [start, end] = [one, other].map((at) => Math.round(Math.max(0, Math.min(at, frames)))).sort((a, b) => a - b) as [number, number];
  return end - start >= LEAST_S * rate ? { start, end } : null;
}

/** Frames of the cross-fade. */
export function seamFrames(rate: number): number {
  return Math.round(SEAM_S * rate);
}

/**
 * At most `count` slices of a second, in the order in which they are heard from a position on: those of a loop are heard
 * again.
 *
 * @param stop the first slice that is not available.
 */
export function upcoming(position: number, stop: number, count: number, loop: Section | null, rate: number): number[] {
  const first = Math.floor(position / rate);
  const loops = loop !== null && position < loop.end;
  const last = loops ? Math.min(stop, Math.ceil(loop.end / rate)) : stop;
  const order = range(first, Math.min(last, first + count));
  if (!loops) return order;
  // The seam has some frames before the start.
  const again = Math.floor(Math.max(0, loop.start - seamFrames(rate)) / rate);
  return [...order, ...range(again, Math.min(last, first)).slice(0, count - order.length)];
}

/**
 * The samples up to a section's end, cross-faded into those before its start, so that the jump back does not click: what
 * follows begins with its first frame at full volume. Both are interleaved stereo; what is missing before is silence.
 */
export function sealed(samples: Int16Array, before: Int16Array, rate: number): Int16Array {
  const made = samples.slice();
  const frames = Math.min(seamFrames(rate), samples.length / 2);
  for (let at = 0; at < frames * 2; at++) {
    const share = ((at >> 1) + 1) / (frames + 1);
    const [to, from] = [samples.length - frames * 2 + at, before.length - frames * 2 + at];
    made[to] = Math.round(samples[to]! * (1 - share) + (before[from] ?? 0) * share);
  }
  return made;
}

function range(from: number, to: number): number[] {
  return Array.from({ length: Math.max(0, to - from) }, (_, at) => from + at);
}
