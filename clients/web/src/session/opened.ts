/** The shown session: named by the URL, followed while it runs. */
import { computed, effect, signal } from "@preact/signals";
import { clone } from "@bufbuild/protobuf";
import { type Session, SessionSchema, SessionState } from "stemwire/proto";
import { client } from "../calls/client";
import { type Problem, toProblem } from "../calls/problem";
import { uploadOf } from "../upload/queue";
import { remembered } from "../upload/remembered";
import { follow, type Message } from "./follow";
import { forget, learn, refresh } from "./sessions";
import { lengthOf, Pace } from "./timeline";

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** Session id from the fragment of the URL. */
export const openedId = signal(idOf(location.hash));

/** The session; `null` until the first response. */
export const opened = signal<Session | null>(null);

/** The connection is broken and is being retried. */
export const broken = signal<Problem | null>(null);

/** The problem if the session cannot be shown. */
export const lost = signal<Problem | null>(null);

/** Size of the whole upload, if this browser has sent or chosen it. */
export const uploadBytes = computed(() => {
  const id = openedId.value;
  return id === null ? undefined : (uploadOf(id)?.file.size ?? remembered(id)?.bytes);
});

/** Length of the song in frames, as far as known. */
export const length = computed(() => (opened.value ? lengthOf(opened.value, uploadBytes.value) : 0));

/** Frames of the stems that can be read. */
export const finished = computed(() => Number(opened.value?.progress?.finishedFrames ?? 0n));

let pace = new Pace();

/** Seconds until the separation is done; `null` if unknown. */
export const secondsLeft = signal<number | null>(null);

export function open(sessionId: string | null): void {
  if (sessionId === openedId.peek()) return;
  history.pushState(null, "", sessionId === null ? location.pathname : `#${sessionId}`);
  openedId.value = sessionId;
}

export async function cancel(sessionId: string): Promise<void> {
  const { session } = await client.cancelSession({ sessionId });
  if (!session) return;
  learn(session);
  if (openedId.peek() === sessionId) opened.value = session;
}

export async function remove(sessionId: string): Promise<void> {
  await client.deleteSession({ sessionId });
  forget(sessionId);
  if (openedId.peek() === sessionId) open(null);
}

/** Follows the session in the URL for the lifetime of the page. */
export function start(): void {
  const read = () => (openedId.value = idOf(location.hash));
  addEventListener("hashchange", read);
  addEventListener("popstate", read);
  effect(() => {
    const sessionId = openedId.value;
    opened.value = broken.value = lost.value = secondsLeft.value = null;
    pace = new Pace();
    if (sessionId === null) return;
    const abort = new AbortController();
    const listener = {
      message,
      broken: (problem: Problem | null) => (broken.value = problem),
      ended: (problem: Problem) => {
        broken.value = null;
        // The session itself has the error of a failed session.
        if (opened.peek()?.error === undefined) lost.value = problem;
      },
    };
    void follow(sessionId, listener, abort.signal);
    return () => abort.abort();
  });
  setInterval(() => (secondsLeft.value = timeLeft()), 1000);
}

function message(message: Message): void {
  switch (message.case) {
    case "session":
      show(message.value);
      break;
    case "done":
      show(message.value);
      void refresh();
      break;
    case "progress": {
      const session = opened.peek();
      if (!session) return;
      const changed = message.value.state !== session.state;
      const untold = message.value.decodedFrames > 0n && session.source === undefined;
      const upload = uploadOf(session.sessionId);
      const next = clone(SessionSchema, session);
      next.progress = message.value;
      next.state = message.value.state;
      if (upload) next.committedBytes = BigInt(upload.sentBytes.peek());
      show(next);
      if (changed || untold) void ask(session.sessionId);
      break;
    }
    case "engineChange": {
      const session = opened.peek();
      if (session) void ask(session.sessionId);
      break;
    }
  }
}

/** Loads the whole session: progress messages contain only a part of it. */
async function ask(sessionId: string): Promise<void> {
  try {
    const { session } = await client.getSession({ sessionId });
    if (session && openedId.peek() === sessionId) show(session);
  } catch (error) {
    // The stream reports the same problem.
    toProblem(error);
  }
}

function show(session: Session): void {
  opened.value = session;
  learn(session);
  if (session.state === SessionState.UPLOADING || session.state === SessionState.RUNNING) {
    pace.reached(Number(session.progress?.finishedFrames ?? 0n));
  }
}

function timeLeft(): number | null {
  const session = opened.peek();
  const computing = session?.state === SessionState.UPLOADING || session?.state === SessionState.RUNNING;
  return computing && broken.peek() === null ? pace.left(length.peek()) : null;
}

function idOf(hash: string): string | null {
  const id = hash.replace(/^#/, "");
  return UUID.test(id) ? id.toLowerCase() : null;
}
