/**
 * Entry point of the audio thread: mixes all stems, and plays the mix at another speed and pitch. Loaded on first use.
 *
 * The first frame that is heard is the first one fed: the library's latency is read ahead.
 */
import create, { type Library } from "signalsmith-stretch";
import { Line } from "./line";
import { type Message, PROCESSOR, QUANTUM, type Ready, type Tuning } from "./messages";

/** Block and interval of the analysis: the library's default. */
const BLOCK_S = 0.12;
const INTERVAL_S = 0.03;

/** Frequency from which partials are shifted rather than scaled, as the library advises. */
const TONALITY_HZ = 8000;

const CHANNELS = 2;

class StretchProcessor extends AudioWorkletProcessor {
  readonly #line: Line;
  #library: Library | null = null;
  /** Address of the buffers, and frames of each. */
  #buffers = 0;
  #length = 0;
  /** Frame of the clock at which the sound begins; `null` while there is none. */
  #start: number | null = null;
  #primed = false;
  #tuning: Tuning = { speed: 1, semitones: 0 };
  #tunings: { readonly clock: number; readonly tuning: Tuning }[] = [];
  /** Share of a frame that the input is behind. */
  #owed = 0;
  /** The last block after a stop, which fades out. */
  #tail: Float32Array[] | null = null;

  constructor(options: AudioWorkletNodeOptions) {
    super();
    this.#line = new Line(options.processorOptions.stems);
    void create().then((library) => {
      library._configure(CHANNELS, Math.round(BLOCK_S * sampleRate), Math.round(INTERVAL_S * sampleRate), 1);
      const ready: Ready = { inputLatency: library._inputLatency(), outputLatency: library._outputLatency() };
      this.#length = ready.inputLatency + 2 * ready.outputLatency + 2 * QUANTUM;
      this.#buffers = library._setBuffers(CHANNELS, this.#length);
      this.#library = library;
      this.port.onmessage = ({ data }) => this.#read(data as Message);
      this.port.postMessage(ready);
    });
  }

  override process(_inputs: Float32Array[][], [output]: Float32Array[][]): boolean {
    const library = this.#library;
    if (!library || !output) return true;
    if (this.#tail) {
      output.forEach((channel, at) => channel.set(this.#tail![at]!));
      this.#tail = null;
      return true;
    }
    if (this.#start === null) return true;
    const ahead = library._inputLatency() + library._outputLatency() * this.#tuning.speed;
    // Before it is due, so that the first block is not late.
    if (!this.#primed && (this.#line.fed >= ahead || currentFrame >= this.#start)) this.#prime(library);
    if (currentFrame < this.#start) return true;
    this.#play(library, output);
    if (currentFrame - this.#start < QUANTUM) fade(output, (share) => share);
    return true;
  }

  #read(message: Message): void {
    switch (message.kind) {
      case "start":
        this.#stop();
        this.#start = message.clock;
        this.#tuning = message.tuning;
        break;
      case "feed":
        this.#line.feed(message.stems);
        break;
      case "cut":
        this.#line.cut(message.at);
        break;
      case "tune":
        this.#tunings.push(message);
        break;
      case "gain":
        this.#line.setGain(message.stem, message.gain);
        break;
      case "stop":
        this.#stop();
        break;
    }
  }

  #stop(): void {
    if (this.#library && this.#primed && this.#start !== null && currentFrame >= this.#start) {
      const tail = Array.from({ length: CHANNELS }, () => new Float32Array(QUANTUM));
      this.#play(this.#library, tail);
      fade(tail, (share) => 1 - share);
      this.#tail = tail;
    }
    this.#start = null;
    this.#primed = false;
    this.#tunings = [];
    this.#owed = 0;
    this.#line.clear();
  }

  /** Reads the latency ahead, so that the next block begins with the first frame. */
  #prime(library: Library): void {
    const late = Math.max(0, currentFrame - this.#start!);
    for (let missed = Math.round(late * this.#tuning.speed); missed > 0; missed -= this.#length) this.#take(library, Math.min(missed, this.#length));
    library._reset();
    this.#transpose(library);
    const [before, after] = [library._inputLatency(), library._outputLatency()];
    this.#take(library, before);
    library._seek(before, this.#tuning.speed);
    const surplus = Math.round(after * this.#tuning.speed);
    this.#take(library, surplus);
    library._process(surplus, after);
    this.#primed = true;
  }

  #play(library: Library, output: Float32Array[]): void {
    const frames = output[0]!.length;
    while (this.#tunings[0] && this.#tunings[0].clock <= currentFrame) {
      this.#tuning = this.#tunings.shift()!.tuning;
      this.#transpose(library);
    }
    this.#owed += frames * this.#tuning.speed;
    const count = Math.floor(this.#owed);
    this.#owed -= count;
    this.#take(library, count);
    library._process(count, frames);
    output.forEach((channel, at) => channel.set(this.#channel(library, CHANNELS + at).subarray(0, frames)));
  }

  #take(library: Library, count: number): void {
    this.#line.take(count, this.#channel(library, 0), this.#channel(library, 1));
  }

  #transpose(library: Library): void {
    library._setTransposeSemitones(this.#tuning.semitones, TONALITY_HZ / sampleRate);
  }

  /** A buffer of the library. Its memory moves when it grows. */
  #channel(library: Library, at: number): Float32Array {
    return new Float32Array(library.HEAP8.buffer, this.#buffers + at * this.#length * 4, this.#length);
  }
}

function fade(channels: Float32Array[], gain: (share: number) => number): void {
  for (const channel of channels) channel.forEach((sample, at) => (channel[at] = sample * gain(at / channel.length)));
}

registerProcessor(PROCESSOR, StretchProcessor);
