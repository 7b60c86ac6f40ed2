/** The stems on a common time line. */
import { signal } from "@preact/signals";
import { useRef } from "preact/hooks";
import { type Session } from "../generated/stemwire/v1/session_pb";
import { peaks, player } from "../player/current";
import type { Fader } from "../player/mix";
import { finished, length } from "../session/opened";
import { ACCOMPANIMENT, hasSum, stemsOf } from "../session/stems";
import { marks, rateOf } from "../session/timeline";
import { clock, words } from "../words";
import { Waveform } from "../waveform/Waveform";
import { StemDownload } from "./Downloads";

export function StemList({ session }: { readonly session: Session }) {
  const whole = Math.max(1, length.value);
  const at = player.value?.position.value ?? 0;
  const style = { "--at": String(Math.min(1, at / whole)), "--done": String(Math.min(1, finished.value / whole)) };
  return (
    <section class="stems" aria-label={words.value.stems} style={style}>
      <Ruler seconds={length.value / rateOf(session)} />
      {stemsOf(session).map((name) => (
        <StemRow key={`${session.sessionId}/${name}`} session={session} name={name}
          fader={player.value?.faders.find(({ stem }) => stem === name)} />
      ))}
    </section>
  );
}

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
  const isSum = name === ACCOMPANIMENT && hasSum(stemsOf(session));
  return (
    <div class={isHeard ? "stem" : "stem stem-silent"} data-stem={name} role="group" aria-label={title}>
      <div class="stem-head">
        <span class="stem-name" title={isSum ? words.value.sumHint : undefined}>{title}</span>
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

/** The waveform; a click or a drag seeks. Keyboards use the slider of the transport. */
function Wave({ name }: { readonly name: string }) {
  const place = useRef<HTMLDivElement>(null);
  const jump = (event: PointerEvent) => {
    const box = place.current?.getBoundingClientRect();
    if (!box || box.width === 0) return;
    const share = Math.min(1, Math.max(0, (event.clientX - box.left) / box.width));
    player.value?.seek(share * length.value);
  };
  return (
    <div class="wave" ref={place}
      onPointerDown={(event) => {
        if (event.button !== 0) return;
        place.current?.setPointerCapture(event.pointerId);
        jump(event);
      }}
      onPointerMove={(event) => place.current?.hasPointerCapture(event.pointerId) && jump(event)}>
      <Waveform envelope={peaks.value?.of(name) ?? nothing} frames={length} loudest={peaks.value?.loudest ?? silent} />
    </div>
  );
}

function Ruler({ seconds }: { readonly seconds: number }) {
  return (
    <div class="ruler" aria-hidden="true">
      {marks(seconds).map((mark) => (
        <span key={mark} style={{ "--mark": String(mark / seconds) }}>{clock(mark)}</span>
      ))}
    </div>
  );
}
