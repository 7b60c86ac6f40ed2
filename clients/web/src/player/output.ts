/**
 * Sound output: every stem's slices, each through its stem's gain, on the clock of one AudioContext. Slices of one second
 * are scheduled a few seconds ahead, all stems of a second at once, so that stems are in sync to the sample. An
 * AudioWorklet would need a secure context, which phones do not have with a server without a certificate.
 */
import { HEADROOM } from "./fetch";

/** Delay of the first sample after a start. */
const START_S = 0.06;

/** Duration of a gain change, to avoid clicks. */
const SMOOTH_S = 0.012;

export class Output {
  readonly #context: AudioContext;
  readonly #master: GainNode;
  readonly #gains: GainNode[];
  #playing = new Set<AudioBufferSourceNode>();

  /** @throws DOMException if there is no sound output. */
  constructor(readonly rate: number, stems: number) {
    this.#context = context(rate);
    this.#master = this.#context.createGain();
    this.#master.connect(this.#context.destination);
    this.#gains = Array.from({ length: stems }, () => {
      const gain = this.#context.createGain();
      gain.connect(this.#master);
      return gain;
    });
  }

  /** The clock, in frames. */
  now(): number {
    return this.#context.currentTime * this.rate;
  }

  /** The earliest frame of the clock at which a sound can start. */
  soon(): number {
    return Math.ceil((this.#context.currentTime + START_S) * this.rate);
  }

  async wake(): Promise<void> {
    await this.#context.resume();
  }

  /** Stops all sound at once and suspends the output. */
  halt(): void {
    for (const source of this.#playing) {
      source.onended = null;
      source.stop();
      source.disconnect();
    }
    this.#playing.clear();
  }

  async rest(): Promise<void> {
    await this.#context.suspend();
  }

  setGain(stem: number, gain: number): void {
    this.#gains[stem]?.gain.setTargetAtTime(gain, this.#context.currentTime, SMOOTH_S);
  }

  setVolume(gain: number): void {
    this.#master.gain.setTargetAtTime(gain, this.#context.currentTime, SMOOTH_S);
  }

  /** Plays the same slice of every stem from the clock's frame `when` on, without its first `skip` frames. */
  schedule(stems: readonly Int16Array[], skip: number, when: number, ended: () => void): void {
    stems.forEach((samples, stem) => {
      const gain = this.#gains[stem];
      if (!gain || samples.length / 2 <= skip) return;
      const source = this.#context.createBufferSource();
      source.buffer = this.#decode(samples.subarray(skip * 2));
      source.connect(gain);
      source.onended = () => {
        this.#playing.delete(source);
        source.disconnect();
        if (stem === 0) ended();
      };
      this.#playing.add(source);
      source.start(when / this.rate);
    });
  }

  async close(): Promise<void> {
    this.halt();
    await this.#context.close();
  }

  #decode(samples: Int16Array): AudioBuffer {
    const frames = samples.length / 2;
    const buffer = this.#context.createBuffer(2, frames, this.rate);
    const [left, right] = [buffer.getChannelData(0), buffer.getChannelData(1)];
    const scale = HEADROOM / 32768;
    for (let frame = 0; frame < frames; frame++) {
      left[frame] = samples[frame * 2]! * scale;
      right[frame] = samples[frame * 2 + 1]! * scale;
    }
    return buffer;
  }
}

/** An AudioContext at the stems' rate, so that slices join to the sample; else the browser resamples each slice. */
function context(rate: number): AudioContext {
  try {
    return new AudioContext({ sampleRate: rate });
  } catch {
    return new AudioContext();
  }
}
