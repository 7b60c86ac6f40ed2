"""What each model needs: time to load, memory, time for a second of music, and music until the first stem."""
from __future__ import annotations

import re
import statistics
import tomllib
from collections.abc import Callable

import material
from measure import BUSY, Run, company, conditions, run
from results import Result, Row
from rows.htdemucs import LOG
from rows.serving import client, serving, until_stem, wav

# The name in the models folder, or of one that is built in, by the name of the card.
MODELS: dict[str, Callable] = {
    "mini": lambda bench: "mini",
    "mini-spleeter": lambda bench: "mini-spleeter",
    "spleeter-2stems": lambda bench: spleeter(bench, 2),
    "spleeter-4stems": lambda bench: spleeter(bench, 4),
    "spleeter-5stems": lambda bench: spleeter(bench, 5),
    "htdemucs": lambda bench: htdemucs(bench, "htdemucs"),
    "htdemucs_6s": lambda bench: htdemucs(bench, "htdemucs_6s"),
    "htdemucs_ft": lambda bench: htdemucs(bench, "htdemucs_ft"),
    "scnet": lambda bench: material.scnet(bench.work, bench.scnet, "scnet")[1],
    "scnet-large": lambda bench: material.scnet(bench.work, bench.scnet, "scnet-large")[1],
    "mdx (Voc_FT)": lambda bench: material.mdx(bench.work, bench.mdx, bench.stemwire)[1],
    "melband-kim": lambda bench: material.roformer(bench.work, bench.scnet, bench.stemwire, "mel_kim")[1],
    "bs-roformer-viperx": lambda bench: material.roformer(bench.work, bench.scnet, bench.stemwire, "bs_viperx")[1],
}
LOADED = re.compile(r": (?:model|specialist) loaded .*seconds=([0-9.e-]+)")
# Seconds of music; of the slow ones no more than makes two segments.
LONG = 30
SLOW = {"scnet-large": 1.6, "melband-kim": 1.6, "bs-roformer-viperx": 1.6}


def htdemucs(bench, name: str) -> str:
    material.htdemucs(bench.work, bench.demucs, bench.stemwire, name)
    return name


def spleeter(bench, stems: int) -> str:
    material.spleeter(bench.work, bench.spleeter, stems)
    return f"bench-{stems}stems"


def needs(bench) -> tuple[Result, str | None]:
    rows: list[Row] = []
    every: list[Run] = []
    for title in bench.options.model:
        model = MODELS[title](bench)
        folder = bench.work / "models" / model
        card = tomllib.loads(((folder if folder.exists() else material.ROOT / "models" / model) / "card.toml").read_text())
        segment, rate = card["segment"], card["sample_rate"]
        seconds = round(SLOW[title] * segment / rate, 1) if title in SLOW else LONG
        one = run(bench.separate(bench.music(seconds), bench.work / "needs", "--model", model), bench.cores, LOG)
        every.append(one)
        times = [end - begin for begin, end in one.inferences()]
        shared = company([one]) > BUSY
        # With company: what this process had of the cores. All of it counts as inference, so that this is the least speed.
        share = one.cpu / one.wall / len(bench.cores) if shared else 1
        inference = one.cpu / len(bench.cores) / len(times) if shared else statistics.median(times)
        # A bag runs the graph once for each of its specialists.
        inference *= max(1, len(card["weights"])) if isinstance(card.get("weights"), list) else 1
        speed = segment / rate * (1 - card["overlap"]) / inference
        load = sum(map(float, LOADED.findall(one.log))) * share
        until, wait = first_stem(bench, model, segment)
        found = [
            Row(f"{title}: load", load, "s"),
            Row(f"{title}: peak memory", one.peak / 1e9, "GB"),
            Row(f"{title}: seconds of music in a second", speed),
            Row(f"{title}: music that had arrived at the first stem", until, "s"),
            Row(f"{title}: first stem after it, on a warm server", wait, "s"),
        ]
        for row in found:
            bench.say(f"  {row.what}: {row.figure:.2f}")
        rows += found
    more = (
        "random weights but for mini and mini-spleeter; 30 s of music, of the slow ones 1.6 segments; default overlap; with company "
        "load and speed are of processor time; the song ends only after the first stem"
    )
    return Result(rows, conditions(every, bench.cores, more)), None


def first_stem(bench, model: str, segment: int) -> tuple[float, float]:
    """Seconds of music that a segment takes, and from its last byte to the first stem."""
    # A segment of the slowest takes longer than an upload may be idle.
    with serving(bench, "--engines", model, "--idle-upload", "15m") as server:
        wait = until_stem(server, wav(segment), client.Config())
    return segment / material.RATE, wait
