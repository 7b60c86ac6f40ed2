import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import { Code } from "@connectrpc/connect";
import { UploadChunkRequestSchema as Chunk } from "stemwire/proto";
import { ChunkSize, LARGEST_CHUNK } from "stemwire/src/chunk_size";
import type { Problem } from "../src/calls/problem";
import { send, Stopped } from "../src/upload/send";
import { FakeServer, impatient, Refusal, song } from "./server";

const ID = "a-session";
const FILE = song(3_000_000);

let server: FakeServer;
let restoreTimers: () => void;
beforeEach(() => {
  server = new FakeServer();
  restoreTimers = impatient();
});
afterEach(() => restoreTimers());

interface Calls {
  readonly sent: number[];
  readonly waits: { problem: Problem; until: number }[];
}

/** Sends the file to its end. */
async function sent(held = 0, file: Blob = new Blob([FILE]), abort = new AbortController()): Promise<Calls> {
  const calls: Calls = { sent: [], waits: [] };
  const sending = {
    sent: (bytes: number) => void calls.sent.push(bytes),
    waiting: (problem: Problem | null, until: number) => void (problem && calls.waits.push({ problem, until })),
  };
  await send(ID, file, held, sending, abort.signal);
  return calls;
}

async function stopped(held: number, file?: Blob): Promise<Problem> {
  try {
    await sent(held, file);
  } catch (error) {
    assert.ok(error instanceof Stopped, String(error));
    return error.problem;
  }
  return assert.fail("it was sent");
}

function checkWhole(): void {
  const held = server.sessions.get(ID)!;
  assert.ok(held.complete);
  assert.deepEqual(held.bytes, FILE);
}

const chunks = () => server.called("UploadChunk", Chunk).map(({ offset, data }) => ({ from: Number(offset), to: Number(offset) + data.length }));

test("a file is sent from its first byte to its last, each once", async () => {
  server.open(ID);
  const { sent: positions } = await sent();
  checkWhole();
  assert.deepEqual(positions, [...positions].sort((a, b) => a - b));
  assert.equal(positions.at(-1), FILE.length);
  let next = 0;
  for (const { from, to } of chunks()) {
    assert.equal(from, next);
    assert.ok(to - from <= LARGEST_CHUNK);
    next = to;
  }
});

test("an empty file is sent, and refused by the server", async () => {
  server.open(ID);
  await sent(0, new Blob([]));
  assert.deepEqual(server.calls.map(({ name }) => name), ["FinishUpload"]);
});

for (const [what, fault] of [["request", "lost"], ["response", "answer lost"]] as const) {
  test(`a chunk whose ${what} is lost is sent again, and the problem is reported until it is accepted`, async () => {
    server.open(ID);
    server.faults.set("UploadChunk 1", fault).set("UploadChunk 2", fault);
    const { waits } = await sent();
    checkWhole();
    assert.deepEqual(waits.map(({ problem }) => problem.reason), ["CONNECTION_LOST", "CONNECTION_LOST"]);
    const [, first, second, third] = chunks();
    assert.equal(second!.from, first!.from);
    assert.equal(third!.from, first!.from);
    assert.ok(third!.to < second!.to && second!.to < first!.to, "less is risked with every try");
  });

  test(`an upload is ended again if the ${what} of its end is lost`, async () => {
    server.open(ID);
    server.faults.set("FinishUpload 0", fault);
    await sent();
    checkWhole();
  });
}

test("bytes that the server has lost are sent again", async () => {
  server.open(ID);
  server.onCall = ({ name }) => {
    if (name !== "UploadChunk" || chunks().length !== 3) return;
    // It lost its last bytes with its power.
    server.sessions.get(ID)!.bytes = FILE.slice(0, 70_000);
  };
  const { sent: positions } = await sent();
  checkWhole();
  assert.ok(positions.includes(70_000));
});

test("a continued upload first repeats both ends of the stored bytes", async () => {
  const held = 1_000_000;
  server.open(ID, FILE.slice(0, held));
  await sent(held);
  checkWhole();
  const [first, last, next] = chunks();
  assert.equal(first!.from, 0);
  assert.equal(last!.to, held);
  assert.equal(next!.from, held);
  assert.ok(first!.to + last!.to - last!.from < held / 4, "not all of it again");
});

test("another file than that of the session is not sent", async () => {
  const begun = FILE.slice(0, 500_000);
  server.open(ID, begun);
  assert.equal((await stopped(begun.length, new Blob([song(3_000_000, 2)]))).reason, "FILE_DIFFERS");
  // The same beginning, and another middle.
  const other = FILE.slice();
  other[begun.length - 1]! ^= 1;
  assert.equal((await stopped(begun.length, new Blob([other]))).reason, "FILE_DIFFERS");
  const calls = server.calls.length;
  assert.equal((await stopped(begun.length, new Blob([FILE.slice(0, 400_000)]))).reason, "FILE_DIFFERS");
  assert.equal(server.calls.length, calls, "a shorter one is another without asking");
  assert.deepEqual(server.sessions.get(ID)!.bytes, begun);
});

test("a permanent error stops the upload with the server's reason and numbers", async () => {
  server.open(ID);
  server.faults.set("UploadChunk 1", new Refusal(Code.ResourceExhausted, "UPLOAD_TOO_LARGE", { limit_bytes: "200000" }));
  const problem = await stopped(0);
  assert.equal(problem.reason, "UPLOAD_TOO_LARGE");
  assert.equal(problem.numbers["limit_bytes"], "200000");
  assert.equal(problem.requestId, "UploadChunk 1");
  assert.equal(server.calls.length, 2);
});

test("a temporary error is retried after the delay of the server", async () => {
  server.open(ID);
  server.faults.set("UploadChunk 1", new Refusal(Code.ResourceExhausted, "DISK_FULL", {}, 60));
  const before = Date.now();
  const { waits } = await sent();
  checkWhole();
  assert.equal(waits[0]?.problem.reason, "DISK_FULL");
  assert.ok(waits[0]!.until - before >= 60_000);
});

test("a file that can no longer be read is reported", async () => {
  server.open(ID);
  const gone = new DOMException("it was changed", "NotReadableError");
  const file = { size: 100, slice: () => ({ arrayBuffer: () => Promise.reject(gone) }) } as unknown as Blob;
  const problem = await stopped(0, file);
  assert.equal(problem.reason, "FILE_UNREADABLE");
  assert.ok(!problem.passing);
});

for (const [when, fault] of [["sends", undefined], ["waits", "lost"]] as const) {
  test(`an upload that is removed while it ${when} stops at once`, async () => {
    server.open(ID);
    restoreTimers();
    if (fault) server.faults.set("UploadChunk 1", fault);
    const abort = new AbortController();
    server.onCall = () => {
      if (chunks().length === 2) setImmediate(() => setImmediate(() => abort.abort()));
    };
    await assert.rejects(sent(0, new Blob([FILE]), abort), (error) => !(error instanceof Stopped));
    const calls = server.calls.length;
    await new Promise((later) => setTimeout(later, 20));
    assert.equal(server.calls.length, calls);
    assert.ok(!server.sessions.get(ID)!.complete);
  });
}

test("chunks grow up to the server's limit while calls are fast, and shrink when they are slow or lost", () => {
  const size = new ChunkSize();
  const first = size.bytes;
  size.took(first, 100);
  assert.equal(size.bytes, 2 * first);
  size.took(10, 100);
  assert.equal(size.bytes, 2 * first, "a short chunk at the end has no effect");
  size.took(size.bytes, 1_000);
  assert.equal(size.bytes, 2 * first, "about half a second is right");
  for (let n = 0; n < 20; n++) size.took(size.bytes, 1);
  assert.equal(size.bytes, LARGEST_CHUNK);
  size.took(size.bytes, 5_000);
  assert.equal(size.bytes, LARGEST_CHUNK / 2);
  for (let n = 0; n < 20; n++) size.failed();
  assert.ok(size.bytes > 0 && size.bytes <= first);
});
