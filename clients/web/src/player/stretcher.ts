/** The page's side of the stretcher: an AudioWorkletNode that plays all stems at another speed and pitch. */
import { type Message, PROCESSOR, type Ready, type Tuning } from "../stretch/messages";

const ADDRESS = "static/stretch.js";

/** Limit of the time in which the audio thread has to answer. */
const LOAD_MS = 10_000;

/** Whether the browser has audio worklets: only pages over HTTPS, and those of this computer, have them. */
export const canStretch = "AudioWorkletNode" in globalThis;

export function isNeutral({ speed, semitones }: Tuning): boolean {
  return speed === 1 && semitones === 0;
}

export class Stretcher {
  private constructor(readonly node: AudioWorkletNode, private readonly ready: Ready) {}

  /** Loads the audio thread's script; rejects if it cannot run. */
  static async load(context: AudioContext, stems: number): Promise<Stretcher> {
    await context.audioWorklet.addModule(ADDRESS);
    const node = new AudioWorkletNode(context, PROCESSOR, { numberOfInputs: 0, outputChannelCount: [2], processorOptions: { stems } });
    const ready = await new Promise<Ready>((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error("the audio thread does not answer")), LOAD_MS);
      node.port.onmessage = ({ data }) => {
        clearTimeout(timer);
        resolve(data as Ready);
      };
      node.onprocessorerror = () => reject(new Error("the audio thread failed"));
    });
    return new Stretcher(node, ready);
  }

  /** Frames of the song that are read before the one that is heard. */
  lookahead(speed: number): number {
    return Math.ceil(this.ready.inputLatency + this.ready.outputLatency * speed);
  }

  start(clock: number, tuning: Tuning): void {
    this.#post({ kind: "start", clock, tuning });
  }

  /** Appends a piece of all stems. */
  feed(stems: readonly Int16Array[]): void {
    const copies = stems.map((samples) => samples.slice());
    this.#post({ kind: "feed", stems: copies }, copies.map(({ buffer }) => buffer));
  }

  cut(at: number): void {
    this.#post({ kind: "cut", at });
  }

  /** Changes speed and pitch at a frame of the clock; returns the frame at which it is heard. */
  tune(clock: number, tuning: Tuning): number {
    this.#post({ kind: "tune", clock, tuning });
    return clock + this.ready.outputLatency;
  }

  setGain(stem: number, gain: number): void {
    this.#post({ kind: "gain", stem, gain });
  }

  stop(): void {
    this.#post({ kind: "stop" });
  }

  #post(message: Message, transfer: Transferable[] = []): void {
    this.node.port.postMessage(message, transfer);
  }
}
