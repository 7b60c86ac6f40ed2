"""WAV files that grow as their frames come, with the same bytes as those that `stemwire separate` writes."""
from __future__ import annotations

import os
import re
import struct
from pathlib import Path
from types import TracebackType
from typing import Optional

from .audio import FRAME_BYTES, Chunk
from .errors import nonsense

_HEADER_BYTES = 94
_UNKNOWN = 0xFFFF_FFFF


class WavFolder:
    """The stems of one song as files of a folder; they have their names once all are whole."""

    def __init__(self, folder: Path, encoding: str):
        self._folder, self._encoding, self._rate = folder, encoding, 0
        self._files: dict[str, _GrowingWav] = {}

    def write(self, chunk: Chunk) -> None:
        """Adds some frames."""
        self._rate = chunk.sample_rate
        if chunk.stem not in self._files:
            # It becomes a file's name.
            if not re.fullmatch("[a-z][a-z0-9_-]{0,31}", chunk.stem):
                raise nonsense(f"{chunk.stem!r} is not a stem's name")
            self._folder.mkdir(parents=True, exist_ok=True)
            part = self._folder / f".{chunk.stem}.wav.part"
            self._files[chunk.stem] = _GrowingWav(part, self._encoding)
        self._files[chunk.stem].write(chunk.pcm)

    def finish(self) -> dict[str, Path]:
        """Gives the files their names; answers them by stem."""
        paths = {name: self._folder / f"{name}.wav" for name in self._files}
        for file in self._files.values():
            file.finish(self._rate)
        for name, file in self._files.items():
            os.replace(file.path, paths[name])
        self._files = {}
        return paths

    def __enter__(self) -> "WavFolder":
        return self

    def __exit__(self, kind: Optional[type], error: Optional[BaseException], trace: Optional[TracebackType]) -> None:
        """Removes what is not whole."""
        for file in self._files.values():
            file.discard()


class _GrowingWav:
    def __init__(self, path: Path, encoding: str):
        self.path, self._encoding, self._bytes = path, encoding, 0
        self._file = open(path, "wb")
        self._file.write(bytes(_HEADER_BYTES))

    def write(self, pcm: bytes) -> None:
        self._file.write(pcm)
        self._bytes += len(pcm)

    def finish(self, rate: int) -> None:
        self._file.seek(0)
        self._file.write(header(self._encoding, rate, self._bytes))
        self._file.close()

    def discard(self) -> None:
        self._file.close()
        self.path.unlink(missing_ok=True)


def header(encoding: str, rate: int, size: int) -> bytes:
    """The header before `size` bytes of stereo samples; beyond 4 GiB it is that of RF64 (EBU Tech 3306)."""
    frame = FRAME_BYTES[encoding]
    frames, riff = size // frame, _HEADER_BYTES - 8 + size
    large = riff >= _UNKNOWN
    room = struct.pack("<QQQI", riff, size, frames, 0) if large else bytes(28)
    # WAVE_FORMAT_IEEE_FLOAT or WAVE_FORMAT_PCM.
    form = (3 if encoding == "f32" else 1, 2, rate, rate * frame, frame, 4 * frame, 0)
    return b"".join([
        struct.pack("<4sI4s", b"RF64" if large else b"RIFF", min(riff, _UNKNOWN), b"WAVE"),
        struct.pack("<4sI", b"ds64" if large else b"JUNK", 28), room,
        struct.pack("<4sIHHIIHHH", b"fmt ", 18, *form),
        struct.pack("<4sII", b"fact", 4, min(frames, _UNKNOWN)),
        struct.pack("<4sI", b"data", min(size, _UNKNOWN)),
    ])
