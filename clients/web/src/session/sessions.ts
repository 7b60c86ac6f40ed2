/** The list of recent sessions, polled: each tab has only one stream. */
import { signal } from "@preact/signals";
import { type Session, SessionState } from "stemwire/proto";
import { client } from "../calls/client";
import { type Problem, toProblem } from "../calls/problem";

const PAGE_SIZE = 20;

/** Poll intervals while sessions are running and while none is. */
const BUSY_MS = 3_000;
const QUIET_MS = 30_000;

export const sessions = signal<readonly Session[]>([]);
/** Whether the list has been loaded. */
export const sessionsKnown = signal(false);
export const sessionsProblem = signal<Problem | null>(null);
/** Token of the next page; empty on the last. */
export const nextPage = signal("");

let pages = 1;
let timer: ReturnType<typeof setTimeout> | undefined;

/** Updates of sessions, `null` for a deleted one. */
type Learned = Map<string, Session | null>;

/** Updates since the start of each pending request: its response may be older. */
const asking = new Set<Learned>();

/** Loads the list now, then repeatedly while the page is visible. */
export async function refresh(): Promise<void> {
  clearTimeout(timer);
  const since: Learned = new Map();
  asking.add(since);
  try {
    const found: Session[] = [];
    let pageToken = "";
    for (let page = 0; page < pages; page++) {
      const answer = await client.listSessions({ pageSize: PAGE_SIZE, pageToken });
      found.push(...answer.sessions);
      pageToken = answer.nextPageToken;
      if (pageToken === "") break;
    }
    sessions.value = merged(found, since);
    nextPage.value = pageToken;
    sessionsKnown.value = true;
    sessionsProblem.value = null;
  } catch (error) {
    sessionsProblem.value = toProblem(error);
  } finally {
    asking.delete(since);
  }
  clearTimeout(timer);
  timer = setTimeout(() => void (document.hidden ? later() : refresh()), isBusy() ? BUSY_MS : QUIET_MS);
}

export function more(): void {
  pages += 1;
  void refresh();
}

/** Puts an update of a session into the list. */
export function learn(session: Session): void {
  for (const since of asking) since.set(session.sessionId, session);
  sessions.value = merged(sessions.value, new Map([[session.sessionId, session]]));
}

export function forget(sessionId: string): void {
  for (const since of asking) since.set(sessionId, null);
  sessions.value = merged(sessions.value, new Map([[sessionId, null]]));
}

/** Merges a loaded list with newer updates. Updated sessions that the list lacks are newer than all of it. */
function merged(list: readonly Session[], since: Learned): Session[] {
  const kept = list.flatMap((session) => since.get(session.sessionId) ?? (since.has(session.sessionId) ? [] : [session]));
  const fresh = [...since.values()].filter((session) => session !== null)
    .filter(({ sessionId }) => list.every((other) => other.sessionId !== sessionId));
  return [...fresh.reverse(), ...kept];
}

function isBusy(): boolean {
  const busy = [SessionState.UPLOADING, SessionState.RUNNING];
  return sessionsProblem.value !== null || sessions.value.some(({ state }) => busy.includes(state));
}

function later(): void {
  document.addEventListener("visibilitychange", () => void refresh(), { once: true });
}
