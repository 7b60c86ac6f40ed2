/** The audio thread's globals, and the library as build.js takes it from its package. */

declare abstract class AudioWorkletProcessor {
  readonly port: MessagePort;
  abstract process(inputs: Float32Array[][], outputs: Float32Array[][]): boolean;
}
declare function registerProcessor(name: string, type: new (options: AudioWorkletNodeOptions) => AudioWorkletProcessor): void;
/** The clock at the start of the block that is being processed. */
declare const currentFrame: number;
declare const sampleRate: number;

declare module "signalsmith-stretch" {
  /** Signalsmith Stretch, compiled to WebAssembly. Counts are frames. */
  export interface Library {
    readonly HEAP8: Int8Array;
    _configure(channels: number, block: number, interval: number, split: number): void;
    _inputLatency(): number;
    _outputLatency(): number;
    /** Allocates a buffer of this length for each channel of the input, then of the output; returns the address of the first. */
    _setBuffers(channels: number, length: number): number;
    _setTransposeSemitones(semitones: number, tonalityLimit: number): void;
    _reset(): void;
    /** Takes frames as what precedes the next ones. */
    _seek(inputFrames: number, speed: number): void;
    _process(inputFrames: number, outputFrames: number): void;
  }
  export default function create(): Promise<Library>;
}
