"""Songs for the tests: float32 [frames, 2], and files of them."""
import functools
import io
import subprocess
import tempfile
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import soundfile

RATE = 44_100


@functools.lru_cache(maxsize=32)
def music(seconds: float, seed: int = 1) -> np.ndarray:
    """Music-like signal without silence or repetition: float32 [frames, 2], read-only."""
    draw = np.random.default_rng(seed)
    time = np.arange(int(seconds * RATE)) / RATE
    left, right = np.zeros_like(time), np.zeros_like(time)
    for pitch in draw.uniform(80, 2000, 12):
        tone = np.sin(2 * np.pi * pitch * time) * (0.5 + 0.5 * np.sin(2 * np.pi * draw.uniform(0.1, 3) * time))
        left, right = left + tone * draw.uniform(0, 0.06), right + tone * draw.uniform(0, 0.06)
    beat = np.exp(-20 * (time % 0.5)) * draw.normal(size=len(time)) * 0.1
    song = np.stack([left + beat, right + beat], axis=1).astype(np.float32)
    song.flags.writeable = False
    return song


def wav(audio: np.ndarray, rate: int = RATE, subtype: str = "PCM_16") -> bytes:
    out = io.BytesIO()
    soundfile.write(out, audio, rate, format="WAV", subtype=subtype)
    return out.getvalue()


def encode(audio: np.ndarray, *options: str, container: str = "mp3") -> bytes:
    """The audio in another format, by ffmpeg."""
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "in.wav", Path(folder) / f"out.{container}"
        source.write_bytes(wav(audio, subtype="FLOAT"))
        command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-i", source, *options, target]
        subprocess.run(command, check=True)
        return target.read_bytes()
