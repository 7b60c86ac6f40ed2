/** Plays all stems in sync: play, pause, seek, wait for missing slices. */
import { effect, signal } from "@preact/signals";
import { ownProblem, type Problem } from "../calls/problem";
import { Fetcher } from "./fetch";
import { type Fader, faders } from "./mix";
import { Output } from "./output";
import { AHEAD_S, AHEAD_UNPLAYED_S, Slices } from "./slices";

/** `waiting`: playing, but the next second is not available yet. */
export type Playing = "paused" | "playing" | "waiting";

/** Seconds scheduled ahead: more than the timer interval of hidden tabs. */
const SCHEDULED_S = 3;

const TICK_MS = 100;

export interface Song {
  readonly sessionId: string;
  readonly stems: readonly string[];
  readonly rate: number;
  readonly gain: number;
}

export class Player {
  readonly faders: readonly Fader[];
  readonly state = signal<Playing>("paused");
  /** Playback position in frames. */
  readonly position = signal(0);
  /** The problem that prevents playback. */
  readonly problem = signal<Problem | null>(null);

  readonly #slices: Slices;
  readonly #fetcher: Fetcher;
  #output: Output | null = null;
  #unlisten: (() => void)[] = [];
  #timer: ReturnType<typeof setInterval> | undefined;
  #frames = 0;
  #complete = false;
  /** A frame of the song and the frame of the clock at which it plays; `null` while nothing plays. */
  #anchor: { song: number; clock: number } | null = null;
  /** First frame of the song that is not scheduled. */
  #scheduled = 0;
  /** The slice around which slices were last fetched. */
  #around = 0;

  constructor(readonly song: Song, private readonly volume: { readonly value: number }) {
    this.faders = faders(song.stems);
    this.#slices = new Slices(song.stems);
    const place = {
      ...song,
      slices: this.#slices,
      at: () => Math.floor(this.position.peek() / song.rate),
      frames: () => this.#frames,
      complete: () => this.#complete,
      ahead: () => (this.#output ? AHEAD_S : AHEAD_UNPLAYED_S),
    };
    this.#fetcher = new Fetcher(place, () => this.#tick(), (problem) => (this.problem.value = problem));
  }

  /** More frames can be read, or no more will come. */
  grow(frames: number, complete: boolean): void {
    this.#frames = frames;
    this.#complete = complete;
    this.#fetcher.turn();
    this.#tick();
  }

  /** Must be called in a user gesture, or browsers block the sound. */
  async play(): Promise<void> {
    if (this.state.peek() !== "paused") return;
    if (this.#complete && this.position.peek() >= this.#frames) this.position.value = 0;
    this.state.value = "waiting";
    try {
      this.#output ??= this.#open();
      await this.#output.wake();
    } catch (error) {
      this.state.value = "paused";
      this.problem.value = ownProblem("NO_SOUND", String(error));
      return;
    }
    clearInterval(this.#timer);
    this.#timer = setInterval(() => this.#tick(), TICK_MS);
    requestAnimationFrame(() => this.#draw());
    this.#fetcher.turn();
    this.#tick();
  }

  pause(): void {
    if (this.state.peek() === "paused") return;
    this.#follow();
    this.#silence();
    clearInterval(this.#timer);
    this.state.value = "paused";
    void this.#output?.rest();
  }

  toggle(): void {
    if (this.state.peek() === "paused") void this.play();
    else this.pause();
  }

  /** Seeks to a frame that can be read. */
  seek(frame: number): void {
    this.#silence();
    this.position.value = Math.max(0, Math.min(Math.round(frame), this.#frames));
    if (this.state.peek() !== "paused") this.state.value = "waiting";
    this.#fetcher.turn();
    this.#tick();
  }

  close(): void {
    this.pause();
    this.#fetcher.stop();
    for (const unlisten of this.#unlisten) unlisten();
    void this.#output?.close();
    this.#output = null;
  }

  #open(): Output {
    const output = new Output(this.song.rate, this.song.stems.length);
    this.#unlisten.push(effect(() => output.setVolume(this.volume.value ** 2)));
    this.faders.forEach((fader, stem) => {
      this.#unlisten.push(effect(() => output.setGain(stem, fader.gain.value)));
    });
    return output;
  }

  #silence(): void {
    this.#output?.halt();
    this.#anchor = null;
  }

  /** Reads the position from the clock. */
  #follow(): void {
    if (!this.#anchor || !this.#output) return;
    const heard = this.#anchor.song + this.#output.now() - this.#anchor.clock;
    this.position.value = Math.floor(Math.max(this.#anchor.song, Math.min(heard, this.#scheduled)));
  }

  /** Updates the position on every animation frame; the timer is too coarse. */
  #draw(): void {
    if (this.state.peek() === "paused") return;
    this.#follow();
    requestAnimationFrame(() => this.#draw());
  }

  #tick(): void {
    const output = this.#output;
    if (!output || this.state.peek() === "paused") return;
    this.#follow();
    const around = Math.floor(this.position.peek() / this.song.rate);
    if (around !== this.#around) {
      this.#around = around;
      this.#fetcher.turn();
    }
    if (this.#anchor && output.now() - this.#anchor.clock + this.#anchor.song >= this.#scheduled) {
      // All scheduled slices have been played.
      this.#silence();
      this.position.value = this.#scheduled;
      if (this.#complete && this.#scheduled >= this.#frames) {
        this.pause();
        return;
      }
    }
    this.#schedule(output);
    this.state.value = this.#anchor ? "playing" : "waiting";
  }

  #schedule(output: Output): void {
    const { rate } = this.song;
    if (!this.#anchor) this.#scheduled = this.position.peek();
    const until = this.position.peek() + SCHEDULED_S * rate;
    while (this.#scheduled < until) {
      const slice = Math.floor(this.#scheduled / rate);
      const stems = this.#slices.all(slice);
      const first = stems?.[0];
      if (!stems || !first) return;
      const frames = first.length / 2;
      const skip = this.#scheduled - slice * rate;
      // The last slice of a song may be shorter.
      if (skip >= frames) return;
      this.#anchor ??= { song: this.#scheduled, clock: output.soon() };
      output.schedule(stems, skip, this.#anchor.clock + this.#scheduled - this.#anchor.song, () => this.#tick());
      this.#scheduled = slice * rate + frames;
    }
  }
}
