"""What a server says, as plain values: sessions, progress, engines, models, health.

Each says the same as the message of its name in the proto, where every field is explained at length.
"""
from __future__ import annotations

import enum
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any, Optional

from .v1 import engine_pb2, separation_service_pb2 as api, session_pb2


class State(enum.Enum):
    """Where a session stands."""

    UNKNOWN = 0
    UPLOADING = 1
    RUNNING = 2
    PAUSED = 3
    DONE = 4
    FAILED = 5
    CANCELLED = 6

    @classmethod
    def _missing_(cls, value: object) -> "State":
        return cls.UNKNOWN

    @property
    def is_ended(self) -> bool:
        """Whether nothing more happens."""
        return self in (State.DONE, State.FAILED, State.CANCELLED)


@dataclass(frozen=True)
class Progress:
    """How far a session is, in frames of its stems."""

    #: Frames of every stem that are done.
    finished_frames: int
    #: Frames that the stems will have; 0 until known.
    total_frames: int
    #: Frames decoded from the upload so far.
    decoded_frames: int
    state: State
    #: Sessions that are before this one in the queue; 0 when it has its place.
    queue_position: int

    @property
    def fraction(self) -> Optional[float]:
        """What is done of the whole, 0 to 1; None until the length is known."""
        return self.finished_frames / self.total_frames if self.total_frames else None

    @classmethod
    def _of(cls, said: session_pb2.Progress) -> "Progress":
        numbers = (said.finished_frames, said.total_frames, said.decoded_frames)
        return cls(*numbers, State(said.state), said.queue_position)


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
    #: Whether the weights are known to be their makers' own.
    verified: bool

    @classmethod
    def _of(cls, said: engine_pb2.Engine) -> "Engine":
        names = (said.model, said.weights_sha256.hex(), said.execution_provider, said.runtime)
        return cls(*names, said.threads, said.precision, said.verified)


@dataclass(frozen=True)
class EngineChange:
    """Another engine took a session over."""

    before: Engine
    after: Engine
    #: The first frame that `after` has a part in.
    frame: int
    #: Such as "ENGINE_FAILED"; all are at `EngineChange` in the proto.
    reason: str
    #: The same in words.
    message: str

    @classmethod
    def _of(cls, said: engine_pb2.EngineChange) -> "EngineChange":
        engines = (Engine._of(getattr(said, "from")), Engine._of(said.to))
        return cls(*engines, said.frame, said.reason, said.message)


@dataclass(frozen=True)
class Source:
    """What an upload was found to be."""

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

    @classmethod
    def _of(cls, said: session_pb2.Source) -> "Source":
        form = (said.container, said.codec, said.sample_rate, said.channels)
        return cls(*form, said.frames, said.damaged_frames, said.output_sample_rate)


@dataclass(frozen=True)
class StemInfo:
    """One stem of a session, without its samples."""

    name: str
    #: Frames that can be read now.
    frames: int
    #: The largest absolute sample so far; full scale is 1.
    peak: float
    #: Of all its samples as float32, in hexadecimal; empty until the session is done.
    sha256: str

    @classmethod
    def _of(cls, said: session_pb2.Stem) -> "StemInfo":
        return cls(said.name, said.frames, said.peak, said.sha256.hex())


@dataclass(frozen=True)
class Failure:
    """Why a session failed."""

    #: Such as "CODEC_UNSUPPORTED".
    reason: str
    #: Cause and remedy, in words.
    message: str
    #: The numbers behind it.
    metadata: dict[str, str]


@dataclass(frozen=True)
class Session:
    """One separation, from the first byte of its upload to the last frame of its stems."""

    session_id: str
    state: State
    #: The song's name, as it was given.
    file_name: str
    #: The id that its client gave it.
    request_id: str
    #: The engine that computes, or computed last.
    engine: Optional[Engine]
    #: Every change of engine, in order.
    engine_changes: tuple[EngineChange, ...]
    #: Bytes of the upload that are safely held.
    committed_bytes: int
    upload_complete: bool
    #: None until the first bytes are decoded.
    source: Optional[Source]
    progress: Progress
    stems: tuple[StemInfo, ...]
    #: None unless `state` is FAILED.
    failure: Optional[Failure]
    #: What the user should know of, in words.
    notices: tuple[str, ...]
    create_time: Optional[datetime]
    update_time: Optional[datetime]

    @classmethod
    def _of(cls, said: session_pb2.Session) -> "Session":
        failure, source, engine = None, None, None
        if said.HasField("error"):
            failure = Failure(said.error.reason, said.error.message, dict(said.error.metadata))
        if said.HasField("source"):
            source = Source._of(said.source)
        if said.HasField("engine"):
            engine = Engine._of(said.engine)
        return cls(
            session_id=said.session_id,
            state=State(said.state),
            file_name=said.config.file_name,
            request_id=said.config.request_id,
            engine=engine,
            engine_changes=tuple(map(EngineChange._of, said.engine_changes)),
            committed_bytes=said.committed_bytes,
            upload_complete=said.upload_complete,
            source=source,
            progress=Progress._of(said.progress),
            stems=tuple(map(StemInfo._of, said.stems)),
            failure=failure,
            notices=tuple(said.notices),
            create_time=_time(said, "create_time"),
            update_time=_time(said, "update_time"),
        )


@dataclass(frozen=True)
class Trial:
    """What was tried for a model, against the CPU in 32-bit floats."""

    execution_provider: str
    precision: str
    #: How many times as fast; None where it is left out.
    speed: Optional[float]
    #: Of the stem that has the worst, in dB; infinite where no sample differs, None where it is left out.
    snr_db: Optional[float]
    #: Why it is left out; empty where it is not.
    message: str

    @classmethod
    def _of(cls, said: engine_pb2.Trial) -> "Trial":
        speed = said.speed if said.HasField("speed") else None
        snr_db = said.snr_db if said.HasField("snr_db") else None
        return cls(said.execution_provider, said.precision, speed, snr_db, said.message)


@dataclass(frozen=True)
class Execution:
    """What computes a model at the server, and why."""

    #: Such as "cpu", "openvino", "cuda".
    execution_provider: str
    #: Such as "f32".
    precision: str
    #: Why, in words.
    reason: str
    #: What was tried; empty where there was nothing to try.
    trials: tuple[Trial, ...]

    @classmethod
    def _of(cls, said: engine_pb2.Execution) -> "Execution":
        return cls(said.execution_provider, said.precision, said.reason, tuple(map(Trial._of, said.trials)))


@dataclass(frozen=True)
class Model:
    """A model that a session may name."""

    name: str
    title: str
    #: The stems that it yields; "accompaniment" can be had of each that has vocals.
    stems: tuple[str, ...]
    sample_rate: int
    #: In hexadecimal.
    weights_sha256: str
    licence: str
    #: Whether it can be used; `message` says why not.
    usable: bool
    message: str
    verified: bool
    #: What computes it; None where its card cannot be read, or from an older server.
    execution: Optional[Execution]

    @classmethod
    def _of(cls, said: engine_pb2.Model) -> "Model":
        execution = Execution._of(said.execution) if said.HasField("execution") else None
        usable = said.state in (engine_pb2.MODEL_STATE_AVAILABLE, engine_pb2.MODEL_STATE_LOADED)
        names = (said.name, said.title, tuple(said.stems), said.sample_rate)
        words = (said.weights_sha256.hex(), said.licence, usable, said.message, said.verified)
        return cls(*names, *words, execution)


@dataclass(frozen=True)
class Health:
    """Whether a server takes work, and how much of it there is."""

    serving: bool
    #: What keeps it from serving; empty when it serves.
    message: str
    version: str
    #: The inference library, such as "onnxruntime 1.31.1"; empty when none is loaded.
    runtime: str
    #: The models that are tried in this order when a request names none, or when one fails.
    engines: tuple[Model, ...]
    open_sessions: int
    queued_sessions: int
    max_open_sessions: int
    max_queued_sessions: int
    stored_bytes: int
    free_disk_bytes: int

    @classmethod
    def _of(cls, said: api.HealthResponse) -> "Health":
        serving = said.status == api.SERVING_STATUS_SERVING
        sessions = (said.open_sessions, said.queued_sessions, said.max_open_sessions, said.max_queued_sessions)
        engines = tuple(map(Model._of, said.engines))
        words = (said.message, said.version, said.runtime.name)
        return cls(serving, *words, engines, *sessions, said.stored_bytes, said.free_disk_bytes)


def _time(said: Any, field: str) -> Optional[datetime]:
    return getattr(said, field).ToDatetime(tzinfo=timezone.utc) if said.HasField(field) else None
