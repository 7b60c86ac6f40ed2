/** Gain of each stem. */
import { computed, signal, type ReadonlySignal, type Signal } from "@preact/signals";
import { hasSum, mutedSums } from "../session/stems";

export interface Fader {
  readonly stem: string;
  readonly muted: Signal<boolean>;
  readonly soloed: Signal<boolean>;
  /** Fader position, 0 to 1. */
  readonly volume: Signal<number>;
  /** Effective gain. */
  readonly gain: ReadonlySignal<number>;
}

/**
 * One fader per stem. The accompaniment, and everything but another stem, starts muted if a stem in it is listed, so that all
 * stems together are the song.
 */
export function faders(stems: readonly string[]): Fader[] {
  const sums = mutedSums(stems);
  const made: Fader[] = stems.map((stem) => {
    const [muted, soloed, volume] = [signal(sums.has(stem)), signal(false), signal(1)];
    const gain = computed(() => {
      const heard = made.some(({ soloed }) => soloed.value) ? soloed.value : !muted.value;
      // Squared, because loudness is perceived logarithmically.
      return heard ? volume.value ** 2 : 0;
    });
    return { stem, muted, soloed, volume, gain };
  });
  return made;
}

/** The gains of a mix for the server, which refuses mixes without sound and mixes in which stems count twice. */
export type MixGains = { readonly gains: string } | { readonly refused: "silent" | "twice" };

/** What is heard, as the server's option `gains`: decibels of every stem. */
export function mixGains(faders: readonly Fader[]): MixGains {
  const heard = faders.filter(({ gain }) => decibels(gain.value) !== MUTED).map(({ stem }) => stem);
  if (heard.length === 0) return { refused: "silent" };
  if (hasSum(heard)) return { refused: "twice" };
  return { gains: faders.map(({ stem, gain }) => `${stem}:${decibels(gain.value)}`).join(",") };
}

const MUTED = "-inf";

/** The lowest gain that the server takes. */
const LOWEST_DB = -60;

function decibels(gain: number): string {
  const value = 20 * Math.log10(gain);
  return value < LOWEST_DB ? MUTED : String(Math.round(value * 100) / 100);
}
