/** A connection to one server: the generated calls, and their repetition after failures. */
import { type CallOptions, type Client as Calls, createClient, type Interceptor, type Transport } from "@connectrpc/connect";
import { sleep } from "./backoff.js";
import { fromCall, invalidAnswer, StemwireError } from "./errors.js";
import { SeparationService } from "./generated/stemwire/v1/separation_service_pb.js";
import type { Session } from "./generated/stemwire/v1/session_pb.js";
import { DEFAULT_RETRY, Failures, type Position, type Retry } from "./retry.js";

export type SeparationCalls = Calls<typeof SeparationService>;

/** Options of a client; all may be left out. */
export interface ConnectionOptions {
  /** Sent as a bearer token. */
  readonly token?: string;
  /** What is not given is as in `DEFAULT_RETRY`. */
  readonly retry?: Partial<Retry>;
  /** Time limit of calls that are answered once, in milliseconds; 30,000 by default. Streams have none. */
  readonly timeoutMs?: number;
}

/** A call that is repeated as a whole: what it yields until its signal aborts. */
export interface Repeated<T> {
  attempt(abort: AbortController): AsyncIterable<T>;
  /** Grows whenever an attempt made progress. */
  position(): Position;
  /** The error behind that of the attempt, if there is one. */
  failure?(): { readonly error: unknown } | undefined;
  onReconnect?(error: StemwireError, pauseMs: number): void;
  readonly signal?: AbortSignal | undefined;
}

export class Connection {
  readonly calls: SeparationCalls;
  readonly timeoutMs: number;
  readonly #retry: Retry;
  /** Whether the server has answered a call. */
  answered = false;
  /** Whether the application has closed it, so that nothing is called again. */
  isClosed = false;

  constructor(transport: Transport, readonly server: string, options: ConnectionOptions) {
    this.calls = createClient(SeparationService, transport);
    this.#retry = { ...DEFAULT_RETRY, ...options.retry };
    this.timeoutMs = options.timeoutMs ?? 30_000;
  }

  /** A call that is answered once. */
  async once<T>(call: (options: CallOptions) => Promise<T>, signal?: AbortSignal): Promise<T> {
    try {
      const answer = await call({ timeoutMs: this.timeoutMs, ...(signal && { signal }) });
      this.answered = true;
      return answer;
    } catch (thrown) {
      signal?.throwIfAborted();
      throw this.#convert(thrown);
    }
  }

  /** A call that is answered once, repeated after failures; all calls of the service are idempotent. */
  async call<T>(call: (options: CallOptions) => Promise<T>): Promise<T> {
    const failures = new Failures(this.#retry);
    for (;;) {
      try {
        return await this.once(call);
      } catch (error) {
        const pause = this.isClosed ? undefined : failures.pauseAfter(error, [0, 0], this.answered);
        if (pause === undefined) throw error;
        await sleep(pause);
      }
    }
  }

  /** The current state of a session. */
  async session(sessionId: string, signal?: AbortSignal): Promise<Session> {
    return present((await this.once((options) => this.calls.getSession({ sessionId }, options), signal)).session);
  }

  /** The items of a call, which is made again after failures. */
  async *repeat<T>({ attempt, position, failure, onReconnect, signal }: Repeated<T>): AsyncGenerator<T, void, undefined> {
    const failures = new Failures(this.#retry);
    for (;;) {
      signal?.throwIfAborted();
      const abort = new AbortController();
      const end = () => abort.abort(signal?.reason);
      signal?.addEventListener("abort", end);
      let pause: number | undefined;
      try {
        for await (const item of attempt(abort)) {
          this.answered = true;
          yield item;
        }
        return;
      } catch (thrown) {
        signal?.throwIfAborted();
        const behind = failure?.();
        const error = behind ? behind.error : this.#convert(thrown);
        pause = behind || this.isClosed ? undefined : failures.pauseAfter(error, position(), this.answered);
        if (pause === undefined || !(error instanceof StemwireError)) throw error;
        onReconnect?.(error, pause);
      } finally {
        signal?.removeEventListener("abort", end);
        abort.abort();
      }
      await sleep(pause, signal);
    }
  }

  #convert(thrown: unknown): unknown {
    const error = fromCall(thrown, this.server);
    if (error instanceof StemwireError && error.reason !== "") this.answered = true;
    return error;
  }
}

/** The session of an answer. */
export function present(session: Session | undefined): Session {
  if (!session) throw invalidAnswer("it has no session");
  return session;
}

/** Sends a token with every call. */
export function bearer(token: string): Interceptor {
  return (next) => (request) => {
    request.header.set("authorization", `Bearer ${token}`);
    return next(request);
  };
}
