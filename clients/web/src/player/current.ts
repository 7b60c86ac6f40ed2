/** The player and the peaks of the shown session; created once its sample rate is known. */
import { computed, effect, signal } from "@preact/signals";
import { SessionState } from "stemwire/proto";
import { countsIn, tempo, volume } from "../preferences";
import { hasEnded } from "../session/follow";
import { finished, opened } from "../session/opened";
import { stemsOf } from "../session/stems";
import { rateOf } from "../session/timeline";
import { Peaks } from "../waveform/peaks";
import { type CountIn, Player, type Song } from "./player";
import { tempoFor } from "./tempo";

export const player = signal<Player | null>(null);
export const peaks = signal<Peaks | null>(null);

/** Identifies the player's stems; a player is kept while this text stays the same. */
const song = computed(() => {
  const session = opened.value;
  if (!session?.source || session.stems.length === 0) return "";
  const stems = stemsOf(session);
  const gain = session.config?.output?.gain || 1;
  const song: Song = { sessionId: session.sessionId, stems, rate: rateOf(session), gain };
  return JSON.stringify(song);
});

/** Whether the stems have their final length. */
const complete = computed(() => {
  const state = opened.value?.state ?? SessionState.UNSPECIFIED;
  return hasEnded(state);
});

/** The tempo that was chosen for a session. */
const chosenTempo = signal<{ readonly sessionId: string; readonly perMinute: number } | null>(null);

/** Beats a minute of the count-in. */
export const perMinute = computed(() => {
  const session = opened.value;
  const chosen = chosenTempo.value?.sessionId === session?.sessionId ? chosenTempo.value?.perMinute : undefined;
  return tempoFor(chosen, session?.source?.tags?.bpm ?? 0, Number(tempo.value));
});

/** Chooses a tempo, for this song and for those without a tag of theirs. */
export function choosePerMinute(value: number): void {
  tempo.value = String(value);
  const session = opened.peek();
  chosenTempo.value = session && { sessionId: session.sessionId, perMinute: value };
}

/** A bar of four beats, or none. */
function countIn(): CountIn {
  return { beats: countsIn.peek() === "on" ? 4 : 0, perMinute: perMinute.peek() };
}

export function start(): void {
  effect(() => {
    const text = song.value;
    if (text === "") return;
    const of = JSON.parse(text) as Song;
    const made = new Player(of, volume, countIn);
    const drawn = new Peaks(of.sessionId, of.stems);
    player.value = made;
    peaks.value = drawn;
    return () => {
      made.close();
      drawn.stop();
      player.value = null;
      peaks.value = null;
    };
  });
  effect(() => {
    player.value?.grow(finished.value, complete.value);
    peaks.value?.grow(finished.value, complete.value);
  });
}
