/** Uploads by single calls, where requests cannot be streamed. */
import { ChunkSize } from "./chunk_size.js";
import type { Connection } from "./connection.js";
import { StemwireError } from "./errors.js";
import type { Session } from "./generated/stemwire/v1/session_pb.js";
import type { Song } from "./song.js";

/** Sends what a session lacks of a song, and completes the upload, without repeating what fails. */
export async function sendSong(connection: Connection, session: Session, song: Song, signal?: AbortSignal): Promise<void> {
  const { calls } = connection;
  const { sessionId } = session;
  const size = new ChunkSize();
  let offset = Number(session.committedBytes);
  for (;;) {
    const data = await song.read(offset, size.bytes);
    signal?.throwIfAborted();
    if (data.length === 0) break;
    const began = performance.now();
    try {
      const chunk = { sessionId, offset: BigInt(offset), data };
      const answer = await connection.once((options) => calls.uploadChunk(chunk, options), signal);
      offset = Number(answer.committedBytes);
    } catch (error) {
      offset = committed(error);
    }
    size.took(data.length, performance.now() - began);
  }
  const finish = { totalBytes: BigInt(offset), sha256: song.sha256(offset) };
  await connection.once((options) => calls.finishUpload({ sessionId, finish }, options), signal);
}

/** What the server has, where a power failure cost it bytes that it had acknowledged; any other error is thrown. */
function committed(error: unknown): number {
  const bytes = error instanceof StemwireError && error.reason === "UPLOAD_GAP" ? error.metadata["committed_bytes"] : undefined;
  if (bytes === undefined) throw error;
  return Number(bytes);
}
