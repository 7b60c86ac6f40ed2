/** A stem's waveform, drawn by wavesurfer.js; playback and seeking are elsewhere. */
import { useEffect, useRef } from "preact/hooks";
import { useSignalEffect, type ReadonlySignal } from "@preact/signals";
import WaveSurfer from "wavesurfer.js";
import { darkNow } from "../preferences";
import type { Envelope } from "./peaks";

/** Also in the style sheet of wavesurfer.js, whose hash is in the server's content security policy. */
const HEIGHT = 64;

interface Properties {
  readonly envelope: ReadonlySignal<Envelope | null | undefined>;
  /** Duration of the whole song; the peaks may cover only its beginning. */
  readonly frames: ReadonlySignal<number>;
  /** Amplitude drawn at full height. */
  readonly loudest: ReadonlySignal<number>;
}

/** Minimum amplitude of full height, so that noise does not look like music. */
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
    // Rejects when the next drawing supersedes it.
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
