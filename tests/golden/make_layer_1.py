#!/usr/bin/env python3
"""Makes MPEG-1 layer I and what mpg123 decodes from it: tests/golden/layer_1/.

    make_layer_1.py

No encoder for layer I is at hand, and FFmpeg's decoders agree with mpg123 to 35 dB only. So the frames are written here
(ISO/IEC 11172-3, 2.4.1.5), with a tone of its own in each subband and channel. Needs mpg123 (1.31.2 made the files).
"""
from __future__ import annotations

import math
import subprocess
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent / "layer_1"
FRAMES, CHANNELS = 10, 2
SUBBANDS, BITS, SAMPLES = 12, 8, 12
# A scale factor of 1/8.
SCALE = 12
# 384 kbit/s, 48,000 Hz.
BITRATE_INDEX, RATE_INDEX, FRAME_BYTES = 12, 1, 384


def code(at: int, subband: int, channel: int) -> int:
    """A sample of a subband, in `BITS` bits; all bits set is not allowed."""
    value = math.sin(at * (3 * subband + channel + 1) / 17) * (0.2 + 0.7 * min(at / 90, 1))
    return round((value + 1) / 2 * ((1 << BITS) - 2))


def frame(number: int) -> bytes:
    """A stereo frame without a checksum."""
    bits = [(0xFFFF, 16), (BITRATE_INDEX, 4), (RATE_INDEX, 2), (0, 2), (0, 2), (0, 6)]
    bits += [(BITS - 1 if subband < SUBBANDS else 0, 4) for subband in range(32) for _ in range(CHANNELS)]
    bits += [(SCALE, 6)] * (SUBBANDS * CHANNELS)
    for at in range(number * SAMPLES, (number + 1) * SAMPLES):
        bits += [(code(at, subband, channel), BITS) for subband in range(SUBBANDS) for channel in range(CHANNELS)]
    text = "".join(f"{value:0{width}b}" for value, width in bits)
    assert len(text) <= 8 * FRAME_BYTES
    return int(text.ljust(8 * FRAME_BYTES, "0"), 2).to_bytes(FRAME_BYTES, "big")


def main() -> None:
    HERE.mkdir(exist_ok=True)
    song = HERE / "tones.mp1"
    song.write_bytes(b"".join(frame(number) for number in range(FRAMES)))
    with tempfile.TemporaryDirectory() as scratch:
        raw = Path(scratch) / "raw"
        subprocess.run(["mpg123", "-q", "-e", "f32", "--no-gapless", "-O", raw, song], check=True)
        (HERE / "tones.f32").write_bytes(raw.read_bytes())


if __name__ == "__main__":
    main()
