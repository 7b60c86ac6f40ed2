"""The training loop that all networks share: schedule, running average, checkpoints, reports."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from checkpoints import begin_with
from dataset import Batch, Remixes

RATE = 44100


@dataclass(frozen=True)
class Lesson:
    """What one network is and how it learns."""

    make: Callable[..., nn.Module]
    kwargs: dict[str, Any]
    loss: Callable[[nn.Module, Batch, AbstractContextManager[Any]], Tensor]
    """Of the network and examples; the forward pass goes into the given context."""
    frames: int
    """Length of an example, in samples."""
    batch: int
    rate: float
    """Peak of the learning rate."""
    steps: int
    """In all, over all runs."""


class Minutes(NamedTuple):
    """What a run counts in minutes."""

    all: float | None
    """After which it ends, wherever it is."""
    save: float
    """Between two checkpoints."""
    check: float
    """Between two looks at how good the running average is."""


Check = Callable[[nn.Module], tuple[float, str]]
"""From a network to how good it is, the higher the better, and what to print about it."""


class Run:
    """Network, optimiser and the running average, as one thing to save and load."""

    def __init__(self, lesson: Lesson, device: str, seed: int) -> None:
        torch.manual_seed(seed)
        self.model, self.kwargs = lesson.make(**lesson.kwargs).to(device), lesson.kwargs
        self.optimiser = torch.optim.AdamW(self.model.parameters(), lr=1e-3, betas=(0.9, 0.99), weight_decay=1e-3,
                                           fused=True)
        self.average = {k: v.detach().clone() for k, v in self.model.state_dict().items()}
        self.step, self.trained_s, self.best = 0, 0.0, -math.inf
        self.origin: dict[str, Tensor] = {}
        self.ways: tuple[float, ...] = (1.0,)

    def follow(self) -> None:
        """The running average over about the last tenth of the steps, 300 at most."""
        decay = 1 - 1 / min(300, 1 + self.step / 10)
        state = {name: value for name, value in self.model.state_dict().items() if value.is_floating_point()}
        torch._foreach_lerp_([self.average[name] for name in state], list(state.values()), 1 - decay)

    def save(self, path: Path) -> None:
        """`kwargs` and `state` (the average) are what export.py and evaluate.py read; the rest is for continuing."""
        scratch = path.with_suffix(".part")
        torch.save({"kwargs": self.kwargs, "state": self.average, "step": self.step, "trained_s": self.trained_s,
                    "best": self.best, "model": self.model.state_dict(), "optimiser": self.optimiser.state_dict(),
                    "rng": torch.get_rng_state()}, scratch)
        scratch.replace(path)

    def keep_best(self, check: Check, checkpoint: Path) -> None:
        """Checks the running average, and keeps it beside the checkpoint if it is the best so far.

        With an origin the weights between it and the average are checked too: fine-tuned weights that are taken part of the
        way back keep more of what the origin could do (Wortsman et al. 2022).
        """
        for share in self.ways if self.origin else (1.0,):
            state = self._between(share)
            model = copy.deepcopy(self.model)
            model.load_state_dict(state)
            found, text = check(model.eval())
            way = f"  {share:.2f} of the way" if self.origin else ""
            print(f"{self.trained_s / 60:6.1f} min  step {self.step:6d}{way}  check {found:.3f}  {text}", flush=True)
            if found > self.best:
                self.best = found
                torch.save({"kwargs": self.kwargs, "state": state, "step": self.step, "check": found, "way": share},
                           checkpoint.with_suffix(".best.pt"))

    def _between(self, share: float) -> dict[str, Tensor]:
        if not self.origin or share == 1:
            return self.average
        return {name: torch.lerp(self.origin[name], value, share) if value.is_floating_point() else value
                for name, value in self.average.items()}

    def load(self, path: Path) -> None:
        saved = torch.load(path, map_location="cpu", weights_only=True)
        self.model.load_state_dict(saved["model"])
        self.optimiser.load_state_dict(saved["optimiser"])
        for group in self.optimiser.param_groups:
            group["fused"] = True
        for name, value in saved["state"].items():
            self.average[name].copy_(value)
        self.step, self.trained_s, self.best = saved["step"], saved["trained_s"], saved.get("best", -math.inf)
        torch.set_rng_state(saved["rng"])

    def compare_with(self, weights: Path, ways: tuple[float, ...]) -> None:
        """Checks look at these shares of the way from `weights` to the running average."""
        model = copy.deepcopy(self.model)
        begin_with(model, weights)
        self.origin, self.ways = model.state_dict(), ways

    def start_from(self, weights: list[Path]) -> None:
        """Begins with the averaged weights of other runs, or those of a model, instead of random ones."""
        for path in weights:
            begin_with(self.model, path)
        self.average = {k: v.detach().clone() for k, v in self.model.state_dict().items()}


def rate_at(progress: float, step: int, peak: float) -> float:
    """Learning rate: 100 steps of warm-up, a cosine to a fiftieth at progress 1."""
    return peak * min(1, (step + 1) / 100) * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * min(1, progress))))


def train(lesson: Lesson, songs: Path, checkpoint: Path, start: list[Path], seed: int, minutes: Minutes,
          check: Check | None = None, origin: Path | None = None, ways: tuple[float, ...] = (1.0,)) -> None:
    """Continues from the checkpoint if there is one, up to the lesson's last step; may be killed at any time.

    With a check the best running average so far is kept in CHECKPOINT.best.pt, or the best on the way to it from `origin`.
    """
    device = "cuda" if torch.cuda.is_available() else "cpu"
    flags = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    fast = device == "cuda" or "avx512_bf16" in flags or "amx_bf16" in flags
    precision = torch.autocast(device, dtype=torch.bfloat16) if fast else nullcontext()
    run = Run(lesson, device, seed)
    if checkpoint.exists():
        run.load(checkpoint)
        print(f"continues from step {run.step}, {run.trained_s / 60:.1f} minutes", flush=True)
    elif start:
        run.start_from(start)

    if origin:
        run.compare_with(origin, ways)
    if check and not run.step:
        run.keep_best(check, checkpoint)
    if not lesson.steps:
        return
    examples = _examples(lesson, songs, seed + 7919 * (run.step + 1), device)
    began = saved = reported = checked = time.monotonic()
    before, running = run.trained_s, []
    run.model.train()
    while (progress := max(run.step / lesson.steps, (run.trained_s - before) / 60 / (minutes.all or math.inf))) < 1:
        batch = next(examples)
        for group in run.optimiser.param_groups:
            group["lr"] = rate_at(progress, run.step, lesson.rate)
        loss = lesson.loss(run.model, batch, precision)
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
        if now - saved > 60 * minutes.save:
            run.save(checkpoint)
            saved = now
        if check and now - checked > 60 * minutes.check:
            run.keep_best(check, checkpoint)
            checked = time.monotonic()
    if check:
        run.keep_best(check, checkpoint)
    run.save(checkpoint)


def _examples(lesson: Lesson, songs: Path, seed: int, device: str) -> Iterator[Batch]:
    remixes = Remixes(songs, lesson.frames, lesson.batch, seed, device)
    # A GPU mixes faster than it could be handed the mixes.
    return iter(remixes if device == "cuda" else DataLoader(remixes, batch_size=None, num_workers=1, prefetch_factor=4))
