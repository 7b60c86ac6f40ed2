"""What has come of one session so far, whatever brings it: the same for both clients, and without any waiting."""
from __future__ import annotations

import hashlib
import warnings
from collections.abc import Sequence
from typing import Any, Optional

from .audio import FRAME_BYTES, Chunk
from .errors import EngineChangeWarning, StemwireError, nonsense
from .types import EngineChange, Progress, Session
from .v1 import session_pb2


class Reception:
    """Takes the messages of a session in order, also over several calls; no frame comes out twice or is missed."""

    def __init__(self, encoding: str, *, stems: Sequence[str] = (), start_frame: int = 0, gain: float = 1.0,
                 callbacks: Optional[dict[str, Any]] = None):
        self.encoding, self._stems, self._start = encoding, tuple(stems), start_frame
        self._callbacks = callbacks or {}
        self._frames: dict[str, int] = {}
        # The server's hashes are of whole stems as floats.
        self._hashes: Optional[dict[str, Any]] = {} if encoding == "f32" and gain == 1 and start_frame == 0 else None
        self._said: Optional[session_pb2.Session] = None
        self._rate = 0
        self.progress: Optional[Progress] = None
        self.engine_changes: list[EngineChange] = []
        self.clipped_samples = 0
        self.is_done = False

    @property
    def session(self) -> Optional[Session]:
        """The session as it was last told."""
        return Session._of(self._said) if self._said else None

    @property
    def session_id(self) -> str:
        """Empty until the server has told it."""
        return self._said.session_id if self._said else ""

    @property
    def frames(self) -> int:
        """Frames that every stem has: where another call begins."""
        return min(map(self.held, self.stems), default=self._start)

    @property
    def stems(self) -> tuple[str, ...]:
        """The stems that come: those asked for, or all."""
        told = self._said.stems if self._said else ()
        return self._stems or tuple(stem.name for stem in told)

    def held(self, stem: str) -> int:
        """The frame after the last that has come of a stem."""
        return self._frames.get(stem, self._start)

    @property
    def mark(self) -> tuple[int, int]:
        """How far it is: what the server holds of the upload, and what has come back."""
        return (self._said.committed_bytes if self._said else 0, self.frames)

    def take(self, message: Any) -> Optional[Any]:
        """Takes a message of `Separate` or `WatchSession`; answers the chunk in it, if there is one."""
        kind = message.WhichOneof("message")
        if kind == "stem":
            return message.stem
        if kind == "progress":
            self._take_progress(Progress._of(message.progress))
        elif kind == "engine_change":
            self._take_change(EngineChange._of(message.engine_change))
        elif kind == "session":
            self.take_session(message.session)
        elif kind == "done":
            self.take_session(message.done)
            if message.done.state == session_pb2.SESSION_STATE_DONE:
                self._check(message.done)
                self.is_done = True
        return None

    def take_session(self, said: session_pb2.Session) -> None:
        """Takes a session as it is now."""
        self._said = said
        self._rate = said.source.output_sample_rate or self._rate
        self._take_progress(Progress._of(said.progress))
        for change in said.engine_changes:
            self._take_change(EngineChange._of(change))

    @property
    def sample_rate(self) -> int:
        """That of the stems; 0 until the server has told it."""
        return self._rate

    def chunk(self, said: Any) -> Optional[Chunk]:
        """What is new of a chunk; the sample rate must be known."""
        held, frame = self.held(said.stem), FRAME_BYTES[self.encoding]
        if said.start_frame > held:
            raise nonsense(f"frames {held} to {said.start_frame} of {said.stem} did not come")
        # After a broken connection frames may come again that this stem has and another lacks.
        pcm = said.pcm[(held - said.start_frame) * frame :]
        if not pcm:
            return None
        self._frames[said.stem] = held + len(pcm) // frame
        if self._hashes is not None:
            self._hashes.setdefault(said.stem, hashlib.sha256()).update(pcm)
        self.clipped_samples += said.clipped_samples
        return Chunk(said.stem, held, self._rate, pcm, self.encoding, said.clipped_samples)

    def reconnecting(self, error: StemwireError, pause: float) -> None:
        """Tells that the connection broke and is made again after so many seconds."""
        if told := self._callbacks.get("on_reconnect"):
            told(error, pause)

    def _take_progress(self, progress: Progress) -> None:
        self.progress = progress
        if told := self._callbacks.get("on_progress"):
            told(progress)

    def _take_change(self, change: EngineChange) -> None:
        # A call that goes on after a broken connection may tell of it once more.
        if change in self.engine_changes:
            return
        self.engine_changes.append(change)
        if told := self._callbacks.get("on_engine_change"):
            told(change)
        else:
            text = f"from frame {change.frame} on {change.after.model} computes: {change.message}"
            warnings.warn(text, EngineChangeWarning, stacklevel=2)

    def _check(self, done: session_pb2.Session) -> None:
        """Holds what has come against what the server says there is."""
        for stem in done.stems:
            if stem.name not in self.stems:
                continue
            if self.held(stem.name) < stem.frames:
                raise nonsense(f"{stem.name} has {stem.frames} frames, of which {self.held(stem.name)} came")
            if self._hashes and stem.frames and self._hashes[stem.name].digest() != stem.sha256:
                raise nonsense(f"the samples of {stem.name} are not those that its hash is of")
