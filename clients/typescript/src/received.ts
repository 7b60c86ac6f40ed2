/** What has been received of a session, over any number of calls: each frame of a stem once and in order. */
import { equals } from "@bufbuild/protobuf";
import { Chunk, SAMPLE_BYTES, type SampleEncoding } from "./audio.js";
import { invalidAnswer } from "./errors.js";
import { type EngineChange, EngineChangeSchema } from "./generated/stemwire/v1/engine_pb.js";
import type { StemChunk, WatchSessionResponse } from "./generated/stemwire/v1/separation_service_pb.js";
import { type Progress, type Session, SessionState } from "./generated/stemwire/v1/session_pb.js";
import { isEqual, type NewSha256, type Sha256 } from "./hash.js";
import type { Callbacks } from "./options.js";
import type { Position } from "./retry.js";

/** An event of a session; `Separate` and `WatchSession` have the same. */
export type Message = WatchSessionResponse["message"];

export interface Expected {
  readonly encoding: SampleEncoding;
  readonly gain?: number | undefined;
  readonly startFrame?: number | undefined;
  /** By default all stems of the session. */
  readonly stems?: readonly string[] | undefined;
}

export class Received {
  readonly encoding: SampleEncoding;
  readonly engineChanges: EngineChange[] = [];
  session: Session | undefined;
  progress: Progress | undefined;
  clippedSamples = 0;
  isDone = false;
  readonly #requested: readonly string[];
  readonly #start: number;
  readonly #next = new Map<string, number>();
  /** Of the received samples. The server's are those of whole stems as float32 in stereo; `undefined` if these are others. */
  #hashes: Map<string, Sha256> | undefined;

  constructor(expected: Expected, private readonly sha256: NewSha256, private readonly callbacks: Callbacks) {
    this.encoding = expected.encoding;
    this.#requested = expected.stems ?? [];
    this.#start = expected.startFrame ?? 0;
    if (this.encoding === "f32" && (expected.gain ?? 1) === 1 && this.#start === 0) this.#hashes = new Map();
  }

  /** Frames per second of the stems; 0 until the start of the upload has been decoded. */
  get sampleRate(): number {
    return this.session?.source?.outputSampleRate ?? 0;
  }

  get stems(): readonly string[] {
    return this.#requested.length > 0 ? this.#requested : (this.session?.stems.map(({ name }) => name) ?? []);
  }

  /** The position after the last received frame of a stem. */
  nextFrame(stem: string): number {
    return this.#next.get(stem) ?? this.#start;
  }

  /** The first frame that some stem lacks: where the next call starts. */
  get resumeFrame(): number {
    return this.stems.length > 0 ? Math.min(...this.stems.map((stem) => this.nextFrame(stem))) : this.#start;
  }

  /** Grows whenever a call made progress. */
  get position(): Position {
    return this.session ? [Math.max(1, Number(this.session.committedBytes)), this.resumeFrame] : [0, 0];
  }

  /** Applies a message; returns the stem chunk in it, for `newFrames`. */
  handle(message: Message): StemChunk | undefined {
    switch (message.case) {
      case "stem":
        return message.value;
      case "progress":
        this.#report(message.value);
        break;
      case "engineChange":
        this.#add(message.value);
        break;
      case "session":
        this.update(message.value);
        break;
      case "done":
        this.update(message.value);
        // Of a session that failed or was cancelled, the status that follows is the error.
        if (message.value.state === SessionState.DONE) {
          this.#verify(message.value);
          this.isDone = true;
        }
        break;
    }
    return undefined;
  }

  /** Applies the current state of the session. */
  update(session: Session): void {
    this.session = session;
    if (session.progress) this.#report(session.progress);
    for (const change of session.engineChanges) this.#add(change);
  }

  /** The frames of a message that were not received before; `sampleRate` must be known. */
  newFrames(message: StemChunk): Chunk | undefined {
    // A server that is older than the field sends stereo.
    const channels = message.channels || 2;
    const { stem } = message;
    const first = Number(message.startFrame);
    const start = this.nextFrame(stem);
    if (first > start) throw invalidAnswer(`frames ${start} to ${first} of ${stem} are missing`);
    // A repeated call starts all stems at `resumeFrame`, and some may be ahead of it.
    const pcm = message.pcm.subarray((start - first) * channels * SAMPLE_BYTES[this.encoding]);
    if (pcm.length === 0) return undefined;
    const chunk = new Chunk(stem, start, this.sampleRate, pcm, this.encoding, channels, Number(message.clippedSamples));
    this.#next.set(stem, start + chunk.frames);
    this.clippedSamples += chunk.clippedSamples;
    if (channels !== 2) this.#hashes = undefined;
    if (this.#hashes) {
      const hash = this.#hashes.get(stem) ?? this.sha256();
      this.#hashes.set(stem, hash);
      hash.update(pcm);
    }
    return chunk;
  }

  /** Compares lengths and hashes with those of the session in its final state. */
  #verify(done: Session): void {
    for (const { name, frames, sha256 } of done.stems) {
      if (!this.stems.includes(name)) continue;
      const next = this.nextFrame(name);
      if (next < frames) throw invalidAnswer(`only ${next} of ${frames} frames of ${name} were received`);
      const hash = this.#hashes?.get(name);
      if (hash && sha256.length > 0 && !isEqual(hash.digest(), sha256)) {
        throw invalidAnswer(`the SHA-256 of ${name} is not that of the server`);
      }
    }
  }

  #report(progress: Progress): void {
    this.progress = progress;
    this.callbacks.onProgress?.(progress);
  }

  #add(change: EngineChange): void {
    // Every call lists all changes since the start of the session.
    if (this.engineChanges.some((known) => equals(EngineChangeSchema, known, change))) return;
    this.engineChanges.push(change);
    if (this.callbacks.onEngineChange) this.callbacks.onEngineChange(change);
    else console.warn(`stemwire: ${change.to?.model} computes from frame ${change.frame} on: ${change.message}`);
  }
}
