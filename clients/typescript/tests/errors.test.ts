import assert from "node:assert/strict";
import { test } from "node:test";
import { create, getExtension } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { fromCall } from "#stemwire/errors";
import { Failures } from "#stemwire/retry";
import { SessionCancelledError, SessionNotFoundError, SongError, StemwireError, UnreachableError } from "stemwire";
import { error as errorOptions, ErrorInfoSchema, ErrorOptions_Category, ErrorReasonSchema, RequestInfoSchema, RetryInfoSchema } from "stemwire/proto";

const RETRY = { attempts: 3, firstPauseMs: 100, longestPauseMs: 250 };

function refusal(code: Code, reason: string, retryS = 0, remedy = "", domain = "stemwire"): ConnectError {
  const metadata = { limit_bytes: "5", ...(remedy && { remedy }) };
  const info = { desc: ErrorInfoSchema, value: create(ErrorInfoSchema, { reason, domain, metadata }) };
  const request = { desc: RequestInfoSchema, value: create(RequestInfoSchema, { requestId: "call-1" }) };
  const retry = { desc: RetryInfoSchema, value: create(RetryInfoSchema, { retryDelay: { seconds: BigInt(retryS), nanos: 500_000_000 } }) };
  return new ConnectError("the cause", code, undefined, retryS > 0 ? [info, request, retry] : [info, request]);
}

function convert(thrown: unknown): StemwireError {
  const error = fromCall(thrown, "http://a.test");
  assert.ok(error instanceof StemwireError);
  return error;
}

test("an error has the reason, cause, remedy, values and request id of the server", () => {
  const { code, reason, message, remedy, metadata, retryAfterMs, requestId } = convert(refusal(Code.ResourceExhausted, "QUEUE_FULL", 10, "Wait."));
  assert.deepEqual(
    { code, reason, message, remedy, metadata, retryAfterMs, requestId },
    {
      code: Code.ResourceExhausted, reason: "QUEUE_FULL", message: "the cause", remedy: "Wait.", metadata: { limit_bytes: "5" },
      retryAfterMs: 10_500, requestId: "call-1",
    },
  );
});

test("every reason has its class and a remedy, and is repeated where the answer has RetryInfo and only then", () => {
  const reasons = ErrorReasonSchema.values.filter(({ number }) => number > 0);
  assert.ok(reasons.length > 60);
  for (const { name, proto } of reasons) {
    const { code, retryAfterS, category, remedy } = getExtension(proto.options!, errorOptions);
    const reason = name.replace(/^ERROR_REASON_/, "");
    const special = { SESSION_NOT_FOUND: SessionNotFoundError, SESSION_CANCELLED: SessionCancelledError }[reason];
    const expected = special ?? (category === ErrorOptions_Category.INPUT ? SongError : StemwireError);
    const error = convert(refusal(code as number as Code, reason, retryAfterS));
    assert.equal(error.constructor, expected, reason);
    assert.equal(error.remedy, remedy, reason);
    const pause = new Failures(RETRY).pauseAfter(error, [0, 0], true);
    assert.equal(pause, retryAfterS > 0 ? retryAfterS * 1000 + 500 : undefined, reason);
    assert.equal(new Failures(RETRY).pauseAfter(convert(refusal(code as number as Code, reason)), [0, 0], true), undefined, reason);
  }
});

test("without details of the server, the connection is lost or another program answered", () => {
  const answered = new ConnectError("refused", Code.PermissionDenied);
  for (const [thrown, isLost] of [
    [new ConnectError("502", Code.Unavailable), true],
    [new ConnectError("reset", Code.Aborted), true],
    [new ConnectError("cut", Code.InvalidArgument), true],
    [refusal(Code.Internal, "PROXY", 0, "", "elsewhere.test"), true],
    [answered, false],
    [new ConnectError("late", Code.DeadlineExceeded), false],
  ] as const) {
    const error = convert(thrown);
    assert.equal(error instanceof UnreachableError, isLost, thrown.message);
    assert.equal(error.reason, "");
    assert.ok(error.remedy.endsWith("."));
    assert.equal(new Failures(RETRY).pauseAfter(error, [0, 0], true) !== undefined, isLost);
  }
  const ours = new TypeError("of the application");
  assert.equal(fromCall(ours, ""), ours);
});

test("a server that has never answered is not called again", () => {
  const lost = convert(new ConnectError("refused", Code.Unavailable));
  assert.equal(new Failures(RETRY).pauseAfter(lost, [0, 0], false), undefined);
});

test("pauses double up to the longest, for so many failures without progress", () => {
  const lost = convert(new ConnectError("reset", Code.Unavailable));
  const failures = new Failures(RETRY);
  const check = (frames: number, full: number) => {
    const pause = failures.pauseAfter(lost, [0, frames], true);
    assert.ok(pause !== undefined && pause <= full && pause >= 0.75 * full, `${pause} for ${full}`);
  };
  for (const full of [100, 200, 250]) check(0, full);
  assert.equal(failures.pauseAfter(lost, [0, 0], true), undefined);
  for (const full of [100, 200]) check(1, full);
  check(2, 100);
});
