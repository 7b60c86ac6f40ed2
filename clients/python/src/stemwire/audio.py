"""Audio as it goes in and comes out."""
from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

#: Bytes of one stereo frame.
FRAME_BYTES = {"f32": 8, "s16": 4, "s24": 6}


@dataclass(frozen=True)
class Raw:
    """The form of an upload that is PCM without any header: interleaved, little-endian."""

    #: "f32", "s16" or "s24".
    encoding: str
    #: Frames per second, 8000 to 192000.
    sample_rate: int
    #: 1 or 2.
    channels: int = 2


@dataclass(frozen=True)
class Chunk:
    """Some frames of one stem. Those of a stem follow each other without a gap."""

    stem: str
    #: The position of the first frame.
    start_frame: int
    #: Frames per second.
    sample_rate: int
    #: Interleaved stereo samples as they came.
    pcm: bytes
    #: How `pcm` is stored: "f32", "s16" or "s24".
    encoding: str = "f32"
    #: Samples that an integer encoding had to clip.
    clipped_samples: int = 0

    @property
    def frames(self) -> int:
        """How many frames there are."""
        return len(self.pcm) // FRAME_BYTES[self.encoding]

    @property
    def samples(self) -> np.ndarray:
        """float32 [frames, 2], full scale 1."""
        return decoded(self.pcm, self.encoding)

    @property
    def time(self) -> float:
        """Seconds from the start of the song to the first frame."""
        return self.start_frame / self.sample_rate


@dataclass(frozen=True)
class Stem:
    """A whole stem, as long as its song."""

    name: str
    #: float32 [frames, 2], full scale 1.
    samples: np.ndarray
    #: Frames per second.
    sample_rate: int


def decoded(pcm: Any, encoding: str) -> np.ndarray:
    """float32 [frames, 2] of interleaved stereo; a view where the bytes are floats already."""
    if encoding == "f32":
        return np.frombuffer(pcm, "<f4").reshape(-1, 2)
    if encoding == "s16":
        return (np.frombuffer(pcm, "<i2").astype(np.float32) / 32_768).reshape(-1, 2)
    # Three bytes at the top of four have the sign, and are 256 times as loud.
    wide = np.zeros((len(pcm) // 3, 4), np.uint8)
    wide[:, 1:] = np.frombuffer(pcm, np.uint8).reshape(-1, 3)
    return (wide.view("<i4").astype(np.float64) / 2**31).astype(np.float32).reshape(-1, 2)


def encoded(audio: np.ndarray) -> tuple[str, int, memoryview]:
    """(encoding, channels, bytes) of an array [frames] or [frames, channels]."""
    if audio.ndim not in (1, 2) or (audio.ndim == 2 and audio.shape[1] not in (1, 2)):
        raise ValueError(f"an array of shape {audio.shape} came; give one of [frames] or [frames, 1 or 2]")
    if audio.dtype == np.int16:
        encoding, kind = "s16", "<i2"
    elif np.issubdtype(audio.dtype, np.floating):
        encoding, kind = "f32", "<f4"
    else:
        raise ValueError(f"an array of {audio.dtype} came; give floats of full scale 1, or int16")
    channels = 1 if audio.ndim == 1 else audio.shape[1]
    plain = np.ascontiguousarray(audio, dtype=kind).reshape(-1)
    return encoding, channels, plain.view(np.uint8).data
