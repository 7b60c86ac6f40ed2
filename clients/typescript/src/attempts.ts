/** One attempt to follow a session: the messages of its calls until the signal aborts. */
import { clone, create, type MessageInitShape } from "@bufbuild/protobuf";
import { type Connection, present } from "./connection.js";
import { StemwireError } from "./errors.js";
import {
  CallAttemptSchema, type Encoding, type OutputChannels, type SeparationConfig, SeparationConfigSchema,
} from "./generated/stemwire/v1/config_pb.js";
import type { SeparateRequestSchema } from "./generated/stemwire/v1/separation_service_pb.js";
import type { Message, Received } from "./received.js";
import type { Song } from "./song.js";
import { sendSong } from "./upload.js";
import { randomUuid } from "./uuid.js";

/** Longest silence of a stream, in milliseconds: the server sends a message at least every five seconds. */
const SILENCE_MS = 20_000;

/** A session to watch, and the format of its stems; by default as the session has it. */
export interface WatchRequest {
  readonly sessionId: string;
  readonly encoding?: Encoding;
  readonly gain?: number;
  readonly channels?: OutputChannels;
}

/** Sends the song in the call that its stems come from. */
export async function* separateByStream(
  connection: Connection, song: Song, settings: SeparationConfig, received: Received, mayExist: boolean, abort: AbortController,
): AsyncGenerator<Message, void, undefined> {
  const { calls } = connection;
  // One that is delayed on its way must not take the session from a later one.
  settings.attempt ??= create(CallAttemptSchema, { caller: randomUuid() });
  settings.attempt.number += 1;
  const config = clone(SeparationConfigSchema, settings);
  if (mayExist) {
    // Idempotent by `requestId`: returns the session, with the number of bytes that it has.
    const { session } = await connection.once((options) => calls.createSession({ config }, options), abort.signal);
    received.session = present(session);
    config.uploadOffset = received.session.committedBytes;
    config.startFrame = BigInt(received.resumeFrame);
  }
  for await (const { message } of calls.separate(requests(song, config, abort), { signal: abort.signal })) yield message;
}

/** Sends the song by calls of their own, beside the one that its stems come from. */
export async function* separateByCalls(
  connection: Connection, song: Song, config: SeparationConfig, received: Received, abort: AbortController,
): AsyncGenerator<Message, void, undefined> {
  const { signal } = abort;
  const created = await connection.once((options) => connection.calls.createSession({ config }, options), signal);
  const session = present(created.session);
  received.session = session;
  const sent: { failure?: { readonly error: unknown } } = {};
  const sending = session.uploadComplete ? Promise.resolve() : sendSong(connection, session, song, signal);
  sending.catch((error: unknown) => {
    // The stream reports how the session has ended.
    if (signal.aborted || isOver(error)) return;
    sent.failure = { error };
    abort.abort();
  });
  try {
    yield* watchSession(connection, { sessionId: session.sessionId }, received, abort);
  } catch (error) {
    throw sent.failure ? sent.failure.error : error;
  }
}

/** Receives the stems of an existing session, each from its next frame. */
export async function* watchSession(
  connection: Connection, request: WatchRequest, received: Received, abort: AbortController,
): AsyncGenerator<Message, void, undefined> {
  const { signal } = abort;
  if (received.stems.length === 0) received.session = await connection.session(request.sessionId, signal);
  const stems = received.stems.map((stem) => ({ stem, startFrame: BigInt(received.nextFrame(stem)) }));
  const answers = connection.calls.watchSession({ ...request, stems }, { signal })[Symbol.asyncIterator]();
  for (;;) {
    // Only while an answer is waited for: an application that does not read receives none.
    const silence = setTimeout(() => abort.abort(), SILENCE_MS);
    const answer = await answers.next().finally(() => clearTimeout(silence));
    if (answer.done) return;
    yield answer.value.message;
  }
}

/** Whether the session takes no more bytes of its song. */
function isOver(error: unknown): boolean {
  return error instanceof StemwireError && (error.reason === "SESSION_ENDED" || error.reason === "UPLOAD_FINISHED");
}

async function* requests(
  song: Song, config: SeparationConfig, abort: AbortController,
): AsyncGenerator<MessageInitShape<typeof SeparateRequestSchema>, void, undefined> {
  yield { message: { case: "config", value: config } };
  let offset = Number(config.uploadOffset);
  for (;;) {
    let piece: Uint8Array;
    try {
      piece = await song.read(offset);
    } catch {
      // Without `finish` the server treats the upload as interrupted.
      abort.abort();
      return;
    }
    if (abort.signal.aborted) return;
    if (piece.length === 0) break;
    offset += piece.length;
    yield { message: { case: "chunk", value: piece } };
  }
  yield { message: { case: "finish", value: { totalBytes: BigInt(offset), sha256: song.sha256(offset) } } };
}
