"""Audio values that go in and come out, and their PCM encodings."""
from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

#: Bytes of one sample.
SAMPLE_BYTES = {"f32": 4, "s16": 2, "s24": 3}


@dataclass(frozen=True)
class Raw:
    """The format of an upload that is PCM without a header: interleaved, little-endian."""

    #: "f32", "s16" or "s24".
    encoding: str
    #: Frames per second, 8000 to 192000.
    sample_rate: int
    #: 1 or 2.
    channels: int = 2


@dataclass(frozen=True)
class Chunk:
    """Consecutive frames of one stem. The chunks of a stem follow each other without a gap."""

    stem: str
    #: The position of the first frame.
    start_frame: int
    #: Frames per second.
    sample_rate: int
    #: Interleaved samples, as received.
    pcm: bytes
    #: The encoding of `pcm`: "f32", "s16" or "s24".
    encoding: str = "f32"
    #: Samples clipped by an integer encoding.
    clipped_samples: int = 0
    #: 2, or 1 with `channels="source"` and a song of one channel.
    channels: int = 2

    @property
    def frames(self) -> int:
        """The number of frames."""
        return len(self.pcm) // (self.channels * SAMPLE_BYTES[self.encoding])

    @property
    def samples(self) -> npt.NDArray[np.float32]:
        """float32 [frames, channels], full scale 1."""
        return decode_pcm(self.pcm, self.encoding, self.channels)

    @property
    def time(self) -> float:
        """Seconds from the start of the song to the first frame."""
        return self.start_frame / self.sample_rate


@dataclass(frozen=True)
class Stem:
    """A whole stem, as long as its song."""

    name: str
    #: float32 [frames, channels], full scale 1.
    samples: npt.NDArray[np.float32]
    #: Frames per second.
    sample_rate: int


def decode_pcm(pcm: bytes | bytearray, encoding: str, channels: int) -> npt.NDArray[np.float32]:
    """Converts interleaved PCM to float32 [frames, channels]; a view of `pcm` for "f32"."""
    if encoding == "f32":
        return np.frombuffer(pcm, "<f4").reshape(-1, channels)
    if encoding == "s16":
        return (np.frombuffer(pcm, "<i2").astype(np.float32) / np.float32(32_768)).reshape(-1, channels)
    # In the upper three bytes of an int32 the sign is right and the value 256 times as large.
    wide = np.zeros((len(pcm) // 3, 4), np.uint8)
    wide[:, 1:] = np.frombuffer(pcm, np.uint8).reshape(-1, 3)
    return (wide.view("<i4").astype(np.float64) / 2**31).astype(np.float32).reshape(-1, channels)


def encode_array(array: npt.NDArray[Any]) -> tuple[str, int, memoryview]:
    """Returns (encoding, channels, bytes) of an array [frames] or [frames, channels]."""
    if array.ndim not in (1, 2) or (array.ndim == 2 and array.shape[1] not in (1, 2)):
        raise ValueError(f"the array has shape {array.shape}, not [frames] or [frames, 1 or 2]")
    if array.dtype == np.int16:
        encoding, dtype = "s16", "<i2"
    elif np.issubdtype(array.dtype, np.floating):
        encoding, dtype = "f32", "<f4"
    else:
        raise ValueError(f"the array has dtype {array.dtype}. Pass floats of full scale 1, or int16.")
    channels = 1 if array.ndim == 1 else array.shape[1]
    plain = np.ascontiguousarray(array, dtype=dtype).reshape(-1)
    return encoding, channels, plain.view(np.uint8).data
