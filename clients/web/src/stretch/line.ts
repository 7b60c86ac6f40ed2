/** Pieces of all stems that wait to be stretched, mixed as they are read. */
import { HEADROOM } from "../player/slices";

/** Share of a gain's change that is made in one read, to avoid clicks. */
const SMOOTH = 0.3;

export class Line {
  /** Frames of all pieces so far, and of those read. */
  fed = 0;
  taken = 0;
  #pieces: (readonly Int16Array[])[] = [];
  /** Frames of the first piece that are read. */
  #read = 0;
  readonly #gains: { now: number; wanted: number }[];

  constructor(stems: number) {
    this.#gains = Array.from({ length: stems }, () => ({ now: 1, wanted: 1 }));
  }

  setGain(stem: number, gain: number): void {
    const held = this.#gains[stem];
    if (!held) return;
    held.wanted = gain;
    // Nothing is heard yet.
    if (this.taken === 0) held.now = gain;
  }

  feed(stems: readonly Int16Array[]): void {
    this.#pieces.push(stems);
    this.fed += framesOf(stems);
  }

  /** Forgets what is behind this frame; what is read already stays so. */
  cut(at: number): void {
    const end = Math.max(at, this.taken);
    while (this.fed > end) {
      const last = this.#pieces.pop()!;
      this.fed -= framesOf(last);
      if (this.fed >= end) continue;
      const kept = end - this.fed;
      this.#pieces.push(last.map((samples) => samples.subarray(0, kept * 2)));
      this.fed = end;
    }
    if (this.#pieces.length === 0) this.#read = 0;
  }

  clear(): void {
    this.#pieces = [];
    this.#read = this.fed = this.taken = 0;
    for (const gain of this.#gains) gain.now = gain.wanted;
  }

  /** Reads `count` frames of the mix; silence behind the end, which counts as neither read nor missed. */
  take(count: number, left: Float32Array, right: Float32Array): void {
    left.fill(0, 0, count);
    right.fill(0, 0, count);
    const steps = this.#gains.map(({ now, wanted }) => ((wanted - now) * SMOOTH) / Math.max(1, count));
    let done = 0;
    while (done < count) {
      const piece = this.#pieces[0];
      if (!piece) break;
      const frames = Math.min(count - done, framesOf(piece) - this.#read);
      piece.forEach((samples, stem) => {
        const step = steps[stem] ?? 0;
        let gain = (this.#gains[stem]?.now ?? 0) + step * done;
        if (gain === 0 && step === 0) return;
        for (let at = 0; at < frames; at++, gain += step) {
          const from = (this.#read + at) * 2;
          left[done + at]! += samples[from]! * gain * (HEADROOM / 32768);
          right[done + at]! += samples[from + 1]! * gain * (HEADROOM / 32768);
        }
      });
      done += frames;
      this.#read += frames;
      if (this.#read >= framesOf(piece)) {
        this.#pieces.shift();
        this.#read = 0;
      }
    }
    this.taken += done;
    this.#gains.forEach((gain, stem) => {
      gain.now += steps[stem]! * count;
      if (Math.abs(gain.wanted - gain.now) < 1e-4) gain.now = gain.wanted;
    });
  }
}

function framesOf(stems: readonly Int16Array[]): number {
  return (stems[0]?.length ?? 0) / 2;
}
