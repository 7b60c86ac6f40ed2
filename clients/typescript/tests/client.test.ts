import assert from "node:assert/strict";
import { test } from "node:test";
import { Code, ConnectError } from "@connectrpc/connect";
import { StemwireError, UnreachableError } from "stemwire";
import type { Separation } from "#stemwire/separation";
import { FakeClient, FakeServer, refusal } from "./server.js";
import { noise } from "./support.js";

const SONG = noise(8 * 60_000);

/** The bytes of each stem, which must come once and in order. */
async function receive(separation: Separation): Promise<Record<string, Uint8Array>> {
  const stems = new Map<string, Uint8Array[]>();
  for await (const { stem, startFrame, pcm } of separation) {
    const pieces = stems.get(stem) ?? [];
    assert.equal(startFrame * 8, pieces.reduce((sum, { length }) => sum + length, 0));
    stems.set(stem, [...pieces, pcm]);
  }
  return Object.fromEntries([...stems].map(([name, pieces]) => [name, new Uint8Array(Buffer.concat(pieces))]));
}

const WHOLE = { vocals: SONG, drums: SONG };

for (const sending of ["stream", "calls"] as const) {
  test(`${sending}: a song has its stems, and a cut call continues where each stem is`, async () => {
    const server = new FakeServer();
    server.cuts = [3, 0, 6];
    const reconnects: number[] = [];
    const separation = new FakeClient(server, sending).separate(SONG, { onReconnect: (_, pauseMs) => reconnects.push(pauseMs) });
    assert.deepEqual(await receive(separation), WHOLE);
    assert.equal(reconnects.length, 3);
    assert.equal(separation.session?.sessionId, separation.requestId);
  });

  test(`${sending}: another process continues by the request id, and sends only what is missing`, async () => {
    const server = new FakeServer();
    const requestId = "11111111-1111-4111-8111-111111111111";
    const client = new FakeClient(server, sending);
    await receive(client.separate(SONG, { requestId }));
    const chunks = () => server.calls.filter((call) => call === "UploadChunk").length;
    const before = chunks();
    assert.deepEqual(await receive(client.separate(SONG, { requestId })), WHOLE);
    assert.equal(chunks(), before);
  });

  test(`${sending}: an error of the source ends the separation`, async () => {
    const broken = new Error("the microphone is gone");
    async function* recording(): AsyncGenerator<Uint8Array> {
      yield SONG;
      throw broken;
    }
    await assert.rejects(receive(new FakeClient(new FakeServer(), sending).separate(recording())), broken);
  });

  test(`${sending}: a refusal without RetryInfo is thrown at once, one with it is repeated`, async () => {
    const server = new FakeServer();
    const client = new FakeClient(server, sending);
    server.refusals = [refusal(Code.NotFound, "MODEL_UNKNOWN")];
    await assert.rejects(receive(client.separate(SONG)), (error) => error instanceof StemwireError && error.reason === "MODEL_UNKNOWN" && error.remedy === "Do so.");
    assert.equal(server.calls.length, 1);
    server.refusals = [refusal(Code.ResourceExhausted, "QUEUE_FULL", 1), refusal(Code.ResourceExhausted, "QUEUE_FULL", 1)];
    assert.deepEqual(await receive(client.separate(SONG)), WHOLE);
  });

  test(`${sending}: a server that has never answered is not called again`, async () => {
    const server = new FakeServer();
    server.refusals = [new ConnectError("refused", Code.Unavailable)];
    await assert.rejects(receive(new FakeClient(server, sending).separate(SONG)), UnreachableError);
    assert.equal(server.calls.length, 1);
  });

  test(`${sending}: a call that is cut before its first chunk is repeated`, async () => {
    const server = new FakeServer();
    server.cuts = [0, 0];
    assert.deepEqual(await receive(new FakeClient(server, sending).separate(SONG)), WHOLE);
  });

  test(`${sending}: failures without progress are retried so many times`, async () => {
    const server = new FakeServer();
    server.cuts = [2, 0, 0, 0, 0];
    await assert.rejects(receive(new FakeClient(server, sending).separate(SONG)), UnreachableError);
  });

  test(`${sending}: leaving the loop, closing and an aborted signal end the calls`, async () => {
    const client = new FakeClient(new FakeServer(), sending);
    for await (const _ of client.separate(SONG)) break;
    const closed = client.separate(SONG);
    await closed[Symbol.asyncIterator]().next();
    await closed.close();
    assert.ok((await closed[Symbol.asyncIterator]().next()).done);
    const abort = new AbortController();
    const aborted = client.separate(SONG, { signal: abort.signal });
    await assert.rejects(async () => {
      for await (const _ of aborted) abort.abort(new Error("enough"));
    }, /enough/);
  });
}

test("a watched session continues after a cut call; only its chosen stems come", async () => {
  const server = new FakeServer();
  const client = new FakeClient(server, "stream");
  const { sessionId } = await client.separate(SONG).wait();
  server.cuts = [5, 9];
  assert.deepEqual(await receive(client.watch(sessionId, { stems: ["drums"] })), { drums: SONG });
});

test("a stem is read from any frame, and continues after a cut call", async () => {
  const server = new FakeServer();
  const client = new FakeClient(server, "stream");
  const { sessionId } = await client.separate(SONG).wait();
  server.cuts = [2];
  const pieces: Uint8Array[] = [];
  for await (const { pcm } of client.stem(sessionId, "drums", { startFrame: 500, frameCount: 4000 })) pieces.push(pcm);
  assert.deepEqual(new Uint8Array(Buffer.concat(pieces)), SONG.subarray(8 * 500, 8 * 4500));
});

test("whole stems are samples in memory, and need all chunks", async () => {
  const client = new FakeClient(new FakeServer(), "stream");
  const samples = Float32Array.from({ length: 4000 }, (_, n) => n / 4000);
  const { vocals } = await client.separate({ samples, sampleRate: 44_100 }).stems();
  assert.deepEqual(vocals?.samples, samples);
  const begun = client.separate(SONG);
  for await (const _ of begun) break;
  await assert.rejects(begun.stems(), /some were read before/);
});

test("a session is filled in steps, which a cut call does not end", async () => {
  const server = new FakeServer();
  const client = new FakeClient(server, "stream");
  const { sessionId } = await client.createSession();
  server.refusals = [refusal(Code.Unavailable, "SHUTTING_DOWN", 1)];
  assert.ok((await client.upload(sessionId, SONG)).uploadComplete);
  assert.deepEqual(await receive(client.watch(sessionId)), WHOLE);
});
