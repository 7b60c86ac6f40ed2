#!/usr/bin/env python3
"""Makes the model folders of the published SCNets: graph and card, without the weights, which are downloaded. Or the graph of
another SCNet, by the configuration in YAML beside its checkpoint.

    pip install numpy onnx pyyaml
    make_scnet.py --out models
    make_scnet.py --config FILE.yaml --out graph.onnx
"""
from __future__ import annotations

import argparse
import hashlib
import json
from dataclasses import fields
from pathlib import Path

from graph.scnet import PUBLISHED, Topology, build_graph

MIT = "MIT, by the author (github.com/starrytong/SCNet/issues/35)"
LICENCES = {"scnet": MIT, "scnet-large": MIT, "scnet-xl-ihf": "not stated by the authors"}
TITLES = {
    "scnet": "SCNet, by its author",
    "scnet-large": "SCNet-large, by its author",
    "scnet-xl-ihf": "SCNet XL IHF, by ZFTurbo",
}
UNNORMALISED = {"scnet-xl-ihf"}
"""Models whose configuration has `normalize: false`."""
# The end of the card: published figures.
QUALITY = {
    "scnet": """
[[quality]]
data = "Multisong"
source = "github.com/ZFTurbo/Music-Source-Separation-Training/blob/main/docs/pretrained_models.md"
sdr = { drums = 10.79, bass = 11.07, other = 5.34, vocals = 8.27 }
""",
    "scnet-large": """
[[quality]]
data = "Multisong"
source = "github.com/ZFTurbo/Music-Source-Separation-Training/blob/main/docs/pretrained_models.md"
sdr = { drums = 11.23, bass = 11.27, other = 5.57, vocals = 9.05 }

[[quality]]
data = "MUSDB18-HQ test"
source = "github.com/ZFTurbo/Music-Source-Separation-Training/blob/main/docs/pretrained_models.md"
sdr = { drums = 11.15, bass = 9.38, other = 7.31, vocals = 10.94 }
""",
    "scnet-xl-ihf": """
[[quality]]
data = "MUSDB18-HQ test"
source = "github.com/ZFTurbo/Music-Source-Separation-Training/blob/main/docs/pretrained_models.md"
sdr = { drums = 11.81, bass = 9.23, other = 7.88, vocals = 11.42 }
""",
}
# Releases of Music-Source-Separation-Training: v.1.0.6, v1.0.9 and v1.0.15.
WEIGHTS = {
    "scnet": (
        "scnet_checkpoint_musdb18.ckpt",
        "1bc0d1abb20bfdf966dcd07637bafd03e4bc13653d09ef18bc9b3e342eafe2aa",
    ),
    "scnet-large": (
        "SCNet-large_starrytong_fixed.ckpt",
        "65900dfa07d6b6e5d784c0f143920200a4bd281d6e78a806c549d0b912d5885e",
    ),
    "scnet-xl-ihf": (
        "model_scnet_ep_36_sdr_10.0891.ckpt",
        "ac25975f0f5704f3d1a3c3c251505b7a0f417a22eafe82773440ee4f7e14b74f",
    ),
}


def card(
    name: str, title: str, licence: str, topology: Topology, graph: bytes, weights: str, digest: str, normalize: bool
) -> str:
    """The TOML that describes a model whose file `weights` has the SHA-256 `digest`."""
    commercial = "commercial_use = true\n" if licence == MIT else ""
    level = "" if normalize else "normalize = false\n"
    return f"""\
name = {json.dumps(name)}
title = {json.dumps(title)}
family = "scnet"
stems = {json.dumps(list(topology.sources))}
sample_rate = 44100
segment = {topology.chunk}
overlap = 0.25
{level}licence = {json.dumps(licence)}
{commercial}
[stft]
size = {topology.nfft}
hop = {topology.hop_size}

[graph]
file = "graph.onnx"
sha256 = "{hashlib.sha256(graph).hexdigest()}"

[weights]
file = {json.dumps(weights)}
sha256 = "{digest}"
{QUALITY.get(name, "")}"""


def write(
    folder: Path, title: str, licence: str, topology: Topology, weights: str, digest: str, normalize: bool = True
) -> None:
    """Writes graph and card of one model; the folder's name is the model's. `normalize` is that of its configuration."""
    folder.mkdir(parents=True, exist_ok=True)
    graph = build_graph(topology).SerializeToString(deterministic=True)
    (folder / "graph.onnx").write_bytes(graph)
    (folder / "card.toml").write_text(card(folder.name, title, licence, topology, graph, weights, digest, normalize))


def topology_of(config: Path) -> Topology:
    """The topology that a configuration of Music-Source-Separation-Training has."""
    import yaml

    class Loader(yaml.SafeLoader):
        """Knows the tuples of Python, and no other objects."""

    Loader.add_constructor("tag:yaml.org,2002:python/tuple", lambda loader, node: loader.construct_sequence(node))
    sections = yaml.load(config.read_text(), Loader)
    names = {field.name for field in fields(Topology)}
    given = {name: value for name, value in sections["model"].items() if name in names}
    given = {name: tuple(value) if isinstance(value, list) else value for name, value in given.items()}
    chunk = {**sections["audio"], **sections.get("inference", {})}["chunk_size"]
    return Topology(**{**given, "chunk": chunk})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", type=Path, help="configuration in YAML, of a network that is not published")
    parser.add_argument("--out", type=Path, required=True, help="folder of models; with --config, the graph to write")
    options = parser.parse_args()
    if options.config:
        options.out.write_bytes(build_graph(topology_of(options.config)).SerializeToString(deterministic=True))
        return
    for name, topology in PUBLISHED.items():
        normalize = name not in UNNORMALISED
        write(options.out.resolve() / name, TITLES[name], LICENCES[name], topology, *WEIGHTS[name], normalize)


if __name__ == "__main__":
    main()
