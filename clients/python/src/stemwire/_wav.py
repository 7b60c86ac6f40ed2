"""WAV files written while their frames arrive, byte for byte those of `stemwire separate`."""
from __future__ import annotations

import os
import re
import struct
from pathlib import Path
from types import TracebackType

from .audio import SAMPLE_BYTES, Chunk
from .errors import invalid_answer

_HEADER_BYTES = 94
_UNKNOWN = 0xFFFF_FFFF


class WavFolder:
    """The stems of one song as files of a folder, renamed into place once all are complete."""

    def __init__(self, folder: Path, encoding: str):
        self._folder, self._encoding, self._rate = folder, encoding, 0
        self._files: dict[str, _GrowingWav] = {}

    def write(self, chunk: Chunk) -> None:
        """Appends the frames of a chunk."""
        self._rate = chunk.sample_rate
        if chunk.stem not in self._files:
            # The name comes from the server and becomes a path.
            if not re.fullmatch("[a-z][a-z0-9_-]{0,31}", chunk.stem):
                raise invalid_answer(f"{chunk.stem!r} is not a valid stem name")
            self._folder.mkdir(parents=True, exist_ok=True)
            part = self._folder / f".{chunk.stem}.wav.part"
            self._files[chunk.stem] = _GrowingWav(part, self._encoding, chunk.channels)
        self._files[chunk.stem].write(chunk.pcm)

    def finish(self) -> dict[str, Path]:
        """Completes and renames the files; returns them by stem."""
        paths = {name: self._folder / f"{name}.wav" for name in self._files}
        for file in self._files.values():
            file.finish(self._rate)
        for name, file in self._files.items():
            os.replace(file.path, paths[name])
        self._files = {}
        return paths

    def __enter__(self) -> WavFolder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Removes incomplete files."""
        for file in self._files.values():
            file.discard()


class _GrowingWav:
    def __init__(self, path: Path, encoding: str, channels: int):
        self.path, self._encoding, self._channels, self._bytes = path, encoding, channels, 0
        self._file = open(path, "wb")  # noqa: SIM115 (`finish` or `discard` closes it)
        self._file.write(bytes(_HEADER_BYTES))

    def write(self, pcm: bytes) -> None:
        self._file.write(pcm)
        self._bytes += len(pcm)

    def finish(self, rate: int) -> None:
        # Chunks have an even length.
        self._file.write(bytes(self._bytes % 2))
        self._file.seek(0)
        self._file.write(header(self._encoding, rate, self._bytes, self._channels))
        self._file.close()

    def discard(self) -> None:
        self._file.close()
        self.path.unlink(missing_ok=True)


def header(encoding: str, rate: int, size: int, channels: int = 2) -> bytes:
    """The header of `size` bytes of samples; RF64 (EBU Tech 3306) from 4 GiB on."""
    frame_bytes = channels * SAMPLE_BYTES[encoding]
    frames, riff = size // frame_bytes, _HEADER_BYTES - 8 + size + size % 2
    large = riff >= _UNKNOWN
    reserved = struct.pack("<QQQI", riff, size, frames, 0) if large else bytes(28)
    # WAVE_FORMAT_IEEE_FLOAT or WAVE_FORMAT_PCM.
    bits = 8 * SAMPLE_BYTES[encoding]
    fmt = (3 if encoding == "f32" else 1, channels, rate, rate * frame_bytes, frame_bytes, bits, 0)
    return b"".join([
        struct.pack("<4sI4s", b"RF64" if large else b"RIFF", min(riff, _UNKNOWN), b"WAVE"),
        struct.pack("<4sI", b"ds64" if large else b"JUNK", 28), reserved,
        struct.pack("<4sIHHIIHHH", b"fmt ", 18, *fmt),
        struct.pack("<4sII", b"fact", 4, min(frames, _UNKNOWN)),
        struct.pack("<4sI", b"data", min(size, _UNKNOWN)),
    ])
