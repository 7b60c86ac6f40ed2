/** A song: progress, stems, downloads. */
import { signal } from "@preact/signals";
import { type Session, SessionState } from "stemwire/proto";
import { ofSession, toProblem, type Problem } from "../calls/problem";
import { hasEnded } from "../session/follow";
import { broken, cancel, length, lost, open, opened, secondsLeft, uploadBytes } from "../session/opened";
import { hasStems } from "../session/stems";
import { again, continueWith, drop, uploadOf } from "../upload/queue";
import { remembered } from "../upload/remembered";
import { words } from "../words";
import { Chooser } from "./AddSongs";
import { Bar } from "./Bar";
import { Details } from "./Details";
import { Downloads } from "./Downloads";
import { Practice } from "./Practice";
import { ProblemNote } from "./ProblemNote";
import { StemList } from "./StemList";
import { nameOf, sessionStatus } from "./status";

/** The problem of a button's action. */
const refused = signal<Problem | null>(null);

export function SongView() {
  const session = opened.value;
  if (lost.value) {
    return (
      <article class="card">
        <Nameless />
        <ProblemNote problem={lost.value}>
          <button type="button" class="button" onClick={() => open(null)}>{words.value.close}</button>
        </ProblemNote>
      </article>
    );
  }
  if (!session) {
    return (
      <article class="card card-empty">
        <Nameless />
        {broken.value ? <ProblemNote problem={broken.value} /> : <p class="muted">…</p>}
      </article>
    );
  }
  return (
    <article class="card" aria-labelledby="song-title">
      <div class="card-head">
        <div>
          <h1 id="song-title">{nameOf(session)}</h1>
          {hasEnded(session.state) && <Summary session={session} />}
        </div>
        {!hasEnded(session.state) && (
          <button type="button" class="button" onClick={() => void stop(session)}>{words.value.cancel}</button>
        )}
      </div>
      {broken.value && !uploadOf(session.sessionId)?.problem.value && <ProblemNote problem={broken.value} />}
      {refused.value && <ProblemNote problem={refused.value} />}
      {session.error && <ProblemNote problem={ofSession(session.error)} />}
      <Progress session={session} />
      <Continue session={session} />
      {hasStems(session) && <StemList session={session} />}
      {hasStems(session) && <Practice />}
      {hasStems(session) && <Downloads session={session} />}
      <Details session={session} />
    </article>
  );
}

/** The heading if no song is shown. */
function Nameless() {
  return <h1 class="visually-hidden">Stemwire</h1>;
}

async function stop(session: Session): Promise<void> {
  const upload = uploadOf(session.sessionId);
  try {
    refused.value = null;
    await cancel(session.sessionId);
    if (upload) drop(upload);
  } catch (error) {
    refused.value = toProblem(error);
  }
}

function Summary({ session }: { readonly session: Session }) {
  const { text, mood } = sessionStatus(session, length.value);
  return <p class={`mood mood-${mood}`}>{text}</p>;
}

/** Progress of the upload and of the separation. */
function Progress({ session }: { readonly session: Session }) {
  if (hasEnded(session.state)) return null;
  const upload = uploadOf(session.sessionId);
  const whole = uploadBytes.value;
  const held = upload ? upload.sentBytes.value : Number(session.committedBytes);
  const { text, share, mood } = sessionStatus(session, length.value);
  const left = secondsLeft.value;
  return (
    <div class="progress">
      {!session.uploadComplete && whole !== undefined && upload?.stage.value !== "sent" && (
        <Bar label={words.value.sending} share={whole === 0 ? 0 : held / whole} paused={!upload}
          detail={words.value.bytesOf(words.value.bytes(held), words.value.bytes(whole))} />
      )}
      <Bar label={text} share={share} paused={mood === "paused"}
        detail={left === null ? undefined : words.value.timeLeft(left)} />
    </div>
  );
}

/** The remedy for an upload that does not continue by itself. */
function Continue({ session }: { readonly session: Session }) {
  const upload = uploadOf(session.sessionId);
  const choose = (files: FileList) => {
    const file = files[0];
    if (file) continueWith(session, file);
  };
  if (upload && upload.problem.value && !hasEnded(session.state)) {
    const stopped = upload.stage.value === "stopped";
    return (
      <ProblemNote problem={upload.problem.value} goesOnAt={upload.goesOnAt.value}>
        {stopped && <Chooser label={words.value.chooseAgain} chosen={choose} />}
        {stopped && <button type="button" class="button" onClick={() => again(upload)}>{words.value.tryAgain}</button>}
      </ProblemNote>
    );
  }
  if (upload || session.uploadComplete || hasEnded(session.state)) return null;
  const ours = remembered(session.sessionId);
  if (!ours && session.state !== SessionState.PAUSED) return <p class="muted">{words.value.elsewhere}</p>;
  const held = words.value.bytes(Number(session.committedBytes));
  const whole = ours ? words.value.bytes(ours.bytes) : null;
  return (
    <div class="note" role="group" aria-labelledby="continue-title">
      <p class="note-cause" id="continue-title">{words.value.uploadStopped}</p>
      <p>{words.value.uploadStoppedHere(held, whole, ours?.name ?? (session.config?.fileName || null))}</p>
      <div class="note-actions"><Chooser label={words.value.chooseAgain} chosen={choose} /></div>
    </div>
  );
}
