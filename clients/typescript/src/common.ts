/** What both entry points export. */
export { Code } from "@connectrpc/connect";
export { Chunk, type Raw, type SampleEncoding, type StemAudio } from "./audio.js";
export type { ConnectionOptions, SeparationCalls } from "./connection.js";
export { SessionCancelledError, SessionNotFoundError, SongError, StemwireError, UnreachableError } from "./errors.js";
export type { EngineChange, Model } from "./generated/stemwire/v1/engine_pb.js";
export type { HealthResponse } from "./generated/stemwire/v1/separation_service_pb.js";
export { type Progress, type Session, SessionState } from "./generated/stemwire/v1/session_pb.js";
export type { Callbacks, FollowOptions, SeparationOptions, SessionOptions, StemOptions, WatchOptions } from "./options.js";
export { DEFAULT_RETRY, type Retry } from "./retry.js";
export type { Pcm, Pieces, SongInput } from "./song.js";
