#!/usr/bin/env python3
"""Measures Stemwire against its peers and its promises; README.md tells of it.

    bench.py [--quick] [--only NAME...] [--seconds S] [--pairs N] [--cores LIST]

Keeps the figures in results.json and makes RESULTS.md and results.svg of them; benchmarks that are not run keep theirs.
With --quick the figures are only printed.
Ends with 1 where a benchmark says that something has got worse, that figures do not belong together, or that it could not measure.
"""
from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import material
import results
from measure import Run
from rows import (
    cluster,
    cluster_alone,
    cluster_sessions,
    crowd,
    downloads,
    encoders,
    htdemucs,
    htdemucs_python,
    mdx,
    memory,
    models,
    msst,
    page,
    scaling,
    serving,
    spleeter,
    stages,
)

BENCHMARKS = {
    "htdemucs": htdemucs.against_pytorch,
    "htdemucs-python": htdemucs_python.against_python,
    "scnet": msst.scnet,
    "scnet-large": msst.scnet_large,
    "roformer": msst.mel_band,
    "bs-roformer": msst.band_split,
    "mdx": mdx.against_python,
    "models": models.needs,
    "spleeter": spleeter.against_tensorflow,
    "first-stem": serving.first_stem,
    "get-stem": serving.get_stem,
    "fair": serving.eight_sessions,
    "crowd": crowd.hostile_clients,
    "cluster-scaling": cluster.scaling,
    "cluster-saturation": cluster.saturation,
    "cluster-sessions": cluster_sessions.open_sessions,
    "cluster-htdemucs": cluster_alone.htdemucs,
    "cluster-mini": cluster_alone.mini,
    "downloads": downloads.starts,
    "first-paint": page.first_paint,
    "linear": scaling.linear,
    "memory": memory.long_tracks,
    "encoders": encoders.hours,
    "stages": stages.shares,
    "instructions": stages.instructions,
}
# Of hours of music, of minutes for each second of it, or of 6 GB of memory; left out unless they are named.
NIGHTLY = {"bs-roformer", "cluster-sessions", "encoders", "linear", "memory", "models", "roformer", "scnet-large"}
# Of --quick: seconds of music, pairs, and about how long each takes on two idle cores, in seconds, once what it needs is installed.
QUICK_SECONDS, QUICK_PAIRS = 20, 1
ESTIMATES_S = {
    "htdemucs": 240,
    "htdemucs-python": 180,
    "scnet": 120,
    "mdx": 120,
    "spleeter": 60,
    "first-stem": 30,
    "get-stem": 30,
    "fair": 120,
    "crowd": 120,
    "cluster-scaling": 120,
    "cluster-saturation": 150,
    "cluster-htdemucs": 120,
    "cluster-mini": 60,
    "downloads": 30,
    "first-paint": 30,
    "stages": 180,
    "instructions": 360,
}


@dataclass
class Bench:
    """What every benchmark is given."""

    options: argparse.Namespace

    @property
    def cores(self) -> list[int]:
        return self.options.cores

    @property
    def work(self) -> Path:
        return self.options.work

    @property
    def pairs(self) -> int:
        return self.options.pairs

    @cached_property
    def stemwire(self) -> Path:
        return self.options.stemwire.resolve()

    @cached_property
    def demucs(self) -> Path:
        """A Python with PyTorch and Demucs."""
        requirements = material.PARITY / "requirements.txt"
        return self.options.demucs_python or material.environment(self.work, "demucs", requirements)

    @cached_property
    def scnet(self) -> Path:
        """A Python with PyTorch, SCNet and RoFormer."""
        requirements = material.PARITY / "requirements-scnet.txt"
        return self.options.scnet_python or material.environment(self.work, "scnet", requirements)

    @cached_property
    def mdx(self) -> Path:
        """A Python with audio-separator."""
        requirements = material.PARITY / "requirements-mdx.txt"
        return self.options.mdx_python or material.environment(self.work, "mdx", requirements)

    @cached_property
    def spleeter(self) -> Path:
        """A Python with TensorFlow and Spleeter."""
        requirements = material.PARITY / "requirements-spleeter.txt"
        return self.options.spleeter_python or material.environment(self.work, "spleeter", requirements)

    @cached_property
    def seconds(self) -> float:
        return self.options.seconds

    def music(self, seconds: float, form: str = "wav", noise: bool = False) -> Path:
        return material.music(self.work, seconds, form, noise)

    def program(self, name: str) -> Path:
        """One of Cargo's benches, built."""
        # As the Makefile builds it with the program: `cargo bench` would compile everything again.
        command = ["cargo", "build", "--release", "--quiet", "--bins", "--benches", "--message-format=json"]
        output = subprocess.run(command, cwd=material.ROOT, check=True, capture_output=True, text=True).stdout
        built = [json.loads(line) for line in output.splitlines()]
        return next(Path(one["executable"]) for one in built if one.get("executable") and one["target"]["name"] == name)

    def separate(self, song: Path, out: Path, *options: object) -> list:
        """The command line that separates a song into `out`, and tells the log of inferences; on the CPU's own kernels, or as named."""
        shutil.rmtree(out, ignore_errors=True)
        models = ["--models-dir", self.work / "models", "--offline"]
        provider = [] if "--provider" in options else ["--provider", "cpu"]
        return [self.stemwire, "separate", song, "--output", out, *models, *provider, *options]

    def in_turn(
        self, name: str, peer: Callable[[Path], Run], own: Callable[[Path], Run], warm_seconds: float = 10, noise: bool = False
    ) -> tuple[Path, list[Run], list[Run]]:
        """Runs a peer and this program on a song, one after the other and after a short one; returns the song and the runs."""
        song, warm = (self.music(seconds, noise=noise) for seconds in (self.seconds, warm_seconds))
        peer(warm), own(warm)
        peers: list[Run] = []
        runs: list[Run] = []
        for _ in range(self.pairs):
            peers.append(peer(song))
            runs.append(own(song))
            theirs, ours = peers[-1], runs[-1]
            self.say(f"  {name} {theirs.wall:.1f} s, Stemwire {ours.wall:.1f} s; of processor {theirs.cpu:.1f}, {ours.cpu:.1f}")
        return song, peers, runs

    def say(self, text: str) -> None:
        print(text, file=sys.stderr, flush=True)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    usual = [name for name in BENCHMARKS if name not in NIGHTLY]
    parser.add_argument("--only", nargs="+", choices=BENCHMARKS, default=usual, metavar="NAME", help=", ".join(BENCHMARKS))
    minutes = sum(ESTIMATES_S.values()) / 60
    brief = f"{QUICK_PAIRS} pair of {QUICK_SECONDS} s of music, about {minutes:.0f} minutes in all; no figure is kept"
    parser.add_argument("--quick", action="store_true", help=brief)
    parser.add_argument("--seconds", type=float, help="of music, for HTDemucs, SCNet, RoFormer and Spleeter; 180 if left out")
    parser.add_argument("--long-seconds", type=float, default=10_800, help="of music, for linear and memory")
    parser.add_argument("--pairs", type=int, help="how often each is run, in turn with its peer; 3 if left out")
    parser.add_argument("--cores", help="which, such as 0,1; all if left out; each side has as many threads")
    parser.add_argument("--work", type=Path, default=material.ROOT / ".venv" / "bench", help="folder for all that is made")
    parser.add_argument("--stemwire", type=Path, default=material.ROOT / "target" / "release" / "stemwire")
    parser.add_argument("--demucs-python", type=Path, help="one with PyTorch and Demucs; made if left out")
    parser.add_argument("--scnet-python", type=Path, help="one with PyTorch, SCNet and RoFormer; made if left out")
    parser.add_argument("--mdx-python", type=Path, help="one with audio-separator; made if left out")
    parser.add_argument("--spleeter-python", type=Path, help="one with TensorFlow and Spleeter; made if left out")
    parser.add_argument("--model", nargs="+", choices=models.MODELS, default=list(models.MODELS), help="for models")
    parser.add_argument("--baseline", type=Path, help="another release, for first-paint")
    parser.add_argument("--accept", action="store_true", help="take the instructions that are counted as the ones to hold")
    parser.add_argument("--table", action="store_true", help="only make table and plot anew")
    options = parser.parse_args()
    options.seconds = options.seconds or (QUICK_SECONDS if options.quick else 180)
    options.pairs = options.pairs or (QUICK_PAIRS if options.quick else 3)
    every = sorted(os.sched_getaffinity(0))
    options.cores = [int(core) for core in options.cores.split(",")] if options.cores else every
    options.work = options.work.resolve()
    options.work.mkdir(parents=True, exist_ok=True)
    return options


def main() -> None:
    bench = Bench(arguments())
    if bench.options.table:
        results.write(results.load())
        return
    worse = False
    for name in bench.options.only:
        estimate = f" about {ESTIMATES_S[name]} s" if bench.options.quick and name in ESTIMATES_S else ""
        bench.say(f"{name} …{estimate}")
        begun = time.monotonic()
        try:
            result, fault = BENCHMARKS[name](bench)
        except (SystemExit, subprocess.CalledProcessError) as error:
            # The others have their say, also where one lacks what it needs.
            bench.say(f"{name} was not measured: {error}")
            worse = True
            continue
        for row in result.rows:
            bench.say("  " + results.line(row, 0))
        bench.say(f"  {time.monotonic() - begun:.0f} s")
        if not bench.options.quick:
            results.keep(name, result)
        if fault:
            bench.say(f"{name}: {fault}")
            worse = True
    sys.exit(1 if worse else 0)


if __name__ == "__main__":
    main()
