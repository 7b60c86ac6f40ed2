/** A problem: cause, remedy, and buttons for the remedy. */
import type { ComponentChildren } from "preact";
import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import type { Problem } from "../calls/problem";
import { describe, words } from "../words";

interface Properties {
  readonly problem: Problem;
  /** Time of the next retry, in milliseconds since 1970; 0 if none is due. */
  readonly goesOnAt?: number;
  readonly children?: ComponentChildren;
}

export function ProblemNote({ problem, goesOnAt = 0, children }: Properties) {
  const text = describe(problem);
  return (
    <div class={problem.passing ? "note note-passing" : "note note-problem"} role={problem.passing ? undefined : "alert"}>
      <p class="note-cause">{text.cause}</p>
      <p>{text.remedy}</p>
      {goesOnAt > 0 && <Countdown until={goesOnAt} />}
      {text.original !== "" && <p class="note-original" lang="en" translate={false}>{text.original}</p>}
      {children && <div class="note-actions">{children}</div>}
      {problem.requestId !== "" && <p class="note-request">{words.value.request} <code translate={false}>{problem.requestId}</code></p>}
    </div>
  );
}

function Countdown({ until }: { readonly until: number }) {
  const now = useSignal(Date.now());
  useEffect(() => {
    const timer = setInterval(() => (now.value = Date.now()), 500);
    return () => clearInterval(timer);
  }, []);
  return <p class="note-original">{words.value.goesOnIn(Math.max(0, Math.round((until - now.value) / 1000)))}</p>;
}
