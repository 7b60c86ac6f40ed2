/** The tab's one stream: events of the shown session. */
import { SessionState, type WatchSessionResponse } from "stemwire/proto";
import { client } from "../calls/client";
import { Backoff, sleep } from "../calls/backoff";
import { type Problem, toProblem } from "../calls/problem";

/** Longest silence of a working stream, in milliseconds: the server sends a message at least every five seconds. */
const SILENCE_MS = 15_000;

export type Message = WatchSessionResponse["message"];

export interface Following {
  message(message: Message): void;
  /** The stream broke and is being reopened; `null` when it is open again. */
  broken(problem: Problem | null): void;
  /** The session cannot be followed. */
  ended(problem: Problem): void;
}

export function hasEnded(state: SessionState): boolean {
  return state === SessionState.DONE || state === SessionState.FAILED || state === SessionState.CANCELLED;
}

/** Follows a session until it has ended or the signal aborts. */
export async function follow(sessionId: string, listener: Following, signal: AbortSignal): Promise<void> {
  const backoff = new Backoff();
  for (;;) {
    try {
      if (await listen(sessionId, listener, signal, backoff)) return;
      // A stream that ends without `done` was cut.
      throw new Error("the stream ended");
    } catch (error) {
      if (signal.aborted) return;
      const problem = toProblem(error);
      if (!problem.passing) return listener.ended(problem);
      listener.broken(problem);
      await sleep(backoff.next(problem.waitMs), signal).catch(() => undefined);
      if (signal.aborted) return;
    }
  }
}

/** Reads one stream to its end; returns whether the session has ended. */
async function listen(sessionId: string, listener: Following, signal: AbortSignal, backoff: Backoff): Promise<boolean> {
  const silence = new AbortController();
  let timer = setTimeout(() => silence.abort(), SILENCE_MS);
  const either = AbortSignal.any([signal, silence.signal]);
  try {
    for await (const { message } of client.watchSession({ sessionId, progressOnly: true }, { signal: either })) {
      clearTimeout(timer);
      timer = setTimeout(() => silence.abort(), SILENCE_MS);
      backoff.reset();
      listener.broken(null);
      listener.message(message);
      // Only the error of a failed session follows.
      if (message.case === "done") return true;
    }
    return false;
  } finally {
    clearTimeout(timer);
  }
}
