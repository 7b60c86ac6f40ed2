/** The details of an error that the server has answered with. */
import type { ConnectError } from "@connectrpc/connect";
import { ErrorInfoSchema, RequestInfoSchema, RetryInfoSchema } from "./generated/google/rpc/error_details_pb.js";

/** The domain of the server's own errors; those of a proxy have another. */
const DOMAIN = "stemwire";

/** What the server reports with an error. */
export interface ErrorDetails {
  /** The reason, an UPPER_SNAKE name. */
  readonly reason: string;
  /** One imperative sentence; empty if the server has sent none. */
  readonly remedy: string;
  /** Values and limits behind the message. */
  readonly metadata: Readonly<Record<string, string>>;
  /** Milliseconds after which the same call can succeed; `undefined` if a retry cannot help. */
  readonly retryAfterMs: number | undefined;
  /** The id of the call in the server's log. */
  readonly requestId: string;
}

/** The details of an error of the server; `undefined` if the connection failed or another program answered. */
export function readDetails(error: ConnectError): ErrorDetails | undefined {
  const info = error.findDetails(ErrorInfoSchema).find(({ domain }) => domain === DOMAIN);
  if (!info) return undefined;
  const retry = error.findDetails(RetryInfoSchema)[0];
  const { remedy = "", ...metadata } = info.metadata;
  return {
    reason: info.reason,
    remedy,
    metadata,
    retryAfterMs: retry && Number(retry.retryDelay?.seconds ?? 0n) * 1000 + (retry.retryDelay?.nanos ?? 0) / 1e6,
    requestId: error.findDetails(RequestInfoSchema)[0]?.requestId ?? "",
  };
}
