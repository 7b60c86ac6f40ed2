"""Training examples: stems of different songs, each changed a little, mixed anew without end.

All of it runs where the training runs: on a processor one batch ahead in a process of its own, on a GPU with every song
in the GPU's memory.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import IterableDataset

from effects import crush, equalise, rooms

DRUMS, BASS, OTHER, VOCALS = range(4)
RATE = 44100
REFRESH_S = 3  # between two looks for new songs
SPEED = 0.18  # stems are played up to so much slower or faster: pitch, formants and tempo move together
DROPPED = (0.1, 0.1, 0.08, 0.12)  # how often a stem is silent
DOUBLED = 0.04  # how often two singers sing at once


@dataclass(frozen=True)
class Song:
    """Stems of int16 (4, 2, frames), or the voice alone, (1, 2, frames)."""

    stems: Tensor
    sung: np.ndarray
    """Seconds in which the voice is heard."""


class Songs:
    """FOLDER/train and FOLDER/voices on a device; new ones are taken up while the training runs."""

    def __init__(self, folder: Path, device: str) -> None:
        self.folder, self.device = folder, device
        self.known: set[Path] = set()
        self.whole: list[Song] = []
        self.voices: list[Song] = []
        self.take_up()
        while not self.whole:
            time.sleep(REFRESH_S)
            self.take_up()

    def take_up(self) -> None:
        """Adds the songs that have come since the last look."""
        for split, songs in (("train", self.whole), ("voices", self.voices)):
            for path in sorted((self.folder / split).glob("*.npy")):
                if path not in self.known and not path.name.endswith(".part.npy"):
                    self.known.add(path)
                    songs.append(self._open(path))

    def follow(self) -> None:
        """Takes up new songs for ever, in a thread beside."""

        def look() -> None:
            while True:
                time.sleep(REFRESH_S)
                self.take_up()

        threading.Thread(target=look, daemon=True).start()

    def _open(self, path: Path) -> Song:
        # A processor maps its files; "c": torch wants what it could write to, and nothing is written.
        stems = np.load(path, mmap_mode="c" if self.device == "cpu" else None)
        seconds = stems.shape[2] // RATE
        blocks = stems[-1, 0, :seconds * RATE:50].reshape(seconds, -1)
        return Song(torch.from_numpy(stems).to(self.device), np.abs(blocks.astype(np.int32)).max(axis=1) > 300)


class Remixes(IterableDataset[Tensor]):
    """Endless batches of true stems, (batch, 4, 2, frames) float32; the mix is their sum."""

    def __init__(self, folder: Path, frames: int, batch: int, seed: int, device: str) -> None:
        self.folder, self.frames, self.batch, self.seed, self.device = folder, frames, batch, seed, device

    def __iter__(self) -> Iterator[Tensor]:
        rng = np.random.default_rng(self.seed)
        random = torch.Generator(self.device).manual_seed(self.seed)
        songs = Songs(self.folder, self.device)
        songs.follow()
        while True:
            yield remix(songs, self.frames, self.batch, rng, random)


def remix(songs: Songs, frames: int, batch: int, rng: np.random.Generator, random: torch.Generator) -> Tensor:
    """(batch, 4, 2, frames): half of the examples are one song's own stems, the others stems of up to four songs."""
    stems = _resample(*_cut(songs, frames, batch, rng), frames).view(batch, 4, 2, frames)
    stems = _vary(stems, rng, random)
    drop = rng.random((batch, 4)) < DROPPED
    drop[drop.all(axis=1)] = False
    doubled = rng.random(batch) < DOUBLED
    second = stems[:, VOCALS].roll(1, dims=0)
    stems[:, VOCALS] += 0.7 * second * _to(doubled, stems)[:, None, None]
    stems = stems * _to(~drop, stems)[..., None, None]
    peak = stems.sum(dim=1).abs().amax(dim=(1, 2)).clamp_min(0.05)
    return stems * (_to(rng.uniform(0.25, 1.0, batch), stems) / peak)[:, None, None, None]


def _cut(songs: Songs, frames: int, batch: int, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Stretches of songs (batch * 4, 2, enough) int16, and how fast each shall be played."""
    enough = int(frames * (1 + SPEED)) + 3
    whole, voices = list(songs.whole), list(songs.voices)
    cuts: list[Tensor] = []
    speeds: list[float] = []
    for _ in range(batch):
        together = rng.random() < 0.5
        song, place, speed = whole[rng.integers(len(whole))], rng.random(), _speed(rng)
        for stem in range(4):
            if not together:
                number = int(rng.integers(len(whole) + (len(voices) if stem == VOCALS else 0)))
                song = whole[number] if number < len(whole) else voices[number - len(whole)]
                place, speed = rng.random(), _speed(rng)
            begin = int(place * (song.stems.shape[2] - enough))
            if stem == VOCALS and not song.sung[begin // RATE:(begin + enough) // RATE].any():  # a rest; once more
                begin = int(rng.random() * (song.stems.shape[2] - enough))
            cuts.append(song.stems[min(stem, len(song.stems) - 1), :, begin:begin + enough])
            speeds.append(speed)
    return torch.stack(cuts), torch.tensor(speeds, device=cuts[0].device)


def _speed(rng: np.random.Generator) -> float:
    """A third of the stems stays as it is: interpolation dulls what is highest."""
    slowest, fastest = np.log(1 - SPEED), np.log(1 + SPEED)
    return 1.0 if rng.random() < 0.33 else float(np.exp(rng.uniform(slowest, fastest)))


def _resample(cuts: Tensor, speeds: Tensor, frames: int) -> Tensor:
    """(stems, 2, frames) float32 by linear interpolation."""
    position = torch.arange(frames, device=cuts.device, dtype=torch.float64) * speeds[:, None].double()
    low = position.long()
    part = (position - low).float()[:, None]
    low = low[:, None].expand(-1, 2, -1)
    sound = cuts.float() / 32767
    return torch.lerp(sound.gather(2, low), sound.gather(2, low + 1), part)


def _vary(stems: Tensor, rng: np.random.Generator, random: torch.Generator) -> Tensor:
    """Gain, polarity, sides, width, equaliser, a room, distortion: each stem its own."""
    batch, count, _, frames = stems.shape
    shape = (batch, count)
    gain = 10 ** (rng.normal(0, 3.5, shape) / 20) * rng.choice([-1.0, 1.0], shape)
    stems = stems * _to(gain, stems)[..., None, None]
    swapped = _to(rng.random(shape) < 0.5, stems)[..., None, None].bool()
    stems = torch.where(swapped, stems.flip(2), stems)
    narrow = _to(np.where(rng.random(shape) < 0.1, 1.0, 0.0), stems)[..., None, None]
    stems = torch.lerp(stems, stems.mean(dim=2, keepdim=True), narrow)
    spectrum = torch.fft.rfft(stems)
    often = np.array([0.4, 0.4, 0.4, 0.7])
    spectrum *= equalise(rng.random(shape) < often, spectrum.shape[-1], rng, stems.device)[:, :, None]
    if (wet := rng.random(shape) < (0.08, 0.0, 0.1, 0.2)).any():
        at = _to(wet, stems).bool()
        spectrum[at] += spectrum[at] * torch.fft.rfft(rooms(int(wet.sum()), frames, rng, random))
    stems = torch.fft.irfft(spectrum, frames)
    if (hot := rng.random(shape) < (0.05, 0.08, 0.05, 0.12)).any():
        at = _to(hot, stems).bool()
        stems[at] = crush(stems[at], rng)
    return stems


def _to(values: np.ndarray, like: Tensor) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(values)).to(like.device, like.dtype)
