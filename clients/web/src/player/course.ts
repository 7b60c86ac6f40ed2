/**
 * What is scheduled: pieces of the song one after the other on a line, and when the clock reaches them. Passes of a loop
 * follow each other on the line. All numbers are frames.
 */
export class Course {
  /** Length of the line. */
  end = 0;
  #pieces: { readonly at: number; readonly song: number }[] = [];
  #paces: { readonly clock: number; readonly at: number; readonly speed: number }[];

  /** @param start the frame of the clock at which the line begins. */
  constructor(readonly start: number, speed: number) {
    this.#paces = [{ clock: start, at: 0, speed }];
  }

  /** Appends a piece of the song. */
  add(song: number, frames: number): void {
    this.#pieces.push({ at: this.end, song });
    this.end += frames;
  }

  /** The frame of the line that is heard at a frame of the clock; 0 before it begins. */
  at(clock: number): number {
    const pace = this.#paces.findLast((pace) => pace.clock <= clock) ?? this.#paces[0]!;
    return Math.max(0, pace.at + (clock - pace.clock) * pace.speed);
  }

  /** The frame of the song at a frame of the line. Pieces before it are forgotten. */
  song(at: number): number {
    while (this.#pieces.length > 1 && this.#pieces[1]!.at <= at) this.#pieces.shift();
    const piece = this.#pieces[0]!;
    return Math.floor(piece.song + Math.max(0, at - piece.at));
  }

  /** Removes what is behind a frame of the line. */
  cut(at: number): void {
    this.end = Math.min(this.end, at);
    this.#pieces = this.#pieces.filter((piece, index) => index === 0 || piece.at < at);
  }

  /** The frame of the song that follows the last piece. */
  next(): number {
    const piece = this.#pieces.at(-1)!;
    return Math.floor(piece.song + this.end - piece.at);
  }

  /** Changes the speed from a frame of the clock on. */
  setSpeed(clock: number, speed: number): void {
    const at = this.at(clock);
    const earlier = this.#paces.filter((pace) => pace.clock < clock);
    this.#paces = [...(earlier.length > 0 ? earlier.slice(-8) : []), { clock, at, speed }];
  }
}
