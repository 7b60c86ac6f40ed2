/** Announces changes to screen readers. */
import { broken, lost, opened } from "../session/opened";
import { ofSession } from "../calls/problem";
import { uploadOf } from "../upload/queue";
import { list } from "../words/forms";
import { describe } from "../words";
import { nameOf, sessionStatus, uploadStatus } from "./status";

export function Announcer() {
  return <div class="visually-hidden" role="status">{announcement()}</div>;
}

function announcement(): string {
  if (lost.value) return describe(lost.value).cause;
  const session = opened.value;
  if (!session) return "";
  if (broken.value) return describe(broken.value).cause;
  const upload = uploadOf(session.sessionId);
  const waits = upload?.problem.value;
  return list([
    nameOf(session),
    waits ? describe(waits).cause : upload ? uploadStatus(upload).text : "",
    session.error ? describe(ofSession(session.error)).cause : sessionStatus(session).text,
  ], ". ");
}
