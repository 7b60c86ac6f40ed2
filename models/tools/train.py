"""Trains the mini separator on the songs that make_songs.py writes; may be stopped and started at any time.

The schedule follows the steps: `--steps` of training in all, over all its runs, whatever machine runs it.
"""

from __future__ import annotations

import argparse
import math
import os
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any, Callable

import torch
from demucs.htdemucs import HTDemucs
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.utils.data import DataLoader

from dataset import VOCALS, Remixes
from residual import share_out

RATE = 44100
SEGMENT_S = 4
KWARGS = {"sources": ["drums", "bass", "other", "vocals"], "channels": 16, "growth": 2, "depth": 4, "t_layers": 3,
          "t_heads": 4, "dconv_mode": 3, "nfft": 4096, "segment": SEGMENT_S, "samplerate": RATE}
STEM_WEIGHT = (1.0, 1.0, 1.0, 4.0)


def loss_of(estimate: Tensor, truth: Tensor) -> Tensor:
    """Waveform L1 and log L2 + spectral L1 + a penalty for voice that is missed; (batch, 4, 2, frames) each."""
    weight = truth.new_tensor(STEM_WEIGHT) / sum(STEM_WEIGHT)
    # Relative to the mix, so that quiet examples teach as much as loud ones.
    scale = truth.sum(dim=1, keepdim=True).std(dim=(2, 3), keepdim=True) + 0.02
    estimate, truth = estimate / scale, truth / scale
    waveform = ((estimate - truth).abs().mean(dim=(0, 2, 3)) * weight).sum()
    # L1 cares for loud stems; the logarithm asks the same decibels of a quiet one.
    relative = (((estimate - truth) ** 2).mean(dim=(2, 3)) + 0.01).log().mean(dim=0)
    decibels = (relative * weight).sum()
    near, true = spectrum(estimate), spectrum(truth)
    spectral = ((near - true).abs().mean(dim=(0, 2, 3, 4)) * weight).sum()
    # Where the true voice is stronger than its estimate it was given to another stem: what real singers suffer most.
    missed = torch.relu(true[:, VOCALS] - near[:, VOCALS]).mean()
    return waveform + 0.6 * decibels + 0.2 * spectral + 0.1 * missed


def spectrum(x: Tensor) -> Tensor:
    """Compressed magnitudes (batch, 4, 2, bins, times) of (batch, 4, 2, frames)."""
    window = torch.hann_window(2048, device=x.device)
    z = torch.stft(x.reshape(-1, x.shape[-1]), 2048, 1024, window=window, return_complex=True, normalized=True)
    return (z.real ** 2 + z.imag ** 2 + 1e-6).pow(0.25).reshape(*x.shape[:-1], *z.shape[-2:])


def rate_at(progress: float, step: int, peak: float) -> float:
    """Learning rate: 100 steps of warm-up, a cosine to a fiftieth at progress 1."""
    return peak * min(1, (step + 1) / 100) * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * min(1, progress))))


class Run:
    """Model, optimiser and the running average, as one thing to save and load."""

    def __init__(self, make: Callable[..., nn.Module], kwargs: dict[str, Any], device: str, seed: int) -> None:
        torch.manual_seed(seed)
        self.model, self.kwargs = make(**kwargs).to(device), kwargs
        self.optimiser = torch.optim.AdamW(self.model.parameters(), lr=1e-3, betas=(0.9, 0.99), weight_decay=1e-3,
                                           fused=True)
        self.average = {k: v.detach().clone() for k, v in self.model.state_dict().items()}
        self.step, self.trained_s = 0, 0.0

    def follow(self) -> None:
        """The running average over about the last tenth of the steps, 300 at most."""
        decay = 1 - 1 / min(300, 1 + self.step / 10)
        state = {name: value for name, value in self.model.state_dict().items() if value.is_floating_point()}
        torch._foreach_lerp_([self.average[name] for name in state], list(state.values()), 1 - decay)

    def save(self, path: Path) -> None:
        """`kwargs` and `state` (the average) are what export.py and evaluate.py read; the rest is for going on."""
        scratch = path.with_suffix(".part")
        torch.save({"kwargs": self.kwargs, "state": self.average, "step": self.step, "trained_s": self.trained_s,
                    "model": self.model.state_dict(), "optimiser": self.optimiser.state_dict(),
                    "rng": torch.get_rng_state()}, scratch)
        os.replace(scratch, path)

    def load(self, path: Path) -> None:
        saved = torch.load(path, map_location="cpu", weights_only=True)
        self.model.load_state_dict(saved["model"])
        self.optimiser.load_state_dict(saved["optimiser"])
        for group in self.optimiser.param_groups:
            group["fused"] = True
        for name, value in saved["state"].items():
            self.average[name].copy_(value)
        self.step, self.trained_s = saved["step"], saved["trained_s"]
        torch.set_rng_state(saved["rng"])

    def start_from(self, weights: Path) -> None:
        """Begins with a model's weights instead of random ones."""
        self.model.load_state_dict(load_file(weights))
        self.average = {k: v.detach().clone() for k, v in self.model.state_dict().items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("songs", type=Path, help="the folder with the songs: its train/ and voices/ are used")
    parser.add_argument("checkpoint", type=Path, help="written every --save-minutes; gone on from if it is there")
    parser.add_argument("--steps", type=int, default=8000, help="in all, over all runs")
    parser.add_argument("--start", type=Path, help="a weights.safetensors to begin with where there is no checkpoint")
    parser.add_argument("--save-minutes", type=float, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=1.5, help="length of an example for most of the time")
    parser.add_argument("--long-from", type=float, default=0.87, help="progress from which examples are whole segments")
    parser.add_argument("--rate", type=float, default=1.5e-3)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()

    torch.set_num_threads(options.threads)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    flags = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    fast = device == "cuda" or "avx512_bf16" in flags or "amx_bf16" in flags
    run = Run(HTDemucs, KWARGS, device, options.seed)
    if options.checkpoint.exists():
        run.load(options.checkpoint)
        print(f"goes on from step {run.step}, {run.trained_s / 60:.1f} minutes", flush=True)
    elif options.start:
        run.start_from(options.start)

    began = saved = reported = time.monotonic()
    before = run.trained_s
    examples, length, running = None, 0.0, []
    run.model.train()
    while run.step < options.steps:
        progress = run.step / options.steps
        wanted = options.seconds if progress < options.long_from else SEGMENT_S
        if wanted != length:
            length = wanted
            songs = Remixes(options.songs, int(length * RATE), options.seed + 7919 * (run.step + 1))
            # As much audio in a step as before, so that a step goes on costing the same.
            batch = max(1, round(options.batch * options.seconds / length))
            examples = iter(DataLoader(songs, batch_size=batch, num_workers=1, prefetch_factor=4))
        truth = next(examples).to(device)
        for group in run.optimiser.param_groups:
            group["lr"] = rate_at(progress, run.step, options.rate)
        with torch.autocast(device, dtype=torch.bfloat16) if fast else nullcontext():
            estimate = run.model(truth.sum(dim=1))
        loss = loss_of(share_out(truth.sum(dim=1), estimate.float()), truth)
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
