/** All texts of the page, in one language. */
import type { SourceNoteKind } from "stemwire/proto";
import type { Theme } from "../preferences";
import type { QualityName } from "../session/models";

export interface Words {
  readonly tagline: string;
  readonly skipToContent: string;
  readonly otherLanguage: string;
  readonly theme: Readonly<Record<Theme, string>>;

  readonly headline: string;
  readonly lead: string;
  readonly choose: string;
  readonly chooseMore: string;
  readonly orDrop: string;
  readonly dropNow: string;
  readonly formats: string;
  readonly stemsWanted: string;
  readonly allStems: string;
  readonly pair: string;
  readonly part: string;
  readonly partStart: string;
  readonly partEnd: string;
  readonly partHint: string;
  readonly model: string;
  readonly anyModel: string;
  /** The choice of a model for each stem, and what that means. */
  readonly perStem: string;
  readonly perStemRule: string;
  /** For a stem without a model. */
  readonly noModel: string;
  /** Heads the choices that name no model. */
  readonly byQuality: string;
  readonly quality: Readonly<Record<QualityName, string>>;
  /** What counts in a choice. */
  readonly qualityRule: Readonly<Record<QualityName, string>>;
  readonly modelStems: (stems: string) => string;
  readonly modelLicence: (licence: string, commercialUse: boolean | undefined) => string;
  readonly modelSize: (size: string) => string;
  /** Published figures, the data set, and where they are published. */
  readonly modelFigures: (figures: string, data: string, source: string) => string;
  readonly modelSpeed: (factor: number, execution: string) => string;
  readonly modelSlow: (factor: number, execution: string) => string;
  readonly modelUnmeasured: string;
  readonly slow: string;

  readonly songs: string;
  readonly noSongs: string;
  readonly moreSongs: string;
  readonly untitled: string;
  readonly openSong: (name: string) => string;
  readonly removeFromQueue: (name: string) => string;
  readonly deleteSong: (name: string) => string;
  readonly deleteQuestion: (name: string) => string;
  readonly deleteConfirm: string;
  readonly keep: string;
  readonly close: string;

  readonly waitsToBeSent: string;
  readonly sending: string;
  readonly sent: string;
  readonly preparing: string;
  readonly separating: string;
  readonly inQueue: (position: number) => string;
  readonly paused: string;
  readonly delayed: string;
  readonly done: string;
  readonly failed: string;
  readonly cancelled: string;
  readonly bytesOf: (sent: string, whole: string) => string;
  readonly timeLeft: (seconds: number) => string;
  readonly duration: (seconds: number) => string;
  readonly percent: (share: number) => string;
  readonly bytes: (count: number) => string;
  readonly when: (date: Date) => string;

  readonly cancel: string;
  readonly tryAgain: string;
  readonly goesOnIn: (seconds: number) => string;
  readonly uploadStopped: string;
  readonly uploadStoppedHere: (held: string, whole: string | null, name: string | null) => string;
  readonly chooseAgain: string;
  readonly elsewhere: string;

  readonly player: string;
  readonly play: string;
  readonly pause: string;
  readonly waitingForSound: string;
  readonly position: string;
  readonly positionOf: (position: string, whole: string) => string;
  readonly volume: string;
  readonly keys: string;
  readonly keyList: readonly (readonly [string, string])[];

  readonly practice: string;
  readonly loop: string;
  readonly noLoop: string;
  readonly loopFrom: (start: string) => string;
  readonly loopOf: (start: string, end: string) => string;
  readonly loopStart: string;
  readonly loopEnd: string;
  readonly loopClear: string;
  readonly speed: string;
  readonly pitch: string;
  readonly semitones: (count: number) => string;
  /** The same in full, for screen readers. */
  readonly transposed: (count: number) => string;
  readonly reset: (title: string) => string;
  readonly stretchNeedsHttps: string;
  readonly stretchFailed: string;
  readonly stretchLoads: string;
  readonly countIn: string;
  readonly countInHint: string;
  readonly beats: string;
  readonly tempo: string;
  readonly tap: string;
  readonly tapHint: string;

  readonly stems: string;
  readonly stem: (name: string) => string;
  /** What a sum is; `stem` is the one that it leaves out. */
  readonly sumHint: (stem: string) => string;
  readonly mute: (stem: string) => string;
  readonly solo: (stem: string) => string;
  readonly volumeOf: (stem: string) => string;
  readonly downloads: string;
  readonly format: string;
  readonly channelsOfFiles: string;
  /** The name of a file format; that of the server for formats of later servers. */
  readonly formatName: (format: string) => string;
  readonly downloadStem: (stem: string) => string;
  readonly downloadMix: string;
  readonly mixHint: string;
  /** Why the mix cannot be downloaded. */
  readonly mixRefused: Readonly<Record<"silent" | "twice", string>>;
  readonly downloadAll: string;
  readonly downloadsLater: string;

  readonly details: string;
  readonly engine: string;
  readonly source: string;
  readonly weights: string;
  readonly unverified: string;
  readonly isReference: string;
  readonly comparison: (speed: number, snrDb: number) => string;
  readonly engineChanged: (from: string, to: string, at: string, why: string) => string;
  readonly changeReason: Readonly<Record<string, string>>;
  /** Weights that are not known to be those of a model's authors. */
  readonly unverifiedModel: (model: string) => string;
  readonly channels: (count: number) => string;
  /** What was converted or downmixed of an upload, by kind. Kinds of later servers have no text. */
  readonly conversion: Readonly<Partial<Record<SourceNoteKind, (from: number, to: number, method: string, count: number) => string>>>;
  /** What was repaired, skipped or cut, as a sentence, by kind. `count` is in seconds where the kind counts frames. */
  readonly damage: Readonly<Partial<Record<SourceNoteKind, (count: number) => string>>>;

  readonly tokenTitle: string;
  readonly tokenLead: string;
  readonly tokenLabel: string;
  readonly tokenSend: string;

  readonly licences: string;
  /** What computes, where that is the workers of a cluster. */
  readonly workers: (count: number, lanes: number, queued: number) => string;
  /** How many of them have failed with a model since their last success. */
  readonly failingWorkers: (count: number) => string;
  /** A model with which a worker has failed so many times in a row. */
  readonly workerFault: (model: string, failures: number) => string;
  /** How many of them lack models. */
  readonly lackingWorkers: (count: number) => string;
  /** The models that a worker lacks. */
  readonly missingModels: (models: string) => string;
  readonly connectionBack: string;
  /** Label of the id of a refused call. */
  readonly request: string;
  /** Cause and remedy of a problem with an unknown reason. */
  readonly unknownProblem: readonly [string, string];
}
