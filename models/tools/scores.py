"""Scores: of an excerpt, and over whole songs of which the true stems are known, with the windows in which a stem is heard."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

RATE = 44100
STEMS = ("drums", "bass", "other", "vocals")
WINDOW_S = 10
FAINT_DB = -30.0  # below a stem's loudest window: there it is not heard
SILENT = 1e-3  # RMS below which a stem, or the voice for a second, is silent
SPARSE = 3  # a sample of a song is every third window
Separate = Callable[[np.ndarray], np.ndarray]
"""From a mix (2, frames) to stems (4, 2, frames) in STEMS' order."""


def sdr(truth: np.ndarray, estimate: np.ndarray) -> float:
    """10 log10 of the true stem's energy over the error's, dB, over the whole excerpt."""
    return float(10 * np.log10((truth ** 2).sum() / (((truth - estimate) ** 2).sum() + 1e-9)))


def si_sdr(truth: np.ndarray, estimate: np.ndarray) -> float:
    """The same after the best gain on the truth (Le Roux et al. 2019), dB."""
    gain = (truth * estimate).sum() / ((truth ** 2).sum() + 1e-9)
    return sdr(gain * truth, estimate)


@dataclass(frozen=True)
class StemScore:
    """SDR of one stem, dB."""

    whole: float
    """Over the whole song."""
    median: float
    """Of the windows in which it is heard."""
    gain: float
    """Over the mixture taken for the stem, over the whole song."""


@dataclass(frozen=True)
class SongScore:
    """What one song gave."""

    stems: dict[str, StemScore]
    """By name; none of a stem that is silent throughout."""
    leak: float | None
    """Level of the found vocals against the mixture over the seconds without any, dB; None where there are none."""
    unsung_s: int
    """How many these are."""

    def total(self) -> float:
        """One number to choose by: the mean of the stems' medians, vocals counted twice."""
        medians = [score.median for name, score in self.stems.items() for _ in range(1 + (name == "vocals"))]
        return sum(medians) / len(medians)


def score_song(truth: dict[str, np.ndarray], separate: Separate) -> SongScore:
    """Of a song's true stems (2, frames) by name; "bass_and_other" is held against the sum of both."""
    mix = np.stack(list(truth.values())).sum(axis=0)
    found = dict(zip(STEMS, separate(mix)))
    found["bass_and_other"] = found["bass"] + found["other"]
    stems = {name: _score(true, found[name], mix) for name, true in truth.items() if np.sqrt(np.mean(true**2)) > SILENT}
    unsung = _energies(truth["vocals"], RATE) < 2 * RATE * SILENT**2
    leaked, whole = (_energies(x, RATE)[unsung].sum() for x in (found["vocals"], mix))
    leak = float(10 * np.log10((leaked + 1e-9) / whole)) if whole > 1 else None
    return SongScore(stems, leak, int(unsung.sum()))


def sample(truth: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Every third window of a song, one after the other: what is scored while a training runs."""
    frames = WINDOW_S * RATE

    def cut(stem: np.ndarray) -> np.ndarray:
        count = stem.shape[1] // frames
        return stem[:, :count * frames].reshape(2, count, frames)[:, 1::SPARSE].reshape(2, -1)

    return {name: cut(stem) for name, stem in truth.items()}


def _score(true: np.ndarray, found: np.ndarray, mix: np.ndarray) -> StemScore:
    frames = WINDOW_S * RATE
    energies, errors = _energies(true, frames), _energies(true - found, frames)
    heard = energies > energies.max() * 10 ** (FAINT_DB / 10)
    median = float(np.median(10 * np.log10(energies[heard] / (errors[heard] + 1e-9))))
    whole = sdr(true, found)
    return StemScore(whole, median, whole - sdr(true, mix))


def _energies(x: np.ndarray, frames: int) -> np.ndarray:
    """Of each `frames` of a signal (2, frames); what is left over at the end does not count."""
    count = x.shape[1] // frames
    return np.square(x[:, :count * frames].reshape(2, count, frames), dtype=np.float64).sum(axis=(0, 2))


def songs_table(songs: dict[str, SongScore]) -> str:
    """As Markdown: a row for each stem of each song."""
    lines = ["| song | stem | whole song | median of 10 s | gain over the mixture |", "|---|---|---|---|---|"]
    for name, song in songs.items():
        lines += [f"| {name} | {stem} | {s.whole:.2f} | {s.median:.2f} | {s.gain:+.2f} |" for stem, s in song.stems.items()]
        if song.leak is not None:
            lines.append(f"| {name} | vocals where there are none ({song.unsung_s} s) | {song.leak:.1f} against the mixture | | |")
    return "\n".join(lines) + "\n"
