import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { decodePcm } from "#stemwire/audio";
import { Received } from "#stemwire/received";
import { EngineChangeSchema, type Session, SessionSchema, SessionState, type StemChunk, StemChunkSchema } from "stemwire/proto";
import { newSha256 } from "./support.js";

/** Frames whose left sample is twice their position. */
function chunkOf(stem: string, start: number, frames: number): StemChunk {
  const samples = Float32Array.from({ length: 2 * frames }, (_, n) => 2 * start + n);
  return create(StemChunkSchema, { stem, startFrame: BigInt(start), pcm: new Uint8Array(samples.buffer), channels: 2 });
}

function sessionOf(...names: string[]): Session {
  const source = { outputSampleRate: 44_100 };
  return create(SessionSchema, { sessionId: "a", source, stems: names.map((name) => ({ name })), state: SessionState.RUNNING });
}

function receivedOf(...names: string[]): Received {
  const received = new Received({ encoding: "f32" }, newSha256, {});
  received.update(sessionOf(...names));
  return received;
}

test("each frame comes once and in order", () => {
  const received = receivedOf("drums", "bass");
  for (const [stem, start, frames, first, count, resume] of [
    ["drums", 0, 10, 0, 10, 0],
    ["bass", 0, 4, 0, 4, 4],
    // The next call begins with frame 4.
    ["drums", 4, 8, 10, 2, 4],
  ] as const) {
    const chunk = received.newFrames(chunkOf(stem, start, frames));
    assert.deepEqual([chunk?.startFrame, chunk?.frames, chunk?.samples[0]], [first, count, 2 * first]);
    assert.equal(received.resumeFrame, resume);
  }
  assert.equal(received.newFrames(chunkOf("drums", 4, 8)), undefined);
  assert.throws(() => received.newFrames(chunkOf("bass", 5, 1)), /frames 4 to 5 of bass/);
});

test("lengths and hashes are compared at the end", () => {
  const done = sessionOf("drums");
  done.state = SessionState.DONE;
  done.stems[0]!.frames = 10n;
  done.stems[0]!.sha256 = createHash("sha256").update(chunkOf("drums", 0, 10).pcm).digest();
  const received = receivedOf("drums");
  received.newFrames(chunkOf("drums", 0, 6));
  assert.throws(() => received.handle({ case: "done", value: done }), /6 of 10 frames/);
  received.newFrames(chunkOf("drums", 4, 6));
  received.handle({ case: "done", value: done });
  assert.ok(received.isDone);
  done.stems[0]!.sha256[0]! ^= 1;
  assert.throws(() => received.handle({ case: "done", value: done }), /SHA-256 of drums/);
});

test("a session that failed is not done", () => {
  const received = receivedOf("drums");
  received.handle({ case: "done", value: create(SessionSchema, { state: SessionState.FAILED }) });
  assert.ok(!received.isDone);
});

test("a change of engine is reported once, however many calls list it", () => {
  const changes: string[] = [];
  const received = new Received({ encoding: "f32" }, newSha256, { onEngineChange: ({ message }) => changes.push(message) });
  const change = (message: string) => create(EngineChangeSchema, { message, frame: 5n });
  received.handle({ case: "engineChange", value: change("one") });
  const session = sessionOf("drums");
  session.engineChanges = [change("one"), change("two")];
  received.update(session);
  assert.deepEqual(changes, ["one", "two"]);
});

test("samples are fractions of full scale, wherever they lie in memory", () => {
  assert.deepEqual([...decodePcm(Uint8Array.of(0, 0x80, 0, 0x40), "s16")], [-1, 0.5]);
  assert.deepEqual([...decodePcm(Uint8Array.of(0, 0, 0x80, 0, 0, 0x40), "s24")], [-1, 0.5]);
  const shifted = new Uint8Array(9);
  new DataView(shifted.buffer).setFloat32(1, -0.25, true);
  assert.deepEqual([...decodePcm(shifted.subarray(1), "f32")], [-0.25, 0]);
});
