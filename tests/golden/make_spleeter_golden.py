#!/usr/bin/env python3
"""Makes the golden files that hold Stemwire's Spleeter against the reference implementation.

    pip install numpy onnx safetensors soundfile
    make_spleeter_golden.py --tensorflow PYTHON     an interpreter that has spleeter 2.4.2 and soundfile

Writes `spleeter-tiny-*` and `spleeter.safetensors` beside this file. The models have the published topology, stems,
activations and variables, but few filters, short windows and random weights; each checkpoint and its stems are made by
the `spleeter` package itself, which takes the widths from its configuration (`spleeter_reference.py`). The mixture is
`clip.wav` repeated as in `make_golden.py`. Tensor "<stems>/<mask extension>/<frames of the track>/<first frame>",
float32 [stems, 2 channels, EXCERPT frames], holds an excerpt at the track's edges or a seam of two windows.
"""
import argparse
import dataclasses
import hashlib
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import soundfile
from safetensors.numpy import save_file

from make_golden import HERE, RATE, TOOLS, mixture

sys.path.insert(0, str(TOOLS))
from graph.spleeter import PUBLISHED
from make_spleeter import write

SIZE, HOP, COLUMNS, EXCERPT = 4096, 1024, 64, 96
FILTERS = (2, 2, 3, 3, 4, 4)
# Three windows, the last of them short; one that ends with the track; one that is hardly begun.
CASES = {"zeros": [150_001, 61_440, 700], "average": [150_001]}


def positions(frames: int) -> list:
    """Where excerpts begin: around the track's edges, and around the first and last frames that two windows share."""
    edges = [0, frames]
    for seam in range(COLUMNS * HOP, frames, COLUMNS * HOP):
        edges += [seam - SIZE, seam - SIZE // 2, seam - HOP]
    return sorted({min(max(edge - EXCERPT // 2, 0), frames - EXCERPT) for edge in edges})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tensorflow", type=Path, required=True, metavar="PYTHON")
    options = parser.parse_args()
    sound, _ = soundfile.read(HERE / "clip.wav", dtype="float32")
    excerpts = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for published, recipe in PUBLISHED.items():
            count = len(recipe.stems)
            for extension, lengths in CASES.items():
                mixes = [folder / f"{frames}.wav" for frames in lengths]
                for frames, path in zip(lengths, mixes):
                    soundfile.write(path, mixture(sound, frames, 1.0), RATE, subtype="FLOAT")
                command = [options.tensorflow, HERE / "spleeter_reference.py", "--stems", str(count), "--out", folder]
                command += ["--filters", ",".join(map(str, FILTERS)), "--frames", str(COLUMNS)]
                subprocess.run([*command, "--mask-extension", extension, "--audio", *mixes], check=True)
                for frames, path in zip(lengths, mixes):
                    files = [folder / path.stem / f"{stem}.f32.wav" for stem in recipe.stems]
                    stems = np.stack([soundfile.read(file, dtype="float32")[0].T for file in files])
                    for start in positions(frames):
                        excerpt = np.ascontiguousarray(stems[:, :, start : start + EXCERPT])
                        excerpts[f"{count}/{extension}/{frames}/{start}"] = excerpt
            weights = (folder / f"{count}stems.tar.gz").read_bytes()
            model = HERE / published.replace("spleeter", "spleeter-tiny")
            narrow = dataclasses.replace(recipe, filters=FILTERS, frames=COLUMNS)
            title, digest = "Spleeter's topology with random weights, for tests", hashlib.sha256(weights).hexdigest()
            write(model, title, "MIT OR Apache-2.0", narrow, f"{count}stems.tar.gz", digest)
            (model / f"{count}stems.tar.gz").write_bytes(weights)
    save_file(excerpts, HERE / "spleeter.safetensors")


if __name__ == "__main__":
    main()
