/** How loud each stem is. */
import { computed, signal, type ReadonlySignal, type Signal } from "@preact/signals";
import { ACCOMPANIMENT, hasSum } from "../session/stems";

export interface Fader {
  readonly stem: string;
  readonly muted: Signal<boolean>;
  readonly soloed: Signal<boolean>;
  /** 0 to 1. */
  readonly volume: Signal<number>;
  /** What multiplies the stem, everything considered. */
  readonly gain: ReadonlySignal<number>;
}

/**
 * One fader for each stem. Beside the stems that it is the sum of, the accompaniment begins muted: all together are
 * then the song.
 */
export function faders(stems: readonly string[]): Fader[] {
  const made: Fader[] = stems.map((stem) => {
    const [muted, soloed, volume] = [signal(stem === ACCOMPANIMENT && hasSum(stems)), signal(false), signal(1)];
    const gain = computed(() => {
      const heard = made.some(({ soloed }) => soloed.value) ? soloed.value : !muted.value;
      // Ears hear a square as even steps.
      return heard ? volume.value ** 2 : 0;
    });
    return { stem, muted, soloed, volume, gain };
  });
  return made;
}
