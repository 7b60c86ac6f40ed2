/** Practice: a looped section, speed and pitch, a count-in. */
import type { ComponentChildren } from "preact";
import { useRef } from "preact/hooks";
import { choosePerMinute, perMinute, player } from "../player/current";
import type { Player } from "../player/player";
import { canStretch, isNeutral } from "../player/stretcher";
import { FASTEST, SLOWEST, tapped, tempoOf, within } from "../player/tempo";
import { countsIn } from "../preferences";
import { tenths, words } from "../words";
import { Icon } from "./icons";

/** Limits and step of the speed, in per cent. */
const [SLOW, FAST, STEP] = [50, 150, 5];

/** Limit of the pitch, in semitones. */
const OCTAVE = 12;

export function Practice() {
  const now = player.value;
  if (!now) return null;
  const { speed, semitones } = now.tuning.value;
  const state = now.stretching.value;
  const why = !canStretch ? words.value.stretchNeedsHttps : state === "failed" ? words.value.stretchFailed : null;
  const percent = Math.round(speed * 100);
  // Half a per cent more, since the text is rounded down.
  const speedText = words.value.percent((percent + 0.5) / 100);
  return (
    <section class="practice" aria-label={words.value.practice}>
      <Loop now={now} />
      <Dial title={words.value.speed} value={speedText} spoken={speedText} at={percent}
        usual={100} least={SLOW} most={FAST} step={STEP} off={why !== null}
        set={(percent) => now.tune({ speed: percent / 100, semitones })} />
      <Dial title={words.value.pitch} value={words.value.semitones(semitones)} spoken={words.value.transposed(semitones)} at={semitones}
        usual={0} least={-OCTAVE} most={OCTAVE} step={1} off={why !== null}
        set={(semitones) => now.tune({ speed, semitones })} />
      <CountIn />
      {why && <p class="practice-why muted" id="practice-why">{why}</p>}
      {state === "loading" && !isNeutral(now.tuning.value) && <p class="visually-hidden" role="status">{words.value.stretchLoads}</p>}
    </section>
  );
}

/** Changes the speed by some steps. */
export function speedUp(now: Player, steps: number): void {
  if (now.stretching.peek() === "failed") return;
  const { speed, semitones } = now.tuning.peek();
  const percent = Math.max(SLOW, Math.min(FAST, Math.round(speed * 100) + steps * STEP));
  now.tune({ speed: percent / 100, semitones });
}

function Group({ title, children }: { readonly title: string; readonly children: ComponentChildren }) {
  return (
    <div class="practice-group" role="group" aria-label={title}>
      <span class="practice-title" aria-hidden="true">{title}</span>
      <div class="practice-row">{children}</div>
    </div>
  );
}

function Loop({ now }: { readonly now: Player }) {
  const { rate } = now.song;
  const [loop, mark] = [now.loop.value, now.mark.value];
  const text = loop ? words.value.loopOf(tenths(loop.start / rate), tenths(loop.end / rate))
    : mark !== null ? words.value.loopFrom(tenths(mark / rate)) : words.value.noLoop;
  return (
    <Group title={words.value.loop}>
      <button type="button" class="button button-small" aria-label={words.value.loopStart} title={`${words.value.loopStart} ( [ )`}
        onClick={() => now.markStart()}>[</button>
      <span class={loop ? "practice-value" : "practice-value muted"} role="status">{text}</span>
      <button type="button" class="button button-small" aria-label={words.value.loopEnd} title={`${words.value.loopEnd} ( ] )`}
        onClick={() => now.markEnd()}>]</button>
      <button type="button" class="button button-quiet button-small" aria-label={words.value.loopClear} title={`${words.value.loopClear} ( L )`}
        disabled={!loop && mark === null} onClick={() => now.clearLoop()}>
        <Icon name="close" />
      </button>
    </Group>
  );
}

interface DialProperties {
  readonly title: string;
  readonly value: string;
  readonly spoken: string;
  readonly at: number;
  readonly usual: number;
  readonly least: number;
  readonly most: number;
  readonly step: number;
  readonly off: boolean;
  set(value: number): void;
}

/** A slider with its value, which is also the button back to the usual one. */
function Dial({ title, value, spoken, at, usual, least, most, step, off, set }: DialProperties) {
  return (
    <Group title={title}>
      <input class="slider" type="range" min={least} max={most} step={step} value={at} disabled={off} aria-label={title}
        aria-valuetext={spoken} aria-describedby={off ? "practice-why" : undefined}
        style={{ "--share": String((at - least) / (most - least)) }}
        onInput={(event) => set(event.currentTarget.valueAsNumber)} />
      <button type="button" class="button button-quiet button-small practice-reset" aria-label={`${value} · ${words.value.reset(title)}`}
        title={words.value.reset(title)} disabled={off || at === usual} onClick={() => set(usual)}>{value}</button>
    </Group>
  );
}

function CountIn() {
  const taps = useRef<number[]>([]);
  const isOn = countsIn.value === "on";
  const tap = () => {
    taps.current = tapped(taps.current, performance.now());
    const found = tempoOf(taps.current);
    if (found !== null) choosePerMinute(found);
  };
  return (
    <Group title={words.value.countIn}>
      <button type="button" class="button button-small" aria-pressed={isOn} title={words.value.countInHint}
        onClick={() => (countsIn.value = isOn ? "off" : "on")}>{words.value.beats}</button>
      <input class="tempo" type="number" inputMode="numeric" min={SLOWEST} max={FASTEST} step={1} value={perMinute.value}
        aria-label={words.value.tempo} title={words.value.tempo}
        onChange={(event) => {
          const typed = event.currentTarget.valueAsNumber;
          if (Number.isFinite(typed)) choosePerMinute(within(typed));
          event.currentTarget.value = String(perMinute.value);
        }} />
      <button type="button" class="button button-small" title={words.value.tapHint} onClick={tap}>{words.value.tap}</button>
    </Group>
  );
}
