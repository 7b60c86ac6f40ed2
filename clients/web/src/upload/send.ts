/** Sends one file into one session, however often the connection or the server goes away. */
import { client } from "../calls/client";
import { Backoff, sleep } from "../calls/backoff";
import { isAbort, ownProblem, type Problem, toProblem } from "../calls/problem";
import { ChunkSize } from "./chunks";

/** Bytes that are sent again when an upload is continued: the server compares them, and so knows the file. */
const COMPARED_BYTES = 64 << 10;

/** A call that takes longer than this is taken for lost. */
const CALL_MS = 60_000;

export interface Sending {
  /** Bytes that the server holds. */
  sent(bytes: number): void;
  /** It goes on after a while by itself, or `null`: it goes on now. */
  waiting(problem: Problem | null, untilMs: number): void;
}

/** Thrown where it does not go on without somebody's help. */
export class Stopped extends Error {
  constructor(readonly problem: Problem) {
    super(problem.reason);
  }
}

/**
 * Sends the bytes from `held` on and says that the upload is complete.
 *
 * @throws Stopped; the signal's reason where it was aborted.
 */
export async function send(sessionId: string, file: Blob, held: number, told: Sending, signal: AbortSignal): Promise<void> {
  if (held > file.size) throw new Stopped(ownProblem("FILE_DIFFERS"));
  const backoff = new Backoff();
  const size = new ChunkSize();
  if (held > 0) {
    await persist(() => sendChunk(0, Math.min(held, COMPARED_BYTES)));
    await persist(() => sendChunk(Math.max(0, held - COMPARED_BYTES), held));
  }
  told.sent(held);
  while (held < file.size) {
    await persist(async () => {
      const end = Math.min(file.size, held + size.bytes);
      const began = performance.now();
      held = await sendChunk(held, end);
      size.took(size.bytes, performance.now() - began);
    });
    told.sent(held);
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

  /** Does a step until it goes well. */
  async function persist(step: () => Promise<void | number>): Promise<void> {
    for (;;) {
      try {
        await step();
        backoff.reset();
        told.waiting(null, 0);
        return;
      } catch (error) {
        if (error instanceof Stopped) throw error;
        signal.throwIfAborted();
        const problem = toProblem(error);
        const committed = problem.numbers["committed_bytes"];
        if (problem.reason === "UPLOAD_GAP" && committed !== undefined) {
          // The server lost its last bytes with its power, or another tab sends the same file.
          held = Number(committed);
          told.sent(held);
          continue;
        }
        if (!problem.passing) throw new Stopped(problem.reason === "UPLOAD_CONFLICT" ? ownProblem("FILE_DIFFERS") : problem);
        size.failed();
        const wait = backoff.next(problem.waitMs);
        told.waiting(problem, Date.now() + wait);
        await sleep(wait, signal);
      }
    }
  }
}

async function read(file: Blob, start: number, end: number): Promise<Uint8Array<ArrayBuffer>> {
  try {
    return new Uint8Array(await file.slice(start, end).arrayBuffer());
  } catch (error) {
    // It was changed, moved or removed since it was chosen.
    throw new Stopped(ownProblem("FILE_UNREADABLE", isAbort(error) ? "" : String(error)));
  }
}
