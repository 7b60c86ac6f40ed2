/** A server in this process: the stems of a song are its own bytes, as float32 in stereo. It fails on request. */
import { createHash } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { Code, ConnectError, createRouterTransport } from "@connectrpc/connect";
import { CommonClient } from "#stemwire/client";
import type { ConnectionOptions } from "#stemwire/connection";
import type { Sending } from "#stemwire/follow";
import type { SeparationOptions, WatchOptions } from "#stemwire/options";
import { Separation } from "#stemwire/separation";
import { openSong, type SongInput } from "#stemwire/song";
import { ErrorInfoSchema, RetryInfoSchema, SeparationService, type Session, SessionSchema, SessionState, type StemChunkSchema } from "stemwire/proto";
import { newSha256 } from "./support.js";

const STEMS = ["vocals", "drums"];
const FRAME_BYTES = 8;
const CHUNK_FRAMES = 1000;

interface Held {
  readonly sessionId: string;
  bytes: Uint8Array;
  isComplete: boolean;
}

interface Event {
  readonly message:
    | { readonly case: "session" | "done"; readonly value: MessageInitShape<typeof SessionSchema> }
    | { readonly case: "stem"; readonly value: MessageInitShape<typeof StemChunkSchema> };
}

export class FakeServer {
  /** Names of the calls, in order. */
  readonly calls: string[] = [];
  /** Of each streaming call, the number of chunks after which it is cut; the last ones are not. */
  cuts: number[] = [];
  /** Errors of the next calls of any kind. */
  refusals: ConnectError[] = [];
  readonly #sessions = new Map<string, Held>();

  readonly transport = createRouterTransport(({ service }) => {
    const server = this;
    service(SeparationService, {
      createSession: ({ config }) => ({ session: sessionOf(this.#open("CreateSession", config?.requestId ?? "")) }),
      getSession: ({ sessionId }) => ({ session: sessionOf(this.#open("GetSession", sessionId)) }),
      uploadChunk: ({ sessionId, offset, data }) => {
        const held = this.#open("UploadChunk", sessionId);
        add(held, Number(offset), data);
        return { committedBytes: BigInt(held.bytes.length) };
      },
      finishUpload: ({ sessionId }) => {
        const held = this.#open("FinishUpload", sessionId);
        held.isComplete = true;
        return { session: sessionOf(held) };
      },
      async *separate(requests) {
        let held: Held | undefined;
        let offset = 0;
        let start = 0;
        for await (const { message } of requests) {
          if (message.case === "config") {
            held = server.#open("Separate", message.value.requestId);
            offset = Number(message.value.uploadOffset);
            start = Number(message.value.startFrame);
          } else if (held && message.case === "chunk") {
            add(held, offset, message.value);
            offset += message.value.length;
          } else if (held && message.case === "finish") {
            held.isComplete = true;
            break;
          }
        }
        if (held) yield* server.#events(held, new Map(STEMS.map((stem) => [stem, start])));
      },
      async *watchSession({ sessionId, stems }, { signal }) {
        const held = server.#open("WatchSession", sessionId);
        while (!held.isComplete) await sleep(1, undefined, { signal });
        yield* server.#events(held, new Map(stems.map(({ stem, startFrame }) => [stem, Number(startFrame)])));
      },
      async *getStem({ sessionId, stem, startFrame, frameCount }) {
        const held = server.#open("GetStem", sessionId);
        const end = frameCount ? Number(startFrame + frameCount) : undefined;
        for await (const { message } of server.#events(held, new Map([[stem, Number(startFrame)]]), end)) {
          if (message.case === "stem") yield { chunk: message.value };
        }
      },
    });
  });

  #open(call: string, id: string): Held {
    this.calls.push(call);
    const refusal = this.refusals.shift();
    if (refusal) throw refusal;
    const held = this.#sessions.get(id) ?? { sessionId: id, bytes: new Uint8Array(), isComplete: false };
    this.#sessions.set(id, held);
    return held;
  }

  async *#events(held: Held, positions: Map<string, number>, end = held.bytes.length / FRAME_BYTES): AsyncGenerator<Event> {
    const session = sessionOf(held);
    let left = this.cuts.shift() ?? Infinity;
    yield { message: { case: "session", value: session } };
    while ([...positions.values()].some((frame) => frame < end)) {
      for (const [stem, frame] of positions) {
        const next = Math.min(end, frame + CHUNK_FRAMES);
        if (next === frame) continue;
        if (left-- <= 0) throw new ConnectError("reset", Code.Unavailable);
        const pcm = held.bytes.subarray(frame * FRAME_BYTES, next * FRAME_BYTES);
        yield { message: { case: "stem", value: { stem, startFrame: BigInt(frame), pcm, channels: 2 } } };
        positions.set(stem, next);
      }
    }
    yield { message: { case: "done", value: { ...session, state: SessionState.DONE } } };
  }
}

/** A client of the fake server. */
export class FakeClient extends CommonClient<SongInput> {
  constructor(server: FakeServer, sending: Sending, options: ConnectionOptions = {}) {
    const retry = { attempts: 3, firstPauseMs: 1, longestPauseMs: 2 };
    super({ server: "http://a.test", transport: server.transport, sending, sha256: newSha256 }, { retry, ...options });
  }

  separate(song: SongInput, options: SeparationOptions = {}): Separation {
    return new Separation(this.following(song, options));
  }

  watch(sessionId: string, options: WatchOptions = {}): Separation {
    return new Separation(this.watching(sessionId, options));
  }

  protected override open(song: SongInput) {
    return openSong(song, newSha256);
  }
}

export function refusal(code: Code, reason: string, retryMs?: number): ConnectError {
  const info = { desc: ErrorInfoSchema, value: create(ErrorInfoSchema, { reason, domain: "stemwire", metadata: { remedy: "Do so." } }) };
  const delay = { retryDelay: { nanos: (retryMs ?? 0) * 1e6 } };
  const retry = { desc: RetryInfoSchema, value: create(RetryInfoSchema, delay) };
  return new ConnectError("the cause", code, undefined, retryMs === undefined ? [info] : [info, retry]);
}

function sessionOf({ sessionId, bytes, isComplete }: Held): Session {
  const sha256 = createHash("sha256").update(bytes).digest();
  const frames = BigInt(bytes.length / FRAME_BYTES);
  return create(SessionSchema, {
    sessionId,
    committedBytes: BigInt(bytes.length),
    uploadComplete: isComplete,
    source: { outputSampleRate: 44_100 },
    stems: STEMS.map((name) => ({ name, ...(isComplete && { frames, sha256 }) })),
  });
}

function add(held: Held, offset: number, data: Uint8Array): void {
  if (offset > held.bytes.length) throw new ConnectError("a gap", Code.OutOfRange);
  held.bytes = new Uint8Array(Buffer.concat([held.bytes.subarray(0, offset), data]));
}
