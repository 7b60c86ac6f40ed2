/** Problems: reasons of the server and of the page itself. */
import { Code, ConnectError } from "@connectrpc/connect";
import type { SessionError } from "stemwire/proto";
import { readDetails } from "stemwire/src/details";

export interface Problem {
  /** An UPPER_SNAKE name: a reason of the protocol, or one of {@link OwnReason}. */
  readonly reason: string;
  /** The server's message, in English; empty for problems of the page itself. */
  readonly message: string;
  /** Numbers and names behind the message. */
  readonly numbers: Readonly<Record<string, string>>;
  /** Whether a retry can help: the response has RetryInfo, or the connection failed. */
  readonly passing: boolean;
  /** Delay requested by the server, in milliseconds. */
  readonly waitMs: number;
  /** The id of the refused call, as in the server's log; empty if no call was refused. */
  readonly requestId: string;
}

/** Reasons of the page itself. */
export type OwnReason = "CONNECTION_LOST" | "FILE_UNREADABLE" | "FILE_DIFFERS" | "NO_SOUND";

export function ownProblem(reason: OwnReason, message = ""): Problem {
  return { reason, message, numbers: {}, passing: reason === "CONNECTION_LOST", waitMs: 0, requestId: "" };
}

export function toProblem(error: unknown): Problem {
  const failure = ConnectError.from(error);
  const details = readDetails(failure);
  // Without details of the server, the connection failed or a proxy answered.
  if (!details) return ownProblem("CONNECTION_LOST", failure.rawMessage);
  const { reason, metadata: numbers, retryAfterMs, requestId } = details;
  return { reason, message: failure.rawMessage, numbers, passing: retryAfterMs !== undefined, waitMs: retryAfterMs ?? 0, requestId };
}

/** The problem of a failed session. */
export function ofSession(error: SessionError): Problem {
  return { reason: error.reason, message: error.message, numbers: error.metadata, passing: false, waitMs: 0, requestId: "" };
}

export function isAbort(error: unknown): boolean {
  return error instanceof DOMException && error.name === "AbortError"
    || error instanceof ConnectError && error.code === Code.Canceled && readDetails(error) === undefined;
}
