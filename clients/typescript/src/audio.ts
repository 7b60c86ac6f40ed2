/** Audio that goes in and comes out, and its encodings. */

/** Encoding of a sample, little-endian: float32, or integers of 16 or 24 bits. */
export type SampleEncoding = "f32" | "s16" | "s24";

export const SAMPLE_BYTES: Readonly<Record<SampleEncoding, number>> = { f32: 4, s16: 2, s24: 3 };

/** The format of a song that is PCM without a header: interleaved, little-endian. */
export interface Raw {
  readonly encoding: SampleEncoding;
  /** Frames per second, 8000 to 192000. */
  readonly sampleRate: number;
  /** 1 or 2; 2 by default. */
  readonly channels?: number;
}

/** Consecutive frames of one stem. The chunks of a stem follow each other without a gap. */
export class Chunk {
  constructor(
    readonly stem: string,
    /** Position of the first frame. */
    readonly startFrame: number,
    /** Frames per second. */
    readonly sampleRate: number,
    /** Interleaved samples, as received. */
    readonly pcm: Uint8Array,
    /** The encoding of `pcm`. */
    readonly encoding: SampleEncoding,
    /** 2, or 1 with `channels: "source"` and a song of one channel. */
    readonly channels: number,
    /** Samples that an integer encoding clipped to full scale. */
    readonly clippedSamples: number,
  ) {}

  get frames(): number {
    return this.pcm.length / (this.channels * SAMPLE_BYTES[this.encoding]);
  }

  /** Seconds from the start of the song to the first frame. */
  get time(): number {
    return this.startFrame / this.sampleRate;
  }

  /** Interleaved samples, full scale 1; computed from `pcm` at each access. */
  get samples(): Float32Array {
    return decodePcm(this.pcm, this.encoding);
  }
}

/** A whole stem, as long as its song. */
export interface StemAudio {
  readonly name: string;
  /** Interleaved samples, full scale 1. */
  readonly samples: Float32Array;
  readonly channels: number;
  /** Frames per second. */
  readonly sampleRate: number;
}

/** Converts interleaved PCM to float32. */
export function decodePcm(pcm: Uint8Array, encoding: SampleEncoding): Float32Array {
  // A copy, as its address must be a multiple of 4.
  if (encoding === "f32") return new Float32Array(new Uint8Array(pcm).buffer);
  const view = new DataView(pcm.buffer, pcm.byteOffset, pcm.byteLength);
  const samples = new Float32Array(pcm.length / SAMPLE_BYTES[encoding]);
  if (encoding === "s16") {
    for (let n = 0; n < samples.length; n++) samples[n] = view.getInt16(2 * n, true) / 2 ** 15;
  } else {
    for (let n = 0; n < samples.length; n++) samples[n] = ((view.getInt8(3 * n + 2) << 16) | view.getUint16(3 * n, true)) / 2 ** 23;
  }
  return samples;
}
