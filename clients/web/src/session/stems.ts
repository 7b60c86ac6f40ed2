/** The stems of a session in the order in which people look for them. */
import type { Session } from "../generated/stemwire/v1/session_pb";
import { hasEnded } from "./follow";

const ORDER = ["vocals", "drums", "bass", "guitar", "piano", "other"];

/** What is the sum of all others but the vocals. */
export const ACCOMPANIMENT = "accompaniment";

export function stemsOf(session: Session): string[] {
  const place = (name: string) => (name === ACCOMPANIMENT ? 99 : (ORDER.indexOf(name) + 1 || 50));
  return session.stems.map(({ name }) => name).sort((a, b) => place(a) - place(b));
}

/** Whether there is something to be heard of it, or may yet be: what failed before its first second has nothing. */
export function hasStems({ stems, state, progress }: Session): boolean {
  return stems.length > 0 && (!hasEnded(state) || (progress?.finishedFrames ?? 0n) > 0n);
}

/** Whether the accompaniment among them is the sum of others, which are there too. */
export function hasSum(stems: readonly string[]): boolean {
  return stems.includes(ACCOMPANIMENT) && stems.some((stem) => stem !== ACCOMPANIMENT && stem !== "vocals");
}
