/**
 * Sound output: every stem's slices, each through its stem's gain, on the clock of one AudioContext. Pieces of a second at
 * most are scheduled a few seconds ahead, all stems of a piece at once, so that stems are in sync to the sample.
 *
 * The stretcher takes their place at another speed or pitch. It needs an AudioWorklet, hence a secure context, which phones
 * do not have with a server without a certificate.
 */
import { QUANTUM } from "../stretch/messages";
import { HEADROOM } from "./slices";
import { Stretcher } from "./stretcher";

/** Delay of the first sample after a start. */
const START_S = 0.06;

/** Duration of a gain change, to avoid clicks. */
const SMOOTH_S = 0.012;

/** Frequencies of the first click of a count-in and of the others, and their duration. */
const CLICK_HZ = [1760, 1175] as const;
const CLICK_S = 0.05;

export class Output {
  readonly #context: AudioContext;
  readonly #master: GainNode;
  readonly #gains: GainNode[];
  /** What plays or will play, and when it begins, in frames of the clock. */
  #playing = new Map<AudioScheduledSourceNode, number>();
  #stretcher: Stretcher | null = null;
  #loading: Promise<Stretcher> | null = null;

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

  /** The earliest frame of the clock at which a sound can start; audio threads begin only at some. */
  soon(): number {
    return Math.ceil(((this.#context.currentTime + START_S) * this.rate) / QUANTUM) * QUANTUM;
  }

  /** Lets the clock run. Without a sound output, some browsers never do. */
  wake(changed: () => void): void {
    this.#context.onstatechange = changed;
    // Refused only by a context that is closed.
    void this.#context.resume().catch(() => undefined);
  }

  /** Whether the clock runs. */
  get isRunning(): boolean {
    return this.#context.state === "running";
  }

  /** Stops all sound at once. */
  halt(): void {
    for (const source of this.#playing.keys()) this.#end(source);
    this.#stretcher?.stop();
  }

  /** Stops what is scheduled at a frame of the clock. */
  cut(clock: number): void {
    for (const [source, start] of this.#playing) {
      if (start >= clock) this.#end(source);
      else source.stop(clock / this.rate);
    }
  }

  async rest(): Promise<void> {
    await this.#context.suspend();
  }

  setGain(stem: number, gain: number): void {
    this.#gains[stem]?.gain.setTargetAtTime(gain, this.#context.currentTime, SMOOTH_S);
    this.#stretcher?.setGain(stem, gain);
  }

  setVolume(gain: number): void {
    this.#master.gain.setTargetAtTime(gain, this.#context.currentTime, SMOOTH_S);
  }

  /** The stretcher, once it is loaded. */
  get stretcher(): Stretcher | null {
    return this.#stretcher;
  }

  /** Loads the stretcher, unless that has begun. */
  async load(gains: () => readonly number[]): Promise<void> {
    if (this.#context.sampleRate !== this.rate) throw new Error("the browser has another sample rate");
    this.#loading ??= Stretcher.load(this.#context, this.#gains.length);
    const loaded = await this.#loading;
    if (this.#stretcher) return;
    loaded.node.connect(this.#master);
    gains().forEach((gain, stem) => loaded.setGain(stem, gain));
    this.#stretcher = loaded;
  }

  /** A piece of every stem as `schedule` takes it. A slow computer takes longer for it than `soon` is ahead. */
  decode(stems: readonly Int16Array[]): AudioBuffer[] {
    return stems.map((samples) => this.#decode(samples));
  }

  /**
   * Plays a piece of every stem from the clock's frame `when` on; returns `false`, and plays nothing, if that is too late:
   * what starts late would be out of step with the other stems.
   */
  schedule(stems: readonly AudioBuffer[], when: number, ended: () => void): boolean {
    if (this.#isLate(when)) return false;
    const sources = stems.map((buffer, stem) => {
      const source = this.#context.createBufferSource();
      source.buffer = buffer;
      this.#play(source, this.#gains[stem]!, when, () => stem === 0 && ended());
      return source;
    });
    if (!this.#isLate(when)) return true;
    for (const source of sources) this.#end(source);
    return false;
  }

  /** Whether the audio thread may have begun with the block of this frame. */
  #isLate(when: number): boolean {
    return this.now() + QUANTUM > when;
  }

  /** Plays a click of the count-in at a frame of the clock. */
  click(when: number, first: boolean): void {
    const { rate } = this;
    const [from, to] = [when / rate, when / rate + CLICK_S];
    const tone = this.#context.createOscillator();
    const gain = this.#context.createGain();
    tone.frequency.value = CLICK_HZ[first ? 0 : 1];
    gain.gain.setValueAtTime(0, from);
    gain.gain.linearRampToValueAtTime(first ? 0.5 : 0.35, from + 0.002);
    gain.gain.exponentialRampToValueAtTime(0.001, to);
    gain.connect(this.#master);
    this.#play(tone, gain, when, () => gain.disconnect());
    tone.stop(to);
  }

  async close(): Promise<void> {
    this.halt();
    this.#context.onstatechange = null;
    await this.#context.close();
  }

  #play(source: AudioScheduledSourceNode, target: AudioNode, when: number, ended: () => void): void {
    source.connect(target);
    source.onended = () => {
      this.#playing.delete(source);
      source.disconnect();
      ended();
    };
    this.#playing.set(source, when);
    source.start(when / this.rate);
  }

  #end(source: AudioScheduledSourceNode): void {
    source.onended = null;
    source.stop();
    source.disconnect();
    this.#playing.delete(source);
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
