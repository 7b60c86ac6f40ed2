/** How long a song is as far as one knows, and how long its separation still takes. */
import type { Session } from "../generated/stemwire/v1/session_pb";

/** Frames per second of a session's stems; models work at 44.1 kHz unless they say otherwise. */
export function rateOf(session: Session): number {
  return session.source?.outputSampleRate || 44_100;
}

/**
 * The song's frames: those that the server knows of, else an estimate from the share of the upload that they were
 * decoded from, else those decoded so far.
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

/** Seconds between two marks. */
const STEPS_S = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1200, 1800, 3600];

/** How far along the last mark may stand, for its text not to be cut. */
const LAST = 0.86;

/** The seconds of a song that are marked: as many as have room for their texts on a phone, hours with longer ones. */
export function marks(seconds: number): number[] {
  const most = seconds < 3600 ? 8 : 5;
  const step = STEPS_S.find((step) => seconds / step <= most) ?? 7200;
  return Array.from({ length: Math.ceil((seconds * LAST) / step) }, (_, at) => at * step);
}

/** Looks at how fast something goes over the last while. */
export class Pace {
  #points: { at: number; done: number }[] = [];

  constructor(private readonly spanMs = 20_000) {}

  reached(done: number, at = performance.now()): void {
    const last = this.#points.at(-1);
    // It began anew, as after a restart of the server.
    if (last && done < last.done) this.#points = [];
    if (!last || done !== last.done) this.#points.push({ at, done });
    while (this.#points.length > 2 && at - this.#points[0]!.at > this.spanMs) this.#points.shift();
  }

  /** Seconds until `whole` is done, or `null` as long as there is no telling. */
  left(whole: number, now = performance.now()): number | null {
    const [first, last] = [this.#points[0], this.#points.at(-1)];
    if (!first || !last || last.done <= first.done || last.at - first.at < 500) return null;
    const perSecond = ((last.done - first.done) / (last.at - first.at)) * 1000;
    return Math.max(0, (whole - last.done) / perSecond - (now - last.at) / 1000);
  }
}
