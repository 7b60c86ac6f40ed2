/** Songs: bytes that are read by position, so that an interrupted upload can be continued. */
import { Code } from "@connectrpc/connect";
import type { Raw } from "./audio.js";
import { StemwireError } from "./errors.js";
import type { NewSha256, Sha256 } from "./hash.js";

/** Bytes of a message of a streaming upload. */
export const MESSAGE_BYTES = 256 << 10;

/** Bytes kept of a source that can be read once. More than HTTP/2 has in flight, so that what a broken connection lost can be sent again. */
export const KEPT_BYTES = 16 << 20;

/** Samples in memory, with their rate; full scale is 1, or 32768 for integers. */
export interface Pcm {
  /** Interleaved samples, or one array per channel. */
  readonly samples: Float32Array | Int16Array | readonly Float32Array[];
  /** Frames per second, 8000 to 192000. */
  readonly sampleRate: number;
  /** 1 or 2; by default the number of arrays, or 2 where samples are interleaved. */
  readonly channels?: number;
}

/** Pieces of a song as they come: bytes, or samples in the format of `raw`. */
export type Pieces = AsyncIterable<ArrayBufferView> | Iterable<ArrayBufferView> | ReadableStream<ArrayBufferView>;

/** A song: a file, its bytes, samples, or pieces as they come. */
export type SongInput = Blob | ArrayBuffer | Uint8Array | Pcm | Pieces;

/** The bytes of one song. */
export abstract class Song {
  /** What ended reading. The upload runs beside the call, which then ends with it. */
  failure: { readonly error: unknown } | undefined;
  readonly #hash: Sha256;
  #hashed = 0;

  constructor(
    sha256: NewSha256,
    readonly fileName = "",
    readonly raw?: Raw,
    private readonly canRepeat = true,
  ) {
    this.#hash = sha256();
  }

  /** Up to `most` bytes from `offset` on; none at the end. */
  async read(offset: number, most = MESSAGE_BYTES): Promise<Uint8Array> {
    try {
      const piece = await this.readAt(offset, most);
      // Bytes before `offset` that an earlier process has uploaded are read only to be hashed.
      while (this.canRepeat && this.#hashed < offset) {
        const at = this.#hashed;
        const earlier = await this.readAt(at, Math.min(MESSAGE_BYTES, offset - at));
        if (earlier.length === 0) break;
        this.#addToHash(at, earlier);
      }
      this.#addToHash(offset, piece);
      return piece;
    } catch (error) {
      this.failure = { error };
      throw error;
    }
  }

  /** The hash of the first `total` bytes; empty if not all of them were read. */
  sha256(total: number): Uint8Array {
    return this.#hashed === total ? this.#hash.digest() : new Uint8Array();
  }

  async close(): Promise<void> {}

  protected abstract readAt(offset: number, most: number): Promise<Uint8Array>;

  #addToHash(offset: number, piece: Uint8Array): void {
    if (offset > this.#hashed || offset + piece.length <= this.#hashed) return;
    this.#hash.update(piece.subarray(this.#hashed - offset));
    this.#hashed = offset + piece.length;
  }
}

export class BlobSong extends Song {
  constructor(sha256: NewSha256, private readonly blob: Blob) {
    super(sha256, blob instanceof File ? blob.name : "");
  }

  protected override async readAt(offset: number, most: number): Promise<Uint8Array> {
    return new Uint8Array(await this.blob.slice(offset, offset + most).arrayBuffer());
  }
}

export class BytesSong extends Song {
  constructor(sha256: NewSha256, private readonly bytes: Uint8Array, raw?: Raw) {
    super(sha256, "", raw);
  }

  protected override async readAt(offset: number, most: number): Promise<Uint8Array> {
    return this.bytes.subarray(offset, offset + most);
  }
}

/** Pieces that can be read once, such as a pipe or a recording; the last `KEPT_BYTES` are kept. */
export class StreamSong extends Song {
  readonly #pieces: Iterator<ArrayBufferView> | AsyncIterator<ArrayBufferView>;
  /** The piece that the latest read waits for. A call that has ended must not take it from the next one. */
  #pending: Promise<IteratorResult<ArrayBufferView>> | undefined;
  #kept: Uint8Array[] = [];
  #start = 0;
  #end = 0;

  constructor(sha256: NewSha256, pieces: Pieces) {
    super(sha256, "", undefined, false);
    this.#pieces = iteratorOf(pieces);
  }

  protected override async readAt(offset: number, most: number): Promise<Uint8Array> {
    while (offset >= this.#end) {
      const pending = (this.#pending ??= Promise.resolve(this.#pieces.next()));
      const piece = await pending;
      if (piece.done) return new Uint8Array();
      if (this.#pending !== pending) continue;
      this.#pending = undefined;
      this.#keep(piece.value);
    }
    let start = this.#start;
    for (const piece of this.#kept) {
      const within = offset - start;
      if (within >= 0 && within < piece.length) return piece.subarray(within, within + most);
      start += piece.length;
    }
    throw new StemwireError({
      code: Code.DataLoss,
      message: `the upload continues at byte ${offset}, but only the last ${KEPT_BYTES >> 20} MiB of a stream are kept`,
      remedy: "Separate the song again.",
    });
  }

  override async close(): Promise<void> {
    // A source that is waited for ends after its next piece.
    void Promise.resolve(this.#pieces.return?.()).catch(() => undefined);
  }

  #keep(view: ArrayBufferView): void {
    // A copy: a recorder may use its buffer again.
    const piece = new Uint8Array(view.buffer, view.byteOffset, view.byteLength).slice();
    if (piece.length === 0) return;
    this.#kept.push(piece);
    this.#end += piece.length;
    for (let oldest = this.#kept[0]!; this.#end - this.#start - oldest.length >= KEPT_BYTES; oldest = this.#kept[0]!) {
      this.#start += oldest.length;
      this.#kept.shift();
    }
  }
}

export function openSong(song: SongInput, sha256: NewSha256): Song {
  if (song instanceof Blob) return new BlobSong(sha256, song);
  if (song instanceof Uint8Array) return new BytesSong(sha256, song);
  if (song instanceof ArrayBuffer) return new BytesSong(sha256, new Uint8Array(song));
  if (isPcm(song)) return openPcm(song, sha256);
  return new StreamSong(sha256, song);
}

function isPcm(song: Pcm | Pieces): song is Pcm {
  return "samples" in song;
}

function openPcm({ samples, sampleRate, channels }: Pcm, sha256: NewSha256): Song {
  if (samples instanceof Int16Array || samples instanceof Float32Array) {
    const bytes = new Uint8Array(samples.buffer, samples.byteOffset, samples.byteLength);
    return new BytesSong(sha256, bytes, {
      encoding: samples instanceof Int16Array ? "s16" : "f32",
      sampleRate,
      channels: channels ?? 2,
    });
  }
  const interleaved = new Float32Array(samples.length * (samples[0]?.length ?? 0));
  samples.forEach((channel, at) => channel.forEach((sample, frame) => (interleaved[frame * samples.length + at] = sample)));
  return openPcm({ samples: interleaved, sampleRate, channels: samples.length }, sha256);
}

function iteratorOf(pieces: Pieces): Iterator<ArrayBufferView> | AsyncIterator<ArrayBufferView> {
  // Not every browser iterates over a ReadableStream.
  if (pieces instanceof ReadableStream) return read(pieces.getReader());
  return Symbol.asyncIterator in pieces ? pieces[Symbol.asyncIterator]() : pieces[Symbol.iterator]();
}

async function* read(reader: ReadableStreamDefaultReader<ArrayBufferView>): AsyncGenerator<ArrayBufferView> {
  try {
    for (let piece = await reader.read(); !piece.done; piece = await reader.read()) yield piece.value;
  } finally {
    void reader.cancel().catch(() => undefined);
  }
}
