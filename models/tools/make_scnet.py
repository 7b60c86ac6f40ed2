#!/usr/bin/env python3
"""Makes the model folders of the published SCNets: graph and card, without the weights, which are downloaded.

    pip install numpy onnx
    make_scnet.py --out models
"""
from __future__ import annotations

import argparse
import hashlib
import json
from pathlib import Path

from graph.scnet import PUBLISHED, Topology, build_graph

LICENCE = "MIT, by the author (github.com/starrytong/SCNet/issues/35)"
TITLES = {"scnet": "SCNet, by its author", "scnet-large": "SCNet-large, by its author"}
# Releases of Music-Source-Separation-Training: v.1.0.6 and v1.0.9.
WEIGHTS = {
    "scnet": (
        "scnet_checkpoint_musdb18.ckpt",
        "1bc0d1abb20bfdf966dcd07637bafd03e4bc13653d09ef18bc9b3e342eafe2aa",
    ),
    "scnet-large": (
        "SCNet-large_starrytong_fixed.ckpt",
        "65900dfa07d6b6e5d784c0f143920200a4bd281d6e78a806c549d0b912d5885e",
    ),
}


def card(name: str, title: str, licence: str, topology: Topology, graph: bytes, weights: str, digest: str) -> str:
    """The TOML that describes a model whose file `weights` has the SHA-256 `digest`."""
    return f"""\
name = {json.dumps(name)}
title = {json.dumps(title)}
family = "scnet"
stems = {json.dumps(list(topology.sources))}
sample_rate = 44100
segment = {topology.chunk}
overlap = 0.25
licence = {json.dumps(licence)}

[stft]
size = {topology.nfft}
hop = {topology.hop_size}

[graph]
file = "graph.onnx"
sha256 = "{hashlib.sha256(graph).hexdigest()}"

[weights]
file = {json.dumps(weights)}
sha256 = "{digest}"
"""


def write(folder: Path, title: str, licence: str, topology: Topology, weights: str, digest: str) -> None:
    """Writes graph and card of one model; the folder's name is the model's."""
    folder.mkdir(parents=True, exist_ok=True)
    graph = build_graph(topology).SerializeToString(deterministic=True)
    (folder / "graph.onnx").write_bytes(graph)
    (folder / "card.toml").write_text(card(folder.name, title, licence, topology, graph, weights, digest))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder of models")
    options = parser.parse_args()
    for name, topology in PUBLISHED.items():
        write(options.out.resolve() / name, TITLES[name], LICENCE, topology, *WEIGHTS[name])


if __name__ == "__main__":
    main()
