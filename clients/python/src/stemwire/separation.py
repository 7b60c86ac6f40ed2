"""One song that is being separated."""
from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Optional

from ._reception import Reception
from ._wav import WavFolder
from .audio import Chunk, Stem, decoded
from .types import EngineChange, Progress, Session

if TYPE_CHECKING:
    from .client import Client


@dataclass(frozen=True)
class Saved:
    """The stems of a song as files."""

    #: The files by stem.
    files: dict[str, Path]
    #: The session in its final state: engine, its changes, notices, peaks and hashes.
    session: Session
    #: Frames per second.
    sample_rate: int
    #: Samples that an integer encoding had to clip.
    clipped_samples: int


class View:
    """What is known of a session that is being followed."""

    def __init__(self, reception: Reception):
        self._reception = reception
        self._begun = False

    @property
    def session_id(self) -> str:
        """The session's name; a UUID."""
        return self._reception.session_id

    @property
    def session(self) -> Session:
        """The session as the server last told it; in its final state once all has come."""
        session = self._reception.session
        assert session is not None, "the server tells it before anything else"
        return session

    @property
    def progress(self) -> Progress:
        """How far it is, as last told."""
        return self._reception.progress or self.session.progress

    @property
    def engine_changes(self) -> list[EngineChange]:
        """Every change of engine so far."""
        return list(self._reception.engine_changes)

    @property
    def clipped_samples(self) -> int:
        """Samples that an integer encoding had to clip, of what has come."""
        return self._reception.clipped_samples

    @property
    def sample_rate(self) -> int:
        """That of the stems; 0 until it is known, which it is with the first chunk."""
        return self._reception.sample_rate

    def _begin(self, what: str) -> None:
        if self._begun:
            raise RuntimeError(f"{what} comes too late: chunks have been handed out; read with client.stem(session_id, …)")
        self._begun = True

    def _saved(self, files: dict[str, Path]) -> Saved:
        return Saved(files, self.session, self.sample_rate, self.clipped_samples)


class Collector:
    """Whole stems in memory."""

    def __init__(self, reception: Reception):
        self._reception = reception
        self._pcm: dict[str, bytearray] = {}

    def add(self, chunk: Chunk) -> None:
        """Adds some frames."""
        self._pcm.setdefault(chunk.stem, bytearray()).extend(chunk.pcm)

    def stems(self) -> dict[str, Stem]:
        """What has come, in the session's order."""
        form, rate = self._reception.encoding, self._reception.sample_rate
        names = [name for name in self._reception.stems if name in self._pcm]
        return {name: Stem(name, decoded(self._pcm[name], form), rate) for name in names}


class Separation(View, Iterator[Chunk]):
    """A session that is being followed: iterate over its chunks as they come, or take the whole.

    Chunks come as fast as they are taken: one that is slow to iterate holds up nothing but itself, and costs no
    memory. A connection that breaks is made again, and what has come goes on where it was. Left before its end
    (`close`, `with`, or simply dropped), the session does what `on_disconnect` says.
    """

    def __init__(self, client: "Client", reception: Reception, events: Generator[Optional[Chunk], None, None]):
        super().__init__(reception)
        self._client, self._events = client, events
        self._stems: Optional[dict[str, Stem]] = None
        # The session comes first, so that what the server refuses is known at once.
        while not reception.session_id:
            next(events)

    def __iter__(self) -> "Separation":
        return self

    def __next__(self) -> Chunk:
        self._begun = True
        for chunk in self._events:
            if chunk is not None:
                return chunk
        raise StopIteration

    @property
    def stems(self) -> dict[str, Stem]:
        """All stems, whole, as arrays: waits for the end. Cannot be mixed with iterating."""
        if self._stems is None:
            self._begin("stems")
            collector = Collector(self._reception)
            for chunk in self:
                collector.add(chunk)
            self._stems = collector.stems()
        return self._stems

    def save(self, directory: "os.PathLike[str] | str") -> Saved:
        """Writes all stems to `directory`/STEM.wav as they come, in the encoding that was asked for."""
        self._begin("save")
        with WavFolder(Path(directory), self._reception.encoding) as folder:
            for chunk in self:
                folder.write(chunk)
            return self._saved(folder.finish())

    def wait(self) -> Session:
        """Waits for the end without keeping anything; answers the session in its final state."""
        for _ in self:
            pass
        return self.session

    def cancel(self) -> None:
        """Ends the session, from any thread; whoever iterates gets `SessionCancelled`."""
        self._client.cancel(self.session_id)

    def close(self) -> None:
        """Leaves the session to what `on_disconnect` says, if it has not ended."""
        self._events.close()

    def __enter__(self) -> "Separation":
        return self

    def __exit__(self, kind: Optional[type], error: Optional[BaseException], trace: Optional[TracebackType]) -> None:
        self.close()
