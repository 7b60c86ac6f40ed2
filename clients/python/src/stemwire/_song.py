"""Where a song's bytes come from. All sources are read by position, so that a broken upload can go on."""
from __future__ import annotations

import hashlib
import os
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, Optional, Union

import numpy as np

from . import audio

#: Bytes of one message.
CHUNK_BYTES = 256 * 1024

#: Bytes of a song that cannot be read again which are kept, because they may be lost on their way: more than
#: what HTTP/2 lets be under way.
REPLAY_BYTES = 16 << 20

Song = Union[str, "os.PathLike[str]", bytes, bytearray, memoryview, "np.ndarray[Any, Any]", BinaryIO, Iterable[bytes]]


class Source:
    """A song that is read by position. Calls of several threads take turns."""

    def __init__(self, label: str = "", raw: Optional[audio.Raw] = None, rereadable: bool = True):
        self.label, self.raw = label, raw
        #: What reading ended with, for whoever waits for the server meanwhile.
        self.failure: Optional[Exception] = None
        #: Whether nobody wants more of it.
        self.closed = False
        self._rereadable, self._lock = rereadable, threading.Lock()
        self._hash, self._hashed = hashlib.sha256(), 0

    def read(self, offset: int) -> bytes:
        """Some bytes from `offset` on, `CHUNK_BYTES` at most; none at the end, or once it is closed."""
        with self._lock:
            if self.closed:
                return b""
            try:
                piece = bytes(self._read(offset))
                self._take(offset, piece)
            except Exception as error:
                self.failure = error
                raise
            return piece

    def sha256(self, total: int) -> bytes:
        """The hash of the first `total` bytes; empty where some were never read here."""
        return self._hash.digest() if self._hashed == total else b""

    def close(self) -> None:
        """Nothing is read any more."""
        self.closed = True

    def _read(self, offset: int) -> Any:
        raise NotImplementedError

    def _take(self, offset: int, piece: bytes) -> None:
        # What another process has sent before is read here only for the hash.
        while self._rereadable and self._hashed < offset:
            missed = self._read(self._hashed)
            if not missed:
                return
            self._add(missed[: offset - self._hashed])
        if offset <= self._hashed:
            self._add(piece[self._hashed - offset :])

    def _add(self, piece: Any) -> None:
        self._hash.update(piece)
        self._hashed += len(piece)


class Memory(Source):
    """Bytes that are there."""

    def __init__(self, view: memoryview, label: str = "", raw: Optional[audio.Raw] = None):
        super().__init__(label, raw)
        self._view = view.cast("B")

    def _read(self, offset: int) -> Any:
        return self._view[offset : offset + CHUNK_BYTES]


class File(Source):
    """A file that can be read from any position."""

    def __init__(self, file: Any, label: str, owned: bool):
        super().__init__(label)
        # A file that is handed in may stand behind something else.
        self._file, self._owned, self._start = file, owned, file.tell()

    def _read(self, offset: int) -> Any:
        self._file.seek(self._start + offset)
        return self._file.read(CHUNK_BYTES)

    def close(self) -> None:
        super().close()
        if self._owned:
            # A call that has just ended may still read.
            with self._lock:
                self._file.close()


class Stream(Source):
    """Bytes that come once; the last `REPLAY_BYTES` are kept."""

    def __init__(self, pieces: Iterable[bytes], label: str = ""):
        super().__init__(label, rereadable=False)
        self._pieces = iter(pieces)
        self._kept: deque[tuple[int, bytes]] = deque()
        self._end = 0

    def _read(self, offset: int) -> Any:
        while offset >= self._end:
            piece = next(self._pieces, None)
            if piece is None:
                return b""
            self.keep(piece)
        return self.kept(offset)

    def keep(self, piece: bytes) -> None:
        """Adds what has come."""
        self._kept.append((self._end, bytes(piece)))
        self._end += len(piece)
        while self._end - self._kept[0][0] - len(self._kept[0][1]) >= REPLAY_BYTES:
            self._kept.popleft()

    def kept(self, offset: int) -> bytes:
        """What has come from `offset` on, or a part of it."""
        for start, piece in self._kept:
            if start <= offset < start + len(piece):
                return piece[offset - start : offset - start + CHUNK_BYTES]
        text = f"the server has lost the song from byte {offset} on, and it cannot be read again; send it anew"
        raise OSError(text)


def source(song: Song, sample_rate: Optional[int] = None) -> Source:
    """The source that a song is."""
    if isinstance(song, (str, os.PathLike)):
        return File(open(song, "rb"), Path(song).name, owned=True)
    if isinstance(song, (bytes, bytearray, memoryview)):
        return Memory(memoryview(song))
    if isinstance(song, np.ndarray):
        if sample_rate is None:
            raise TypeError("an array says nothing of its rate; give sample_rate, too")
        encoding, channels, view = audio.encoded(song)
        return Memory(view, raw=audio.Raw(encoding, sample_rate, channels))
    if hasattr(song, "read"):
        name = getattr(song, "name", "")
        label = Path(name).name if isinstance(name, str) else ""
        if getattr(song, "seekable", lambda: False)():
            return File(song, label, owned=False)
        return Stream(_pieces_of(song), label)
    if isinstance(song, Iterable):
        return Stream(song)
    raise TypeError(f"{type(song).__name__} is no song; give a path, bytes, a file, an array or an iterator of bytes")


def _pieces_of(file: Any) -> Iterator[bytes]:
    # A pipe that has something should not wait until it has a whole chunk.
    read = getattr(file, "read1", file.read)
    while piece := read(CHUNK_BYTES):
        yield piece
