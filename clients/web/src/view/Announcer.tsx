/** Says to screen readers what has changed, once and in words; progress bars say the rest when they are asked. */
import { broken, lost, opened } from "../session/opened";
import { ofSession } from "../calls/problem";
import { uploadOf } from "../upload/queue";
import { list } from "../words/forms";
import { tell } from "../words";
import { nameOf, sessionStatus, uploadStatus } from "./status";

export function Announcer() {
  return <div class="visually-hidden" role="status">{said()}</div>;
}

function said(): string {
  if (lost.value) return tell(lost.value).cause;
  const session = opened.value;
  if (!session) return "";
  if (broken.value) return tell(broken.value).cause;
  const upload = uploadOf(session.sessionId);
  const waits = upload?.problem.value;
  return list([
    nameOf(session),
    waits ? tell(waits).cause : upload ? uploadStatus(upload).text : "",
    session.error ? tell(ofSession(session.error)).cause : sessionStatus(session).text,
  ], ". ");
}
