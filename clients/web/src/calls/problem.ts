/** What went wrong, as the page knows it: a reason of the server's, or one of its own. */
import { Code, ConnectError } from "@connectrpc/connect";
import { ErrorInfoSchema, RequestInfoSchema, RetryInfoSchema } from "../generated/google/rpc/error_details_pb";
import type { SessionError } from "../generated/stemwire/v1/session_pb";

export interface Problem {
  /** An UPPER_SNAKE name: one of the protocol's, or one of {@link OwnReason}. */
  readonly reason: string;
  /** The server's own words, in English; empty where the page found the problem itself. */
  readonly message: string;
  /** The numbers behind it. */
  readonly numbers: Readonly<Record<string, string>>;
  /** Whether the same again may go well, with nothing changed by anybody. */
  readonly passing: boolean;
  /** How long the server asks to wait, in milliseconds. */
  readonly waitMs: number;
  /** The id of the refused call, by which it is found in the server's log; empty where no call was refused. */
  readonly requestId: string;
}

/** Problems that the server does not know of. */
export type OwnReason = "CONNECTION_LOST" | "FILE_UNREADABLE" | "FILE_DIFFERS" | "NO_SOUND";

export function ownProblem(reason: OwnReason, message = ""): Problem {
  return { reason, message, numbers: {}, passing: reason === "CONNECTION_LOST", waitMs: 0, requestId: "" };
}

/** Problems of the server that go away by themselves. */
const PASSING = new Set(["SHUTTING_DOWN", "QUEUE_FULL", "DISK_FULL", "STORAGE_FULL", "DEADLINE_EXCEEDED"]);

export function toProblem(error: unknown): Problem {
  const failure = ConnectError.from(error);
  const info = failure.findDetails(ErrorInfoSchema).find((info) => info.domain === "stemwire");
  // Without the server's own reason it was not the server that answered, or nobody did.
  if (!info) return ownProblem("CONNECTION_LOST", failure.rawMessage);
  const delay = failure.findDetails(RetryInfoSchema)[0]?.retryDelay;
  const waitMs = delay ? Number(delay.seconds) * 1000 + delay.nanos / 1e6 : 0;
  const passing = PASSING.has(info.reason) || failure.code === Code.Aborted;
  const requestId = failure.findDetails(RequestInfoSchema)[0]?.requestId ?? "";
  return { reason: info.reason, message: failure.rawMessage, numbers: info.metadata, passing, waitMs, requestId };
}

/** The problem that a failed session keeps. */
export function ofSession(error: SessionError): Problem {
  return { reason: error.reason, message: error.message, numbers: error.metadata, passing: false, waitMs: 0, requestId: "" };
}

export function isAbort(error: unknown): boolean {
  return error instanceof DOMException && error.name === "AbortError"
    || error instanceof ConnectError && error.code === Code.Canceled && error.findDetails(ErrorInfoSchema).length === 0;
}
