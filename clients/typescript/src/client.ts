/** What the clients of all platforms share. */
import type { Transport } from "@connectrpc/connect";
import { Chunk } from "./audio.js";
import { Connection, type ConnectionOptions, present, type SeparationCalls } from "./connection.js";
import { followSession, followUpload, type Sending } from "./follow.js";
import type { Model } from "./generated/stemwire/v1/engine_pb.js";
import type { HealthResponse } from "./generated/stemwire/v1/separation_service_pb.js";
import type { Session } from "./generated/stemwire/v1/session_pb.js";
import type { NewSha256 } from "./hash.js";
import { CHANNELS, configOf, ENCODINGS, type FollowOptions, type SeparationOptions, type SessionOptions, type StemOptions, type WatchOptions } from "./options.js";
import { type Expected, Received } from "./received.js";
import type { Following } from "./separation.js";
import type { Song } from "./song.js";
import { sendSong } from "./upload.js";

/** What differs between platforms. */
export interface Platform {
  readonly server: string;
  readonly transport: Transport;
  readonly sending: Sending;
  readonly sha256: NewSha256;
}

/** Calls of one server. Any number of them may run at a time. */
export abstract class CommonClient<Input> {
  protected readonly connection: Connection;
  readonly #platform: Platform;

  constructor(platform: Platform, options: ConnectionOptions) {
    this.#platform = platform;
    this.connection = new Connection(platform.transport, platform.server, options);
  }

  /** The generated calls, for what this class has no method for. Their errors are those of `@connectrpc/connect`. */
  get calls(): SeparationCalls {
    return this.connection.calls;
  }

  /** One stem from any frame on. Frames that are not finished yet are waited for; after a failure the stem continues. */
  async *stem(sessionId: string, stem: string, options: StemOptions = {}): AsyncGenerator<Chunk, void, undefined> {
    const { encoding = "f32", gain = 1, signal } = options;
    const { connection } = this;
    const start = options.startFrame ?? 0;
    const end = options.frameCount === undefined ? undefined : start + options.frameCount;
    let next = start;
    let rate = 0;
    const attempt = async function* (abort: AbortController): AsyncGenerator<Chunk, void, undefined> {
      if (end !== undefined && next >= end) return;
      const request = {
        sessionId, stem, gain, encoding: ENCODINGS[encoding], startFrame: BigInt(next),
        ...(end !== undefined && { frameCount: BigInt(end - next) }),
        ...(options.channels && { channels: CHANNELS[options.channels] }),
      };
      for await (const { chunk } of connection.calls.getStem(request, { signal: abort.signal })) {
        if (!chunk) continue;
        // There is a chunk, so the upload is decoded by now and the rate is known.
        rate ||= (await connection.session(sessionId, abort.signal)).source?.outputSampleRate ?? 0;
        const first = Number(chunk.startFrame);
        const read = new Chunk(stem, first, rate, chunk.pcm, encoding, chunk.channels || 2, Number(chunk.clippedSamples));
        next = first + read.frames;
        yield read;
      }
    };
    yield* connection.repeat({ attempt, position: () => [0, next], signal });
  }

  /** Whether the server accepts sessions, and its load. */
  async health(): Promise<HealthResponse> {
    return this.connection.call((options) => this.calls.health({}, options));
  }

  /** The models of the server, those of its chain first. */
  async models(): Promise<Model[]> {
    return (await this.connection.call((options) => this.calls.listModels({}, options))).models;
  }

  /** The current state of a session. */
  async session(sessionId: string): Promise<Session> {
    return present((await this.connection.call((options) => this.calls.getSession({ sessionId }, options))).session);
  }

  /** All sessions, newest first. */
  async *sessions(pageSize = 50): AsyncGenerator<Session, void, undefined> {
    let pageToken = "";
    do {
      const page = await this.connection.call((options) => this.calls.listSessions({ pageSize, pageToken }, options));
      yield* page.sessions;
      pageToken = page.nextPageToken;
    } while (pageToken !== "");
  }

  /** Creates a session, to be filled by `upload` and followed by `watch`; or returns the earlier one with this `requestId`. */
  async createSession(settings: SessionOptions = {}): Promise<Session> {
    const config = configOf(settings);
    return present((await this.connection.call((options) => this.calls.createSession({ config }, options))).session);
  }

  /** Uploads what a session lacks of a song, and returns once the upload is complete. Any process may repeat it. */
  async upload(sessionId: string, input: Input, { signal }: { readonly signal?: AbortSignal } = {}): Promise<Session> {
    const { connection } = this;
    const song = this.open(input);
    let committed = 0;
    const attempt = async function* (abort: AbortController): AsyncGenerator<void, void, undefined> {
      const session = await connection.session(sessionId, abort.signal);
      committed = Number(session.committedBytes);
      if (!session.uploadComplete) await sendSong(connection, session, song, abort.signal);
    };
    try {
      for await (const _ of connection.repeat({ attempt, position: () => [committed, 0], failure: () => song.failure, signal }));
      return await this.session(sessionId);
    } finally {
      await song.close();
    }
  }

  /** Cancels a session; its final frames stay readable. One that has ended stays as it is. */
  async cancel(sessionId: string): Promise<Session> {
    return present((await this.connection.call((options) => this.calls.cancelSession({ sessionId }, options))).session);
  }

  /** Deletes a session and its files; a running one is cancelled first. */
  async delete(sessionId: string): Promise<void> {
    await this.connection.call((options) => this.calls.deleteSession({ sessionId }, options));
  }

  /** The bytes of a song. */
  protected abstract open(input: Input): Song;

  protected following(input: Input, options: SeparationOptions): Following {
    const song = this.open(input);
    const config = configOf(options, song.fileName, song.raw);
    const { encoding = "f32", gain, requestId } = options;
    return this.#follow({ encoding, gain }, options, config.requestId, (received, followed) =>
      followUpload(this.connection, this.#platform.sending, song, config, requestId !== undefined, received, followed));
  }

  protected watching(sessionId: string, options: WatchOptions): Following {
    const { encoding = "f32", gain, channels, startFrame, stems } = options;
    const request = { sessionId, encoding: ENCODINGS[encoding], gain: gain ?? 1, ...(channels && { channels: CHANNELS[channels] }) };
    return this.#follow({ encoding, gain, startFrame, stems }, options, "", (received, followed) =>
      followSession(this.connection, request, received, followed));
  }

  #follow(
    expected: Expected, options: FollowOptions, requestId: string,
    chunks: (received: Received, options: FollowOptions) => AsyncGenerator<Chunk, void, undefined>,
  ): Following {
    const received = new Received(expected, this.#platform.sha256, options);
    const stop = new AbortController();
    const { signal } = options;
    if (signal?.aborted) stop.abort(signal.reason);
    else signal?.addEventListener("abort", () => stop.abort(signal.reason), { signal: stop.signal });
    const followed = { ...options, signal: stop.signal };
    return { received, chunks: stopping(chunks(received, followed), stop), stop, requestId, cancel: (id) => this.cancel(id) };
  }
}

/** Aborts `stop` at the end, so that nothing listens to the application's signal any more. */
async function* stopping(chunks: AsyncIterable<Chunk>, stop: AbortController): AsyncGenerator<Chunk, void, undefined> {
  try {
    yield* chunks;
  } finally {
    stop.abort();
  }
}
