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
BLOCK = 2048


@functools.lru_cache(maxsize=32)
def music(seconds: float, seed: int = 1) -> np.ndarray:
    """Music-like signal without silence or repetition: float32 [frames, 2], read-only."""
    draw = np.random.default_rng(seed)
    drawn = [(pitch, draw.uniform(0.1, 3), draw.uniform(0, 0.06), draw.uniform(0, 0.06)) for pitch in draw.uniform(80, 2000, 12)]
    pitches, swells, *gains = np.array(drawn).T
    frames = int(seconds * RATE)
    noise = 0.1 * draw.normal(size=frames)
    # Of each block by the addition theorem from those of the first one: sines are most of the time of a song otherwise.
    turns = 2 * np.pi / RATE * np.concatenate([pitches, swells])[:, None]
    sines, cosines = np.sin(turns * np.arange(BLOCK)), np.cos(turns * np.arange(BLOCK))
    song = np.empty((frames, 2), np.float32)
    for start in range(0, frames, BLOCK):
        waves = np.sin(turns * start) * cosines + np.cos(turns * start) * sines
        tones = np.array(gains) @ (waves[:12] * (0.5 + 0.5 * waves[12:]))
        time = np.arange(start, min(start + BLOCK, frames)) / RATE
        block = slice(start, start + len(time))
        song[block] = (tones[:, : len(time)] + np.exp(-20 * (time % 0.5)) * noise[block]).T
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
