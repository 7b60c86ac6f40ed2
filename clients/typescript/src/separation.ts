/** A session that is followed. */
import { type Chunk, decodePcm, SAMPLE_BYTES, type StemAudio } from "./audio.js";
import type { EngineChange } from "./generated/stemwire/v1/engine_pb.js";
import type { Progress, Session } from "./generated/stemwire/v1/session_pb.js";
import type { Received } from "./received.js";

/** What a separation is made of. */
export interface Following {
  readonly received: Received;
  readonly chunks: AsyncGenerator<Chunk, void, undefined>;
  /** Ends the calls. */
  readonly stop: AbortController;
  readonly requestId: string;
  cancel(sessionId: string): Promise<Session>;
}

/**
 * The chunks of a session as they arrive. Nothing is sent before the first is asked for; those that are not taken yet wait on the
 * server. Leaving the loop before its end stops following the session, which is then left to its `onDisconnect` option.
 */
export class Separation implements AsyncIterable<Chunk> {
  readonly #following: Following;
  #isConsumed = false;

  constructor(following: Following) {
    this.#following = following;
  }

  /** The request id of an upload, with which another call can continue; empty for a session that is watched. */
  get requestId(): string {
    return this.#following.requestId;
  }

  /** The session as last received; `undefined` before the first answer, in its final state at the end. */
  get session(): Session | undefined {
    return this.#following.received.session;
  }

  get progress(): Progress | undefined {
    return this.#following.received.progress;
  }

  get engineChanges(): readonly EngineChange[] {
    return this.#following.received.engineChanges;
  }

  /** Frames per second of the stems; 0 before the first chunk. */
  get sampleRate(): number {
    return this.#following.received.sampleRate;
  }

  /** Samples that an integer encoding clipped, in the chunks so far. */
  get clippedSamples(): number {
    return this.#following.received.clippedSamples;
  }

  [Symbol.asyncIterator](): AsyncGenerator<Chunk, void, undefined> {
    this.#isConsumed = true;
    return this.#following.chunks;
  }

  /** Waits for the end, drops the chunks, and returns the session in its final state. */
  async wait(): Promise<Session> {
    for await (const _ of this);
    return this.final();
  }

  /** Waits for the end and returns whole stems, which are in memory. */
  async stems(): Promise<Record<string, StemAudio>> {
    const pieces = new Map<string, Chunk[]>();
    for await (const chunk of this.all("stems")) {
      const held = pieces.get(chunk.stem);
      if (held) held.push(chunk);
      else pieces.set(chunk.stem, [chunk]);
    }
    return Object.fromEntries([...pieces].map(([name, chunks]) => [name, whole(name, chunks)]));
  }

  /** Cancels the session; the loop then ends with a `SessionCancelledError`. */
  async cancel(): Promise<void> {
    const { session } = this;
    if (session) await this.#following.cancel(session.sessionId);
    else await this.close();
  }

  /** Stops following the session. If it is still running, the server applies `onDisconnect`. */
  async close(): Promise<void> {
    this.#following.stop.abort();
    await this.#following.chunks.return();
  }

  /** All chunks, for a method that needs them. */
  protected all(method: string): AsyncIterable<Chunk> {
    if (this.#isConsumed) throw new Error(`${method} needs all chunks, but some were read before. Use client.stem().`);
    return this;
  }

  protected final(): Session {
    if (!this.session) throw new Error("the separation was closed before its first answer");
    return this.session;
  }
}

function whole(name: string, chunks: readonly Chunk[]): StemAudio {
  const { encoding, channels, sampleRate } = chunks[0]!;
  const width = SAMPLE_BYTES[encoding];
  const samples = new Float32Array(chunks.reduce((count, { pcm }) => count + pcm.length / width, 0));
  let filled = 0;
  for (const { pcm } of chunks) {
    samples.set(decodePcm(pcm, encoding), filled);
    filled += pcm.length / width;
  }
  return { name, samples, channels, sampleRate };
}
