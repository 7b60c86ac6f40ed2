/** Pieces of the song for the course: what is at a frame, to the end of its slice or of the loop. */
import { sealed, seamFrames, type Section } from "./section";
import type { Slices } from "./slices";

export interface Piece {
  /** The first frame, in the song. */
  readonly song: number;
  /** Interleaved stereo of 16 bits of every stem. */
  readonly stems: readonly Int16Array[];
}

/** Frames of a piece. */
export function framesOf(piece: Piece): number {
  return piece.stems[0]!.length / 2;
}

/** The piece at a frame of the song, or at the loop's start if the frame is its end; `null` if it is not there. */
export function pieceAt(from: number, slices: Slices, loop: Section | null, rate: number): Piece | null {
  const song = loop && from === loop.end ? loop.start : from;
  const slice = Math.floor(song / rate);
  const skip = song - slice * rate;
  const stems = slices.all(slice);
  // The last slice of a song may be shorter.
  if (!stems?.[0] || skip >= stems[0].length / 2) return null;
  const ends = loop !== null && song < loop.end && loop.end <= slice * rate + stems[0].length / 2;
  const pieces = stems.map((samples) => samples.subarray(skip * 2, ends ? (loop.end - slice * rate) * 2 : undefined));
  return { song, stems: ends ? sealedStems(pieces, slices, loop, rate) : pieces };
}

/** The last piece of a loop, cross-faded into what precedes its start. */
function sealedStems(pieces: readonly Int16Array[], slices: Slices, { start }: Section, rate: number): Int16Array[] {
  const from = Math.max(0, start - seamFrames(rate));
  const slice = Math.floor(from / rate);
  const held = slices.all(slice);
  // Frames of the next slice are left out: the fade then begins in silence.
  const before = (stem: number) => held?.[stem]?.subarray((from - slice * rate) * 2, (start - slice * rate) * 2) ?? new Int16Array(0);
  return pieces.map((samples, stem) => sealed(samples, before(stem), rate));
}
