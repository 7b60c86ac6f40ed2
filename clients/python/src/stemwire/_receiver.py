"""What both clients know about a session they follow; no I/O."""
from __future__ import annotations

import hashlib
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

from .audio import SAMPLE_BYTES, Chunk
from .errors import EngineChangeWarning, StemwireError, invalid_answer
from .types import EngineChange, Progress, Session
from .v1 import separation_service_pb2 as api
from .v1 import session_pb2


class Receiver:
    """Assembles the messages of a session, over any number of calls: each frame of a stem once and in order."""

    def __init__(
        self,
        encoding: str,
        *,
        stems: Sequence[str] = (),
        start_frame: int = 0,
        gain: float = 1.0,
        callbacks: Mapping[str, Any] | None = None,
    ):
        self.encoding = encoding
        self._requested, self._start = tuple(stems), start_frame
        self._callbacks = callbacks or {}
        self._next_frames: dict[str, int] = {}
        #: Channels of the stems.
        self.channels = 2
        # The server's hashes are those of whole stems as float32 in stereo.
        self._hashes: dict[str, Any] | None = {} if encoding == "f32" and gain == 1 and start_frame == 0 else None
        self._session: session_pb2.Session | None = None
        #: Frames per second of the stems; 0 until known.
        self.sample_rate = 0
        self.progress: Progress | None = None
        self.engine_changes: list[EngineChange] = []
        self.clipped_samples = 0
        self.is_done = False

    @property
    def session(self) -> Session | None:
        """The session as last received."""
        return Session._of(self._session) if self._session else None

    @property
    def session_id(self) -> str:
        """Empty until the session is received."""
        return self._session.session_id if self._session else ""

    @property
    def stems(self) -> tuple[str, ...]:
        """The stems to receive: the requested ones, or all of the session."""
        known = self._session.stems if self._session else ()
        return self._requested or tuple(stem.name for stem in known)

    def next_frame(self, stem: str) -> int:
        """The position after the last received frame of a stem."""
        return self._next_frames.get(stem, self._start)

    @property
    def resume_frame(self) -> int:
        """The first frame that some stem lacks; the next call starts here."""
        return min(map(self.next_frame, self.stems), default=self._start)

    @property
    def position(self) -> tuple[int, int]:
        """(uploaded bytes, received frames): grows whenever a call made progress."""
        return (self._session.committed_bytes if self._session else 0, self.resume_frame)

    def handle(self, message: api.SeparateResponse | api.WatchSessionResponse) -> api.StemChunk | None:
        """Applies a message; returns the stem chunk in it, if any, for `new_frames`."""
        kind = message.WhichOneof("message")
        if kind == "stem":
            return message.stem
        if kind == "progress":
            self._update_progress(Progress._of(message.progress))
        elif kind == "engine_change":
            self._add_engine_change(EngineChange._of(message.engine_change))
        elif kind == "session":
            self.update(message.session)
        elif kind == "done":
            self.update(message.done)
            if message.done.state == session_pb2.SESSION_STATE_DONE:
                self._verify(message.done)
                self.is_done = True
        return None

    def update(self, session: session_pb2.Session) -> None:
        """Applies the current state of the session."""
        self._session = session
        self.sample_rate = session.source.output_sample_rate or self.sample_rate
        self._update_progress(Progress._of(session.progress))
        for change in session.engine_changes:
            self._add_engine_change(EngineChange._of(change))

    def new_frames(self, message: api.StemChunk) -> Chunk | None:
        """The frames of a chunk that were not received before; `sample_rate` must be known."""
        # A server that is older than the field sends stereo.
        channels = message.channels or 2
        start, frame_bytes = self.next_frame(message.stem), channels * SAMPLE_BYTES[self.encoding]
        if message.start_frame > start:
            raise invalid_answer(f"frames {start} to {message.start_frame} of {message.stem} are missing")
        # A repeated call starts all stems at `resume_frame`, and some may be ahead of it.
        pcm = message.pcm[(start - message.start_frame) * frame_bytes :]
        if not pcm:
            return None
        self._next_frames[message.stem] = start + len(pcm) // frame_bytes
        self.channels = channels
        if channels != 2:
            self._hashes = None
        if self._hashes is not None:
            self._hashes.setdefault(message.stem, hashlib.sha256()).update(pcm)
        self.clipped_samples += message.clipped_samples
        return Chunk(message.stem, start, self.sample_rate, pcm, self.encoding, message.clipped_samples, channels)

    def report_reconnect(self, error: StemwireError, pause: float) -> None:
        """Reports that the call failed and is repeated after `pause` seconds."""
        if callback := self._callbacks.get("on_reconnect"):
            callback(error, pause)

    def _update_progress(self, progress: Progress) -> None:
        self.progress = progress
        if callback := self._callbacks.get("on_progress"):
            callback(progress)

    def _add_engine_change(self, change: EngineChange) -> None:
        # Every call lists all changes since the start of the session.
        if change in self.engine_changes:
            return
        self.engine_changes.append(change)
        if callback := self._callbacks.get("on_engine_change"):
            callback(change)
        else:
            text = f"{change.after.model} computes from frame {change.frame} on: {change.message}"
            warnings.warn(text, EngineChangeWarning, stacklevel=2)

    def _verify(self, done: session_pb2.Session) -> None:
        for stem in done.stems:
            if stem.name not in self.stems:
                continue
            received = self.next_frame(stem.name)
            if received < stem.frames:
                raise invalid_answer(f"{stem.name} has {stem.frames} frames, but only {received} were received")
            if self._hashes and stem.frames and self._hashes[stem.name].digest() != stem.sha256:
                raise invalid_answer(f"the SHA-256 of {stem.name} differs from the server's")
