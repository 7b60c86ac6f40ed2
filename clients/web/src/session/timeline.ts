/** Length of a song as far as known, and the remaining time of its separation. */
import type { Session } from "stemwire/proto";

/** Sample rate of a session's stems; 44.1 kHz until it is known. */
export function rateOf(session: Session): number {
  return session.source?.outputSampleRate || 44_100;
}

/**
 * The song's frames: as reported by the server, else estimated from the uploaded share and the decoded frames,
 * else those decoded so far.
 */
export function lengthOf(session: Session, uploadBytes: number | undefined): number {
  const progress = session.progress;
  if (!progress) return 0;
  if (progress.totalFrames > 0n) return Number(progress.totalFrames);
  const decoded = Number(progress.decodedFrames);
  const held = Number(session.committedBytes);
  if (uploadBytes === undefined || held === 0 || session.uploadComplete) return decoded;
  return Math.max(decoded, Math.round(decoded * (uploadBytes / held)));
}

/** Possible intervals between two marks, in seconds. */
const STEPS_S = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1200, 1800, 3600];

/** Largest position of the last mark, as a share, so that its label is not cut. */
const LAST = 0.86;

/** Positions of the marks, in seconds: as many as labels fit on a phone. */
export function marks(seconds: number): number[] {
  const most = seconds < 3600 ? 8 : 5;
  const step = STEPS_S.find((step) => seconds / step <= most) ?? 7200;
  return Array.from({ length: Math.ceil((seconds * LAST) / step) }, (_, at) => at * step);
}

/** Measures speed over a moving window. */
export class Pace {
  #points: { at: number; done: number }[] = [];

  constructor(private readonly spanMs = 20_000) {}

  reached(done: number, at = performance.now()): void {
    const last = this.#points.at(-1);
    // Progress has restarted, for example after a server restart.
    if (last && done < last.done) this.#points = [];
    if (!last || done !== last.done) this.#points.push({ at, done });
    while (this.#points.length > 2 && at - this.#points[0]!.at > this.spanMs) this.#points.shift();
  }

  /** Seconds until `whole` is done; `null` if unknown. */
  left(whole: number, now = performance.now()): number | null {
    const [first, last] = [this.#points[0], this.#points.at(-1)];
    if (!first || !last || last.done <= first.done || last.at - first.at < 500) return null;
    const perSecond = ((last.done - first.done) / (last.at - first.at)) * 1000;
    return Math.max(0, (whole - last.done) / perSecond - (now - last.at) / 1000);
  }
}
