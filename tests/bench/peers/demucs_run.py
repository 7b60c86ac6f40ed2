"""PyTorch Demucs as a whole process: loads a checkpoint, separates a file with `apply_model`, writes the stems.

    demucs_run.py CHECKPOINT MIX.wav OUT
"""
import json
import os
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import soundfile
import torch
from demucs.apply import apply_model
from demucs.htdemucs import HTDemucs
from safetensors import safe_open


def load(path: str) -> HTDemucs:
    with safe_open(path, "pt") as file:
        kwargs = json.loads(file.metadata()["kwargs"])
        state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (it is no mapping)
    segment = kwargs["segment"]
    kwargs["segment"] = Fraction(segment["numerator"], segment["denominator"])
    model = HTDemucs(**kwargs).eval()
    model.load_state_dict(state)
    return model


def main() -> None:
    checkpoint, mix, out = sys.argv[1:]
    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    model = load(checkpoint)
    audio, rate = soundfile.read(mix, dtype="float32", always_2d=True)
    track = torch.from_numpy(np.ascontiguousarray(audio.T))
    reference = track.mean(0)
    mean, deviation = reference.mean(), reference.std() + 1e-8
    with torch.inference_mode():
        stems = apply_model(model, ((track - mean) / deviation)[None], shifts=0, split=True, overlap=0.25)[0]
    stems = stems * deviation + mean
    Path(out).mkdir(parents=True, exist_ok=True)
    for name, stem in zip(model.sources, stems):
        soundfile.write(Path(out) / f"{name}.wav", stem.numpy().T, rate, subtype="FLOAT")


main()
