"""Training examples: stems of different songs, each changed a little, mixed anew without end."""

from __future__ import annotations

from pathlib import Path
from typing import Iterator

import numpy as np
import torch
from torch.utils.data import IterableDataset

from production import bell

DRUMS, BASS, OTHER, VOCALS = range(4)
REFRESH = 64  # examples between two looks for new songs


class Remixes(IterableDataset):
    """Endless (4, 2, frames) float32 examples from FOLDER/train and FOLDER/voices; the mix is their sum."""

    def __init__(self, folder: Path, frames: int, seed: int) -> None:
        self.folder, self.frames, self.seed = folder, frames, seed

    def _open(self, split: str, known: list[np.ndarray]) -> list[np.ndarray]:
        """The songs of a split; files are mapped, not read, and kept open while none was added."""
        paths = sorted(p for p in (self.folder / split).glob("*.npy") if not p.name.endswith(".part.npy"))
        return known if len(paths) == len(known) else [np.load(p, mmap_mode="r") for p in paths]

    def __iter__(self) -> Iterator[torch.Tensor]:
        rng = np.random.default_rng(self.seed)
        songs: list[np.ndarray] = []
        voices: list[np.ndarray] = []
        while True:
            songs, voices = self._open("train", songs), self._open("voices", voices)
            for _ in range(REFRESH):
                yield torch.from_numpy(remix(songs, voices, self.frames, rng))


def remix(songs: list[np.ndarray], voices: list[np.ndarray], frames: int, rng: np.random.Generator) -> np.ndarray:
    """One example (4, 2, frames): half the time one song's own stems, else stems of up to four songs."""
    whole = rng.random() < 0.5
    song = songs[rng.integers(len(songs))]
    speed = float(np.exp(rng.uniform(np.log(0.82), np.log(1.18))))
    stems = np.empty((4, 2, frames), np.float32)
    place = float(rng.random())
    for stem in range(4):
        if not whole:
            pool = songs + voices if stem == VOCALS else songs
            song = pool[rng.integers(len(pool))]
            place = float(rng.random())
            speed = float(np.exp(rng.uniform(np.log(0.82), np.log(1.18))))
        stems[stem] = _change(_excerpt(song, stem, frames, speed, place, rng), stem, rng)
    drop = rng.random(4) < (0.1, 0.1, 0.08, 0.12)
    if not drop.all():
        stems[drop] = 0
    if rng.random() < 0.04:  # two singers at once
        other = songs[rng.integers(len(songs))]
        stems[VOCALS] += 0.7 * _excerpt(other, VOCALS, frames, speed, float(rng.random()), rng)
    peak = np.abs(stems.sum(axis=0)).max()
    return stems * (float(rng.uniform(0.25, 1.0)) / max(peak, 0.05))


def _excerpt(song: np.ndarray, stem: int, frames: int, speed: float, place: float,
             rng: np.random.Generator) -> np.ndarray:
    """`frames` of one stem (2, frames), played `speed` times as fast: pitch, formants and tempo move together."""
    need = int(frames * speed) + 2
    stem = min(stem, len(song) - 1)  # a song of the split "voices" holds that stem only
    begin = int(place * (song.shape[2] - need))
    cut = song[stem, :, begin:begin + need].astype(np.float32) / 32767
    if stem == len(song) - 1 and not cut.any():  # a rest; look once more for the voice
        begin = int(rng.random() * (song.shape[2] - need))
        cut = song[stem, :, begin:begin + need].astype(np.float32) / 32767
    position = np.arange(frames) * speed
    low = position.astype(np.int64)
    part = (position - low).astype(np.float32)
    return cut[:, low] * (1 - part) + cut[:, low + 1] * part


def _change(x: np.ndarray, stem: int, rng: np.random.Generator) -> np.ndarray:
    """Gain, polarity, swapped sides, narrowing, and one or two equaliser bells."""
    x = x * float(10 ** (rng.normal(0, 3.5) / 20)) * rng.choice([-1, 1])
    if rng.random() < 0.5:
        x = x[::-1]
    if rng.random() < 0.1:
        x = np.repeat(x.mean(axis=0, keepdims=True), 2, axis=0)
    if rng.random() < (0.7 if stem == VOCALS else 0.4):
        for _ in range(2 if stem == VOCALS else 1):
            centre = float(np.exp(rng.uniform(np.log(150), np.log(9000))))
            x = bell(x, centre, float(rng.normal(0, 4)), float(rng.uniform(0.5, 2)))
    return np.ascontiguousarray(x)
