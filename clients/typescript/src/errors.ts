/** The errors of this package. */
import { getExtension } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { readDetails } from "./details.js";
import {
  error as errorOptions,
  type ErrorOptions,
  ErrorOptions_Category as Category,
  ErrorReasonSchema,
} from "./generated/stemwire/v1/error_reason_pb.js";

/** What is known of a failed call. */
export interface Failure {
  readonly code: Code;
  readonly reason?: string;
  readonly message: string;
  readonly remedy?: string;
  readonly metadata?: Readonly<Record<string, string>>;
  readonly retryAfterMs?: number | undefined;
  readonly requestId?: string;
}

/** A call failed. `message` is the cause. The base of all errors of this package. */
export class StemwireError extends Error {
  override readonly name: string = "StemwireError";
  /** The gRPC code. */
  readonly code: Code;
  /** The reason, such as "CODEC_UNSUPPORTED"; empty if the server has not answered. */
  readonly reason: string;
  /** One imperative sentence. */
  readonly remedy: string;
  /** Values and limits behind the message. */
  readonly metadata: Readonly<Record<string, string>>;
  /** Milliseconds after which the same call can succeed; `undefined` if a retry cannot help. */
  readonly retryAfterMs: number | undefined;
  /** The id of the call in the server's log; empty if the server has not answered. */
  readonly requestId: string;

  constructor(failure: Failure, options?: { readonly cause?: unknown }) {
    super(failure.message, options);
    this.code = failure.code;
    this.reason = failure.reason ?? "";
    this.remedy = failure.remedy || optionsOf(this.reason)?.remedy || "See the server log, or try again later.";
    this.metadata = failure.metadata ?? {};
    this.retryAfterMs = failure.retryAfterMs;
    this.requestId = failure.requestId ?? "";
  }
}


/** The server does not answer, or the connection broke. */
export class UnreachableError extends StemwireError {
  override readonly name = "UnreachableError";
}

/** The song cannot be separated, now or later: it is not audio, too long, empty. */
export class SongError extends StemwireError {
  override readonly name = "SongError";
}

/** The session does not exist. */
export class SessionNotFoundError extends StemwireError {
  override readonly name = "SessionNotFoundError";
}

/** The session was cancelled; the final frames of its stems stay readable. */
export class SessionCancelledError extends StemwireError {
  override readonly name = "SessionCancelledError";
}

/** Converts what a call was rejected with; other values are returned as they are. */
export function fromCall(thrown: unknown, server: string): unknown {
  if (!(thrown instanceof ConnectError)) return thrown;
  const { code, rawMessage: message } = thrown;
  const details = readDetails(thrown);
  if (details) return new (classOf(details.reason))({ code, message, ...details }, { cause: thrown });
  if (!isBroken(thrown)) return new StemwireError({ code, message: message || `${server} refuses the call` }, { cause: thrown });
  const remedy = "Start it with `stemwire serve`, or check its address: https:// with TLS.";
  return new UnreachableError({ code, message: `${server} does not answer: ${message}`, remedy }, { cause: thrown });
}

/** The error of an answer that contradicts the protocol or an earlier answer. */
export function invalidAnswer(problem: string): StemwireError {
  return new StemwireError({
    code: Code.DataLoss,
    reason: "ANSWER_INVALID",
    message: `the server's answer is invalid: ${problem}`,
    remedy: "Use the same version of client and server.",
  });
}

/** Whether an error without the server's details is one of the connection or of a proxy. */
function isBroken({ code, isWireError }: ConnectError): boolean {
  switch (code) {
    case Code.Unavailable:
    case Code.Unknown:
    case Code.Internal:
    case Code.Canceled:
    case Code.Aborted:
      return true;
    case Code.InvalidArgument:
    case Code.DataLoss:
      // The client's own, of a message that was cut.
      return !isWireError;
    default:
      return false;
  }
}

function classOf(reason: string): typeof StemwireError {
  if (reason === "SESSION_NOT_FOUND") return SessionNotFoundError;
  if (reason === "SESSION_CANCELLED") return SessionCancelledError;
  return optionsOf(reason)?.category === Category.INPUT ? SongError : StemwireError;
}

/** The contract of a reason; `undefined` for one of a later version. */
function optionsOf(reason: string): ErrorOptions | undefined {
  const value = ErrorReasonSchema.values.find(({ name }) => name === `ERROR_REASON_${reason}`);
  return value?.proto.options && getExtension(value.proto.options, errorOptions);
}
