/** Stems as WAV files, as `stemwire separate` writes them, without its tags. */
import { type FileHandle, mkdir, open, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { type Chunk, SAMPLE_BYTES, type SampleEncoding } from "./audio.js";
import { invalidAnswer } from "./errors.js";
import type { Session } from "./generated/stemwire/v1/session_pb.js";

/** The files of a session that is done. */
export interface Saved {
  /** Path of each stem. */
  readonly files: Readonly<Record<string, string>>;
  /** In its final state. */
  readonly session: Session;
}

/** The stems of one song in a folder, renamed into place once all are complete. */
export class StemFolder {
  readonly #files = new Map<string, GrowingWav>();

  constructor(private readonly folder: string) {}

  async write(chunk: Chunk): Promise<void> {
    const { stem } = chunk;
    let file = this.#files.get(stem);
    if (!file) {
      // The name comes from the server and becomes a path.
      if (!/^[a-z][a-z0-9_-]{0,31}$/.test(stem)) throw invalidAnswer(`"${stem}" is not a valid stem name`);
      await mkdir(this.folder, { recursive: true });
      const path = join(this.folder, `.${stem}.wav.part`);
      file = new GrowingWav(path, await open(path, "w"), chunk);
      this.#files.set(stem, file);
    }
    await file.write(chunk.pcm);
  }

  /** Completes and renames the files; returns their paths by stem. */
  async finish(): Promise<Record<string, string>> {
    const paths: Record<string, string> = {};
    for (const file of this.#files.values()) await file.finish();
    for (const [stem, file] of this.#files) {
      const path = join(this.folder, `${stem}.wav`);
      await rename(file.path, path);
      paths[stem] = path;
    }
    this.#files.clear();
    return paths;
  }

  /** Removes files that are not finished. */
  async discard(): Promise<void> {
    for (const file of this.#files.values()) await file.discard();
    this.#files.clear();
  }
}

const HEADER_BYTES = 94;
const UNKNOWN = 0xffff_ffff;

class GrowingWav {
  readonly #encoding: SampleEncoding;
  readonly #rate: number;
  readonly #channels: number;
  #bytes = 0;

  constructor(readonly path: string, private readonly file: FileHandle, { encoding, sampleRate, channels }: Chunk) {
    this.#encoding = encoding;
    this.#rate = sampleRate;
    this.#channels = channels;
  }

  async write(pcm: Uint8Array): Promise<void> {
    await this.file.write(pcm, 0, pcm.length, HEADER_BYTES + this.#bytes);
    this.#bytes += pcm.length;
  }

  async finish(): Promise<void> {
    // Chunks of a RIFF file have an even length.
    if (this.#bytes % 2 === 1) await this.file.write(new Uint8Array(1), 0, 1, HEADER_BYTES + this.#bytes);
    const header = wavHeader(this.#encoding, this.#rate, this.#bytes, this.#channels);
    await this.file.write(header, 0, header.length, 0);
    await this.file.close();
  }

  async discard(): Promise<void> {
    await this.file.close().catch(() => undefined);
    await rm(this.path, { force: true });
  }
}

/** The header of `bytes` of samples; RF64 (EBU Tech 3306) from 4 GiB on. */
export function wavHeader(encoding: SampleEncoding, rate: number, bytes: number, channels: number): Uint8Array {
  const width = SAMPLE_BYTES[encoding];
  const frameBytes = channels * width;
  const frames = bytes / frameBytes;
  const riff = HEADER_BYTES - 8 + bytes + (bytes % 2);
  const isLarge = riff >= UNKNOWN;
  const header = Buffer.alloc(HEADER_BYTES);
  let at = header.write(isLarge ? "RF64" : "RIFF", "latin1");
  at = header.writeUInt32LE(Math.min(riff, UNKNOWN), at);
  at += header.write("WAVE", at, "latin1");
  at += header.write(isLarge ? "ds64" : "JUNK", at, "latin1");
  at = header.writeUInt32LE(28, at);
  if (isLarge) [riff, bytes, frames].forEach((size, n) => header.writeBigUInt64LE(BigInt(size), at + 8 * n));
  at += 28;
  at += header.write("fmt ", at, "latin1");
  at = header.writeUInt32LE(18, at);
  // WAVE_FORMAT_IEEE_FLOAT or WAVE_FORMAT_PCM.
  at = header.writeUInt16LE(encoding === "f32" ? 3 : 1, at);
  at = header.writeUInt16LE(channels, at);
  at = header.writeUInt32LE(rate, at);
  at = header.writeUInt32LE(rate * frameBytes, at);
  at = header.writeUInt16LE(frameBytes, at);
  at = header.writeUInt16LE(8 * width, at);
  at = header.writeUInt16LE(0, at);
  at += header.write("fact", at, "latin1");
  at = header.writeUInt32LE(4, at);
  at = header.writeUInt32LE(Math.min(frames, UNKNOWN), at);
  at += header.write("data", at, "latin1");
  header.writeUInt32LE(Math.min(bytes, UNKNOWN), at);
  return header;
}
