/** The list of recent sessions. It is asked for, not streamed: a tab has one stream only. */
import { signal } from "@preact/signals";
import { client } from "../calls/client";
import { type Problem, toProblem } from "../calls/problem";
import { type Session, SessionState } from "../generated/stemwire/v1/session_pb";

const PAGE_SIZE = 20;

/** How often the list is asked for while something happens, and while nothing does. */
const BUSY_MS = 3_000;
const QUIET_MS = 30_000;

export const sessions = signal<readonly Session[]>([]);
/** Whether the list was ever answered. */
export const sessionsKnown = signal(false);
export const sessionsProblem = signal<Problem | null>(null);
/** Asks for the page that follows; empty on the last. */
export const nextPage = signal("");

let pages = 1;
let timer: ReturnType<typeof setTimeout> | undefined;

/** What is learned of sessions, `null` where one is gone. */
type Learned = Map<string, Session | null>;

/** For each list that is being asked for, what was learned since: its answer may be older. */
const asking = new Set<Learned>();

/** Asks now, and then again and again while the page is seen. */
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

/** Puts what is known now of a session into the list. */
export function learn(session: Session): void {
  for (const since of asking) since.set(session.sessionId, session);
  sessions.value = merged(sessions.value, new Map([[session.sessionId, session]]));
}

export function forget(sessionId: string): void {
  for (const since of asking) since.set(sessionId, null);
  sessions.value = merged(sessions.value, new Map([[sessionId, null]]));
}

/** A list with what was learned since: what it does not have is newer than all of it. */
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
