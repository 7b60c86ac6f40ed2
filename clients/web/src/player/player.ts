/** Plays all stems in sync: play, pause, seek, loop, speed and pitch; waits for missing slices and for a sound output. */
import { computed, effect, signal } from "@preact/signals";
import { ownProblem, type Problem } from "../calls/problem";
import { QUANTUM, type Tuning } from "../stretch/messages";
import { Course } from "./course";
import { Fetcher } from "./fetch";
import { type Fader, faders } from "./mix";
import { Output } from "./output";
import { framesOf, type Piece, pieceAt } from "./pieces";
import { between, type Section, upcoming } from "./section";
import { AHEAD_S, AHEAD_UNPLAYED_S, Slices } from "./slices";
import { canStretch, isNeutral, type Stretcher } from "./stretcher";
import { Watch } from "./watch";

/** `waiting`: playing, but the next second or the sound output is not available yet. */
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

/** Beats before playback. */
export interface CountIn {
  readonly beats: number;
  readonly perMinute: number;
}

export class Player {
  readonly faders: readonly Fader[];
  readonly state = signal<Playing>("paused");
  /** Playback position in frames. */
  readonly position = signal(0);
  /** The section that is repeated, and the start of one whose end is not chosen yet. */
  readonly loop = signal<Section | null>(null);
  readonly mark = signal<number | null>(null);
  readonly tuning = signal<Tuning>({ speed: 1, semitones: 0 });
  /** Whether speed and pitch can be changed; `loading` while their code is. */
  readonly stretching = signal<"off" | "loading" | "ready" | "failed">(canStretch ? "off" : "failed");
  /** The beat of the count-in that is heard, from 1; 0 without one. */
  readonly beat = signal(0);

  readonly #fetching = signal<Problem | null>(null);
  readonly #silent = signal<Problem | null>(null);
  /** The problem that prevents playback. */
  readonly problem = computed(() => this.#silent.value ?? this.#fetching.value);

  readonly #slices: Slices;
  readonly #fetcher: Fetcher;
  readonly #watch = new Watch();
  #output: Output | null = null;
  #unlisten: (() => void)[] = [];
  #timer: ReturnType<typeof setInterval> | undefined;
  #frames = 0;
  #complete = false;
  /** What is scheduled; `null` while nothing plays. */
  #course: Course | null = null;
  /** What plays the course if it is not the output itself. */
  #through: Stretcher | null = null;
  /** Whether the next course begins with a count-in, and the clock's frames of one beat. */
  #counts = false;
  #beatFrames = 0;
  /** The slice around which slices were last fetched. */
  #around = 0;

  constructor(readonly song: Song, private readonly volume: { readonly value: number }, private readonly countIn: () => CountIn) {
    this.faders = faders(song.stems);
    this.#slices = new Slices(song.stems);
    const place = {
      ...song,
      slices: this.#slices,
      at: () => Math.floor(this.position.peek() / song.rate),
      wanted: (stop: number) =>
        upcoming(this.position.peek(), stop, this.#output ? AHEAD_S : AHEAD_UNPLAYED_S, this.loop.peek(), song.rate),
      frames: () => this.#frames,
      complete: () => this.#complete,
    };
    this.#fetcher = new Fetcher(place, () => this.#tick(), (problem) => (this.#fetching.value = problem));
  }

  /** More frames can be read, or no more will come. */
  grow(frames: number, complete: boolean): void {
    this.#frames = frames;
    this.#complete = complete;
    this.#fetcher.turn();
    this.#tick();
  }

  /** Must be called in a user gesture, or browsers block the sound. */
  play(): void {
    if (this.state.peek() !== "paused") return;
    if (this.#complete && this.position.peek() >= this.#frames) this.position.value = 0;
    this.state.value = "waiting";
    this.#counts = true;
    this.#watch.begin(performance.now());
    if (!this.#wake()) return;
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
    this.#silent.value = null;
    this.state.value = "paused";
    void this.#output?.rest();
  }

  toggle(): void {
    if (this.state.peek() === "paused") this.play();
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

  /** Repeats the section between two frames in any order; one that is too short clears the loop. */
  setLoop(one: number, other: number): void {
    const section = between(one, other, this.#frames, this.song.rate);
    this.loop.value = section;
    this.mark.value = null;
    if (section && (this.position.peek() < section.start || this.position.peek() >= section.end)) this.seek(section.start);
    else this.#replan();
  }

  clearLoop(): void {
    this.loop.value = this.mark.value = null;
    this.#replan();
  }

  /** Moves the loop's start to the position. */
  markStart(): void {
    this.#follow();
    const [at, loop] = [this.position.peek(), this.loop.peek()];
    if (loop && at < loop.end) return this.setLoop(at, loop.end);
    this.clearLoop();
    this.mark.value = at;
  }

  /** Moves the loop's end to the position; without a start, the loop begins with the song. */
  markEnd(): void {
    this.#follow();
    const [at, start] = [this.position.peek(), this.loop.peek()?.start ?? this.mark.peek() ?? 0];
    if (between(start, at, this.#frames, this.song.rate) && at > start) this.setLoop(start, at);
  }

  /** Changes speed and pitch. */
  tune(tuning: Tuning): void {
    this.tuning.value = tuning;
    if (this.#course && this.#through && this.#output) {
      const clock = Math.max(this.#output.soon(), this.#course.start);
      this.#course.setSpeed(this.#through.tune(clock, tuning), tuning.speed);
    } else if (this.#course && !isNeutral(tuning)) {
      void this.#load().then(() => {
        // What was heard in the meantime.
        this.#follow();
        if (this.#course && !this.#through && !isNeutral(this.tuning.peek())) this.seek(this.position.peek());
      });
    }
  }

  close(): void {
    this.pause();
    this.#fetcher.stop();
    this.#shut();
  }

  /** Opens the sound output unless it is open, and starts its clock; returns whether there is one. */
  #wake(): boolean {
    try {
      this.#output ??= this.#open();
    } catch (error) {
      this.state.value = "paused";
      this.#silent.value = ownProblem("NO_SOUND", String(error));
      return false;
    }
    this.#output.wake(() => this.#tick());
    return true;
  }

  #open(): Output {
    const output = new Output(this.song.rate, this.song.stems.length);
    this.#unlisten.push(effect(() => output.setVolume(this.volume.value ** 2)));
    this.faders.forEach((fader, stem) => {
      this.#unlisten.push(effect(() => output.setGain(stem, fader.gain.value)));
    });
    return output;
  }

  #shut(): void {
    for (const unlisten of this.#unlisten.splice(0)) unlisten();
    void this.#output?.close();
    this.#output = null;
    this.#course = this.#through = null;
  }

  /** Loads the stretcher; without it, speed and pitch are those of the song. */
  async #load(): Promise<void> {
    if (this.stretching.peek() === "off") this.stretching.value = "loading";
    try {
      await this.#output?.load(() => this.faders.map(({ gain }) => gain.peek()));
      this.stretching.value = "ready";
    } catch {
      this.stretching.value = "failed";
      this.tuning.value = { speed: 1, semitones: 0 };
    }
    this.#tick();
  }

  #silence(): void {
    this.#output?.halt();
    this.#course = this.#through = null;
    this.beat.value = 0;
  }

  /** Reads the position from the clock. */
  #follow(): void {
    if (!this.#course || !this.#output) return;
    const now = this.#output.now();
    this.position.value = this.#course.song(Math.min(this.#course.at(now), this.#course.end));
    const left = Math.ceil((this.#course.start - now) / Math.max(1, this.#beatFrames));
    this.beat.value = this.#beatFrames > 0 && left > 0 ? Math.max(0, this.countIn().beats + 1 - left) : 0;
  }

  /** Updates the position on every animation frame; the timer is too coarse. */
  #draw(): void {
    if (this.state.peek() === "paused") return;
    this.#follow();
    requestAnimationFrame(() => this.#draw());
  }

  #tick(): void {
    if (!this.#output || this.state.peek() === "paused") return;
    const output = this.#listen(this.#output);
    if (!output) return;
    this.#follow();
    const around = Math.floor(this.position.peek() / this.song.rate);
    if (around !== this.#around) {
      this.#around = around;
      this.#fetcher.turn();
    }
    if (this.#course && this.#hasRunOut(this.#course, output)) {
      this.#silence();
      if (this.#complete && this.position.peek() >= this.#frames) {
        this.pause();
        return;
      }
    }
    if (this.#course || this.#begin(output)) this.#schedule(output);
    this.state.value = this.#course && output.isRunning ? "playing" : "waiting";
  }

  /** Opens another output after a while in which the clock has stood still. */
  #listen(output: Output): Output | null {
    const silence = this.#watch.look(output.now(), performance.now());
    this.#silent.value = silence === "none" ? null : (this.#silent.peek() ?? ownProblem("NO_SOUND"));
    if (silence !== "again") return output;
    this.#follow();
    this.#shut();
    this.#wake();
    return this.#output;
  }

  /** Whether all that is scheduled has been played, and the position is at its end. */
  #hasRunOut(course: Course, output: Output): boolean {
    const at = course.at(output.now());
    const isLast = this.#complete && course.next() >= this.#frames;
    // The stretcher reads ahead: it must not get silence instead of what comes later.
    const ahead = this.#through && !isLast ? this.#through.lookahead(this.tuning.peek().speed) : 0;
    if (at + ahead < course.end) return false;
    const [song, loop] = [course.song(Math.min(at, course.end)), this.loop.peek()];
    this.position.value = loop && song === loop.end ? loop.start : song;
    return true;
  }

  /** Begins a course at the position once its first slice is there; returns whether it has begun. */
  #begin(output: Output): boolean {
    const tuning = this.tuning.peek();
    const piece = this.#next(this.position.peek());
    if (!piece) return false;
    const stretched = !isNeutral(tuning);
    if (stretched && !output.stretcher) {
      // A clock that stands still has no thread that would answer.
      if (output.isRunning && this.stretching.peek() !== "loading") void this.#load();
      return false;
    }
    // Before the start is chosen: this may take longer than until then.
    const buffers = stretched ? [] : output.decode(piece.stems);
    const start = this.#count(output, tuning.speed);
    this.#course = new Course(start, tuning.speed);
    this.#through = stretched ? output.stretcher : null;
    this.#through?.start(start, tuning);
    if (this.#add(output, this.#course, piece, buffers)) return true;
    this.#silence();
    return false;
  }

  /** Schedules the clicks of the count-in; returns when the song begins. */
  #count(output: Output, speed: number): number {
    const { beats, perMinute } = this.countIn();
    const soon = output.soon();
    const counts = this.#counts && beats > 0;
    this.#counts = false;
    this.#beatFrames = counts ? (this.song.rate * 60) / (perMinute * speed) : 0;
    if (!counts) return soon;
    for (let beat = 0; beat < beats; beat++) output.click(Math.round(soon + beat * this.#beatFrames), beat === 0);
    return QUANTUM * Math.round((soon + beats * this.#beatFrames) / QUANTUM);
  }

  #schedule(output: Output): void {
    const [course, { rate }] = [this.#course!, this.song];
    for (;;) {
      const at = course.at(output.now());
      if (course.end - at >= SCHEDULED_S * rate * Math.max(1, this.tuning.peek().speed)) return;
      const piece = this.#next(course.next());
      if (!piece || !this.#add(output, course, piece, this.#through ? [] : output.decode(piece.stems))) return;
    }
  }

  /** Appends a piece to the course; returns `false` if it would be late. The course then runs out, and another begins. */
  #add(output: Output, course: Course, piece: Piece, buffers: readonly AudioBuffer[]): boolean {
    if (this.#through) this.#through.feed(piece.stems);
    else if (!output.schedule(buffers, course.start + course.end, () => this.#tick())) return false;
    course.add(piece.song, framesOf(piece));
    return true;
  }

  /** The piece at a frame of the song; `null` if it is not there. */
  #next(from: number): Piece | null {
    return pieceAt(from, this.#slices, this.loop.peek(), this.song.rate);
  }

  /** Schedules anew what is not heard yet, without a gap. */
  #replan(): void {
    const [course, output] = [this.#course, this.#output];
    this.#fetcher.turn();
    if (!course || !output) return;
    const clock = Math.max(output.soon(), course.start);
    const ahead = this.#through?.lookahead(this.tuning.peek().speed) ?? 0;
    const at = Math.min(course.end, Math.ceil(course.at(clock) + ahead));
    if (at >= course.end) return;
    this.#follow();
    if (at === 0) return this.seek(this.position.peek());
    course.cut(at);
    const loop = this.loop.peek();
    // Too late for the jump at the new end.
    if (loop && this.position.peek() < loop.end && course.next() > loop.end) return this.seek(loop.start);
    if (this.#through) this.#through.cut(at);
    else output.cut(clock);
    this.#schedule(output);
  }
}
