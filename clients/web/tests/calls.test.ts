import assert from "node:assert/strict";
import { test } from "node:test";
import { create, getExtension } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { error as errorOptions, ErrorInfoSchema, ErrorReasonSchema, RetryInfoSchema, SessionErrorSchema } from "stemwire/proto";
import { randomUuid } from "stemwire/src/uuid";
import { mixAddress, peaksAddress, stemAddress, zipAddress } from "../src/calls/addresses";
import { Backoff, sleep } from "../src/calls/backoff";
import { isAbort, ofSession, toProblem } from "../src/calls/problem";
import { remember, remembered } from "../src/upload/remembered";

function refused(code: Code, reason: string, domain = "stemwire", retry?: { seconds: bigint; nanos: number }): ConnectError {
  const info = { desc: ErrorInfoSchema, value: create(ErrorInfoSchema, { reason, domain, metadata: { limit_bytes: "5", remedy: "Wait." } }) };
  const later = retry && { desc: RetryInfoSchema, value: create(RetryInfoSchema, { retryDelay: retry }) };
  return new ConnectError("in its words", code, undefined, later ? [info, later] : [info]);
}

test("a problem has the server's reason, message, numbers and retry delay", () => {
  const problem = toProblem(refused(Code.ResourceExhausted, "QUEUE_FULL", "stemwire", { seconds: 10n, nanos: 500_000_000 }));
  assert.deepEqual(problem, { reason: "QUEUE_FULL", message: "in its words", numbers: { limit_bytes: "5" }, passing: true, waitMs: 10_500, requestId: "" });
});

test("a call is repeated where its answer has RetryInfo, whatever the reason and the code", () => {
  const reasons = ErrorReasonSchema.values.filter(({ number }) => number > 0);
  assert.ok(reasons.length > 60);
  for (const { name, proto } of reasons) {
    const { code, retryAfterS } = getExtension(proto.options!, errorOptions);
    const reason = name.replace(/^ERROR_REASON_/, "");
    const retry = retryAfterS > 0 ? { seconds: BigInt(retryAfterS), nanos: 0 } : undefined;
    const problem = toProblem(refused(code as number as Code, reason, "stemwire", retry));
    assert.deepEqual([problem.passing, problem.waitMs], [retryAfterS > 0, retryAfterS * 1000], reason);
    assert.ok(!toProblem(refused(code as number as Code, reason)).passing, `${reason} without RetryInfo`);
  }
});

test("without an ErrorInfo, the connection is lost", () => {
  for (const error of [new TypeError("fetch failed"), new ConnectError("502", Code.Unavailable), refused(Code.Internal, "PROXY", "elsewhere.example")]) {
    const { reason, passing } = toProblem(error);
    assert.deepEqual([reason, passing], ["CONNECTION_LOST", true]);
  }
});

test("the problem of a failed session is permanent", () => {
  const error = create(SessionErrorSchema, { reason: "CODEC_UNSUPPORTED", message: "opus", metadata: { codec: "opus" } });
  assert.deepEqual(ofSession(error), { reason: "CODEC_UNSUPPORTED", message: "opus", numbers: { codec: "opus" }, passing: false, waitMs: 0, requestId: "" });
});

test("an aborted call is no problem, but CANCELLED of the server is", () => {
  assert.ok(isAbort(new DOMException("gone", "AbortError")));
  assert.ok(isAbort(new ConnectError("gone", Code.Canceled)));
  assert.ok(!isAbort(refused(Code.Canceled, "SESSION_CANCELLED")));
  assert.ok(!isAbort(new TypeError("gone")));
});

test("delays grow to ten seconds, with jitter, and are reset after a success", () => {
  const backoff = new Backoff();
  const check = (wait: number, full: number) => assert.ok(wait >= full * 0.75 && wait <= full * 1.25, `${wait} for ${full}`);
  for (const full of [500, 1000, 2000, 4000, 8000, 10_000, 10_000]) check(backoff.next(), full);
  backoff.reset();
  check(backoff.next(), 500);
  assert.equal(backoff.next(60_000), 60_000, "never less than the server asks");
  assert.ok(new Set(Array.from({ length: 20 }, () => new Backoff().next())).size > 10, "never all at the same moment");
});

test("a wait ends when the browser is online, and is aborted by its signal", async () => {
  const never = 1_000_000;
  const online = sleep(never, new AbortController().signal);
  dispatchEvent(new Event("online"));
  await online;
  const abort = new AbortController();
  const aborted = sleep(never, abort.signal);
  abort.abort();
  await assert.rejects(aborted, { name: "AbortError" });
  await assert.rejects(sleep(never, abort.signal), { name: "AbortError" });
});

test("a random id is a unique UUID of version 4", () => {
  const ids = Array.from({ length: 100 }, randomUuid);
  for (const id of ids) assert.match(id, /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  assert.equal(new Set(ids).size, ids.length);
});

test("addresses are those of the server's routes", () => {
  assert.equal(stemAddress("id", "vocals", "flac", "stereo"), "download/id/vocals?format=flac");
  assert.equal(zipAddress("id", "wav-s24", "source"), "download/id.zip?format=wav-s24&channels=source");
  assert.equal(
    mixAddress("id", "vocals:-inf,drums:0", "mp3", "source"),
    "download/id/mix?gains=vocals:-inf,drums:0&format=mp3&channels=source",
  );
  assert.equal(peaksAddress("id", "bass", 100), "api/sessions/id/peaks/bass?from=100");
});

test("the latest fifty uploads are remembered", () => {
  localStorage.clear();
  for (let number = 0; number < 60; number++) remember({ sessionId: `s${number}`, name: `${number}.wav`, bytes: number });
  remember({ sessionId: "s30", name: "again.wav", bytes: 1 });
  assert.equal(remembered("s5"), undefined);
  assert.equal(remembered("s59")?.bytes, 59);
  assert.equal(remembered("s30")?.name, "again.wav");
});

test("a browser without storage is no error", () => {
  const { setItem } = localStorage;
  localStorage.setItem = () => {
    throw new DOMException("full", "QuotaExceededError");
  };
  remember({ sessionId: "forgotten", name: "x", bytes: 1 });
  localStorage.setItem = setItem;
  assert.equal(remembered("forgotten"), undefined);
});
