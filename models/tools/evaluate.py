"""Scores a checkpoint: SDR and SI-SDR a stem, medians over excerpts, beside baselines that know nothing.

    evaluate.py CHECKPOINT FOLDER [--splits seen unseen]   songs of make_songs.py
    evaluate.py CHECKPOINT --real FOLDER                   FOLDER/*/{drums,bass,other,vocals}.wav, true stems
    evaluate.py CHECKPOINT --music FOLDER [--only SONG]    whole songs as real.py reads them: SDR of each, and of its 10 s windows

CHECKPOINT may be a model's weights.safetensors. The baselines: silence (0 dB by definition) and those of baselines.py.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import torch
from demucs.apply import apply_model
from torch import nn

import baselines
import checkpoints
import unet
from real import read_song
from residual import share_out
from scores import STEMS, Separate, score_song, sdr, si_sdr, songs_table

RATE = 44100
SILENT = 1e-4  # RMS below which a true stem is no stem: its SDR would say nothing
Estimate = Callable[[np.ndarray, np.ndarray], np.ndarray]


def estimators(model: nn.Module) -> dict[str, Estimate]:
    """Name -> function from (mix (2, frames), truth (4, 2, frames)) to stems (4, 2, frames)."""

    separate = separator(model)
    return {"model": lambda mix, truth: separate(mix), "mixture": lambda mix, truth: baselines.mixture(mix),
            "mixture, best gain": baselines.best_gain,
            "mid channel": lambda mix, truth: baselines.mid_channel(mix),
            "REPET-SIM × centre": lambda mix, truth: baselines.repet_centre(mix)}


def separator(model: nn.Module) -> Separate:
    """What the engine does with the model."""

    def separate(mix: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            if isinstance(model, unet.Spleeter):
                return unet.separate(model, torch.from_numpy(mix)).numpy()
            stems = apply_model(model, torch.from_numpy(mix)[None], overlap=0.25, shifts=0)[0]
        return share_out(torch.from_numpy(mix), stems).numpy()

    return separate


def excerpts(folder: Path, seconds: float, count: int) -> Iterator[tuple[np.ndarray, list[str]]]:
    """(stems (4, 2, frames), singers), one a song: the stretch of it where the voice is loudest."""
    paths = sorted(p for p in folder.glob("*.npy") if not p.name.endswith(".part.npy"))
    frames = int(seconds * RATE)
    for path in paths[:count]:
        stems = np.load(path, mmap_mode="r")
        singers = json.loads(path.with_suffix(".json").read_text())["singers"]
        energy = np.cumsum((stems[3, :, ::100].astype(np.float64) ** 2).sum(axis=0))
        window = frames // 100
        begin = 100 * int(np.argmax(energy[window:] - energy[:-window]))
        yield stems[:, :, begin:begin + frames].astype(np.float32) / 32767, singers


def real_songs(folder: Path) -> Iterator[tuple[np.ndarray, list[str]]]:
    for song in sorted(p for p in folder.iterdir() if p.is_dir()):
        yield np.stack([soundfile.read(song / f"{stem}.wav", dtype="float32", always_2d=True)[0].T[[0, -1]]
                        for stem in STEMS]), [song.name]


def score(songs: Iterator[tuple[np.ndarray, list[str]]], methods: dict[str, Estimate]) -> list[dict[str, Any]]:
    """One row for every excerpt, method and sounding stem."""
    rows: list[dict[str, Any]] = []
    for number, (truth, singers) in enumerate(songs):
        mix = truth.sum(axis=0)
        for method, estimate in methods.items():
            stems = estimate(mix, truth)
            for stem, true, found in zip(STEMS, truth, stems):
                if np.sqrt(np.mean(true ** 2)) > SILENT:
                    rows.append({"excerpt": number, "singer": singers[0], "method": method, "stem": stem,
                                 "sdr": sdr(true, found), "si_sdr": si_sdr(true, found)})
    return rows


def table(rows: list[dict[str, Any]], title: str) -> str:
    """Medians as Markdown; SDR / SI-SDR in dB."""
    lines = [f"### {title}", "", "| method | " + " | ".join(STEMS) + " |", "|---|" + "---|" * len(STEMS)]

    def median(method: str, stem: str, key: str) -> float:
        values = [r[key] for r in rows if r["method"] == method and r["stem"] == stem]
        return float(np.median(values)) if values else float("nan")

    methods = list(dict.fromkeys(r["method"] for r in rows))
    for method in methods:
        cells = [f"{median(method, s, 'sdr'):.2f} / {median(method, s, 'si_sdr'):.2f}" for s in STEMS]
        lines.append(f"| {method} | " + " | ".join(cells) + " |")
    lines.append("| silence | " + " | ".join(["0.00 / –"] * len(STEMS)) + " |")
    best = max(0.0, *(median(m, "vocals", "sdr") for m in methods if m != "model"))
    voice = [r for r in rows if r["stem"] == "vocals"]
    mean = {m: np.mean([r["sdr"] for r in voice if r["method"] == m]) for m in ("model", "mixture")}
    lines += ["", f"{len({r['excerpt'] for r in rows})} excerpts. Vocals, median: "
              f"{median('model', 'vocals', 'sdr') - best:+.2f} dB over the best baseline. Mean gain over the mixture: "
              f"{mean['model'] - mean['mixture']:+.2f} dB."]
    for kind, test in (("glottal", lambda s: s == "glottal"), ("espeak", lambda s: s.startswith("espeak")),
                       ("other speech", lambda s: s.startswith(("flite", "festival")))):
        values = [r["sdr"] for r in voice if r["method"] == "model" and test(r["singer"])]
        if values:
            lines.append(f"Vocals of {kind} singers: median {np.median(values):.2f} dB, {len(values)} excerpts.")
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("folder", type=Path, nargs="?", help="holds a folder for each split")
    parser.add_argument("--splits", nargs="+", default=["seen", "unseen"])
    parser.add_argument("--real", type=Path)
    parser.add_argument("--music", type=Path)
    parser.add_argument("--only", nargs="*", default=[], help="of --music, these songs")
    parser.add_argument("--quick", action="store_true", help="no baseline but the mixture")
    parser.add_argument("--count", type=int, default=60)
    parser.add_argument("--seconds", type=float, default=8)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", type=Path, help="every row, for a closer look")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    model = checkpoints.load(options.checkpoint)
    methods = estimators(model)
    if options.quick:
        methods = {name: methods[name] for name in ("model", "mixture")}
    if options.music:
        folders = sorted(p for p in (options.music / "songs").iterdir() if p.is_dir())
        print(songs_table({folder.name: score_song(read_song(folder), separator(model)) for folder in folders
                           if not options.only or folder.name in options.only}))
    everything: dict[str, list[dict[str, Any]]] = {}
    if options.real:
        everything["real"] = score(real_songs(options.real), methods)
    for split in options.splits if options.folder else ():
        everything[split] = score(excerpts(options.folder / split, options.seconds, options.count), methods)
    for name, rows in everything.items():
        print(table(rows, name))
    if options.json:
        options.json.write_text(json.dumps(everything))


if __name__ == "__main__":
    main()
