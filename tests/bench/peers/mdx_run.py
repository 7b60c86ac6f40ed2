"""audio-separator's MDX-Net as a whole process: loads a model, separates a file, writes the stem of the network.

    mdx_run.py FILE.onnx model_data.json MIX.wav OUT

The scaling by the track's peak is left out, as in tests/golden/mdx_reference.py.
"""
import json
import os
import sys
from pathlib import Path

import numpy as np
import onnxruntime
import soundfile

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "golden"))
from mdx_reference import separator

OPTIONS = onnxruntime.SessionOptions


def with_threads() -> onnxruntime.SessionOptions:
    """The package has no option for the number of threads."""
    options = OPTIONS()
    options.intra_op_num_threads = int(os.environ["OMP_NUM_THREADS"])
    return options


def main() -> None:
    onnxruntime.SessionOptions = with_threads
    model, entries, mix, out = map(Path, sys.argv[1:])
    [entry] = json.loads(entries.read_text()).values()
    audio, rate = soundfile.read(mix, dtype="float32", always_2d=True)
    stem = separator(model, entry, 0.25).demix(np.ascontiguousarray(audio.T))
    out.mkdir(parents=True, exist_ok=True)
    soundfile.write(out / "vocals.wav", stem.T, rate, subtype="FLOAT")


main()
