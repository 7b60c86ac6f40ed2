/** Uploads a file to a session, across lost connections and server restarts. */
import { ChunkSize } from "stemwire/src/chunk_size";
import { client } from "../calls/client";
import { Backoff, sleep } from "../calls/backoff";
import { isAbort, ownProblem, type Problem, toProblem } from "../calls/problem";

/** Bytes sent again when an upload is continued: the server compares them, which identifies the file. */
const COMPARED_BYTES = 64 << 10;

/** Time limit of a call. */
const CALL_MS = 60_000;

export interface Sending {
  /** Bytes stored on the server. */
  sent(bytes: number): void;
  /** The upload waits and retries at that time; with `null` it continues. */
  waiting(problem: Problem | null, untilMs: number): void;
}

/** Thrown if the upload cannot continue without the user. */
export class Stopped extends Error {
  constructor(readonly problem: Problem) {
    super(problem.reason);
  }
}

/**
 * Sends the bytes from `held` on and finishes the upload.
 *
 * @throws Stopped; the signal's reason where it was aborted.
 */
export async function send(sessionId: string, file: Blob, held: number, listener: Sending, signal: AbortSignal): Promise<void> {
  if (held > file.size) throw new Stopped(ownProblem("FILE_DIFFERS"));
  const backoff = new Backoff();
  const size = new ChunkSize();
  if (held > 0) {
    await persist(() => sendChunk(0, Math.min(held, COMPARED_BYTES)));
    await persist(() => sendChunk(Math.max(0, held - COMPARED_BYTES), held));
  }
  listener.sent(held);
  while (held < file.size) {
    await persist(async () => {
      const end = Math.min(file.size, held + size.bytes);
      const began = performance.now();
      held = await sendChunk(held, end);
      size.took(size.bytes, performance.now() - began);
    });
    listener.sent(held);
  }
  await persist(async () => {
    const finish = { totalBytes: BigInt(file.size) };
    await client.finishUpload({ sessionId, finish }, { signal, timeoutMs: CALL_MS });
  });

  async function sendChunk(offset: number, end: number): Promise<number> {
    const data = await read(file, offset, end);
    const answer = await client.uploadChunk({ sessionId, offset: BigInt(offset), data }, { signal, timeoutMs: CALL_MS });
    return Number(answer.committedBytes);
  }

  /** Repeats a step until it succeeds. */
  async function persist(step: () => Promise<void | number>): Promise<void> {
    for (;;) {
      try {
        await step();
        backoff.reset();
        listener.waiting(null, 0);
        return;
      } catch (error) {
        if (error instanceof Stopped) throw error;
        signal.throwIfAborted();
        const problem = toProblem(error);
        const committed = problem.numbers["committed_bytes"];
        if (problem.reason === "UPLOAD_GAP" && committed !== undefined) {
          // The server lost unsynced bytes in a power failure, or another tab sends the same file.
          held = Number(committed);
          listener.sent(held);
          continue;
        }
        if (!problem.passing) throw new Stopped(problem.reason === "UPLOAD_CONFLICT" ? ownProblem("FILE_DIFFERS") : problem);
        size.failed();
        const wait = backoff.next(problem.waitMs);
        listener.waiting(problem, Date.now() + wait);
        await sleep(wait, signal);
      }
    }
  }
}

async function read(file: Blob, start: number, end: number): Promise<Uint8Array<ArrayBuffer>> {
  try {
    return new Uint8Array(await file.slice(start, end).arrayBuffer());
  } catch (error) {
    // The file was changed, moved or removed.
    throw new Stopped(ownProblem("FILE_UNREADABLE", isAbort(error) ? "" : String(error)));
  }
}
