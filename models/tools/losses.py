"""What the trainers hold estimates against: stems as waveforms, or masks on the mixture's complex spectrum.

Both ask for little error (L1), for the same decibels of a quiet stem as of a loud one (logarithm), for silence where a stem is
silent, for the right magnitudes, and again for voice that is not found, which is what real singers suffer most.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from dataset import VOCALS

STEM_WEIGHT = (1.0, 1.0, 1.0, 4.0)
SILENT = 1e-5  # of the mix's energy: a stem with less is silent
QUIETER = 0.1  # the error below which nothing more is asked for is so much smaller where a stem is silent
TINY = 1e-4  # in square roots of magnitudes, whose slope at nothing has no end


def weighted(values: Tensor) -> Tensor:
    """The mean of one value a stem (4,), voice counting most."""
    return (values * values.new_tensor(STEM_WEIGHT)).sum() / sum(STEM_WEIGHT)


def merge(stems: Tensor, merged: Tensor) -> Tensor:
    """Stems or masks (batch, 4, ...), bass and other as one in `other` where the truth knows no more: `merged` (batch,)."""
    if not merged.any():
        return stems
    here = merged.view(-1, *[1] * (stems.dim() - 2))
    drums, bass, other, vocals = stems.unbind(dim=1)
    return torch.stack([drums, torch.where(here, torch.zeros_like(bass), bass), torch.where(here, bass + other, other), vocals],
                       dim=1)


def waveform_loss(estimate: Tensor, truth: Tensor) -> Tensor:
    """Of stems (batch, 4, 2, frames)."""
    # Relative to the mix, so that quiet examples teach as much as loud ones.
    scale = truth.sum(dim=1, keepdim=True).std(dim=(2, 3), keepdim=True) + 0.02
    estimate, truth = estimate / scale, truth / scale
    error = estimate - truth
    decibels = (error.square().mean(dim=(2, 3)) + _floors(truth.square().mean(dim=(2, 3)), 0.01)).log().mean(dim=0)
    below = _compressed(truth) - _compressed(estimate)
    missed = torch.relu(below[:, VOCALS]).mean()
    return (weighted(error.abs().mean(dim=(0, 2, 3))) + 0.6 * weighted(decibels)
            + 0.2 * weighted(below.abs().mean(dim=(0, 2, 3, 4))) + 0.1 * missed)


def _floors(energies: Tensor, floor: float) -> Tensor:
    """Errors (batch, 4) that are small enough, by the stems' energies."""
    return torch.where(energies < SILENT, QUIETER * floor, floor)


def _compressed(x: Tensor) -> Tensor:
    """Square roots of magnitudes (batch, 4, 2, bins, times)."""
    window = torch.hann_window(2048, device=x.device)
    z = torch.stft(x.reshape(-1, x.shape[-1]), 2048, 1024, window=window, return_complex=True, normalized=True)
    return (z.real ** 2 + z.imag ** 2 + 1e-6).pow(0.25).reshape(*x.shape[:-1], *z.shape[-2:])


class Targets(NamedTuple):
    """Of one batch, what masks (batch, 4, 2, bins, times) are held against, in units of the mixture's deviation.

    With a mix X, a true stem S and a mask m, the error is |m X - S|² = m (m |X|² - 2 Re(X S*)) + |S|².
    """

    level: Tensor
    """|X|, (batch, 1, 2, bins, times)."""
    power: Tensor
    """|X|²."""
    aligned: Tensor
    """2 Re(X S*), (batch, 4, 2, bins, times)."""
    energy: Tensor
    """|S|²."""
    root: Tensor
    """√|S|."""

    @staticmethod
    def of(stems: Tensor, bins: int) -> Targets:
        """Of the stems' complex spectra (batch, 4, 2, all bins, times), whose sum is the mix; the lowest `bins` count."""
        parts = torch.view_as_real(stems)
        real, imaginary = parts.select(-1, 0), parts.select(-1, 1)
        mix_real, mix_imaginary = real.sum(dim=1, keepdim=True), imaginary.sum(dim=1, keepdim=True)
        everything = (1, 2, 3, 4)
        variance = (mix_real.square().mean(everything, keepdim=True)
                    + mix_imaginary.square().mean(everything, keepdim=True)) / 2
        gain = 1 / (variance.sqrt() + 1e-5)
        real, imaginary = gain * real[..., :bins, :], gain * imaginary[..., :bins, :]
        mix_real, mix_imaginary = gain * mix_real[..., :bins, :], gain * mix_imaginary[..., :bins, :]
        power, energy = mix_real.square() + mix_imaginary.square(), real.square() + imaginary.square()
        return Targets(power.sqrt(), power, 2 * (mix_real * real + mix_imaginary * imaginary), energy,
                       (energy.sqrt() + TINY).sqrt())


def mask_loss(masks: Tensor, targets: Targets) -> Tensor:
    """Of masks (batch, 4, 2, bins, times)."""
    squares = torch.relu(torch.addcmul(targets.energy, masks, masks * targets.power - targets.aligned))
    decibels = (squares.mean(dim=(2, 3, 4)) + _floors(targets.energy.mean(dim=(2, 3, 4)), 0.02)).log().mean(dim=0)
    below = targets.root - (masks * targets.level + TINY).sqrt()
    missed = torch.relu(below[:, VOCALS]).mean()
    return (weighted((squares + 1e-6).sqrt().mean(dim=(0, 2, 3, 4))) + 0.3 * weighted(decibels)
            + 0.5 * weighted(below.abs().mean(dim=(0, 2, 3, 4))) + 0.25 * missed)
