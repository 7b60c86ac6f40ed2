import { SourceNoteKind } from "stemwire/proto";
import { leftOut } from "../session/stems";
import type { Words } from "./words";
import { bytes, clock, figure, list, span } from "./forms";

const STEMS: Record<string, string> = {
  vocals: "Vocals",
  drums: "Drums",
  bass: "Bass",
  other: "Other",
  accompaniment: "Accompaniment",
  guitar: "Guitar",
  piano: "Piano",
  lead_vocals: "Lead vocals",
  backing_vocals: "Backing vocals",
};

const FORMATS: Record<string, string> = {
  "wav-f32": "WAV, 32-bit float",
  "wav-s24": "WAV, 24 bits",
  "wav-s16": "WAV, 16 bits",
  flac: "FLAC",
  "flac-s16": "FLAC, 16 bits",
  aiff: "AIFF, 24 bits",
  "aiff-s16": "AIFF, 16 bits",
  opus: "Opus",
  mp3: "MP3",
  "m4a-alac": "M4A, ALAC, 24 bits",
  "m4a-alac-s16": "M4A, ALAC, 16 bits",
  "m4a-aac": "M4A, AAC",
};

/** `No drums` for everything but the drums. */
function stem(name: string): string {
  const rest = leftOut(name);
  return STEMS[name] ?? (rest === null ? name : `No ${stem(rest).toLowerCase()}`);
}

export const en: Words = {
  tagline: "Songs into stems",
  skipToContent: "Skip to the song",
  otherLanguage: "中文",
  theme: { auto: "Colours: as the system", light: "Colours: light", dark: "Colours: dark" },

  headline: "Take a song apart",
  lead: "Vocals, drums, bass and other, each on its own. You can listen while the song is still uploading.",
  choose: "Choose songs",
  chooseMore: "Add songs",
  orDrop: "or drop them anywhere on this page",
  dropNow: "Drop to separate",
  formats: "MP3, WAV, FLAC, M4A, Opus, Ogg Vorbis, AIFF, AAC, MP4, WebM, MKV",
  stemsWanted: "Stems",
  allStems: "All and accompaniment",
  pair: "Vocals and accompaniment",
  part: "Part of the song",
  partStart: "Start of the part",
  partEnd: "End of the part",
  partHint: "Minutes and seconds, such as 1:30; empty for all of it",
  model: "Model",
  anyModel: "Default of the server",
  perStem: "A model for each stem",
  perStemRule: "Several models compute one after the other; what their stems leave of the song is the stem “other”",
  noModel: "none",
  byQuality: "Choose for me",
  quality: { fast: "Fastest", balanced: "Balanced", best: "Best" },
  qualityRule: {
    fast: "The installed model with the highest measured speed",
    balanced: "The best published figures among the installed models that are faster than real time here",
    best: "The best published figures of the installed models, however long it takes",
  },
  modelStems: (stems) => `stems ${stems}`,
  modelLicence: (licence, commercialUse) =>
    `licence ${licence}; commercial use ${commercialUse === undefined ? "not stated" : commercialUse ? "allowed" : "not allowed"}`,
  modelSize: (size) => `size ${size}`,
  modelFigures: (figures, data, source) => `SDR ${figures} on ${data} (${source})`,
  modelSpeed: (factor, execution) => `speed ${figure(factor)} × real time (measured, ${execution})`,
  modelSlow: (factor, execution) =>
    `speed ${figure(factor)} × real time, slower than real time: a minute of song takes ${figure(1 / factor)} min (measured, ${execution})`,
  modelUnmeasured: "speed not measured yet",
  slow: "slower than real time",

  songs: "Songs",
  noSongs: "No songs yet.",
  moreSongs: "Show older ones",
  untitled: "Untitled song",
  openSong: (name) => `Open ${name}`,
  removeFromQueue: (name) => `Do not upload ${name}`,
  deleteSong: (name) => `Delete ${name}`,
  deleteQuestion: (name) => `Delete “${name}” and its stems from the server?`,
  deleteConfirm: "Delete",
  keep: "Keep",
  close: "Close",

  waitsToBeSent: "Waiting to upload",
  sending: "Uploading",
  sent: "Uploaded",
  preparing: "Preparing",
  separating: "Separating",
  inQueue: (position) => `Position ${position} in the queue`,
  paused: "Paused",
  delayed: "Waiting for the server",
  done: "Done",
  failed: "Failed",
  cancelled: "Cancelled",
  bytesOf: (sent, whole) => `${sent} of ${whole}`,
  timeLeft: (seconds) =>
    seconds < 10 ? "a few seconds left"
    : seconds < 60 ? `about ${Math.ceil(seconds / 10) * 10} seconds left`
    : seconds < 90 ? "about a minute left"
    : seconds < 5400 ? `about ${Math.round(seconds / 60)} minutes left`
    : `about ${Math.round(seconds / 3600)} hours left`,
  duration: (seconds) => {
    const whole = Math.floor(seconds);
    const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
    const part = (count: number, name: string) => (count === 0 ? "" : `${count} ${name}${count === 1 ? "" : "s"}`);
    return list([part(hours, "hour"), part(minutes, "minute"), part(rest, "second")], " ") || "0 seconds";
  },
  percent: (share) => `${Math.floor(share * 100)} %`,
  bytes: (count) => bytes(count, "en"),
  when: (date) => date.toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "short" }),

  cancel: "Cancel",
  tryAgain: "Try again",
  goesOnIn: (seconds) => (seconds < 1 ? "Trying again …" : `Trying again in ${seconds} s`),
  uploadStopped: "The upload is not complete",
  uploadStoppedHere: (held, whole, name) =>
    `The server has ${whole === null ? held : `${held} of ${whole}`}. Choose ${name === null ? "the same file" : `“${name}”`} ` +
    "again to continue; a page cannot open a file by itself.",
  chooseAgain: "Choose the file",
  elsewhere: "The song is being uploaded elsewhere.",

  player: "Player",
  play: "Play",
  pause: "Pause",
  waitingForSound: "Buffering",
  position: "Position",
  positionOf: (position, whole) => `${position} of ${whole}`,
  volume: "Volume",
  keys: "Keyboard",
  keyList: [
    ["Space", "play and pause"],
    ["← →", "skip 5 seconds back or forward"],
    ["1 2 3 …", "mute a stem"],
    ["Shift 1 …", "hear only that stem"],
    ["[ ]", "start and end of the loop"],
    ["L", "clear the loop"],
    ["- +", "slower and faster"],
    ["?", "these keys"],
  ],

  practice: "Practice",
  loop: "Loop",
  noLoop: "drag on a waveform",
  loopFrom: (start) => `from ${start}`,
  loopOf: (start, end) => `${start} to ${end}`,
  loopStart: "Start the loop here",
  loopEnd: "End the loop here",
  loopClear: "Clear the loop",
  speed: "Speed",
  pitch: "Pitch",
  semitones: (count) => `${count > 0 ? "+" : count < 0 ? "−" : ""}${Math.abs(count)} st`,
  transposed: (count) =>
    count === 0 ? "as recorded" : `${Math.abs(count)} semitone${Math.abs(count) === 1 ? "" : "s"} ${count > 0 ? "up" : "down"}`,
  reset: (title) => `Reset: ${title}`,
  stretchNeedsHttps:
    "Speed and pitch need a secure connection: open the page over HTTPS, or on the computer that runs the server.",
  stretchFailed: "Speed and pitch are not available: the browser could not start their code.",
  stretchLoads: "Loading speed and pitch",
  countIn: "Count-in",
  countInHint: "Four beats before playback",
  beats: "4 beats",
  tempo: "Beats a minute",
  tap: "Tap",
  tapHint: "Tap the tempo",

  stems: "Stems",
  stem,
  sumHint: (stem) => `everything but ${stem.toLowerCase()}`,
  mute: (stem) => `Mute ${stem}`,
  solo: (stem) => `Hear only ${stem}`,
  volumeOf: (stem) => `Volume of ${stem}`,
  downloads: "Download",
  format: "Format",
  channelsOfFiles: "Channels",
  formatName: (format) => FORMATS[format] ?? format,
  downloadStem: (stem) => `Download ${stem}`,
  downloadMix: "Download this mix",
  mixHint: "One file with the current mutes, solos and volumes",
  mixRefused: {
    silent: "Every stem is muted",
    twice: "A stem and a sum that contains it, such as the accompaniment, would count twice: mute one of them",
  },
  downloadAll: "All as ZIP",
  downloadsLater: "Downloads are available when the song is done.",

  details: "Details",
  engine: "Model",
  source: "Upload",
  weights: "Weights",
  unverified: "not verified as the authors’ own",
  isReference: "measured: no other provider of this server is faster above the SNR threshold",
  comparison: (speed, snrDb) => `measured: ${speed.toFixed(2)} times as fast as cpu · f32, ${snrDb.toFixed(0)} dB SNR`,
  engineChanged: (from, to, at, why) => `${to} took over from ${from} at ${at}: ${why}.`,
  changeReason: {
    ENGINE_FAILED: "it failed twice on the same segment",
    ENGINE_NOT_FINITE: "it returned values that are not finite",
    ENGINE_TIMEOUT: "it exceeded its time limit",
    ENGINE_PANICKED: "its code panicked",
    ENGINE_CRASHED: "it crashed its process",
    MODEL_UNAVAILABLE: "it could not be loaded",
    BREAKER_OPEN: "it failed repeatedly with other songs",
    SERVER_RESTARTED: "the server restarted with another library or thread count",
    MODEL_REPLACED: "its weights were replaced",
    WORKERS_CHANGED: "no machine is left that computes the same bits",
  },
  unverifiedModel: (model) => `The weights of ${model} are not verified as the authors’ own.`,
  channels: (count) => (count === 1 ? "mono" : count === 2 ? "stereo" : `${count} channels`),
  conversion: {
    [SourceNoteKind.RESAMPLED]: (from, to) => `resampled from ${from / 1000} to ${to / 1000} kHz`,
    [SourceNoteKind.BAND_LOST]: (_from, to) => `nothing above ${to / 1000} kHz is kept`,
    [SourceNoteKind.MONO_COPIED]: () => "the one channel is on both sides",
    [SourceNoteKind.DOWNMIXED]: (from, to, method) => `downmixed from ${from} channels to ${to}${method && ` by ${method}`}`,
    [SourceNoteKind.TRACK_CHOSEN]: (_from, to, _method, count) => `audio track ${to} of ${count}`,
  },
  damage: {
    [SourceNoteKind.FRAMES_SILENCED]: (seconds) => `${span(seconds)} of the upload could not be decoded and are silent.`,
    [SourceNoteKind.PACKETS_DAMAGED]: (count) => `Damaged packets, replaced by silence: ${count}`,
    [SourceNoteKind.GAPS_FILLED]: (count) => `Gaps in the stream, filled with silence: ${count}`,
    [SourceNoteKind.SAMPLES_INVALID]: (count) => `Samples that were not finite, replaced by silence: ${count}`,
    [SourceNoteKind.BYTES_SKIPPED]: (count) => `Bytes skipped that are neither audio nor a known tag: ${count}`,
    [SourceNoteKind.STREAMS_SKIPPED]: (count) => `Further streams skipped, whose header is broken: ${count}`,
    [SourceNoteKind.FRAMES_MISSING]: (seconds) => `${span(seconds)} that the header announces are missing: the file was cut or is incomplete.`,
    [SourceNoteKind.LIVE_CUT]: (seconds) => `The live source ended at the limit of ${clock(seconds)}.`,
    [SourceNoteKind.COVER_LEFT_OUT]: () =>
      "The cover picture was left out: it is larger than 4 MB, broken, or neither JPEG nor PNG.",
  },

  tokenTitle: "This server requires a token",
  tokenLead: "Ask the operator of the server for it. The page keeps it until you close this tab.",
  tokenLabel: "Token",
  tokenSend: "Continue",

  licences: "Licences",
  workers: (count, lanes, queued) =>
    `${count === 1 ? "1 worker" : `${count} workers`}, ${lanes} at a time, ${queued} queued`,
  failingWorkers: (count) => (count === 1 ? "1 worker fails" : `${count} workers fail`),
  workerFault: (model, failures) => `${model} failed ${failures === 1 ? "once" : `${failures} times in a row`}`,
  lackingWorkers: (count) => (count === 1 ? "1 worker lacks models" : `${count} workers lack models`),
  missingModels: (models) => `lacks ${models}`,
  connectionBack: "The connection is back.",
  request: "Request",
  unknownProblem: ["Something went wrong", "Try again. If it happens again, see the server’s log."],
};
