/** The page's texts in the selected language. */
import { computed } from "@preact/signals";
import type { Problem } from "../calls/problem";
import { language } from "../preferences";
import { en } from "./en";
import { REASONS } from "./reasons";
import type { Words } from "./words";
import { zh } from "./zh";

export { clock, secondsOf, tenths, time } from "./forms";

export const words = computed<Words>(() => (language.value === "zh" ? zh : en));

/** The text of a problem. */
export interface ProblemText {
  readonly cause: string;
  readonly remedy: string;
  /** The server's message, in English. */
  readonly original: string;
}

export function describe(problem: Problem): ProblemText {
  const known = REASONS[problem.reason];
  if (!known) {
    const [cause, remedy] = words.value.unknownProblem;
    return { cause, remedy, original: `${problem.reason}: ${problem.message}` };
  }
  const [cause, remedy] = known[language.value];
  const filled = (text: string) => text.replace(/\{(\w+)(?::(\w+))?\}/g, (_, name: string, form?: string) => {
    const value = problem.numbers[name] ?? "?";
    if (form === "bytes" && Number.isFinite(Number(value))) return words.value.bytes(Number(value));
    return value;
  });
  return { cause: filled(cause), remedy: filled(remedy), original: problem.message };
}
