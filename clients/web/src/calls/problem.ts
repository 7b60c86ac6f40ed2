/** Problems: reasons of the server and of the page itself. */
import { Code, ConnectError } from "@connectrpc/connect";
import { ErrorInfoSchema, RequestInfoSchema, RetryInfoSchema } from "../generated/google/rpc/error_details_pb";
import type { SessionError } from "../generated/stemwire/v1/session_pb";

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
  const info = failure.findDetails(ErrorInfoSchema).find((info) => info.domain === "stemwire");
  // Without an ErrorInfo of the server, the connection failed or a proxy answered.
  if (!info) return ownProblem("CONNECTION_LOST", failure.rawMessage);
  const retry = failure.findDetails(RetryInfoSchema)[0];
  const waitMs = Number(retry?.retryDelay?.seconds ?? 0) * 1000 + (retry?.retryDelay?.nanos ?? 0) / 1e6;
  const requestId = failure.findDetails(RequestInfoSchema)[0]?.requestId ?? "";
  const { remedy: _, ...numbers } = info.metadata;
  return { reason: info.reason, message: failure.rawMessage, numbers, passing: retry !== undefined, waitMs, requestId };
}

/** The problem of a failed session. */
export function ofSession(error: SessionError): Problem {
  return { reason: error.reason, message: error.message, numbers: error.metadata, passing: false, waitMs: 0, requestId: "" };
}

export function isAbort(error: unknown): boolean {
  return error instanceof DOMException && error.name === "AbortError"
    || error instanceof ConnectError && error.code === Code.Canceled && error.findDetails(ErrorInfoSchema).length === 0;
}
