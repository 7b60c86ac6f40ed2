import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { KEPT_BYTES, MESSAGE_BYTES, openSong, type Song, type SongInput } from "#stemwire/song";
import { newSha256, noise, readAll } from "./support.js";

const DATA = noise(3 * MESSAGE_BYTES + 17);
const HASH = new Uint8Array(createHash("sha256").update(DATA).digest());

async function* pieces(): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < DATA.length; at += 100_000) yield DATA.subarray(at, at + 100_000);
}

const open = (song: SongInput) => openSong(song, newSha256);

const SONGS: Record<string, () => SongInput> = {
  bytes: () => DATA,
  "an ArrayBuffer": () => DATA.buffer,
  "a Blob": () => new Blob([DATA]),
  "pieces as they come": pieces,
  "a ReadableStream": () => new Blob([DATA]).stream(),
  "an array of pieces": () => [DATA.subarray(0, 5), new Uint8Array(), DATA.subarray(5)],
};

for (const [what, make] of Object.entries(SONGS)) {
  test(`${what}: read from any position, and hashed as a whole`, async () => {
    const song = open(make());
    assert.deepEqual(await readAll(song), DATA);
    assert.deepEqual(await readAll(song, 300_000), DATA.subarray(300_000));
    assert.deepEqual(song.sha256(DATA.length), HASH);
    assert.equal(song.sha256(1).length, 0);
  });
}

test("a song whose first part an earlier process has sent is hashed as a whole, too", async () => {
  const song = open(new Blob([DATA]));
  await readAll(song, 300_000);
  assert.deepEqual(song.sha256(DATA.length), HASH);
});

test("a stream keeps its last 16 MiB", async () => {
  const piece = noise(MESSAGE_BYTES);
  const count = KEPT_BYTES / MESSAGE_BYTES + 5;
  const song = open(Array.from({ length: count }, () => piece));
  await readAll(song);
  const first = 5 * MESSAGE_BYTES;
  assert.equal((await readAll(song, first)).length, KEPT_BYTES);
  await assert.rejects(song.read(0), /byte 0/);
});

test("a read that was given up takes nothing from the next one", async () => {
  let give: (piece: Uint8Array) => void = () => undefined;
  async function* recording(): AsyncGenerator<Uint8Array> {
    yield await new Promise<Uint8Array>((resolve) => (give = resolve));
    yield Uint8Array.of(4);
  }
  const song = open(recording());
  const [one, other] = [song.read(0), song.read(0)];
  await new Promise(setImmediate);
  give(Uint8Array.of(1, 2, 3));
  assert.deepEqual([...(await one)], [1, 2, 3]);
  assert.deepEqual([...(await other)], [1, 2, 3]);
  assert.deepEqual([...(await readAll(song))], [1, 2, 3, 4]);
});

test("samples are sent with their format", async () => {
  const check = async (song: Song, raw: object, bytes: ArrayBufferView) => {
    assert.deepEqual(song.raw, raw);
    assert.deepEqual(await readAll(song), new Uint8Array(bytes.buffer));
  };
  const stereo = Float32Array.of(0.5, -0.5, 0.25, -0.25);
  await check(open({ samples: stereo, sampleRate: 48_000 }), { encoding: "f32", sampleRate: 48_000, channels: 2 }, stereo);
  const channels = [Float32Array.of(0.5, 0.25), Float32Array.of(-0.5, -0.25)];
  await check(open({ samples: channels, sampleRate: 8_000 }), { encoding: "f32", sampleRate: 8_000, channels: 2 }, stereo);
  const mono = Int16Array.of(1, -2, 3);
  await check(open({ samples: mono, sampleRate: 44_100, channels: 1 }), { encoding: "s16", sampleRate: 44_100, channels: 1 }, mono);
});

test("an error of the source is kept as the cause", async () => {
  const broken = new Error("the microphone is gone");
  async function* recording(): AsyncGenerator<Uint8Array> {
    yield Uint8Array.of(1);
    throw broken;
  }
  const song = open(recording());
  await assert.rejects(readAll(song), broken);
  assert.equal(song.failure?.error, broken);
});
