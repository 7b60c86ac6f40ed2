"""Training examples: stems of different songs, each changed a little, mixed anew without end.

The songs of make_songs.py, and recordings that real.py has made ready. Of some recordings bass and other are known only as
one; their examples have both in `other`, and are marked.

All of it runs where the training runs: on a processor one batch ahead in a process of its own, on a GPU with every song
in the GPU's memory.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

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
TOGETHER = 0.5  # how often an example is one song's own stems, and not stems of several
REAL_TOGETHER = 0.5  # how often such a song is a recording, if there are any
REAL = (0.4, 0.1, 0.35, 0.5)  # how often a stem among those of several songs is a recording
REAL_ALONE = 0.3  # how often such a voice is of a singer who was recorded without a band
LOOKS = {False: 2, True: 4}  # how often at most a place is looked for where a stem is heard: synthetic, real
FAINT = 300  # of 32767: a second whose peak is lower is a rest


class Batch(NamedTuple):
    """Examples; their mix is the sum of their stems."""

    stems: Tensor
    """True stems, (batch, 4, 2, frames) float32."""
    merged: Tensor
    """(batch,) bool: `other` is bass and other, and `bass` is silent."""


@dataclass(frozen=True)
class Song:
    """Stems as int16 (4, 2, frames); the voice alone, (1, 2, frames); or drums, bass with other, vocals, (3, 2, frames)."""

    stems: Tensor
    heard: np.ndarray
    """(stems, seconds): where a stem is heard."""
    real: bool

    @property
    def merged(self) -> bool:
        return len(self.stems) == 3

    def row(self, stem: int) -> int | None:
        """Of one of the four stems, among those that are there; bass has none of its own where it is merged."""
        if self.merged:
            return (0, None, 1, 2)[stem]
        return min(stem, len(self.stems) - 1)


class Songs:
    """FOLDER's songs on a device; new ones are taken up while the training runs.

    train, voices: synthetic songs, and voices alone. real, sung: recorded songs, and recorded voices alone.
    """

    def __init__(self, folder: Path, device: str) -> None:
        self.folder, self.device = folder, device
        self.known: set[Path] = set()
        self.whole: list[Song] = []
        self.voices: list[Song] = []
        self.real: list[Song] = []
        self.sung: list[Song] = []
        self.take_up()
        while not self.whole:
            time.sleep(REFRESH_S)
            self.take_up()

    def take_up(self) -> None:
        """Adds the songs that have come since the last look."""
        for split in ("train", "voices", "real", "sung"):
            songs = self.whole if split == "train" else getattr(self, split)
            for path in sorted((self.folder / split).glob("*.npy")):
                if path not in self.known and not path.name.endswith(".part.npy"):
                    self.known.add(path)
                    songs.append(self._open(path, split in ("real", "sung")))

    def follow(self) -> None:
        """Takes up new songs for ever, in a thread beside."""

        def look() -> None:
            while True:
                time.sleep(REFRESH_S)
                self.take_up()

        threading.Thread(target=look, daemon=True).start()

    def _open(self, path: Path, real: bool) -> Song:
        # A processor maps its files; "c": torch wants what it could write to, and nothing is written.
        stems = np.load(path, mmap_mode="c" if self.device == "cpu" else None)
        seconds = stems.shape[2] // RATE
        blocks = stems[:, 0, :seconds * RATE:50].reshape(len(stems), seconds, -1)
        return Song(torch.from_numpy(stems).to(self.device), np.abs(blocks.astype(np.int32)).max(axis=2) > FAINT, real)

    def pick(self, stem: int, rng: np.random.Generator) -> Song:
        """The song that one stem among several songs' is of."""
        songs = self.whole + (self.voices if stem == VOCALS else [])
        if rng.random() < REAL[stem]:
            real = [song for song in self.real if song.row(stem) is not None]
            if stem == VOCALS and self.sung and (not real or rng.random() < REAL_ALONE):
                real = self.sung
            songs = real or songs
        return songs[rng.integers(len(songs))]

    def pick_whole(self, rng: np.random.Generator) -> Song:
        """The song of which all stems are."""
        songs = self.real if self.real and rng.random() < REAL_TOGETHER else self.whole
        return songs[rng.integers(len(songs))]


class Remixes(IterableDataset[Batch]):
    """Endless batches."""

    def __init__(self, folder: Path, frames: int, batch: int, seed: int, device: str) -> None:
        self.folder, self.frames, self.batch, self.seed, self.device = folder, frames, batch, seed, device

    def __iter__(self) -> Iterator[Batch]:
        rng = np.random.default_rng(self.seed)
        random = torch.Generator(self.device).manual_seed(self.seed)
        songs = Songs(self.folder, self.device)
        songs.follow()
        while True:
            yield remix(songs, self.frames, self.batch, rng, random)


def remix(songs: Songs, frames: int, batch: int, rng: np.random.Generator, random: torch.Generator) -> Batch:
    """Half of the examples are one song's own stems, the others stems of up to four songs."""
    cuts, speeds, merged = _cut(songs, frames, batch, rng)
    stems = _resample(cuts, speeds, frames).view(batch, 4, 2, frames)
    stems = _vary(stems, rng, random)
    drop = rng.random((batch, 4)) < DROPPED
    drop[drop.all(axis=1)] = False
    drop[merged & drop[:, [DRUMS, OTHER, VOCALS]].all(axis=1)] = False
    merged &= ~drop[:, OTHER]
    doubled = rng.random(batch) < DOUBLED
    second = stems[:, VOCALS].roll(1, dims=0)
    stems[:, VOCALS] += 0.7 * second * _to(doubled, stems)[:, None, None]
    stems = stems * _to(~drop, stems)[..., None, None]
    peak = stems.sum(dim=1).abs().amax(dim=(1, 2)).clamp_min(0.05)
    stems = stems * (_to(rng.uniform(0.25, 1.0, batch), stems) / peak)[:, None, None, None]
    return Batch(stems, torch.from_numpy(merged).to(stems.device))


def _cut(songs: Songs, frames: int, batch: int, rng: np.random.Generator) -> tuple[Tensor, Tensor, np.ndarray]:
    """Stretches of songs (batch * 4, 2, enough) int16; how fast each shall be played; where bass is silent, merged (batch,)."""
    enough = int(frames * (1 + SPEED)) + 3
    cuts: list[Tensor] = []
    speeds: list[float] = []
    merged = np.zeros(batch, bool)
    for example in range(batch):
        picked: list[tuple[Song, int, float]] = []
        if rng.random() < TOGETHER:
            song, speed = songs.pick_whole(rng), _speed(rng)
            picked += 4 * [(song, _place(song, VOCALS, enough, rng), speed)]
        else:
            for stem in range(4):
                song, speed = songs.pick(stem, rng), _speed(rng)
                picked.append((song, _place(song, stem, enough, rng), speed))
        merged[example] = picked[OTHER][0].merged
        for stem, (song, begin, speed) in enumerate(picked):
            row = song.row(stem)
            silent = row is None or (stem == BASS and merged[example])
            cut = song.stems[0 if row is None else row, :, begin:begin + enough]
            cuts.append(torch.zeros_like(cut) if silent else cut)
            speeds.append(speed)
    return torch.stack(cuts), torch.tensor(speeds, device=cuts[0].device), merged


def _place(song: Song, stem: int, enough: int, rng: np.random.Generator) -> int:
    """Where a stretch of `enough` frames begins: if it can be found soon, where the stem is heard."""
    row = song.row(stem)
    for _ in range(LOOKS[song.real]):
        begin = int(rng.random() * (song.stems.shape[2] - enough))
        if row is None or song.heard[row, begin // RATE:(begin + enough) // RATE].any():
            break
    return begin


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
