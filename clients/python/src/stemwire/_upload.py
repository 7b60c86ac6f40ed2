"""Uploads: the bytes of a song, read by position so that an interrupted upload can be continued."""
from __future__ import annotations

import hashlib
import io
import os
import select
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from . import audio

#: Bytes of one message.
CHUNK_BYTES = 256 * 1024

#: Bytes kept of an upload that cannot be read twice. More than HTTP/2 has in flight, so that whatever a broken
#: connection lost can be sent again.
REPLAY_BYTES = 16 << 20

#: Milliseconds after which the thread that waits for a pipe sees that the upload was closed.
_WAIT_MS = 200

AudioInput = (
    str | os.PathLike[str] | bytes | bytearray | memoryview | npt.NDArray[Any] | BinaryIO | Iterable[bytes]
)


class Upload:
    """The bytes of one song, read by position. Safe for several threads; reads are serialized."""

    def __init__(self, file_name: str = "", raw: audio.Raw | None = None, rereadable: bool = True):
        self.file_name, self.raw = file_name, raw
        #: The error that ended reading. The upload runs beside the call, which raises it to the caller.
        self.failure: Exception | None = None
        self.closed = False
        self._rereadable, self._lock = rereadable, threading.Lock()
        self._hash, self._hashed = hashlib.sha256(), 0

    def read(self, offset: int) -> bytes:
        """Up to `CHUNK_BYTES` from `offset`; empty at the end, and once the upload is closed."""
        with self._lock:
            if self.closed:
                return b""
            try:
                piece = bytes(self._read(offset))
                self._update_hash(offset, piece)
            except Exception as error:
                self.failure = error
                raise
            return piece

    def sha256(self, total: int) -> bytes:
        """The hash of the first `total` bytes; empty if not all of them were read."""
        return self._hash.digest() if self._hashed == total else b""

    def close(self) -> None:
        """Ends reading."""
        self.closed = True

    def _read(self, offset: int) -> bytes | memoryview:
        raise NotImplementedError

    def _update_hash(self, offset: int, piece: bytes) -> None:
        # Bytes before `offset` that another process has uploaded are read only to be hashed.
        while self._rereadable and self._hashed < offset:
            earlier = self._read(self._hashed)
            if not earlier:
                return
            self._extend_hash(earlier[: offset - self._hashed])
        if offset <= self._hashed:
            self._extend_hash(piece[self._hashed - offset :])

    def _extend_hash(self, piece: bytes | memoryview) -> None:
        self._hash.update(piece)
        self._hashed += len(piece)


class BytesUpload(Upload):
    """Bytes in memory."""

    def __init__(self, view: memoryview, raw: audio.Raw | None = None):
        super().__init__(raw=raw)
        self._view = view.cast("B")

    def _read(self, offset: int) -> memoryview:
        return self._view[offset : offset + CHUNK_BYTES]


class FileUpload(Upload):
    """A seekable file, from its current position to its end."""

    def __init__(self, file: BinaryIO, file_name: str, owned: bool):
        super().__init__(file_name)
        self._file, self._owned, self._start = file, owned, file.tell()

    def _read(self, offset: int) -> bytes:
        self._file.seek(self._start + offset)
        return self._file.read(CHUNK_BYTES)

    def close(self) -> None:
        super().close()
        if self._owned:
            # The thread of a call that has just ended may still be reading.
            with self._lock:
                self._file.close()


class StreamUpload(Upload):
    """Pieces that can be read once; the last `REPLAY_BYTES` are kept."""

    def __init__(self, pieces: Iterable[bytes], file_name: str = ""):
        super().__init__(file_name, rereadable=False)
        self._pieces = iter(pieces)
        self._kept: deque[tuple[int, bytes]] = deque()
        self._end = 0

    def _read(self, offset: int) -> bytes:
        while offset >= self._end:
            piece = next(self._pieces, None)
            if piece is None:
                return b""
            self._keep(piece)
        return self._replay(offset)

    def _keep(self, piece: bytes) -> None:
        self._kept.append((self._end, bytes(piece)))
        self._end += len(piece)
        while self._end - self._kept[0][0] - len(self._kept[0][1]) >= REPLAY_BYTES:
            self._kept.popleft()

    def _replay(self, offset: int) -> bytes:
        for start, piece in self._kept:
            if start <= offset < start + len(piece):
                return piece[offset - start : offset - start + CHUNK_BYTES]
        raise OSError(
            f"the upload must be repeated from byte {offset}, but only its last {REPLAY_BYTES >> 20} MiB are kept. "
            "Separate the song again."
        )


class PipeUpload(StreamUpload):
    """A file that can be read once, such as standard input."""

    def __init__(self, file: Any, file_name: str):
        super().__init__(self._read_file(file), file_name)

    def _read_file(self, file: Any) -> Iterator[bytes]:
        # `read1` returns what a pipe has; `read` would wait until a whole chunk has arrived.
        read = getattr(file, "read1", file.read)
        wait = _wait_of(file)
        while not self.closed:
            if wait and not wait():
                continue
            piece = read(CHUNK_BYTES)
            if not piece:
                return
            yield piece


def _wait_of(file: Any) -> Callable[[], Any] | None:
    """Waits for a while and returns whether a file can be read; None where that cannot be known.

    A thread that waits within a buffered file holds its lock, without which the interpreter cannot end.
    """
    of_system = isinstance(getattr(file, "raw", file), io.FileIO)
    if not of_system or not hasattr(select, "poll"):
        return None
    poll = select.poll()
    poll.register(file.fileno(), select.POLLIN)
    return lambda: poll.poll(_WAIT_MS)


def open_upload(song: AudioInput, sample_rate: int | None = None) -> Upload:
    """Opens a path, bytes, a file, an array of samples with its `sample_rate`, or an iterable of bytes."""
    if isinstance(song, str | os.PathLike):
        return FileUpload(open(song, "rb"), Path(song).name, owned=True)  # noqa: SIM115 (`close` closes it)
    if isinstance(song, bytes | bytearray | memoryview):
        return BytesUpload(memoryview(song))
    if isinstance(song, np.ndarray):
        if sample_rate is None:
            raise TypeError("an array has no sample rate. Pass sample_rate too.")
        encoding, channels, view = audio.encode_array(song)
        return BytesUpload(view, audio.Raw(encoding, sample_rate, channels))
    if hasattr(song, "read"):
        file: Any = song
        name = getattr(file, "name", "")
        file_name = Path(name).name if isinstance(name, str) else ""
        if getattr(file, "seekable", lambda: False)():
            return FileUpload(file, file_name, owned=False)
        return PipeUpload(file, file_name)
    if isinstance(song, Iterable):
        return StreamUpload(song)
    raise TypeError(f"{type(song)} is not audio. Pass a path, bytes, a file, an array or an iterable of bytes.")
