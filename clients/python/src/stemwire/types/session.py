"""Sessions: their state, progress, stems and failure."""
from __future__ import annotations

import enum
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from ..v1 import session_pb2
from .engine import Engine, EngineChange
from .source import Source


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


def _time(message: Any, field: str) -> datetime | None:
    return getattr(message, field).ToDatetime(tzinfo=timezone.utc) if message.HasField(field) else None
