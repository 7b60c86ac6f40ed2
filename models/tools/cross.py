"""Puts voices over accompaniments of other songs, and tells what of the voice is missed and what leaks into it.

    cross.py CHECKPOINT FOLDER [--splits seen unseen] [--count 26]

A row is whose voices, a column whose accompaniments. In each cell are medians in dB: SDR of the vocals; the voice's energy
that is missed where the voice is the louder one; the energy of what is taken for voice where it is not. Both are reported
against the energy of the whole voice: the lower the better. The last column has no accompaniment, the last row no voice:
there a leak is reported against the mixture.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

import checkpoints
import unet
from evaluate import Estimate, estimators, excerpts
from scores import sdr

VOCALS = 3
TINY = 1e-9


class Cell(NamedTuple):
    """What one mixture gave, dB; None where there is nothing to tell."""

    sdr: float | None
    missed: float | None
    leaked: float | None


def measure(voice: np.ndarray, accompaniment: np.ndarray, separate: Estimate) -> Cell:
    """Of one voice (2, frames) over one accompaniment (2, frames)."""
    mix = voice + accompaniment
    found = separate(mix, np.stack([accompaniment, 0 * mix, 0 * mix, voice]))[VOCALS]
    spectra = _energy(np.stack([voice, accompaniment, found, mix]))
    true, other, estimate, whole = spectra
    is_voice = true > other
    # What lies below the rounding of 16 bits is no voice that anybody could miss.
    if true.sum() < 1e-6 * whole.sum() + TINY:
        return Cell(None, None, _decibels(estimate.sum(), whole.sum()))
    missed = (true - estimate).clamp(min=0)[is_voice].sum()
    leaked = estimate[~is_voice].sum()
    return Cell(sdr(voice, found), _decibels(missed, true.sum()),
                _decibels(leaked, true.sum()) if other.sum() > TINY else None)


def _energy(signals: np.ndarray) -> Tensor:
    """|STFT|² of each signal (2, frames), both channels summed."""
    spectra = unet.spectrum(torch.from_numpy(np.ascontiguousarray(signals, np.float32)))
    return spectra.abs().square().sum(dim=1)


def _decibels(part: Tensor, whole: Tensor) -> float:
    return float(10 * torch.log10((part + TINY) / (whole + TINY)))


def table(cells: dict[tuple[str, str], list[Cell]], voices: list[str], accompaniments: list[str]) -> str:
    """Medians as Markdown."""

    def text(cell: list[Cell]) -> str:
        parts = []
        for values in zip(*cell):
            known = [value for value in values if value is not None]
            parts.append(f"{np.median(known):.1f}" if known else "–")
        return " / ".join(parts)

    lines = ["| voices | " + " | ".join(accompaniments) + " |", "|---|" + "---|" * len(accompaniments)]
    for voice in voices:
        row = [text(cells[voice, other]) if (voice, other) in cells else "" for other in accompaniments]
        lines.append(f"| {voice} | " + " | ".join(row) + " |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("folder", type=Path, help="holds a folder for each split")
    parser.add_argument("--splits", nargs="+", default=["seen", "unseen"])
    parser.add_argument("--count", type=int, default=26, help="mixtures a cell")
    parser.add_argument("--seconds", type=float, default=8)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    separate = estimators(checkpoints.load(options.checkpoint))["model"]
    songs = {split: [stems for stems, _ in excerpts(options.folder / split, options.seconds, options.count + 1)]
             for split in options.splits}
    cells: dict[tuple[str, str], list[Cell]] = {}
    for voices, theirs in songs.items():
        # Never its own accompaniment: the next song's.
        for accompaniments, others in songs.items():
            cells[voices, accompaniments] = [measure(mine[VOCALS], other[:VOCALS].sum(axis=0), separate)
                                             for mine, other in zip(theirs, others[1:])]
        silence = np.zeros_like(theirs[0][VOCALS])
        cells[voices, "none"] = [measure(mine[VOCALS], silence, separate) for mine in theirs[:options.count]]
        cells["none", voices] = [measure(silence, mine[:VOCALS].sum(axis=0), separate) for mine in theirs[:options.count]]
    print(table(cells, [*options.splits, "none"], [*options.splits, "none"]))


if __name__ == "__main__":
    main()
