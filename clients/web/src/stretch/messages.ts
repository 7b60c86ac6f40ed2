/** Messages between the page and the stretcher in the audio thread. Positions are frames. */

/** Name under which the processor is registered. */
export const PROCESSOR = "stretch";

/** Frames that an audio thread processes at a time; the clock is a multiple of it. */
export const QUANTUM = 128;

export interface Tuning {
  /** Song seconds per second. */
  readonly speed: number;
  readonly semitones: number;
}

export type Message =
  /** Stops, forgets all pieces, and begins with those that follow at a frame of the clock, a multiple of {@link QUANTUM}. */
  | { readonly kind: "start"; readonly clock: number; readonly tuning: Tuning }
  /** The next piece, of all stems: interleaved stereo of 16 bits. */
  | { readonly kind: "feed"; readonly stems: readonly Int16Array[] }
  /** Forgets what is behind this frame of the line of pieces. */
  | { readonly kind: "cut"; readonly at: number }
  /** Changes speed and pitch at a frame of the clock. */
  | { readonly kind: "tune"; readonly clock: number; readonly tuning: Tuning }
  | { readonly kind: "gain"; readonly stem: number; readonly gain: number }
  | { readonly kind: "stop" };

/** Sent once, when messages are read. */
export interface Ready {
  /** Frames that are read before the one that is heard. */
  readonly inputLatency: number;
  /** Frames of the output from a change of the speed until it is heard. */
  readonly outputLatency: number;
}
