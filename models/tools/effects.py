"""What changes a stem once more at each use: equalisers and rooms as spectra, distortion. All of it on any device."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

RATE = 44100
BELLS = 3  # of an equaliser at most
POINTS = 256  # of an equaliser's curve, evenly spread over the octaves
LOWEST = 40.0  # Hz, of the curve


def equalise(wanted: np.ndarray, bins: int, rng: np.random.Generator, device: torch.device) -> Tensor:
    """Factors (batch, stems, bins): bells where `wanted` (batch, stems) says so; a third of the batch is dull on top."""
    batch, stems = wanted.shape
    octaves = np.linspace(np.log2(LOWEST), np.log2(RATE / 2), POINTS)
    centres = np.log2(np.exp(rng.uniform(np.log(100), np.log(12000), (batch, stems, BELLS, 1))))
    gains = rng.normal(0, 4, (batch, stems, BELLS, 1)) * (rng.random((batch, stems, BELLS, 1)) < 0.6)
    widths = rng.uniform(0.3, 1.5, (batch, stems, BELLS, 1))
    curve = (gains * np.exp(-0.5 * ((octaves - centres) / widths) ** 2)).sum(axis=2) * wanted[..., None]
    # As coders do: the same for all stems, so that they still sum to the song.
    top = np.log2(np.where(rng.random(batch) < 0.33, rng.uniform(11000, 20000, batch), RATE))
    curve = curve - np.clip(60 * (octaves - top[:, None]) / 0.1, 0, 60)[:, None]
    heights = torch.arange(bins, device=device) * (RATE / 2 / (bins - 1))
    at = (heights.clamp_min(LOWEST).log2() - octaves[0]) / (octaves[1] - octaves[0])
    low = at.long().clamp_max(POINTS - 2)
    decibels = torch.from_numpy(curve).float().to(device)
    return 10 ** (torch.lerp(decibels[..., low], decibels[..., low + 1], (at - low).float()) / 20)


def rooms(count: int, frames: int, rng: np.random.Generator, random: torch.Generator) -> Tensor:
    """Responses (count, 2, frames) without the direct sound: noise that decays, darker as it does, unlike on both sides."""
    device = random.device
    spread = torch.randn(count, 2, frames, generator=random, device=device)
    spread[:, 1] += 0.5 * spread[:, 0]
    # Each point the mean of it and the last, once more for the later half of the sound: a gentle fall.
    dark = (spread + spread.roll(1, -1)) / 2
    dark = (dark + dark.roll(2, -1)) / 2
    seconds = torch.from_numpy(np.exp(rng.uniform(np.log(0.2), np.log(2.0), (count, 1, 1)))).float().to(device)
    time = torch.arange(frames, device=device) / RATE
    late = torch.from_numpy(rng.uniform(0, 0.05, (count, 1, 1))).float().to(device)
    after = (time - late).clamp_min(0) / seconds
    heard = (time >= late) * (after < 1.2)
    tail = heard * ((-9 * after).exp() * spread + 2 * (-6.9 * after).exp() * dark)
    wet = torch.from_numpy(rng.uniform(0.03, 0.35, (count, 1, 1))).float().to(device)
    return wet * tail / tail.square().sum(dim=-1, keepdim=True).sqrt().clamp_min(1e-6)


def crush(stems: Tensor, rng: np.random.Generator) -> Tensor:
    """Soft clipping of (count, 2, frames) at the same loudness."""
    drive = torch.from_numpy(10 ** (rng.uniform(0, 18, (len(stems), 1, 1)) / 20)).float().to(stems.device)
    clipped = torch.tanh(drive * stems / stems.abs().amax(dim=(1, 2), keepdim=True).clamp_min(1e-6))
    loud, now = (x.square().mean(dim=(1, 2), keepdim=True) for x in (stems, clipped))
    return clipped * (loud / now.clamp_min(1e-12)).sqrt()
