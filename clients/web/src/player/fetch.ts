/** Fetches runs of slices over grpc-web, two calls at a time: browsers allow six HTTP/1.1 connections per server. */
import { Encoding } from "stemwire/proto";
import { client } from "../calls/client";
import { Backoff, sleep } from "../calls/backoff";
import { type Problem, toProblem } from "../calls/problem";
import { HEADROOM, type Run, type Slices } from "./slices";

const CALLS = 2;

/** Bytes of a stereo frame of 16 bits. */
const FRAME_BYTES = 4;

export interface Place {
  readonly sessionId: string;
  /** Frames of one slice, and per second. */
  readonly rate: number;
  /** Gain of all stems of the session. */
  readonly gain: number;
  readonly slices: Slices;
  /** The slice at the play position. */
  at(): number;
  /** Slices wanted next, in the order in which they are due; `stop` is the first that is not available. */
  wanted(stop: number): readonly number[];
  /** Frames that can be read. */
  frames(): number;
  /** Whether no more frames will follow. */
  complete(): boolean;
}

export class Fetcher {
  #running: { run: Run; abort: AbortController }[] = [];
  #stopped = new AbortController();

  constructor(
    private readonly place: Place,
    private readonly arrived: () => void,
    private readonly reported: (problem: Problem | null) => void,
  ) {}

  /** Fetches what is missing, after a change of the position or of the available frames. */
  turn(): void {
    const { place } = this;
    // The last slice of a growing song is fetched once it is complete.
    const wanted = place.wanted(place.complete() ? Math.ceil(place.frames() / place.rate) : Math.floor(place.frames() / place.rate));
    place.slices.evict(place.at(), wanted);
    this.#cancelUseless(wanted);
    while (this.#running.length < CALLS && !this.#stopped.signal.aborted) {
      const run = place.slices.missing(wanted, this.#running.map(({ run }) => run));
      if (!run) return;
      void this.#fetch(run);
    }
  }

  stop(): void {
    this.#stopped.abort();
    for (const { abort } of this.#running) abort.abort();
  }

  /** After a seek, cancels fetches for the old position, which would delay those for the new one. */
  #cancelUseless(wanted: readonly number[]): void {
    for (const { run, abort } of this.#running) {
      if (!wanted.some((slice) => slice >= run.first && slice < run.first + run.count)) abort.abort();
    }
  }

  async #fetch(run: Run): Promise<void> {
    const entry = { run, abort: new AbortController() };
    this.#running.push(entry);
    const backoff = new Backoff();
    const { signal } = entry.abort;
    try {
      while (!signal.aborted) {
        try {
          await this.#read(run, signal);
          this.reported(null);
          return;
        } catch (error) {
          if (signal.aborted) return;
          const problem = toProblem(error);
          this.reported(problem);
          // A paused or deleted session is reported elsewhere; its frames may still arrive.
          await sleep(backoff.next(problem.passing ? problem.waitMs : 3000), signal).catch(() => undefined);
        }
      }
    } finally {
      this.#running = this.#running.filter((other) => other !== entry);
      if (!this.#stopped.signal.aborted) {
        this.arrived();
        this.turn();
      }
    }
  }

  async #read(run: Run, signal: AbortSignal): Promise<void> {
    const { sessionId, rate, gain, slices } = this.place;
    const start = run.first * rate;
    const count = Math.min(run.count * rate, this.place.frames() - start);
    const samples = new Int16Array(count * 2);
    const bytes = new Uint8Array(samples.buffer);
    const request = {
      sessionId,
      stem: run.stem,
      startFrame: BigInt(start),
      frameCount: BigInt(count),
      encoding: Encoding.S16LE,
      gain: gain / HEADROOM,
    };
    let filled = 0;
    for await (const { chunk } of client.getStem(request, { signal })) {
      if (!chunk) continue;
      bytes.set(chunk.pcm, (Number(chunk.startFrame) - start) * FRAME_BYTES);
      filled += chunk.pcm.byteLength;
    }
    if (filled !== bytes.byteLength) throw new Error("the stem was cut short");
    for (let at = 0; at < run.count; at++) {
      // A copy, so that a slice does not keep the memory of the whole run.
      slices.put(run.stem, run.first + at, samples.slice(at * rate * 2, (at + 1) * rate * 2));
    }
  }
}
