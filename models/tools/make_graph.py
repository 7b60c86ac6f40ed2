#!/usr/bin/env python3
"""Makes the ONNX graph of an HTDemucs checkpoint, or of a published Spleeter, without its weights.

    pip install numpy onnx
    make_graph.py --weights FILE.safetensors --out graph.onnx
    make_graph.py --spleeter spleeter-2stems --out graph.onnx

Reads only the head of FILE: the hyperparameters (metadata `klass`, `args`, `kwargs`, as in the published files) and the
tensors' shapes. Every tensor becomes an initialiser of its own name whose values the runtime is given by name.
"""
import argparse
import sys
from pathlib import Path

from graph import Checkpoint, build_graph, spleeter
from graph.spleeter import PUBLISHED


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--weights", type=Path, help="checkpoint, .safetensors")
    source.add_argument("--spleeter", choices=PUBLISHED, help="a published Spleeter, whose checkpoint does not tell its activations")
    parser.add_argument("--out", type=Path, required=True, help="graph to write, .onnx")
    options = parser.parse_args()
    try:
        if options.spleeter:  # noqa: SIM108
            model = spleeter.build_graph(PUBLISHED[options.spleeter])
        else:
            model = build_graph(Checkpoint.read(options.weights))
    except ValueError as error:
        sys.exit(f"{options.weights}: {error}")
    options.out.write_bytes(model.SerializeToString(deterministic=True))


if __name__ == "__main__":
    main()
