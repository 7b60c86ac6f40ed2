/** Status of uploads and sessions, as text and as a share. */
import { type Session, SessionState } from "stemwire/proto";
import type { Upload } from "../upload/queue";
import { words } from "../words";

export type Mood = "busy" | "paused" | "good" | "bad";

export interface Status {
  readonly text: string;
  readonly mood: Mood;
  /** Progress, 0 to 1; `null` if none is shown. */
  readonly share: number | null;
}

/** Status of an upload. */
export function uploadStatus(upload: Upload): Status {
  const { file, sentBytes, stage } = upload;
  const share = file.size === 0 ? 0 : Math.min(1, sentBytes.value / file.size);
  switch (stage.value) {
    case "waiting":
      return { text: words.value.waitsToBeSent, mood: "paused", share: null };
    case "sending":
      return { text: words.value.sending, mood: "busy", share };
    case "sent":
      return { text: words.value.sent, mood: "good", share: 1 };
    case "stopped":
      return { text: words.value.uploadStopped, mood: "bad", share };
  }
}

/** Status of a session; `length` is the song's length in frames, which the page may know before the server. */
export function sessionStatus(session: Session, length = Number(session.progress?.totalFrames ?? 0n)): Status {
  const { state, progress } = session;
  const finished = Number(progress?.finishedFrames ?? 0n);
  const share = length > 0 ? Math.min(1, finished / length) : null;
  const position = progress?.queuePosition ?? 0;
  switch (state) {
    case SessionState.UPLOADING:
    case SessionState.RUNNING:
      if (position > 0) return { text: words.value.inQueue(position), mood: "paused", share };
      if (finished === 0) return { text: words.value.preparing, mood: "busy", share };
      return { text: words.value.separating, mood: "busy", share };
    case SessionState.PAUSED:
      if (session.delay) return { text: words.value.delayed, mood: "paused", share };
      return { text: session.uploadComplete ? words.value.paused : words.value.uploadStopped, mood: "paused", share };
    case SessionState.DONE:
      return { text: words.value.done, mood: "good", share: null };
    case SessionState.FAILED:
      return { text: words.value.failed, mood: "bad", share: null };
    case SessionState.CANCELLED:
      return { text: words.value.cancelled, mood: "paused", share: null };
    default:
      return { text: "", mood: "paused", share: null };
  }
}

export function nameOf(session: Session): string {
  return session.config?.fileName || words.value.untitled;
}
