"""Trains the small U-Nets (models/mini-spleeter) on the songs that make_songs.py writes; may be stopped and started.

The loss looks at what the engine will do with the estimates: ratio masks on the mixture's complex spectrum.
"""

from __future__ import annotations

import argparse
import math
import time
from contextlib import nullcontext
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from dataset import VOCALS, Remixes
from train import STEM_WEIGHT, Run, rate_at
from unet import BINS, HOP, SIZE, Spleeter, ratio_masks, spectrum

KWARGS = {"stems": ["drums", "bass", "other", "vocals"], "filters": [8, 16, 24, 32, 56, 80], "frames": 256}
TINY = 1e-4  # far below the magnitude of anything that is heard


class Targets(NamedTuple):
    """What the masks are held against; magnitudes relative to the example's loudness."""

    mix: Tensor
    """Magnitudes (batch, 1, 2, times, BINS)."""
    aligned: Tensor
    """The part of each true stem (batch, 4, 2, times, BINS) that has the mix's phase ..."""
    across: Tensor
    """... and the square of the part that has not, which no mask can give."""
    compressed: Tensor
    """Square roots of the true magnitudes."""

    @staticmethod
    def of(truth: Tensor) -> Targets:
        """Of the stems' complex spectra; the mix is their sum."""
        real, imaginary = truth.real.contiguous(), truth.imag.contiguous()
        mix_real, mix_imaginary = real.sum(dim=1, keepdim=True), imaginary.sum(dim=1, keepdim=True)
        mix = (mix_real.square() + mix_imaginary.square()).sqrt()
        gain = 1 / (mix.square().mean(dim=(1, 2, 3, 4), keepdim=True).sqrt() + TINY)
        inverse = 1 / (mix + 1e-12)
        aligned = gain * (real * (mix_real * inverse) + imaginary * (mix_imaginary * inverse))
        squares = gain ** 2 * (real.square() + imaginary.square())
        return Targets(gain * mix, aligned, torch.relu(squares - aligned.square()), (squares.sqrt() + TINY).sqrt())


def loss_of(estimates: Tensor, targets: Targets) -> Tensor:
    """L1 and log L2 of the complex error, compressed L1 of magnitudes and a penalty for voice that is missed."""
    weight = estimates.new_tensor(STEM_WEIGHT) / sum(STEM_WEIGHT)
    found = ratio_masks(estimates) * targets.mix
    squares = (found - targets.aligned).square() + targets.across
    near = ((squares + 1e-6).sqrt().mean(dim=(0, 2, 3, 4)) * weight).sum()
    # L1 cares for loud stems; the logarithm asks the same decibels of a quiet one.
    decibels = ((squares.mean(dim=(2, 3, 4)) + 0.01).log().mean(dim=0) * weight).sum()
    below = targets.compressed - (found + TINY).sqrt()
    spectral = (below.abs().mean(dim=(0, 2, 3, 4)) * weight).sum()
    missed = torch.relu(below[:, VOCALS]).mean()
    return near + 0.15 * decibels + 0.5 * spectral + 0.25 * missed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("songs", type=Path, help="the folder with the songs: its train/ and voices/ are used")
    parser.add_argument("checkpoint", type=Path, help="written every --save-minutes; gone on from if it is there")
    parser.add_argument("--steps", type=int, default=5000, help="in all, over all runs")
    parser.add_argument("--save-minutes", type=float, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--frames", type=int, default=128, help="spectrum frames of an example; a multiple of 64")
    parser.add_argument("--rate", type=float, default=2e-3)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()

    torch.set_num_threads(options.threads)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    flags = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    fast = device == "cuda" or "avx512_bf16" in flags or "amx_bf16" in flags
    run = Run(Spleeter, KWARGS, device, options.seed)
    run.model.to(memory_format=torch.channels_last)
    if options.checkpoint.exists():
        run.load(options.checkpoint)
        print(f"goes on from step {run.step}, {run.trained_s / 60:.1f} minutes", flush=True)

    songs = Remixes(options.songs, (options.frames - 1) * HOP + SIZE, options.seed + 7919 * (run.step + 1))
    examples = iter(DataLoader(songs, batch_size=options.batch, num_workers=1, prefetch_factor=4))
    began = saved = reported = time.monotonic()
    before, running = run.trained_s, []
    run.model.train()
    while run.step < options.steps:
        waves = next(examples).to(device)
        with torch.no_grad():
            truth = spectrum(waves)[..., :BINS]
            targets = Targets.of(truth)
            magnitudes = truth.sum(dim=1).abs().contiguous()
        for group in run.optimiser.param_groups:
            group["lr"] = rate_at(run.step / options.steps, run.step, options.rate)
        with torch.autocast(device, dtype=torch.bfloat16) if fast else nullcontext():
            estimates = run.model(magnitudes)
        loss = loss_of(estimates, targets)
        run.optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(run.model.parameters(), 1.0)
        if math.isfinite(loss.item()):
            run.optimiser.step()
        run.step += 1
        run.follow()
        running.append(loss.item())
        now = time.monotonic()
        run.trained_s = before + now - began
        if now - reported > 30:
            mean = sum(running) / len(running)
            print(f"{run.trained_s / 60:6.1f} min  step {run.step:6d}  loss {mean:.4f}", flush=True)
            reported, running = now, []
        if now - saved > 60 * options.save_minutes:
            run.save(options.checkpoint)
            saved = now
    run.save(options.checkpoint)


if __name__ == "__main__":
    main()
