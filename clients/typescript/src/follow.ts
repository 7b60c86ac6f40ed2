/** Follows a session over any number of calls, as a stream of chunks. */
import type { Chunk } from "./audio.js";
import type { Connection, Repeated } from "./connection.js";
import { invalidAnswer } from "./errors.js";
import type { SeparationConfig } from "./generated/stemwire/v1/config_pb.js";
import type { FollowOptions } from "./options.js";
import { separateByCalls, separateByStream, type WatchRequest, watchSession } from "./attempts.js";
import type { Message, Received } from "./received.js";
import type { Song } from "./song.js";

/** How a platform sends songs: in the call that answers, or by calls of their own. */
export type Sending = "stream" | "calls";

/** Uploads a song and receives its stems; closes the song at the end. */
export async function* followUpload(
  connection: Connection, sending: Sending, song: Song, config: SeparationConfig, mayExist: boolean, received: Received,
  options: FollowOptions,
): AsyncGenerator<Chunk, void, undefined> {
  let exists = mayExist;
  const attempt = (abort: AbortController) => {
    if (sending === "calls") return separateByCalls(connection, song, config, received, abort);
    const messages = separateByStream(connection, song, config, received, exists, abort);
    exists = true;
    return messages;
  };
  try {
    yield* follow(connection, received, options, attempt, () => song.failure);
  } finally {
    await song.close();
  }
}

/** Receives the stems of an existing session. */
export function followSession(
  connection: Connection, request: WatchRequest, received: Received, options: FollowOptions,
): AsyncGenerator<Chunk, void, undefined> {
  return follow(connection, received, options, (abort) => watchSession(connection, request, received, abort));
}

function follow(
  connection: Connection, received: Received, options: FollowOptions,
  messages: (abort: AbortController) => AsyncIterable<Message>, failure?: Repeated<Chunk>["failure"],
): AsyncGenerator<Chunk, void, undefined> {
  return connection.repeat({
    attempt: (abort) => chunksOf(connection, messages(abort), received, abort.signal),
    position: () => received.position,
    ...(failure && { failure }),
    ...(options.onReconnect && { onReconnect: options.onReconnect }),
    signal: options.signal,
  });
}

async function* chunksOf(
  connection: Connection, messages: AsyncIterable<Message>, received: Received, signal: AbortSignal,
): AsyncGenerator<Chunk, void, undefined> {
  for await (const message of messages) {
    connection.answered = true;
    const stem = received.handle(message);
    if (received.isDone) return;
    if (!stem) continue;
    if (received.sampleRate === 0) {
      // The session was received before its upload was decoded. By now its rate is known.
      received.update(await connection.session(received.session?.sessionId ?? "", signal));
    }
    const chunk = received.newFrames(stem);
    if (chunk) yield chunk;
  }
  throw invalidAnswer("the call ended without a result");
}
