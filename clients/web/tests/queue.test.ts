import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import { CreateSessionRequestSchema, SessionSchema, UploadChunkRequestSchema } from "stemwire/proto";
import { again, continueWith, drop, enqueue, isSending, onCreated, type Upload, uploadOf, uploads } from "../src/upload/queue";
import { remembered } from "../src/upload/remembered";
import { FakeServer, impatient, Refusal, song } from "./server";

const ALL = { model: "", stems: [] };

let server: FakeServer;
let restoreTimers: () => void;
beforeEach(() => {
  server = new FakeServer();
  restoreTimers = impatient();
});
afterEach(() => {
  restoreTimers();
  for (const upload of uploads.value) drop(upload);
  onCreated(() => undefined);
});

const file = (name: string, bytes = song(300_000)) => new File([bytes], name);

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((later) => setTimeout(later, 1));
}

const stages = () => uploads.value.map(({ stage }) => stage.value);
const at = (place: number): Upload => uploads.value[place]!;
const ended = (upload: Upload) => ["sent", "stopped"].includes(upload.stage.value);

test("files are sent one after the other, each into a session of its own", async () => {
  const made: [string, boolean][] = [];
  onCreated((session, upload) => void made.push([session.sessionId, upload.first]));
  enqueue([file("one.wav"), file("two.wav", song(200_000, 2))], { model: "mini", stems: ["vocals", "bass"] });
  enqueue([file("three.wav", song(250_000, 3))], ALL);
  assert.ok(isSending());
  await until(() => uploads.value.every(ended));
  assert.deepEqual(stages(), ["sent", "sent", "sent"]);
  assert.ok(!isSending());
  assert.deepEqual(made, [["session-1", true], ["session-2", false], ["session-3", true]]);
  const held = [...server.sessions.values()].map(({ bytes, complete }) => [bytes.length, complete]);
  assert.deepEqual(held, [[300_000, true], [200_000, true], [250_000, true]]);
  const called = server.calls.map(({ message }) => (message as { sessionId?: string }).sessionId).filter((id) => id);
  assert.deepEqual(called, [...called].sort(), "none before the one before it has ended");
  const [config] = server.called("CreateSession", CreateSessionRequestSchema).map(({ config }) => config!);
  assert.deepEqual([config!.fileName, config!.model, config!.stems], ["one.wav", "mini", ["vocals", "bass"]]);
});

test("a part of a song is a setting of its session", async () => {
  enqueue([file("one.wav")], { ...ALL, part: { start: 70, end: 100.5 } });
  enqueue([file("two.wav")], { ...ALL, part: { start: 70, end: null } });
  enqueue([file("three.wav")], ALL);
  await until(() => uploads.value.every(ended));
  const configs = server.called("CreateSession", CreateSessionRequestSchema).map(({ config }) => config!);
  assert.deepEqual(configs.map(({ startS, endS }) => [startS, endS]), [[70, 100.5], [70, undefined], [0, undefined]]);
});

test("a session whose response is lost is not created twice", async () => {
  server.faults.set("CreateSession 0", "answer lost");
  enqueue([file("one.wav")], ALL);
  await until(() => ended(at(0)));
  assert.equal(at(0).stage.value, "sent");
  assert.equal(server.sessions.size, 1);
  const ids = server.called("CreateSession", CreateSessionRequestSchema).map(({ config }) => config!.requestId);
  assert.deepEqual(ids, [at(0).id, at(0).id]);
});

test("a stopped upload lets the next one start, reports why, and continues on request", async () => {
  server.faults.set("UploadChunk 0", new Refusal(Code.ResourceExhausted, "UPLOAD_TOO_LARGE", { limit_bytes: "5" }));
  enqueue([file("one.wav"), file("two.wav")], ALL);
  await until(() => uploads.value.every(ended));
  assert.deepEqual(stages(), ["stopped", "sent"]);
  assert.equal(at(0).problem.value?.reason, "UPLOAD_TOO_LARGE");
  again(at(0));
  assert.equal(at(0).problem.value, null);
  await until(() => ended(at(0)));
  assert.equal(at(0).stage.value, "sent");
  assert.equal(server.sessions.size, 2, "into the session that it had");
});

test("a full queue is retried, and the time of the next attempt is shown", async () => {
  restoreTimers();
  server.faults.set("CreateSession 0", new Refusal(Code.ResourceExhausted, "QUEUE_FULL", {}, 10));
  const before = Date.now();
  enqueue([file("one.wav")], ALL);
  await until(() => at(0).problem.value !== null);
  assert.equal(at(0).problem.value?.reason, "QUEUE_FULL");
  assert.ok(at(0).goesOnAt.value >= before + 10_000);
  assert.equal(at(0).stage.value, "sending");
  restoreTimers = impatient();
  await until(() => ended(at(0)));
  assert.deepEqual([at(0).stage.value, at(0).problem.value, at(0).goesOnAt.value], ["sent", null, 0]);
});

test("a removed upload is not sent and delays no other", async () => {
  enqueue([file("one.wav"), file("two.wav"), file("three.wav")], ALL);
  const [one, two] = [at(0), at(1)];
  drop(two);
  await until(() => one.sessionId.value !== null);
  drop(one);
  await until(() => uploads.value.every(ended));
  assert.deepEqual(uploads.value.map((upload) => [upload.file.name, upload.stage.value]), [["three.wav", "sent"]]);
  const names = server.called("CreateSession", CreateSessionRequestSchema).map(({ config }) => config!.fileName);
  assert.deepEqual(names, ["one.wav", "three.wav"]);
});

test("after a reload a session continues with its own file only", async () => {
  const bytes = song(300_000);
  server.open("held", bytes.slice(0, 100_000));
  const session = create(SessionSchema, { sessionId: "held", committedBytes: 100_000n });
  continueWith(session, file("another.wav", song(300_000, 7)));
  await until(() => ended(at(0)));
  assert.equal(at(0).problem.value?.reason, "FILE_DIFFERS");
  continueWith(session, file("the same.wav", bytes));
  assert.equal(uploads.value.length, 1, "it takes the place of the one that stopped");
  assert.equal(uploadOf("held"), at(0));
  assert.equal(at(0).sentBytes.value, 100_000);
  await until(() => ended(at(0)));
  assert.deepEqual(server.sessions.get("held")!.bytes, bytes);
  assert.ok(server.sessions.get("held")!.complete);
  const fresh = server.called("UploadChunk", UploadChunkRequestSchema).filter(({ offset }) => Number(offset) >= 100_000);
  assert.equal(fresh.reduce((sum, { data }) => sum + data.length, 0), 200_000);
});

test("the browser remembers the file of each session", async () => {
  enqueue([file("one.wav")], ALL);
  await until(() => ended(at(0)));
  assert.deepEqual(remembered("session-1"), { sessionId: "session-1", name: "one.wav", bytes: 300_000 });
  for (const broken of ["{", "7", '[{"sessionId":"x"}, null, 4]']) {
    localStorage.setItem("stemwire.uploads", broken);
    assert.equal(remembered("x"), undefined);
  }
});
