/** The stems of a session, in display order. */
import type { Session } from "../generated/stemwire/v1/session_pb";
import { hasEnded } from "./follow";

const ORDER = ["vocals", "drums", "bass", "guitar", "piano", "other"];

/** The sum of all other stems except the vocals. */
export const ACCOMPANIMENT = "accompaniment";

export function stemsOf(session: Session): string[] {
  const place = (name: string) => (name === ACCOMPANIMENT ? 99 : (ORDER.indexOf(name) + 1 || 50));
  return session.stems.map(({ name }) => name).sort((a, b) => place(a) - place(b));
}

/** Whether the session has audio or may still get some: not if it failed before its first frames. */
export function hasStems({ stems, state, progress }: Session): boolean {
  return stems.length > 0 && (!hasEnded(state) || (progress?.finishedFrames ?? 0n) > 0n);
}

/** Whether the accompaniment is the sum of other listed stems. */
export function hasSum(stems: readonly string[]): boolean {
  return stems.includes(ACCOMPANIMENT) && stems.some((stem) => stem !== ACCOMPANIMENT && stem !== "vocals");
}
