import assert from "node:assert/strict";
import { test } from "node:test";
import { Course } from "../src/player/course";
import { between, sealed, seamFrames, upcoming } from "../src/player/section";
import { HEADROOM, Slices } from "../src/player/slices";
import { tapped, tempoFor, tempoOf } from "../src/player/tempo";
import { Watch } from "../src/player/watch";
import { Line } from "../src/stretch/line";
import { tenths } from "../src/words";

test("a section lies within the song and is not a slip of the pointer", () => {
  assert.deepEqual(between(5_000, 1_000, 9_000, 1000), { start: 1_000, end: 5_000 });
  assert.deepEqual(between(-50, 99_999, 9_000, 1000), { start: 0, end: 9_000 });
  assert.equal(between(1_000, 1_099, 9_000, 1000), null);
});

test("the slices of a loop are wanted again in the order in which they are heard", () => {
  const loop = { start: 2_500, end: 6_500 };
  const check = (position: number, stop: number, count: number, expected: number[]) =>
    assert.deepEqual(upcoming(position, stop, count, loop, 1000), expected);
  check(5_200, 100, 30, [5, 6, 2, 3, 4]);
  check(5_200, 100, 4, [5, 6, 2, 3]);
  check(1_000, 100, 30, [1, 2, 3, 4, 5, 6]);
  check(1_000, 3, 30, [1, 2]);
  check(7_000, 10, 30, [7, 8, 9]);
  assert.deepEqual(upcoming(4_000, 100, 30, { start: 3_000, end: 5_000 }, 1000), [4, 2, 3], "the seam has frames before the start");
});

test("the beginning of a long loop is kept while its end plays", () => {
  const slices = new Slices(["vocals"]);
  for (const at of [0, 1, 50, 99]) slices.put("vocals", at, new Int16Array(2));
  slices.evict(99, [99, 0, 1]);
  assert.deepEqual([0, 1, 50, 99].filter((at) => slices.all(at)), [0, 1, 99]);
});

test("a seam fades into what precedes the loop, and changes nothing else", () => {
  const rate = 1000;
  const frames = seamFrames(rate);
  assert.equal(frames, 3);
  const made = sealed(new Int16Array(20).fill(1000), new Int16Array(6).fill(-1000), rate);
  assert.deepEqual([...made], [...Array(14).fill(1000), 500, 500, 0, 0, -500, -500]);
  assert.deepEqual([...sealed(new Int16Array(4).fill(900), new Int16Array(0), rate)], [600, 600, 300, 300], "silence before the song");
});

test("a course maps the clock to the song over jumps and changes of the speed", () => {
  const course = new Course(1_000, 1);
  course.add(500, 100);
  course.add(0, 400);
  course.add(0, 400);
  const song = (clock: number) => course.song(course.at(clock));
  assert.deepEqual([900, 1_000, 1_099, 1_100, 1_499].map(song), [500, 500, 599, 0, 399]);
  course.setSpeed(1_500, 0.5);
  assert.deepEqual([1_499, 1_500, 1_600, 1_700].map(song), [399, 0, 50, 100]);
  assert.equal(course.next(), 400);
  course.cut(700);
  assert.deepEqual([course.end, course.next()], [700, 200]);
});

test("stems are mixed by their gains, and cut where nothing was read", () => {
  const line = new Line(2);
  line.setGain(1, 0.5);
  const piece = (value: number, frames: number) => new Int16Array(frames * 2).fill((value * 32768) / HEADROOM);
  line.feed([piece(0.25, 4), piece(0.5, 4)]);
  line.feed([piece(0.125, 4), piece(0, 4)]);
  const [left, right] = [new Float32Array(8), new Float32Array(8)];
  line.take(6, left, right);
  assert.deepEqual([...left], [0.5, 0.5, 0.5, 0.5, 0.125, 0.125, 0, 0]);
  assert.deepEqual(right, left);
  line.cut(3);
  assert.deepEqual([line.taken, line.fed], [6, 6], "what is read stays read");
  line.feed([piece(0.25, 1), piece(0, 1)]);
  line.take(2, left, right);
  assert.deepEqual([...left.subarray(0, 2)], [0.25, 0], "silence behind the end");
  assert.equal(line.taken, 7);
});

test("a gain changes without a jump", () => {
  const line = new Line(1);
  const [left, right] = [new Float32Array(100), new Float32Array(100)];
  line.feed([new Int16Array(20_000).fill(32768 / HEADROOM / 2)]);
  line.take(100, left, right);
  line.setGain(0, 0);
  let last = left[99]!;
  for (let block = 0; block < 60; block++) {
    line.take(100, left, right);
    for (const sample of left) {
      assert.ok(Math.abs(sample - last) < 0.01);
      last = sample;
    }
  }
  assert.equal(last, 0);
});

test("the tempo of a song is the chosen one, else that of its tag, else the usual one", () => {
  assert.equal(tempoFor(undefined, 0, 120), 120);
  assert.equal(tempoFor(undefined, 93.72, 120), 94);
  assert.equal(tempoFor(100, 93.72, 120), 100);
  assert.equal(tempoFor(undefined, 1_000, 120), 120);
});

test("taps give a tempo, and a pause begins anew", () => {
  const tap = (...times: number[]) => tempoOf(times.reduce<number[]>(tapped, []));
  assert.equal(tap(0), null);
  assert.equal(tap(0, 500), 120);
  assert.equal(tap(0, 480, 1_020, 1_500), 120);
  assert.equal(tap(0, 500, 5_000), null);
  assert.equal(tap(5_000, 6_000, 7_000), 60);
  assert.equal(tap(0, 10, 20), 300);
});

test("a clock that stands still is reported, and another output is tried until one runs", () => {
  const watch = new Watch();
  watch.begin(0);
  let now = 0;
  const look = (clock: number, ms: number) => {
    const seen = [];
    for (const end = now + ms; now < end;) seen.push(watch.look(clock, (now += 100)));
    return [...new Set(seen)];
  };
  assert.deepEqual(look(0, 3_900), ["none"], "it may start yet");
  assert.deepEqual(look(0, 1_000), ["silent"]);
  assert.deepEqual(look(0, 4_000).sort(), ["again", "silent"]);
  assert.deepEqual(look(0, 100), ["silent"]);
  assert.equal(watch.look(128, (now += 100)), "none");
  assert.deepEqual(look(256, 100), ["none"]);
  assert.deepEqual(look(256, 3_900), ["none"], "it may only be late");
  assert.deepEqual(look(256, 500), ["silent"]);
  watch.begin(now);
  watch.look(256, (now += 3_600_000));
  assert.deepEqual(look(256, 1_000), ["none"], "the computer slept");
});

test("positions with tenths", () => {
  assert.deepEqual([0, 59.96, 61.3, 3_600.04].map(tenths), ["0:00.0", "0:59.9", "1:01.3", "1:00:00.0"]);
});
