/** The songs: queued uploads of this tab, then sessions of the server, newest first. */
import { computed, signal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import type { Timestamp } from "@bufbuild/protobuf/wkt";
import { timestampDate } from "@bufbuild/protobuf/wkt";
import type { Session } from "stemwire/proto";
import { hasEnded } from "../session/follow";
import { open, openedId, remove } from "../session/opened";
import { more, nextPage, sessions, sessionsKnown, sessionsProblem } from "../session/sessions";
import { drop, type Upload, uploadOf, uploads } from "../upload/queue";
import { words } from "../words";
import { AddSongs } from "./AddSongs";
import { Track } from "./Bar";
import { Icon } from "./icons";
import { ProblemNote } from "./ProblemNote";
import { nameOf, sessionStatus, type Status, uploadStatus } from "./status";

/** Uploads without a session. */
const unopened = computed(() => uploads.value.filter(({ sessionId }) => sessionId.value === null));

const deleting = signal<Session | null>(null);

export function SongList() {
  const isEmpty = unopened.value.length === 0 && sessions.value.length === 0;
  return (
    <section class="songs" aria-labelledby="songs-title">
      {openedId.value !== null && <AddSongs large={false} />}
      <h2 id="songs-title">{words.value.songs}</h2>
      {sessionsProblem.value && !sessionsKnown.value && <ProblemNote problem={sessionsProblem.value} />}
      {isEmpty && sessionsKnown.value && <p class="muted">{words.value.noSongs}</p>}
      <ul class="song-list">
        {unopened.value.map((upload) => <Waiting key={upload.id} upload={upload} />)}
        {sessions.value.map((session) => <Row key={session.sessionId} session={session} />)}
      </ul>
      {nextPage.value !== "" && <button type="button" class="button" onClick={more}>{words.value.moreSongs}</button>}
      {deleting.value && <DeleteDialog session={deleting.value} />}
    </section>
  );
}

function Waiting({ upload }: { readonly upload: Upload }) {
  const { name } = upload.file;
  const problem = upload.problem.value;
  return (
    <li class="song">
      <div class="song-main">
        <span class="song-name">{name}</span>
        <Line status={uploadStatus(upload)} name={name} />
        {problem && <ProblemNote problem={problem} goesOnAt={upload.goesOnAt.value} />}
      </div>
      <button type="button" class="button button-quiet button-icon" aria-label={words.value.removeFromQueue(name)}
        title={words.value.removeFromQueue(name)} onClick={() => drop(upload)}>
        <Icon name="close" />
      </button>
    </li>
  );
}

function Row({ session }: { readonly session: Session }) {
  const name = nameOf(session);
  const isOpen = openedId.value === session.sessionId;
  const upload = uploadOf(session.sessionId);
  // An ended session needs no more of its upload.
  const sending = upload && upload.stage.value !== "sent" && !hasEnded(session.state) ? uploadStatus(upload) : null;
  const show = (event: MouseEvent) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    open(session.sessionId);
    scrollTo({ top: 0 });
  };
  return (
    <li class={isOpen ? "song song-open" : "song"}>
      <div class="song-main">
        <a class="song-name" href={`#${session.sessionId}`} aria-current={isOpen ? "true" : undefined} onClick={show}>{name}</a>
        {sending && <Line status={sending} name={name} />}
        <Line status={sessionStatus(session)} name={name} when={session.createTime} />
      </div>
      <button type="button" class="button button-quiet button-icon" aria-label={words.value.deleteSong(name)}
        title={words.value.deleteSong(name)} onClick={() => (deleting.value = session)}>
        <Icon name="bin" />
      </button>
    </li>
  );
}

function Line({ status, name, when }: { readonly status: Status; readonly name: string; readonly when?: Timestamp | undefined }) {
  const { text, mood, share } = status;
  return (
    <div class="song-line">
      <span class={`mood mood-${mood}`}>{text}{share !== null && mood === "busy" && ` · ${words.value.percent(share)}`}</span>
      {when && <time dateTime={timestampDate(when).toISOString()}>{words.value.when(timestampDate(when))}</time>}
      {share !== null && mood === "busy" && <Track label={`${name}: ${text}`} share={share} />}
    </div>
  );
}

function DeleteDialog({ session }: { readonly session: Session }) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => dialog.current?.showModal(), []);
  const close = () => (deleting.value = null);
  const confirm = () => {
    const upload = uploadOf(session.sessionId);
    if (upload) drop(upload);
    void remove(session.sessionId).catch(() => undefined);
    close();
  };
  return (
    <dialog ref={dialog} aria-labelledby="delete-title" onClose={close}>
      <div class="dialog-form">
        <h2 id="delete-title">{words.value.deleteQuestion(nameOf(session))}</h2>
        <div class="dialog-actions">
          <button type="button" class="button" onClick={close}>{words.value.keep}</button>
          <button type="button" class="button button-danger" onClick={confirm}>{words.value.deleteConfirm}</button>
        </div>
      </div>
    </dialog>
  );
}
