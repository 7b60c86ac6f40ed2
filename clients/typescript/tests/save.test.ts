import assert from "node:assert/strict";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { Chunk } from "#stemwire/audio";
import { StemFolder, wavHeader } from "#stemwire/save";
import { noise } from "./support.js";

const folder = await mkdtemp(join(tmpdir(), "stemwire-"));
after(() => rm(folder, { recursive: true }));

const chunk = (stem: string, pcm: Uint8Array) => new Chunk(stem, 0, 44_100, pcm, "s24", 1, 0);

test("files appear once all are complete, and are WAV", async () => {
  const pcm = noise(3 * 5);
  const files = new StemFolder(join(folder, "new", "folder"));
  await files.write(chunk("drums", pcm.subarray(0, 6)));
  await files.write(chunk("drums", pcm.subarray(6)));
  assert.deepEqual(await readdir(join(folder, "new", "folder")), [".drums.wav.part"]);
  const { drums } = await files.finish();
  assert.equal(drums, join(folder, "new", "folder", "drums.wav"));
  const wav = await readFile(drums);
  const text = (at: number) => wav.toString("latin1", at, at + 4);
  assert.deepEqual([0, 8, 12, 48, 74, 86].map(text), ["RIFF", "WAVE", "JUNK", "fmt ", "fact", "data"]);
  assert.equal(wav.readUInt32LE(4), wav.length - 8);
  const format = [56, 58, 68, 70].map((at) => wav.readUInt16LE(at));
  assert.deepEqual([...format, wav.readUInt32LE(60), wav.readUInt32LE(64)], [1, 1, 3, 24, 44_100, 3 * 44_100]);
  assert.deepEqual([wav.readUInt32LE(82), wav.readUInt32LE(90)], [5, 15]);
  assert.deepEqual(new Uint8Array(wav.subarray(94)), Uint8Array.of(...pcm, 0));
});

test("files that are not complete are removed, and a name that is no file name is refused", async () => {
  const files = new StemFolder(join(folder, "broken"));
  await files.write(chunk("drums", noise(6)));
  await assert.rejects(files.write(chunk("../drums", noise(6))), /not a valid stem name/);
  await files.discard();
  assert.deepEqual(await readdir(join(folder, "broken")), []);
});

test("from 4 GiB on the sizes are those of RF64", () => {
  const bytes = 8 * 2 ** 30;
  const header = Buffer.from(wavHeader("f32", 44_100, bytes, 2));
  assert.equal(header.toString("latin1", 0, 4) + header.toString("latin1", 12, 16), "RF64ds64");
  assert.deepEqual([20, 28, 36].map((at) => header.readBigUInt64LE(at)), [BigInt(bytes + 86), BigInt(bytes), BigInt(bytes / 8)]);
  assert.deepEqual([4, 90].map((at) => header.readUInt32LE(at)), [0xffff_ffff, 0xffff_ffff]);
});
