"""What a separation yields, in the parts that need no I/O; both `Separation` classes build on it."""
from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ._receiver import Receiver
from .audio import Chunk, Stem, decode_pcm
from .types import EngineChange, Progress, Session


@dataclass(frozen=True)
class Saved:
    """The stems of a song as files."""

    #: The files by stem.
    files: dict[str, Path]
    #: The session in its final state: engine, engine changes, notices, peaks and hashes.
    session: Session
    #: Frames per second.
    sample_rate: int
    #: Samples clipped by an integer encoding.
    clipped_samples: int


class SessionView:
    """The state of a followed session."""

    def __init__(self, receiver: Receiver):
        self._receiver = receiver
        self._consumed = False

    @property
    def session_id(self) -> str:
        """The session's UUID."""
        return self._receiver.session_id

    @property
    def session(self) -> Session:
        """The session as last received; in its final state once all chunks are received."""
        session = self._receiver.session
        assert session is not None, "a separation is returned only after its session has been received"
        return session

    @property
    def progress(self) -> Progress:
        """The progress as last received."""
        return self._receiver.progress or self.session.progress

    @property
    def engine_changes(self) -> list[EngineChange]:
        """All engine changes so far."""
        return list(self._receiver.engine_changes)

    @property
    def clipped_samples(self) -> int:
        """Samples clipped by an integer encoding, in the chunks so far."""
        return self._receiver.clipped_samples

    @property
    def sample_rate(self) -> int:
        """Frames per second of the stems; 0 until the first chunk."""
        return self._receiver.sample_rate

    def _consume(self, name: str) -> None:
        if self._consumed:
            raise RuntimeError(f"{name} needs all chunks, but some were read before. Use client.stem(session_id, …).")
        self._consumed = True

    def _saved(self, files: dict[str, Path]) -> Saved:
        return Saved(files, self.session, self.sample_rate, self.clipped_samples)


class StemCollector:
    """Collects chunks into whole stems in memory."""

    def __init__(self, receiver: Receiver):
        self._receiver = receiver
        self._pcm: dict[str, bytearray] = {}

    def add(self, chunk: Chunk) -> None:
        """Adds the frames of a chunk."""
        self._pcm.setdefault(chunk.stem, bytearray()).extend(chunk.pcm)

    def stems(self) -> dict[str, Stem]:
        """The stems, in the order of the session."""
        encoding, rate, channels = self._receiver.encoding, self._receiver.sample_rate, self._receiver.channels
        names = [name for name in self._receiver.stems if name in self._pcm]
        return {name: Stem(name, decode_pcm(self._pcm[name], encoding, channels), rate) for name in names}
