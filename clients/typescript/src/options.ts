/** The options of a separation, and the message made of them. */
import { create } from "@bufbuild/protobuf";
import type { Raw, SampleEncoding } from "./audio.js";
import type { StemwireError } from "./errors.js";
import {
  Accompaniment,
  Encoding,
  MaskExtension,
  Normalization,
  OnDisconnect,
  OutputChannels,
  OutputRate,
  Quality,
  type SeparationConfig,
  SeparationConfigSchema,
} from "./generated/stemwire/v1/config_pb.js";
import type { EngineChange } from "./generated/stemwire/v1/engine_pb.js";
import type { Progress } from "./generated/stemwire/v1/session_pb.js";
import { randomUuid } from "./uuid.js";

export const ENCODINGS = { f32: Encoding.F32LE, s16: Encoding.S16LE, s24: Encoding.S24LE } as const;
export const CHANNELS = { stereo: OutputChannels.STEREO, source: OutputChannels.SOURCE } as const;
const QUALITIES = { fast: Quality.FAST, balanced: Quality.BALANCED, best: Quality.BEST } as const;
const NORMALIZATIONS = { streaming: Normalization.STREAMING, exact: Normalization.EXACT } as const;
const RATES = { model: OutputRate.MODEL, source: OutputRate.SOURCE } as const;
const ACCOMPANIMENTS = { sum: Accompaniment.SUM, minus: Accompaniment.MINUS } as const;
const EXTENSIONS = { average: MaskExtension.AVERAGE, zeros: MaskExtension.ZEROS } as const;
const DISCONNECTS = { pause: OnDisconnect.PAUSE, continue: OnDisconnect.CONTINUE, cancel: OnDisconnect.CANCEL } as const;

/** The settings of a session. All are optional. */
export interface SessionOptions {
  /** The model's name; by default the server chooses. */
  readonly model?: string;
  /** In place of `model`: the highest measured speed, the best figure above real time, or the best. `session.modelChoice` has the reason. */
  readonly quality?: keyof typeof QUALITIES;
  /** Such as `["vocals", "accompaniment"]` or `["drums", "no_drums"]`; by default all stems of the model. */
  readonly stems?: readonly string[];
  /** "streaming" (the default) starts at once; "exact" waits for the whole upload, as the reference does. */
  readonly normalization?: keyof typeof NORMALIZATIONS;
  /** Whether another engine may continue when one fails; true by default. Every change is reported. */
  readonly allowFallback?: boolean;
  /** Overlap of neighbouring segments as a share of a segment, 0 to 0.9; by default the model's. */
  readonly overlap?: number;
  /** "accompaniment" and "no_drums" are the sum of the other stems (the default), or the mixture minus the stem. */
  readonly accompaniment?: keyof typeof ACCOMPANIMENTS;
  /** Spleeter's masks above 11 kHz: their average below (the default), or zero. */
  readonly maskExtension?: keyof typeof EXTENSIONS;
  /** Encoding of samples in transit, "f32" by default; the integer encodings are smaller and may clip. */
  readonly encoding?: SampleEncoding;
  /** Whether stems have the model's sample rate (the default) or the song's. */
  readonly rate?: keyof typeof RATES;
  /** Whether stems have two channels (the default), or one where the song has one: the mean of both. */
  readonly channels?: keyof typeof CHANNELS;
  /** A factor for every sample, the same for all stems. */
  readonly gain?: number;
  /** Start of the part of the song that is separated, in seconds; its stems begin there. */
  readonly startS?: number;
  /** End of that part; by default the end of the song. */
  readonly endS?: number;
  /** The audio track of a file with several, such as a film, from 1; by default the first. */
  readonly track?: number;
  /** The format of a song without a header. */
  readonly raw?: Raw;
  /** The song's name, for display. */
  readonly fileName?: string;
  /** A UUID that identifies the session: a later call with it and the same options continues the session. */
  readonly requestId?: string;
  /** What the server does with the session when this client disconnects; "pause" by default. */
  readonly onDisconnect?: keyof typeof DISCONNECTS;
}

/** What is called while a session is followed, between two chunks. */
export interface Callbacks {
  /** Called with the progress, at least every five seconds. */
  readonly onProgress?: (progress: Progress) => void;
  /** Called when another engine continues the session. Without it, that is a warning on the console. */
  readonly onEngineChange?: (change: EngineChange) => void;
  /** Called after a call has failed, with its error and the pause before the next one. */
  readonly onReconnect?: (error: StemwireError, pauseMs: number) => void;
}

/** Options of following a session. */
export interface FollowOptions extends Callbacks {
  /** Ends following, for example `AbortSignal.timeout(60_000)`. The server then applies `onDisconnect`. */
  readonly signal?: AbortSignal;
}

export interface SeparationOptions extends SessionOptions, FollowOptions {}

export interface WatchOptions extends FollowOptions {
  /** By default all stems of the session. */
  readonly stems?: readonly string[];
  /** First frame; 0 by default. */
  readonly startFrame?: number;
  /** "f32" by default. */
  readonly encoding?: SampleEncoding;
  readonly gain?: number;
  /** By default as the session has it. */
  readonly channels?: keyof typeof CHANNELS;
}

export interface StemOptions {
  /** First frame; 0 by default. */
  readonly startFrame?: number;
  /** By default to the end of the stem. */
  readonly frameCount?: number;
  /** "f32" by default. */
  readonly encoding?: SampleEncoding;
  readonly gain?: number;
  /** By default as the session has it. */
  readonly channels?: keyof typeof CHANNELS;
  readonly signal?: AbortSignal;
}

/** Converts options to the message. Without a `requestId` a new one is set, so that a repeated call creates no second session. */
export function configOf(options: SessionOptions, fileName = "", rawOfSong?: Raw): SeparationConfig {
  const raw = options.raw ?? rawOfSong;
  return create(SeparationConfigSchema, {
    model: options.model ?? "",
    ...(options.quality && { quality: QUALITIES[options.quality] }),
    stems: [...(options.stems ?? [])],
    ...(raw && { input: { encoding: ENCODINGS[raw.encoding], sampleRate: raw.sampleRate, channels: raw.channels ?? 2 } }),
    output: {
      encoding: ENCODINGS[options.encoding ?? "f32"],
      rate: RATES[options.rate ?? "model"],
      gain: options.gain ?? 1,
      channels: CHANNELS[options.channels ?? "stereo"],
    },
    normalization: NORMALIZATIONS[options.normalization ?? "streaming"],
    accompaniment: ACCOMPANIMENTS[options.accompaniment ?? "sum"],
    maskExtension: EXTENSIONS[options.maskExtension ?? "average"],
    onDisconnect: DISCONNECTS[options.onDisconnect ?? "pause"],
    allowFallback: options.allowFallback ?? true,
    ...(options.overlap !== undefined && { overlap: options.overlap }),
    startS: options.startS ?? 0,
    ...(options.endS !== undefined && { endS: options.endS }),
    track: options.track ?? 0,
    fileName: options.fileName ?? fileName,
    requestId: options.requestId ?? randomUuid(),
  });
}
