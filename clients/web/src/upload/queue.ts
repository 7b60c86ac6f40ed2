/** The upload queue of this tab: one file at a time. */
import { signal, type Signal } from "@preact/signals";
import { create } from "@bufbuild/protobuf";
import { OnDisconnect, type Quality, SeparationConfigSchema, type Session } from "stemwire/proto";
import { randomUuid } from "stemwire/src/uuid";
import { client } from "../calls/client";
import { Backoff, sleep } from "../calls/backoff";
import { type Problem, toProblem } from "../calls/problem";
import { remember } from "./remembered";
import { send, Stopped } from "./send";

/** The settings of an upload. */
export interface UploadSettings {
  /** Name of the model; empty for the server's default. */
  readonly model: string;
  /** What counts in the choice of the model, if none is named. */
  readonly quality?: Quality;
  /** The models of the stems, such as `vocals=a,drums=b`, in place of one model. */
  readonly ensemble?: string;
  /** Names of the stems; empty for all stems of the model. */
  readonly stems: readonly string[];
  /** The part of the song in seconds; all of it if left out. */
  readonly part?: Part;
}

/** A part of a song, in seconds. */
export interface Part {
  readonly start: number;
  /** `null` for the end of the song. */
  readonly end: number | null;
}

export type UploadStage = "waiting" | "sending" | "sent" | "stopped";

/** A file in the queue. */
export interface Upload {
  /** Also the request_id, which makes the creation of the session idempotent. */
  readonly id: string;
  readonly file: File;
  readonly settings: UploadSettings;
  /** Whether it is the first of a selection: shown as soon as it has a session. */
  readonly first: boolean;
  readonly sessionId: Signal<string | null>;
  readonly stage: Signal<UploadStage>;
  readonly sentBytes: Signal<number>;
  /** The problem that stopped or delays it. */
  readonly problem: Signal<Problem | null>;
  /** Time of the next retry, in milliseconds since 1970; 0 if none is due. */
  readonly goesOnAt: Signal<number>;
  readonly abort: AbortController;
}

export const uploads = signal<readonly Upload[]>([]);

/** Called with every created session. */
export type Created = (session: Session, upload: Upload) => void;

let working = false;
let created: Created = () => undefined;

export function onCreated(listener: Created): void {
  created = listener;
}

/** Queues files, one session each. */
export function enqueue(files: Iterable<File>, settings: UploadSettings): void {
  add([...files].map((file, at) => upload(file, settings, at === 0, null, 0)));
}

/** Continues a session's upload with a file that was chosen again. */
export function continueWith(session: Session, file: File): void {
  add([upload(file, { model: "", stems: [] }, false, session.sessionId, Number(session.committedBytes))]);
}

/** The upload of a session in this tab. */
export function uploadOf(sessionId: string): Upload | undefined {
  return uploads.value.findLast((upload) => upload.sessionId.value === sessionId);
}

/** Removes an upload from the queue; bytes on the server stay there. */
export function drop(upload: Upload): void {
  upload.abort.abort();
  uploads.value = uploads.value.filter((other) => other !== upload);
}

/** Restarts a stopped upload. */
export function again(upload: Upload): void {
  upload.problem.value = null;
  upload.stage.value = "waiting";
  void work();
}

export function isSending(): boolean {
  return uploads.value.some(({ stage }) => stage.value === "waiting" || stage.value === "sending");
}

function upload(file: File, settings: UploadSettings, first: boolean, sessionId: string | null, held: number): Upload {
  return {
    id: randomUuid(),
    file,
    settings,
    first,
    sessionId: signal(sessionId),
    stage: signal<UploadStage>("waiting"),
    sentBytes: signal(held),
    problem: signal<Problem | null>(null),
    goesOnAt: signal(0),
    abort: new AbortController(),
  };
}

function add(more: Upload[]): void {
  // A session has one upload: the continuation replaces the stopped one.
  const taken = new Set(more.map((upload) => upload.sessionId.value).filter((id) => id !== null));
  const others = uploads.value.filter(({ sessionId }) => sessionId.value === null || !taken.has(sessionId.value));
  uploads.value = [...others, ...more];
  void work();
}

/** Sends one upload at a time: parallel uploads would share the bandwidth and all finish late. */
async function work(): Promise<void> {
  if (working) return;
  working = true;
  try {
    for (;;) {
      const next = uploads.value.find(({ stage }) => stage.value === "waiting");
      if (!next) return;
      await sendOne(next);
    }
  } finally {
    working = false;
  }
}

async function sendOne(upload: Upload): Promise<void> {
  const { abort: { signal }, file } = upload;
  const waiting = (problem: Problem | null, until: number) => {
    upload.problem.value = problem;
    upload.goesOnAt.value = until;
  };
  const sent = (bytes: number) => (upload.sentBytes.value = bytes);
  upload.stage.value = "sending";
  try {
    const sessionId = await open(upload, waiting);
    const { session } = await client.getSession({ sessionId }, { signal }).catch(() => ({ session: undefined }));
    await send(sessionId, file, session ? Number(session.committedBytes) : upload.sentBytes.value, { sent, waiting }, signal);
    upload.stage.value = "sent";
  } catch (error) {
    upload.stage.value = "stopped";
    if (!signal.aborted) waiting(error instanceof Stopped ? error.problem : toProblem(error), 0);
  }
}

/** The upload's session, created if there is none. */
async function open(upload: Upload, waiting: (problem: Problem | null, until: number) => void): Promise<string> {
  if (upload.sessionId.value !== null) return upload.sessionId.value;
  const { file, settings, abort: { signal } } = upload;
  const config = create(SeparationConfigSchema, {
    model: settings.model,
    ...(settings.quality !== undefined && { quality: settings.quality }),
    ensemble: settings.ensemble ?? "",
    stems: [...settings.stems],
    fileName: file.name,
    requestId: upload.id,
    onDisconnect: OnDisconnect.CONTINUE,
    startS: settings.part?.start ?? 0,
    ...(settings.part?.end != null && { endS: settings.part.end }),
  });
  const backoff = new Backoff();
  for (;;) {
    try {
      const { session } = await client.createSession({ config }, { signal });
      if (!session) throw new Error("the server answered without a session");
      upload.sessionId.value = session.sessionId;
      remember({ sessionId: session.sessionId, name: file.name, bytes: file.size });
      waiting(null, 0);
      created(session, upload);
      return session.sessionId;
    } catch (error) {
      signal.throwIfAborted();
      const problem = toProblem(error);
      if (!problem.passing) throw new Stopped(problem);
      const wait = backoff.next(problem.waitMs);
      waiting(problem, Date.now() + wait);
      await sleep(wait, signal);
    }
  }
}
