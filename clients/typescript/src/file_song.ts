/** Songs that are files. */
import { type FileHandle, open } from "node:fs/promises";
import { basename } from "node:path";
import type { NewSha256 } from "./hash.js";
import { Song } from "./song.js";

export class FileSong extends Song {
  #file: Promise<FileHandle> | undefined;

  constructor(sha256: NewSha256, private readonly path: string) {
    super(sha256, basename(path));
  }

  protected override async readAt(offset: number, most: number): Promise<Uint8Array> {
    const file = await (this.#file ??= open(this.path));
    const { buffer, bytesRead } = await file.read(new Uint8Array(most), 0, most, offset);
    return buffer.subarray(0, bytesRead);
  }

  override async close(): Promise<void> {
    const file = await this.#file?.catch(() => undefined);
    await file?.close();
  }
}
