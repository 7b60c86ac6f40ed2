/** The stems of a session, in display order. */
import type { Session } from "stemwire/proto";
import { hasEnded } from "./follow";

const ORDER = ["vocals", "lead_vocals", "backing_vocals", "drums", "bass", "guitar", "piano", "other"];

/** The stems of which the vocals are the sum. */
const VOICES = ["lead_vocals", "backing_vocals"];

/** Everything but the vocals. */
const ACCOMPANIMENT = "accompaniment";

/** What begins the name of everything but another stem, such as `no_drums`. */
const WITHOUT = "no_";

/** The stem that a sum leaves out: the vocals for the accompaniment, drums for `no_drums`; `null` for stems that are no sum. */
export function leftOut(stem: string): string | null {
  if (stem === ACCOMPANIMENT) return "vocals";
  return stem.startsWith(WITHOUT) ? stem.slice(WITHOUT.length) : null;
}

export function stemsOf(session: Session): string[] {
  const place = (name: string) => (leftOut(name) !== null ? 99 : (ORDER.indexOf(name) + 1 || 50));
  return session.stems.map(({ name }) => name).sort((a, b) => place(a) - place(b));
}

/** Whether the session has audio or may still get some: not if it failed before its first frames. */
export function hasStems({ stems, state, progress }: Session): boolean {
  return stems.length > 0 && (!hasEnded(state) || (progress?.finishedFrames ?? 0n) > 0n);
}

/** Whether one of the stems, such as the accompaniment, contains another one of them: together they would count twice. */
export function hasSum(stems: readonly string[]): boolean {
  return stems.some((sum) => {
    if (sum === "vocals") return VOICES.some((voice) => stems.includes(voice));
    const rest = leftOut(sum);
    return rest !== null && stems.some((stem) => stem !== sum && stem !== rest);
  });
}

/** Sums that start muted, so that all other stems together are the song. */
export function mutedSums(stems: readonly string[]): ReadonlySet<string> {
  const muted = new Set<string>();
  const isSum = (stem: string) => leftOut(stem) !== null || (stem === "vocals" && hasSum(stems.filter((one) => leftOut(one) === null)));
  const heard = stems.filter((stem) => !isSum(stem));
  for (const sum of stems.filter(isSum)) {
    if (hasSum([...heard, sum])) muted.add(sum);
    else heard.push(sum);
  }
  return muted;
}
