/** Helpers of the tests. */
import { createHash } from "node:crypto";
import type { Sha256 } from "#stemwire/hash";
import type { Song } from "#stemwire/song";

export function newSha256(): Sha256 {
  const hash = createHash("sha256");
  return { update: (bytes) => void hash.update(bytes), digest: () => new Uint8Array(hash.copy().digest()) };
}

/** Bytes that differ from place to place. */
export function noise(length: number, seed = 1): Uint8Array<ArrayBuffer> {
  let state = seed;
  return Uint8Array.from({ length }, () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state >>> 24;
  });
}

export async function readAll(song: Song, offset = 0): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  for (let piece = await song.read(offset); piece.length > 0; piece = await song.read(offset)) {
    pieces.push(piece);
    offset += piece.length;
  }
  return new Uint8Array(Buffer.concat(pieces));
}
