import assert from "node:assert/strict";
import { test } from "node:test";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { EngineSchema, ExecutionSchema, ModelSchema, type Session, SessionSchema, SessionState } from "stemwire/proto";
import { language } from "../src/preferences";
import { measurementOf } from "../src/session/models";
import { hasStems, hasSum, mutedSums, stemsOf } from "../src/session/stems";
import { lengthOf, marks, Pace, rateOf } from "../src/session/timeline";
import { factsOf } from "../src/view/modelFacts";
import { nameOf, sessionStatus } from "../src/view/status";
import { words } from "../src/words";
import { en } from "../src/words/en";
import { zh } from "../src/words/zh";

const session = (of: MessageInitShape<typeof SessionSchema>): Session => create(SessionSchema, of);
const named = (...names: string[]) => session({ stems: names.map((name) => ({ name })) });

test("stems are in display order", () => {
  assert.deepEqual(stemsOf(named("drums", "bass", "other", "vocals", "accompaniment")), ["vocals", "drums", "bass", "other", "accompaniment"]);
  assert.deepEqual(stemsOf(named("accompaniment", "vocals")), ["vocals", "accompaniment"]);
  assert.deepEqual(stemsOf(named("choir", "other", "vocals", "accompaniment")), ["vocals", "other", "choir", "accompaniment"]);
});

test("a session that failed before its first frames has no stems to show", () => {
  const stems = [{ name: "vocals" }];
  assert.ok(!hasStems(session({ stems, state: SessionState.FAILED })));
  assert.ok(hasStems(session({ stems, state: SessionState.FAILED, progress: { finishedFrames: 1n } })));
  assert.ok(hasStems(session({ stems, state: SessionState.UPLOADING })));
  assert.ok(!hasStems(session({ state: SessionState.RUNNING })));
});

test("the accompaniment is a sum only beside the stems that it sums", () => {
  assert.ok(hasSum(["vocals", "drums", "accompaniment"]));
  assert.ok(!hasSum(["vocals", "accompaniment"]));
  assert.ok(!hasSum(["vocals", "drums"]));
  assert.ok(hasSum(["vocals", "lead_vocals", "drums"]));
  assert.ok(!hasSum(["lead_vocals", "backing_vocals", "drums"]));
  assert.deepEqual([...mutedSums(["lead_vocals", "backing_vocals", "vocals"])], ["vocals"]);
  assert.ok(hasSum(["vocals", "bass", "no_drums"]));
  assert.ok(hasSum(["accompaniment", "no_drums"]));
  assert.ok(!hasSum(["drums", "no_drums"]));
});

test("sums are muted at first where they would count a stem twice", () => {
  const check = (stems: string[], muted: string[]) => assert.deepEqual([...mutedSums(stems)], muted, stems.join());
  check(["vocals", "drums", "bass", "other", "accompaniment"], ["accompaniment"]);
  check(["drums", "no_drums"], []);
  check(["vocals", "accompaniment"], []);
  check(["vocals", "drums", "no_drums", "no_bass"], ["no_drums", "no_bass"]);
  check(["vocals", "accompaniment", "no_drums"], ["no_drums"]);
  check(["no_drums", "no_bass"], ["no_bass"]);
});

test("stems without another one have names in both languages", () => {
  assert.deepEqual(["no_drums", "no_bass", "no_guitar", "no_choir", "choir"].map(en.stem), ["No drums", "No bass", "No guitar", "No choir", "choir"]);
  assert.deepEqual(["no_drums", "no_bass", "no_choir"].map(zh.stem), ["无鼓", "无贝斯", "无choir"]);
  assert.equal(en.sumHint(en.stem("drums")), "everything but drums");
  assert.deepEqual(stemsOf(named("no_drums", "drums")), ["drums", "no_drums"]);
});

test("the length of a song is that of the server, else estimated from the upload", () => {
  const check = (of: MessageInitShape<typeof SessionSchema>, uploadBytes: number | undefined, expected: number) =>
    assert.equal(lengthOf(session(of), uploadBytes), expected);
  check({}, 100, 0);
  check({ progress: { totalFrames: 500n, decodedFrames: 100n } }, 1000, 500);
  check({ progress: { decodedFrames: 100n }, committedBytes: 250n }, 1000, 400);
  check({ progress: { decodedFrames: 100n }, committedBytes: 250n }, undefined, 100);
  check({ progress: { decodedFrames: 100n }, committedBytes: 0n }, 1000, 100);
  check({ progress: { decodedFrames: 100n }, committedBytes: 1000n, uploadComplete: true }, 1000, 100);
  // The server has more bytes than this page has sent: another browser sends, too.
  check({ progress: { decodedFrames: 100n }, committedBytes: 2000n }, 1000, 100);
});

test("marks are few, and none is cut", () => {
  assert.deepEqual(marks(0), []);
  assert.deepEqual(marks(29.9), [0, 5, 10, 15, 20, 25]);
  assert.deepEqual(marks(240), [0, 30, 60, 90, 120, 150, 180]);
  assert.deepEqual(marks(11_338), [0, 3600, 7200]);
  for (const seconds of [0.3, 7, 59, 61, 3_599, 3_600, 28_800, 90_000]) {
    const made = marks(seconds);
    assert.ok(made[0] === 0 && made.at(-1)! < seconds * 0.9, `${seconds}: ${made}`);
    if (seconds <= 28_800) assert.ok(made.length <= 8, `${seconds}: ${made}`);
  }
});

test("the rate is that of the stems", () => {
  assert.equal(rateOf(session({})), 44_100);
  assert.equal(rateOf(session({ source: { outputSampleRate: 48_000 } })), 48_000);
});

test("the remaining time follows the recent pace", () => {
  const pace = new Pace(20_000);
  assert.equal(pace.left(1000, 0), null);
  pace.reached(0, 0);
  pace.reached(100, 300);
  assert.equal(pace.left(1000, 300), null, "too little to tell");
  pace.reached(200, 2_000);
  assert.equal(pace.left(1000, 2_000), 8);
  assert.equal(pace.left(1000, 5_000), 5, "the clock runs between two reports");
  assert.equal(pace.left(1000, 50_000), 0, "never less than none");
  // From then on it goes ten times as fast; what is long ago counts no more.
  for (let second = 3; second <= 60; second++) pace.reached(200 + (second - 2) * 1000, second * 1000);
  assert.equal(Math.round(pace.left(100_200, 60_000)!), 42);
});

test("a pace is reset when progress restarts", () => {
  const pace = new Pace();
  pace.reached(500, 0);
  pace.reached(900, 4_000);
  pace.reached(100, 5_000);
  assert.equal(pace.left(1000, 5_000), null);
  pace.reached(200, 6_000);
  assert.equal(pace.left(1000, 6_000), 8);
});

test("a session's state has a text and a share", () => {
  const check = (of: MessageInitShape<typeof SessionSchema>, text: string, mood: string, share: number | null) =>
    assert.deepEqual(sessionStatus(session(of)), { text, mood, share });
  const { RUNNING, UPLOADING, PAUSED, DONE, FAILED, CANCELLED } = SessionState;
  check({ state: UPLOADING }, words.value.preparing, "busy", null);
  check({ state: RUNNING, progress: { queuePosition: 2 } }, words.value.inQueue(2), "paused", null);
  check({ state: RUNNING, progress: { finishedFrames: 25n, totalFrames: 100n } }, words.value.separating, "busy", 0.25);
  check({ state: RUNNING, progress: { finishedFrames: 101n, totalFrames: 100n } }, words.value.separating, "busy", 1);
  check({ state: PAUSED, uploadComplete: true }, words.value.paused, "paused", null);
  check({ state: PAUSED }, words.value.uploadStopped, "paused", null);
  check({ state: PAUSED, uploadComplete: true, delay: { reason: "DISK_FULL" } }, words.value.delayed, "paused", null);
  check({ state: DONE }, words.value.done, "good", null);
  check({ state: FAILED }, words.value.failed, "bad", null);
  check({ state: CANCELLED }, words.value.cancelled, "paused", null);
});

test("a song without a name has a placeholder", () => {
  assert.equal(nameOf(session({})), words.value.untitled);
  assert.equal(nameOf(session({ config: { fileName: "a.mp3" } })), "a.mp3");
});

test("the facts on a model are those of the list, in both languages", () => {
  const quality = [{ data: "Multisong", source: "theirs", sdrDb: { vocals: 10.98 } }];
  const known = { name: "kim", stems: ["vocals"], licence: "MIT", commercialUse: true, storedBytes: 913_000_000n, quality };
  const facts = (speed?: { realTimeFactor: number; slowerThanRealTime: boolean; execution: string }) =>
    factsOf(create(ModelSchema, { ...known, ...(speed && { speed }) }));
  const last = (factor: number) =>
    facts({ realTimeFactor: factor, slowerThanRealTime: factor < 1, execution: "cpu f32" }).at(-1);
  assert.deepEqual(facts(), [
    "stems Vocals", "licence MIT; commercial use allowed", "size 913 MB", "SDR Vocals 10.98 dB on Multisong (theirs)",
    "speed not measured yet",
  ]);
  assert.equal(last(14.2), "speed 14 × real time (measured, cpu f32)");
  assert.equal(last(0.25), "speed 0.25 × real time, slower than real time: a minute of song takes 4.0 min (measured, cpu f32)");
  language.value = "zh";
  assert.match(last(0.25)!, /0\.25 倍，慢于实时.*4\.0 分钟/);
  language.value = "en";
});

test("only the measurement of the used engine is shown", () => {
  const cpu = { executionProvider: "cpu", precision: "f32" };
  const openvino = { executionProvider: "openvino", precision: "f32" };
  const bf16 = { executionProvider: "openvino", precision: "bf16" };
  const trials = [{ ...openvino, speed: 1.3, snrDb: 98 }, { ...bf16, message: "it is not there" }];
  const check = (engine: typeof cpu, execution: MessageInitShape<typeof ExecutionSchema> | undefined, expected: unknown) =>
    assert.deepEqual(measurementOf(create(EngineSchema, { model: "mini", ...engine }), [create(ModelSchema, { name: "mini", execution })]), expected);
  check(openvino, { ...openvino, trials }, { speed: 1.3, snrDb: 98 });
  check(cpu, { ...cpu, trials }, "reference");
  check(cpu, { ...cpu, trials: [] }, null);
  check(bf16, { ...bf16, trials }, null);
  // The server has been started again since.
  check(cpu, { ...openvino, trials }, null);
  check(openvino, { ...cpu, trials }, null);
  check(cpu, undefined, null);
  assert.equal(measurementOf(create(EngineSchema, { model: "gone", ...cpu }), []), null);
});
