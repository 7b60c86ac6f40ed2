#!/usr/bin/env python3
"""Makes the model folders of the published Spleeters: graph and card, without the weights, which are downloaded.

    pip install numpy onnx
    make_spleeter.py --out models
"""
from __future__ import annotations

import argparse
import hashlib
import json
from pathlib import Path

from graph.spleeter import PUBLISHED, Recipe, build_graph

SIZE, HOP = 4096, 1024
LICENCE = "MIT, as the repository that publishes it (github.com/deezer/spleeter)"
TITLES = {
    "spleeter-2stems": "Spleeter, vocals and accompaniment (Deezer)",
    "spleeter-4stems": "Spleeter, four stems (Deezer)",
    "spleeter-5stems": "Spleeter, five stems with piano (Deezer)",
}
# The end of the card: published figures.
QUALITY = {
    "spleeter-4stems": """
[[quality]]
data = "MUSDB18 test"
source = "github.com/deezer/spleeter/blob/master/paper.md, soft masks"
sdr = { vocals = 6.55, drums = 5.93, bass = 5.10, other = 4.24 }
""",
}
# Of the release v1.4.0, whose files are named after the stems' number.
WEIGHTS = {
    "spleeter-2stems": "f3a90b39dd2874269e8b05a48a86745df897b848c61f3958efc80a39152bd692",
    "spleeter-4stems": "3adb4a50ad4eb18c7c4d65fcf4cf2367a07d48408a5eb7d03cd20067429dfaa8",
    "spleeter-5stems": "25a1e87eb5f75cc72a4d2d5467a0a50ac75f05611f877c278793742513cc7218",
}


def card(name: str, title: str, licence: str, recipe: Recipe, graph: bytes, weights: str, digest: str) -> str:
    """The TOML that describes a model whose file `weights` has the SHA-256 `digest`."""
    commercial = "commercial_use = true\n" if name in WEIGHTS else ""
    return f"""\
name = {json.dumps(name)}
title = {json.dumps(title)}
family = "spleeter"
stems = {json.dumps(list(recipe.stems))}
sample_rate = 44100
# {recipe.frames} whole columns of the spectrum
segment = {(recipe.frames - 1) * HOP + SIZE}
overlap = 0.0
blend = "sum"
licence = {json.dumps(licence)}
{commercial}
[stft]
size = {SIZE}
hop = {HOP}

[graph]
file = "graph.onnx"
sha256 = "{hashlib.sha256(graph).hexdigest()}"

[weights]
file = {json.dumps(weights)}
sha256 = "{digest}"
{QUALITY.get(name, "")}"""


def write(folder: Path, title: str, licence: str, recipe: Recipe, weights: str, digest: str) -> None:
    """Writes graph and card of one model; the folder's name is the model's."""
    folder.mkdir(parents=True, exist_ok=True)
    graph = build_graph(recipe).SerializeToString(deterministic=True)
    (folder / "graph.onnx").write_bytes(graph)
    (folder / "card.toml").write_text(card(folder.name, title, licence, recipe, graph, weights, digest))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder of models")
    options = parser.parse_args()
    for name, recipe in PUBLISHED.items():
        weights = f"{len(recipe.stems)}stems.tar.gz"
        write(options.out.resolve() / name, TITLES[name], LICENCE, recipe, weights, WEIGHTS[name])


if __name__ == "__main__":
    main()
