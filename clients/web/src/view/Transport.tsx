/** Transport controls, fixed at the lower edge. */
import { useEffect } from "preact/hooks";
import { player } from "../player/current";
import { volume } from "../preferences";
import { finished, length, opened } from "../session/opened";
import { hasStems } from "../session/stems";
import { rateOf } from "../session/timeline";
import { clock, words } from "../words";
import { helps } from "./HelpDialog";
import { Icon } from "./icons";
import { speedUp } from "./Practice";
import { ProblemNote } from "./ProblemNote";

/** Step of the arrow keys, in seconds. */
const JUMP_S = 5;

export function Transport() {
  useKeys();
  const [session, now] = [opened.value, player.value];
  if (!session || !hasStems(session)) return null;
  const rate = rateOf(session);
  const [at, whole] = [(now?.position.value ?? 0) / rate, length.value / rate];
  const playing = now !== null && now.state.value !== "paused";
  const label = playing ? words.value.pause : words.value.play;
  const nothingYet = finished.value === 0;
  return (
    <section class="transport" aria-label={words.value.player}>
      {now?.problem.value && playing && <ProblemNote problem={now.problem.value} />}
      {now?.problem.value && !now.problem.value.passing && !playing && <ProblemNote problem={now.problem.value} />}
      <div class="transport-row">
        <button type="button" class={now?.state.value === "waiting" ? "play play-waiting" : "play"} aria-label={label} title={label}
          disabled={!now || (nothingYet && !playing)} onClick={() => now?.toggle()}>
          <Icon name={playing ? "pause" : "play"} />
        </button>
        <span class="time" aria-hidden="true">{now?.beat.value ? <b>{now.beat.value}</b> : clock(at)}</span>
        <input class="slider seek" type="range" min={0} max={Math.max(whole, 0.1)} step={0.1} value={at} disabled={!now}
          aria-label={words.value.position}
          aria-valuetext={words.value.positionOf(words.value.duration(at), words.value.duration(whole))}
          style={{ "--share": String(whole > 0 ? at / whole : 0), "--done": String(whole > 0 ? finished.value / rate / whole : 0) }}
          onInput={(event) => now?.seek(event.currentTarget.valueAsNumber * rate)} />
        <span class="time" aria-hidden="true">{clock(whole)}</span>
        <label class="transport-volume">
          <Icon name="volume" />
          <input class="slider" type="range" min={0} max={1} step={0.01} value={volume.value} aria-label={words.value.volume}
            aria-valuetext={words.value.percent(volume.value)} style={{ "--share": String(volume.value) }}
            onInput={(event) => (volume.value = event.currentTarget.valueAsNumber)} />
        </label>
        <button type="button" class="button button-quiet button-icon" aria-label={words.value.keys} title={`${words.value.keys} ( ? )`}
          aria-haspopup="dialog" onClick={() => (helps.value = true)}>
          <Icon name="keyboard" />
        </button>
      </div>
      <p class="visually-hidden" role="status">{now?.state.value === "waiting" ? words.value.waitingForSound : ""}</p>
    </section>
  );
}

/** Keyboard shortcuts of the page, unless the focused element uses the key. */
function useKeys(): void {
  useEffect(() => {
    const pressed = (event: KeyboardEvent) => {
      const now = player.peek();
      // Some keyboards have brackets behind AltGr, which Windows reports as Ctrl and Alt.
      const isCommand = event.metaKey || ((event.ctrlKey || event.altKey) && !event.getModifierState("AltGraph"));
      if (isCommand || event.defaultPrevented) return;
      const target = event.target as HTMLElement;
      if (target.closest("input[type=password], input[type=number], select, dialog, textarea")) return;
      if (event.key === "?") {
        helps.value = true;
        event.preventDefault();
        return;
      }
      if (!now) return;
      const onSlider = target.closest("input[type=range]") !== null;
      const onButton = target.closest("button, a, summary") !== null;
      const digit = /^Digit([1-9])$/.exec(event.code)?.[1];
      if (event.code === "Space" && !onButton) now.toggle();
      else if (event.key === "ArrowLeft" && !onSlider) now.seek(now.position.peek() - JUMP_S * now.song.rate);
      else if (event.key === "ArrowRight" && !onSlider) now.seek(now.position.peek() + JUMP_S * now.song.rate);
      else if (event.key === "[" || event.code === "BracketLeft") now.markStart();
      else if (event.key === "]" || event.code === "BracketRight") now.markEnd();
      else if (event.key === "l" || event.key === "L") now.clearLoop();
      else if (event.key === "-") speedUp(now, -1);
      else if (event.key === "+" || event.key === "=") speedUp(now, 1);
      else if (digit !== undefined) {
        const fader = now.faders[Number(digit) - 1];
        if (!fader) return;
        const flipped = event.shiftKey ? fader.soloed : fader.muted;
        flipped.value = !flipped.value;
      } else return;
      event.preventDefault();
    };
    addEventListener("keydown", pressed);
    return () => removeEventListener("keydown", pressed);
  }, []);
}
