/**
 * A grpc-web server for uploads: it keeps what it receives, compares repeated bytes, and fails on request.
 */
import { create, type DescMessage, fromBinary, type MessageInitShape, type MessageShape, toBinary } from "@bufbuild/protobuf";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { anyPack, AnySchema } from "@bufbuild/protobuf/wkt";
import { Code, encodeBinaryHeader } from "@connectrpc/connect";
import * as service from "stemwire/proto";
import { ErrorInfoSchema, RequestInfoSchema, RetryInfoSchema } from "stemwire/proto";

/** What a call ends with that goes wrong. */
export class Refusal {
  constructor(
    readonly code: Code,
    readonly reason: string,
    readonly numbers: Readonly<Record<string, string>> = {},
    readonly retryS = 0,
  ) {}
}

/** What happens to a call, once: refused, lost on its way there, or done and its answer lost. */
export type Fault = Refusal | "lost" | "answer lost";

export interface Call {
  readonly name: string;
  readonly message: unknown;
}

interface Held {
  requestId: string;
  bytes: Uint8Array;
  complete: boolean;
}

export class FakeServer {
  readonly sessions = new Map<string, Held>();
  readonly calls: Call[] = [];
  /** By the call's name and its number among those of the name, from 0: `UploadChunk 2`. */
  readonly faults = new Map<string, Fault>();
  /** Called with each call before it is handled. */
  onCall: (call: Call) => void = () => undefined;
  /** Called with each call when its answer is made and not yet sent. */
  onAnswer: (call: Call) => void = () => undefined;
  readonly #counts = new Map<string, number>();

  constructor() {
    globalThis.fetch = (address, options) => this.#serve(String(address), options);
  }

  /** The calls of one kind, in order. */
  called<D extends DescMessage>(name: string, _: D): MessageShape<D>[] {
    return this.calls.filter((call) => call.name === name).map(({ message }) => message as MessageShape<D>);
  }

  open(sessionId: string, bytes: Uint8Array = new Uint8Array()): void {
    this.sessions.set(sessionId, { requestId: "", bytes, complete: false });
  }

  async #serve(address: string, options: RequestInit = {}): Promise<Response> {
    options.signal?.throwIfAborted();
    const name = address.slice(address.lastIndexOf("/") + 1);
    const body = (options.body as Uint8Array).subarray(5);
    const number = this.#counts.get(name) ?? 0;
    this.#counts.set(name, number + 1);
    const id = `${name} ${number}`;
    const fault = this.faults.get(id);
    const { request, response, serve } = this.#method(name);
    const call = { name, message: fromBinary(request, body) };
    this.calls.push(call);
    this.onCall(call);
    await new Promise((later) => setImmediate(later));
    options.signal?.throwIfAborted();
    if (fault === "lost") throw new TypeError("fetch failed");
    if (fault instanceof Refusal) return refused(fault, id);
    try {
      const answer = toBinary(response, create(response, serve(call.message)));
      this.onAnswer(call);
      if (fault === "answer lost") throw new TypeError("fetch failed");
      return answered(answer);
    } catch (error) {
      if (error instanceof Refusal) return refused(error, id);
      throw error;
    }
  }

  #method(name: string): { request: DescMessage; response: DescMessage; serve(message: unknown): MessageInitShape<DescMessage> } {
    const method = <Q extends DescMessage, R extends DescMessage>(request: Q, response: R, serve: (message: MessageShape<Q>) => MessageInitShape<R>) =>
      ({ request, response, serve: serve as (message: unknown) => MessageInitShape<DescMessage> });
    switch (name) {
      case "CreateSession":
        return method(service.CreateSessionRequestSchema, service.CreateSessionResponseSchema, ({ config }) => {
          const requestId = config?.requestId ?? "";
          const [known] = [...this.sessions].find(([, held]) => held.requestId === requestId) ?? [];
          const sessionId = known ?? `session-${this.sessions.size + 1}`;
          if (!known) this.sessions.set(sessionId, { requestId, bytes: new Uint8Array(), complete: false });
          return { session: this.#session(sessionId) };
        });
      case "GetSession":
        return method(service.GetSessionRequestSchema, service.GetSessionResponseSchema, ({ sessionId }) =>
          ({ session: this.#session(sessionId) }));
      case "ListSessions":
        return method(service.ListSessionsRequestSchema, service.ListSessionsResponseSchema, () =>
          ({ sessions: [...this.sessions.keys()].reverse().map((sessionId) => this.#session(sessionId)) }));
      case "UploadChunk":
        return method(service.UploadChunkRequestSchema, service.UploadChunkResponseSchema, ({ sessionId, offset, data }) =>
          ({ committedBytes: BigInt(this.#add(this.#held(sessionId), Number(offset), data)) }));
      case "FinishUpload":
        return method(service.FinishUploadRequestSchema, service.FinishUploadResponseSchema, ({ sessionId, finish }) => {
          const held = this.#held(sessionId);
          if (Number(finish?.totalBytes) !== held.bytes.length) throw new Refusal(Code.InvalidArgument, "UPLOAD_SIZE_MISMATCH");
          held.complete = true;
          return { session: this.#session(sessionId) };
        });
      default:
        throw new Error(`the tests' server has no ${name}`);
    }
  }

  #held(sessionId: string): Held {
    const held = this.sessions.get(sessionId);
    if (!held) throw new Refusal(Code.NotFound, "SESSION_NOT_FOUND");
    return held;
  }

  #session(sessionId: string) {
    const held = this.#held(sessionId);
    return { sessionId, committedBytes: BigInt(held.bytes.length), uploadComplete: held.complete };
  }

  #add(held: Held, offset: number, data: Uint8Array): number {
    const { bytes } = held;
    if (offset > bytes.length) throw new Refusal(Code.OutOfRange, "UPLOAD_GAP", { committed_bytes: String(bytes.length) });
    const known = bytes.subarray(offset, offset + data.length);
    if (known.some((byte, at) => byte !== data[at])) throw new Refusal(Code.InvalidArgument, "UPLOAD_CONFLICT");
    const fresh = data.subarray(known.length);
    held.bytes = new Uint8Array(bytes.length + fresh.length);
    held.bytes.set(bytes);
    held.bytes.set(fresh, bytes.length);
    return held.bytes.length;
  }
}

function answered(message: Uint8Array): Response {
  const trailers = new TextEncoder().encode("grpc-status: 0\r\n");
  return new Response(new Blob([frame(0, message), frame(0x80, trailers)]), { headers: { "content-type": "application/grpc-web+proto" } });
}

function frame(flags: number, content: Uint8Array): Uint8Array<ArrayBuffer> {
  const framed = new Uint8Array(5 + content.length);
  framed[0] = flags;
  new DataView(framed.buffer).setUint32(1, content.length);
  framed.set(content, 5);
  return framed;
}

function refused({ code, reason, numbers, retryS }: Refusal, requestId: string): Response {
  const details = [anyPack(ErrorInfoSchema, create(ErrorInfoSchema, { reason, domain: "stemwire", metadata: { ...numbers } }))];
  details.push(anyPack(RequestInfoSchema, create(RequestInfoSchema, { requestId })));
  if (retryS > 0) details.push(anyPack(RetryInfoSchema, create(RetryInfoSchema, { retryDelay: { seconds: BigInt(retryS), nanos: 0 } })));
  // google.rpc.Status, of which the page needs no message of its own.
  const status = new BinaryWriter();
  status.tag(1, WireType.Varint).int32(code).tag(2, WireType.LengthDelimited).string(reason);
  for (const detail of details) status.tag(3, WireType.LengthDelimited).bytes(toBinary(AnySchema, detail));
  const headers = {
    "content-type": "application/grpc-web+proto",
    "grpc-status": String(code),
    "grpc-message": reason,
    "grpc-status-details-bin": encodeBinaryHeader(status.finish()),
  };
  return new Response(null, { headers });
}

/** Bytes that are not the same anywhere. */
export function song(length: number, seed = 1): Uint8Array<ArrayBuffer> {
  let state = seed;
  return Uint8Array.from({ length }, () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state >>> 24;
  });
}

/** Ends every wait between tries at once, as a browser does that is online again. Call it back to stop. */
export function impatient(): () => void {
  const timer = setInterval(() => dispatchEvent(new Event("online")), 2);
  return () => clearInterval(timer);
}
