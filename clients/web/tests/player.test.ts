import assert from "node:assert/strict";
import { test } from "node:test";
import { faders, mixGains } from "../src/player/mix";
import { AHEAD_S, BEHIND_S, RUN, Slices } from "../src/player/slices";

const slice = () => new Int16Array(2);
const range = (from: number, to: number) => Array.from({ length: to - from }, (_, at) => from + at);

test("slices are fetched in the order of playback, later ones several at a time", () => {
  const slices = new Slices(["vocals", "bass"]);
  const take = (asked: { stem: string; first: number; count: number }[] = []) => slices.missing(range(4, 20), asked);
  assert.deepEqual(take(), { stem: "vocals", first: 4, count: 1 });
  slices.put("vocals", 4, slice());
  assert.deepEqual(take(), { stem: "bass", first: 4, count: 1 });
  assert.deepEqual(take([{ stem: "bass", first: 4, count: 1 }]), { stem: "vocals", first: 5, count: RUN });
  slices.put("bass", 4, slice());
  slices.put("vocals", 7, slice());
  assert.deepEqual(take(), { stem: "vocals", first: 5, count: 2 }, "a run ends where something is there");
  assert.deepEqual(slices.missing(range(18, 20), [{ stem: "vocals", first: 18, count: 2 }, { stem: "bass", first: 18, count: 1 }]),
    { stem: "bass", first: 19, count: 1 }, "and at the last that is wanted");
  assert.equal(slices.missing([], []), null);
  assert.deepEqual(slices.missing([7, 5, 6], []), { stem: "bass", first: 7, count: 1 }, "in the order in which they are due");
});

test("a second is available once all stems have it", () => {
  const slices = new Slices(["vocals", "bass"]);
  slices.put("vocals", 0, slice());
  slices.put("no such stem", 0, slice());
  assert.equal(slices.all(0), null);
  slices.put("bass", 0, slice());
  assert.equal(slices.all(0)?.length, 2);
});

test("at most a minute of samples is kept", () => {
  const slices = new Slices(["vocals"]);
  for (let at = 0; at < 10_000; at++) {
    slices.put("vocals", at, slice());
    slices.evict(at);
  }
  const held = Array.from({ length: 10_100 }, (_, at) => at).filter((at) => slices.all(at));
  assert.equal(held[0], 9_999 - BEHIND_S);
  assert.equal(held.length, BEHIND_S + 1);
  slices.put("vocals", 9_999 + AHEAD_S, slice());
  slices.evict(100);
  assert.equal(slices.all(9_999), null, "after a jump the old slices are dropped");
});

const gains = (made: ReturnType<typeof faders>) => Object.fromEntries(made.map(({ stem, gain }) => [stem, gain.value]));

test("the accompaniment starts muted beside the stems that it sums", () => {
  assert.deepEqual(gains(faders(["vocals", "drums", "accompaniment"])), { vocals: 1, drums: 1, accompaniment: 0 });
  assert.deepEqual(gains(faders(["vocals", "accompaniment"])), { vocals: 1, accompaniment: 1 });
});

test("a soloed stem is heard alone, even if muted; a muted one is not", () => {
  const made = faders(["vocals", "drums", "bass"]);
  const [vocals, drums] = [made[0]!, made[1]!];
  drums.muted.value = true;
  assert.deepEqual(gains(made), { vocals: 1, drums: 0, bass: 1 });
  drums.soloed.value = true;
  assert.deepEqual(gains(made), { vocals: 0, drums: 1, bass: 0 });
  vocals.soloed.value = true;
  assert.deepEqual(gains(made), { vocals: 1, drums: 1, bass: 0 });
  drums.soloed.value = vocals.soloed.value = false;
  vocals.volume.value = 0.5;
  assert.deepEqual(gains(made), { vocals: 0.25, drums: 0, bass: 1 });
});

test("the mix to download is what is heard", () => {
  const made = faders(["vocals", "drums", "accompaniment"]);
  const [vocals, drums, accompaniment] = [made[0]!, made[1]!, made[2]!];
  assert.deepEqual(mixGains(made), { gains: "vocals:0,drums:0,accompaniment:-inf" });
  vocals.muted.value = true;
  drums.volume.value = 0.5;
  assert.deepEqual(mixGains(made), { gains: "vocals:-inf,drums:-12.04,accompaniment:-inf" });
  drums.volume.value = 0.03;
  assert.deepEqual(mixGains(made), { refused: "silent" }, "less than -60 dB");
  drums.volume.value = 1;
  accompaniment.muted.value = false;
  assert.deepEqual(mixGains(made), { refused: "twice" });
  accompaniment.soloed.value = true;
  assert.deepEqual(mixGains(made), { gains: "vocals:-inf,drums:-inf,accompaniment:0" });
});
