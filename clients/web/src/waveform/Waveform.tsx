/** One stem's waveform: a picture, drawn by wavesurfer.js. Playing, seeking and the play position are not its business. */
import { useEffect, useRef } from "preact/hooks";
import { useSignalEffect, type ReadonlySignal } from "@preact/signals";
import WaveSurfer from "wavesurfer.js";
import { darkNow } from "../preferences";
import type { Envelope } from "./peaks";

/** Also in the style sheet of wavesurfer.js, whose hash the server's policy names. */
const HEIGHT = 64;

interface Properties {
  readonly envelope: ReadonlySignal<Envelope | null | undefined>;
  /** The whole song, of which the envelope may be the beginning. */
  readonly frames: ReadonlySignal<number>;
  /** What is drawn at full height. */
  readonly loudest: ReadonlySignal<number>;
}

/** Noise is not drawn as if it were music. */
const LEAST_LOUD = 0.05;

export function Waveform({ envelope, frames, loudest }: Properties) {
  const place = useRef<HTMLDivElement>(null);
  const surfer = useRef<WaveSurfer | null>(null);
  useEffect(() => {
    const container = place.current;
    if (!container) return;
    const made = WaveSurfer.create({
      container,
      height: HEIGHT,
      interact: false,
      hideScrollbar: true,
      cursorWidth: 0,
      barWidth: 2,
      barGap: 1,
      barRadius: 2,
      maxPeak: 1,
      waveColor: colourOf(container),
      progressColor: colourOf(container),
    });
    surfer.current = made;
    return () => {
      surfer.current = null;
      made.destroy();
    };
  }, []);
  useSignalEffect(() => {
    const [peaks, length] = [envelope.value, frames.value];
    if (!peaks || length === 0) return;
    const whole = Math.max(peaks.count, Math.ceil(length / peaks.framesPerPeak));
    const scale = 1 / Math.max(LEAST_LOUD, loudest.value);
    const drawn = [peaks.up, peaks.down].map((half) => {
      const padded = new Float32Array(whole);
      for (let at = 0; at < peaks.count; at++) padded[at] = half[at]! * scale;
      return padded;
    });
    // Superseded by the next one, it says so; that is all right.
    surfer.current?.load("", drawn, length).catch(() => undefined);
  });
  useSignalEffect(() => {
    darkNow.value;
    const container = place.current;
    if (container) surfer.current?.setOptions({ waveColor: colourOf(container), progressColor: colourOf(container) });
  });
  return <div class="waveform" ref={place} aria-hidden="true" />;
}

function colourOf(element: HTMLElement): string {
  return getComputedStyle(element).getPropertyValue("--stem").trim() || "#888";
}
