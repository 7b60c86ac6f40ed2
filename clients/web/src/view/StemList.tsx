/** The stems on a common time line. A click seeks, a drag loops what it covers. */
import { signal } from "@preact/signals";
import { useRef } from "preact/hooks";
import type { Session } from "stemwire/proto";
import { peaks, player } from "../player/current";
import type { Fader } from "../player/mix";
import type { Section } from "../player/section";
import { finished, length } from "../session/opened";
import { leftOut, mutedSums, stemsOf } from "../session/stems";
import { marks, rateOf } from "../session/timeline";
import { clock, words } from "../words";
import { Waveform } from "../waveform/Waveform";
import { StemDownload } from "./Downloads";

export function StemList({ session }: { readonly session: Session }) {
  const whole = Math.max(1, length.value);
  const at = player.value?.position.value ?? 0;
  const mark = player.value?.mark.value ?? null;
  // A mark is a section without a width.
  const loop = selecting.value ?? player.value?.loop.value ?? (mark === null ? null : { start: mark, end: mark });
  const share = (frame: number) => String(Math.min(1, frame / whole));
  const style = {
    "--at": share(at), "--done": share(finished.value),
    ...(loop && { "--loop-start": share(loop.start), "--loop-end": share(loop.end) }),
  };
  return (
    <section class={loop ? "stems stems-loop" : "stems"} aria-label={words.value.stems} style={style}>
      <Ruler seconds={length.value / rateOf(session)} />
      {stemsOf(session).map((name) => (
        <StemRow key={`${session.sessionId}/${name}`} session={session} name={name}
          fader={player.value?.faders.find(({ stem }) => stem === name)} />
      ))}
    </section>
  );
}

/** The section that is being dragged. */
const selecting = signal<Section | null>(null);

const nothing = signal(null);
const silent = signal(0);

interface RowProperties {
  readonly session: Session;
  readonly name: string;
  readonly fader: Fader | undefined;
}

function StemRow({ session, name, fader }: RowProperties) {
  const title = words.value.stem(name);
  const isHeard = !fader || fader.gain.value > 0;
  const rest = mutedSums(stemsOf(session)).has(name) ? leftOut(name) : null;
  return (
    <div class={isHeard ? "stem" : "stem stem-silent"} data-stem={name} role="group" aria-label={title}>
      <div class="stem-head">
        <span class="stem-name" title={rest === null ? undefined : words.value.sumHint(words.value.stem(rest))}>{title}</span>
        <div class="stem-tools">
          <Switch letter="M" label={words.value.mute(title)} on={fader?.muted.value ?? false} disabled={!fader}
            flip={() => fader && (fader.muted.value = !fader.muted.value)} />
          <Switch letter="S" label={words.value.solo(title)} on={fader?.soloed.value ?? false} disabled={!fader}
            flip={() => fader && (fader.soloed.value = !fader.soloed.value)} />
          <input class="slider" type="range" min={0} max={1} step={0.01} aria-label={words.value.volumeOf(title)}
            value={fader?.volume.value ?? 1} disabled={!fader} style={{ "--share": String(fader?.volume.value ?? 1) }}
            aria-valuetext={words.value.percent(fader?.volume.value ?? 1)}
            onInput={(event) => fader && (fader.volume.value = event.currentTarget.valueAsNumber)} />
        </div>
      </div>
      <Wave name={name} />
      <StemDownload session={session} stem={name} />
    </div>
  );
}

interface SwitchProperties {
  readonly letter: string;
  readonly label: string;
  readonly on: boolean;
  readonly disabled: boolean;
  flip(): void;
}

function Switch({ letter, label, on, disabled, flip }: SwitchProperties) {
  return (
    <button type="button" class={`switch switch-${letter}`} aria-pressed={on} aria-label={label} title={label}
      disabled={disabled} onClick={flip}>
      {letter}
    </button>
  );
}

interface Drag {
  readonly pointerId: number;
  readonly x: number;
  /** The end that does not move. */
  readonly fixed: number;
}

/** Pixels that a pointer moves before it drags, and from an edge of the loop at which it takes hold of it. */
const SLACK = { mouse: 4, touch: 10 } as const;
const GRIP = { mouse: 5, touch: 14 } as const;

/**
 * The waveform: a click seeks, a drag loops, a drag of an edge moves it. Fingers that move up or down scroll the page.
 * Keyboards use the slider of the transport and the keys of the loop.
 */
function Wave({ name }: { readonly name: string }) {
  const place = useRef<HTMLDivElement>(null);
  const drag = useRef<Drag | null>(null);
  const frameAt = (x: number) => {
    const box = place.current!.getBoundingClientRect();
    return Math.min(1, Math.max(0, (x - box.left) / Math.max(1, box.width))) * length.value;
  };
  const begin = (event: PointerEvent) => {
    if (event.button !== 0 || !event.isPrimary) return;
    place.current?.setPointerCapture(event.pointerId);
    const loop = player.value?.loop.value;
    const grip = frameAt(event.clientX + GRIP[kindOf(event)]) - frameAt(event.clientX);
    const at = frameAt(event.clientX);
    const other = loop && Math.abs(at - loop.start) <= grip ? loop.end : loop && Math.abs(at - loop.end) <= grip ? loop.start : at;
    drag.current = { pointerId: event.pointerId, x: event.clientX, fixed: other };
  };
  const move = (event: PointerEvent) => {
    const begun = drag.current;
    if (begun?.pointerId !== event.pointerId) return;
    if (!selecting.value && Math.abs(event.clientX - begun.x) < SLACK[kindOf(event)]) return;
    const at = frameAt(event.clientX);
    selecting.value = { start: Math.min(at, begun.fixed), end: Math.max(at, begun.fixed) };
  };
  const end = (event: PointerEvent) => {
    if (drag.current?.pointerId !== event.pointerId) return;
    const section = selecting.value;
    drag.current = selecting.value = null;
    if (section) player.value?.setLoop(section.start, section.end);
    else player.value?.seek(frameAt(event.clientX));
  };
  // The page scrolls.
  const cancel = () => (drag.current = selecting.value = null);
  return (
    <div class="wave" ref={place} onPointerDown={begin} onPointerMove={move} onPointerUp={end} onPointerCancel={cancel}>
      <Waveform envelope={peaks.value?.of(name) ?? nothing} frames={length} loudest={peaks.value?.loudest ?? silent} />
      <div class="wave-loop" />
    </div>
  );
}

function kindOf({ pointerType }: PointerEvent): "mouse" | "touch" {
  return pointerType === "mouse" ? "mouse" : "touch";
}

function Ruler({ seconds }: { readonly seconds: number }) {
  return (
    <div class="ruler" aria-hidden="true">
      <div class="ruler-loop" />
      {marks(seconds).map((mark) => (
        <span key={mark} style={{ "--mark": String(mark / seconds) }}>{clock(mark)}</span>
      ))}
    </div>
  );
}
