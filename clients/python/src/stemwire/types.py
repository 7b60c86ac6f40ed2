"""Plain values for sessions, progress, engines, models and health.

Each class mirrors the message of the same name in the proto, which documents every field.
"""
from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from .v1 import engine_pb2, session_pb2
from .v1 import separation_service_pb2 as api


class State(enum.Enum):
    """The state of a session."""

    UNKNOWN = 0
    UPLOADING = 1
    RUNNING = 2
    PAUSED = 3
    DONE = 4
    FAILED = 5
    CANCELLED = 6

    @classmethod
    def _missing_(cls, value: object) -> State:
        return cls.UNKNOWN

    @property
    def is_ended(self) -> bool:
        """Whether the state is final."""
        return self in (State.DONE, State.FAILED, State.CANCELLED)


@dataclass(frozen=True)
class Progress:
    """The progress of a session, in frames of its stems."""

    #: Frames that are finished in every stem.
    finished_frames: int
    #: Frames of the complete stems; 0 until known.
    total_frames: int
    #: Frames decoded from the upload so far.
    decoded_frames: int
    state: State
    #: Position in the queue, from 1; 0 if the session is not queued.
    queue_position: int

    @property
    def fraction(self) -> float | None:
        """The finished share, 0 to 1; None until the length is known."""
        return self.finished_frames / self.total_frames if self.total_frames else None

    @classmethod
    def _of(cls, message: session_pb2.Progress) -> Progress:
        return cls(
            finished_frames=message.finished_frames, total_frames=message.total_frames,
            decoded_frames=message.decoded_frames, state=State(message.state), queue_position=message.queue_position,
        )


@dataclass(frozen=True)
class Engine:
    """A model on an execution provider."""

    model: str
    #: In hexadecimal.
    weights_sha256: str
    #: Such as "cpu", "openvino", "cuda".
    execution_provider: str
    #: The inference library and its version.
    runtime: str
    threads: int
    #: Such as "f32".
    precision: str
    #: Whether the weights are part of the server, or exactly as the model's authors published them.
    verified: bool

    @classmethod
    def _of(cls, message: engine_pb2.Engine) -> Engine:
        return cls(
            model=message.model, weights_sha256=message.weights_sha256.hex(),
            execution_provider=message.execution_provider, runtime=message.runtime, threads=message.threads,
            precision=message.precision, verified=message.verified,
        )


@dataclass(frozen=True)
class EngineChange:
    """Another engine continued a session."""

    before: Engine
    after: Engine
    #: The first frame that `after` contributes to.
    frame: int
    #: Such as "ENGINE_FAILED"; `EngineChange` in the proto lists all.
    reason: str
    #: The cause.
    message: str

    @classmethod
    def _of(cls, message: engine_pb2.EngineChange) -> EngineChange:
        return cls(
            before=Engine._of(getattr(message, "from")), after=Engine._of(message.to), frame=message.frame,
            reason=message.reason, message=message.message,
        )


class SourceNoteKind(enum.IntEnum):
    """Kinds of `SourceNote`. `Session` leaves out kinds of later servers."""

    #: Resampled from the song's rate to the model's, in Hz.
    RESAMPLED = 1
    #: What lies between the frequencies `after` and `before`, in Hz, is lost: half the rates of model and song.
    BAND_LOST = 2
    #: The one channel was copied to both sides.
    MONO_COPIED = 3
    #: More than two channels were mixed by the matrix of ITU-R BS.775, without low frequency effects.
    DOWNMIXED = 4
    #: Frames that damage or gaps replaced by silence.
    FRAMES_SILENCED = 5
    #: Packets that could not be decoded.
    PACKETS_DAMAGED = 6
    #: Positions at which packets are missing.
    GAPS_FILLED = 7
    #: Samples that were not finite and became silence.
    SAMPLES_INVALID = 8
    #: Bytes that are neither audio nor a known tag.
    BYTES_SKIPPED = 9
    #: Concatenated streams that were skipped because their header is broken.
    STREAMS_SKIPPED = 10
    #: Frames that headers state but the song does not hold.
    FRAMES_MISSING = 11
    #: The song's file has `count` audio tracks, of which that of the number `after` is separated.
    TRACK_CHOSEN = 12
    #: A live source was cut after so many seconds, at the limit of the server.
    LIVE_CUT = 13
    #: The cover picture is in no file: it is too large, broken, or neither JPEG nor PNG.
    COVER_LEFT_OUT = 14


@dataclass(frozen=True)
class SourceNote:
    """One way in which the audio that is separated differs from the song."""

    kind: SourceNoteKind
    #: The value in the song, in Hz or channels; 0 where the kind has none.
    before: int
    #: The value in what is separated; 0 where the kind has none.
    after: int
    #: How many, where the kind is counted.
    count: int
    #: How it was done, where the kind can be done in several ways: "ITU-R BS.775" for `DOWNMIXED`; else empty.
    method: str

    @classmethod
    def _of_all(cls, messages: Iterable[session_pb2.SourceNote]) -> tuple[SourceNote, ...]:
        known = {int(kind) for kind in SourceNoteKind}
        return tuple(
            cls(SourceNoteKind(message.kind), getattr(message, "from"), message.to, message.count, message.method)
            for message in messages if int(message.kind) in known
        )


@dataclass(frozen=True)
class SourceTags:
    """The tags of a song: texts of at most 256 characters without control characters, empty where there is none."""

    title: str
    artist: str
    album: str
    #: 0 where there is none.
    track_number: int
    #: As tagged, usually a year or YYYY-MM-DD.
    date: str
    genre: str
    album_artist: str = ""
    #: Beats per minute; 0 where there is none.
    bpm: float = 0.0
    #: As tagged, such as "Am" or "8A".
    key: str = ""
    comment: str = ""

    @classmethod
    def _of(cls, message: session_pb2.SourceTags) -> SourceTags:
        return cls(
            message.title,
            message.artist,
            message.album,
            message.track_number,
            message.date,
            message.genre,
            message.album_artist,
            message.bpm,
            message.key,
            message.comment,
        )


@dataclass(frozen=True)
class Source:
    """The detected format of an upload, its tags, and what was converted or lost."""

    #: Such as "mp3", "flac", "raw".
    container: str
    #: Such as "mp3", "aac", "pcm_s16le".
    codec: str
    sample_rate: int
    channels: int
    #: Frames at `sample_rate`; 0 until known.
    frames: int
    #: Frames that could not be decoded and were replaced by silence.
    damaged_frames: int
    #: The frames per second of the stems.
    output_sample_rate: int
    #: The program that decoded it, with its version, such as "ffmpeg 7.0.2"; empty if the server did.
    decoder: str
    #: The length of the song; 0 until known.
    duration_seconds: float
    #: What was converted, downmixed or lost; complete once the song is decoded.
    notes: tuple[SourceNote, ...]
    #: Tags; those at the end of a file once the song is decoded.
    tags: SourceTags

    @classmethod
    def _of(cls, message: session_pb2.Source) -> Source:
        return cls(
            container=message.container, codec=message.codec, sample_rate=message.sample_rate,
            channels=message.channels, frames=message.frames, damaged_frames=message.damaged_frames,
            output_sample_rate=message.output_sample_rate, decoder=message.decoder,
            duration_seconds=message.duration_seconds, notes=SourceNote._of_all(message.notes),
            tags=SourceTags._of(message.tags),
        )


@dataclass(frozen=True)
class StemInfo:
    """One stem of a session, without its samples."""

    name: str
    #: Frames that can be read now.
    frames: int
    #: The largest absolute sample so far; full scale is 1.
    peak: float
    #: SHA-256 of all its samples as float32, in hexadecimal; empty until the session is done.
    sha256: str

    @classmethod
    def _of(cls, message: session_pb2.Stem) -> StemInfo:
        return cls(message.name, message.frames, message.peak, message.sha256.hex())


@dataclass(frozen=True)
class Failure:
    """Why a session failed or is delayed."""

    #: Such as "CODEC_UNSUPPORTED".
    reason: str
    #: The cause.
    message: str
    #: The remedy, one imperative sentence.
    remedy: str
    #: The values and limits behind the message.
    metadata: dict[str, str]

    @classmethod
    def _of(cls, message: session_pb2.SessionError) -> Failure:
        return cls(message.reason, message.message, message.remedy, dict(message.metadata))


@dataclass(frozen=True)
class Session:
    """One separation, from the first byte of its upload to the last frame of its stems."""

    session_id: str
    state: State
    #: The song's name, as given by the client.
    file_name: str
    #: The client's id for the session.
    request_id: str
    #: The current or last engine.
    engine: Engine | None
    #: All engine changes, in order.
    engine_changes: tuple[EngineChange, ...]
    #: Bytes of the upload stored by the server.
    committed_bytes: int
    upload_complete: bool
    #: None until the first bytes are decoded.
    source: Source | None
    progress: Progress
    stems: tuple[StemInfo, ...]
    #: None unless `state` is FAILED.
    failure: Failure | None
    #: Why the server paused it, such as "DISK_FULL"; it continues by itself. None where a paused session waits for a
    #: client.
    delay: Failure | None
    #: English texts for the user. Superseded: `source.notes`, `source.decoder` and `engine.verified` have the same.
    notices: tuple[str, ...]
    create_time: datetime | None
    update_time: datetime | None
    #: How the engine cuts the track: "centred", "mirrored", "hann" or "columns"; empty from an older server.
    windows: str
    #: The fraction of a segment that overlaps the next.
    overlap: float
    #: Why the model was chosen; empty unless `quality` was given.
    model_choice: str

    @classmethod
    def _of(cls, message: session_pb2.Session) -> Session:
        source, engine = None, None
        if message.HasField("source"):
            source = Source._of(message.source)
        if message.HasField("engine"):
            engine = Engine._of(message.engine)
        return cls(
            session_id=message.session_id,
            state=State(message.state),
            file_name=message.config.file_name,
            request_id=message.config.request_id,
            engine=engine,
            engine_changes=tuple(map(EngineChange._of, message.engine_changes)),
            committed_bytes=message.committed_bytes,
            upload_complete=message.upload_complete,
            source=source,
            progress=Progress._of(message.progress),
            stems=tuple(map(StemInfo._of, message.stems)),
            failure=Failure._of(message.error) if message.HasField("error") else None,
            delay=Failure._of(message.delay) if message.HasField("delay") else None,
            notices=tuple(message.notices),
            create_time=_time(message, "create_time"),
            update_time=_time(message, "update_time"),
            windows=message.windows.shape,
            overlap=message.windows.overlap,
            model_choice=message.model_choice,
        )


@dataclass(frozen=True)
class Trial:
    """The benchmark of one candidate provider for a model. The baseline is the CPU in 32-bit floats."""

    execution_provider: str
    precision: str
    #: Speed relative to the baseline; None if rejected.
    speed: float | None
    #: SNR of the worst stem against the baseline, in dB; infinite if all samples are equal, None if rejected.
    snr_db: float | None
    #: Why the candidate was rejected; empty if it was not.
    message: str

    @classmethod
    def _of(cls, message: engine_pb2.Trial) -> Trial:
        speed = message.speed if message.HasField("speed") else None
        snr_db = message.snr_db if message.HasField("snr_db") else None
        return cls(
            execution_provider=message.execution_provider, precision=message.precision, speed=speed, snr_db=snr_db,
            message=message.message,
        )


@dataclass(frozen=True)
class Execution:
    """The execution provider of a model on the server, and why it was selected."""

    #: Such as "cpu", "openvino", "cuda".
    execution_provider: str
    #: Such as "f32".
    precision: str
    #: Why it was selected.
    reason: str
    #: The candidates; empty if there was nothing to compare.
    trials: tuple[Trial, ...]

    @classmethod
    def _of(cls, message: engine_pb2.Execution) -> Execution:
        return cls(
            execution_provider=message.execution_provider, precision=message.precision, reason=message.reason,
            trials=tuple(map(Trial._of, message.trials)),
        )


@dataclass(frozen=True)
class Model:
    """A model of the server."""

    name: str
    title: str
    #: The stems of the model; everything but one of them is available as "no_drums" and so on, or "accompaniment".
    stems: tuple[str, ...]
    sample_rate: int
    #: In hexadecimal.
    weights_sha256: str
    licence: str
    #: Whether it can be used; if not, `message` has the reason.
    usable: bool
    message: str
    verified: bool
    #: None if its card cannot be read, or from an older server.
    execution: Execution | None
    #: Seconds of a song that it computes per second on the server; None until that has been measured.
    real_time_factor: float | None
    #: Segments that the workers of a cluster compute at a time with it; None if the server computes itself.
    worker_lanes: int | None

    @classmethod
    def _of(cls, message: engine_pb2.Model) -> Model:
        execution = Execution._of(message.execution) if message.HasField("execution") else None
        speed = message.speed.real_time_factor if message.HasField("speed") else None
        usable = message.state in (engine_pb2.MODEL_STATE_AVAILABLE, engine_pb2.MODEL_STATE_LOADED)
        return cls(
            name=message.name, title=message.title, stems=tuple(message.stems), sample_rate=message.sample_rate,
            weights_sha256=message.weights_sha256.hex(), licence=message.licence, usable=usable,
            message=message.message, verified=message.verified, execution=execution,
            real_time_factor=speed, worker_lanes=message.worker_lanes if message.HasField("worker_lanes") else None,
        )


@dataclass(frozen=True)
class Worker:
    """A process that computes segments for the gateways of a cluster."""

    name: str
    version: str
    #: Segments that it computes at a time.
    lanes: int
    #: One for each model.
    engines: tuple[Engine, ...]

    @classmethod
    def _of(cls, message: api.Worker) -> Worker:
        return cls(
            name=message.name, version=message.version, lanes=message.lanes,
            engines=tuple(map(Engine._of, message.engines)),
        )


@dataclass(frozen=True)
class Cluster:
    """The workers of a cluster, and what they have to do."""

    #: One that was lost is removed after 30 s.
    workers: tuple[Worker, ...]
    #: Segments of all gateways in the queue, those that are being computed included.
    queued_segments: int
    #: Segments of this gateway that wait for room in the queue.
    waiting_segments: int

    @classmethod
    def _of(cls, message: api.Cluster) -> Cluster:
        return cls(
            workers=tuple(map(Worker._of, message.workers)), queued_segments=message.queued_segments,
            waiting_segments=message.waiting_segments,
        )


@dataclass(frozen=True)
class Health:
    """Whether a server accepts sessions, and its load."""

    serving: bool
    #: Why it does not serve; empty while it serves.
    message: str
    #: The remedy; empty while it serves.
    remedy: str
    version: str
    #: The inference library, such as "onnxruntime 1.31.1"; empty if none is loaded.
    runtime: str
    #: The fallback chain: the models in the order in which they are tried.
    engines: tuple[Model, ...]
    open_sessions: int
    queued_sessions: int
    #: Sessions without a slot that wait for more of their upload.
    parked_sessions: int
    max_open_sessions: int
    max_queued_sessions: int
    max_parked_sessions: int
    stored_bytes: int
    free_disk_bytes: int
    #: How far the processes that decode uploads are confined: "full", "partial", "none"; empty from an older server.
    decoder_sandbox: str
    #: Stored sessions that cannot be read because their files are damaged.
    unreadable_sessions: int
    #: What computes, if that is the workers of a cluster; None if it is the server.
    cluster: Cluster | None

    @classmethod
    def _of(cls, message: api.HealthResponse) -> Health:
        return cls(
            serving=message.status == api.SERVING_STATUS_SERVING, message=message.message, remedy=message.remedy,
            version=message.version, runtime=message.runtime.name, engines=tuple(map(Model._of, message.engines)),
            open_sessions=message.open_sessions, queued_sessions=message.queued_sessions,
            parked_sessions=message.parked_sessions, max_parked_sessions=message.max_parked_sessions,
            max_open_sessions=message.max_open_sessions, max_queued_sessions=message.max_queued_sessions,
            stored_bytes=message.stored_bytes, free_disk_bytes=message.free_disk_bytes,
            decoder_sandbox=_DECODER_SANDBOX.get(message.decoder_sandbox, ""),
            unreadable_sessions=message.unreadable_sessions,
            cluster=Cluster._of(message.cluster) if message.HasField("cluster") else None,
        )


_DECODER_SANDBOX = {
    api.DECODER_SANDBOX_FULL: "full", api.DECODER_SANDBOX_PARTIAL: "partial", api.DECODER_SANDBOX_NONE: "none",
}


def _time(message: Any, field: str) -> datetime | None:
    return getattr(message, field).ToDatetime(tzinfo=timezone.utc) if message.HasField(field) else None
