/** Peaks of a session's stems, computed by the server: the page never loads all samples of a song. */
import { signal, type ReadonlySignal } from "@preact/signals";
import { peaksAddress } from "../calls/addresses";
import { token } from "../calls/token";

/** Interval between two requests while the song grows. */
const PAUSE_MS = 1500;

export interface Envelope {
  readonly framesPerPeak: number;
  /** Per peak the maximum and the minimum, as distances from 0. */
  readonly up: Float32Array;
  readonly down: Float32Array;
  readonly count: number;
}

interface Answer {
  readonly frames_per_peak: number;
  readonly first: number;
  readonly complete: boolean;
  readonly peaks: readonly (readonly [number, number])[];
}

export class Peaks {
  /** Largest amplitude of all stems so far; all stems are drawn to the same scale. */
  readonly loudest = signal(0);
  readonly #stems: { name: string; envelope: ReturnType<typeof signal<Envelope | null>>; complete: boolean }[];
  readonly #stopped = new AbortController();
  #frames = 0;
  #busy = false;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #lookedAt = -Infinity;

  constructor(readonly sessionId: string, stems: readonly string[]) {
    this.#stems = stems.map((name) => ({ name, envelope: signal<Envelope | null>(null), complete: false }));
  }

  /** The peaks of a stem so far; `null` if there are none. */
  of(stem: string): ReadonlySignal<Envelope | null | undefined> {
    const found = this.#stems.find(({ name }) => name === stem);
    return found ? found.envelope : signal(null);
  }

  /** More frames can be read. */
  grow(frames: number, complete: boolean): void {
    if (frames === this.#frames && !complete) return;
    this.#frames = frames;
    if (this.#busy || this.#timer !== undefined) return;
    const wait = complete ? 0 : Math.max(0, this.#lookedAt + PAUSE_MS - performance.now());
    this.#timer = setTimeout(() => void this.#look(), wait);
  }

  stop(): void {
    this.#stopped.abort();
    clearTimeout(this.#timer);
  }

  async #look(): Promise<void> {
    this.#timer = undefined;
    this.#lookedAt = performance.now();
    this.#busy = true;
    const frames = this.#frames;
    try {
      for (const stem of this.#stems) if (!stem.complete) await this.#extend(stem);
    } catch {
      // Missing peaks are requested again.
    } finally {
      this.#busy = false;
    }
    if (this.#frames !== frames) this.grow(this.#frames, true);
  }

  async #extend(stem: { name: string; envelope: { value: Envelope | null | undefined }; complete: boolean }): Promise<void> {
    for (;;) {
      const from = stem.envelope.value?.count ?? 0;
      const headers: HeadersInit = token === "" ? {} : { authorization: `Bearer ${token}` };
      const response = await fetch(peaksAddress(this.sessionId, stem.name, from), { headers, signal: this.#stopped.signal });
      if (!response.ok) return;
      const answer = (await response.json()) as Answer;
      if (answer.peaks.length > 0) {
        for (const [lowest, highest] of answer.peaks) this.loudest.value = Math.max(this.loudest.peek(), highest, -lowest);
        stem.envelope.value = extended(stem.envelope.value ?? null, answer);
      }
      stem.complete = answer.complete;
      if (answer.complete || answer.peaks.length === 0) return;
    }
  }
}

function extended(before: Envelope | null, answer: Answer): Envelope {
  const count = answer.first + answer.peaks.length;
  const [up, down] = [room(before?.up, count), room(before?.down, count)];
  answer.peaks.forEach(([lowest, highest], at) => {
    up[answer.first + at] = Math.max(0, highest);
    down[answer.first + at] = Math.max(0, -lowest);
  });
  return { framesPerPeak: answer.frames_per_peak, up, down, count };
}

/** The array with capacity for `length` values; at least doubled when it grows. */
function room(held: Float32Array | undefined, count: number): Float32Array {
  if (held && held.length >= count) return held;
  const longer = new Float32Array(Math.max(count, (held?.length ?? 0) * 2));
  if (held) longer.set(held);
  return longer;
}
