"""Demucs as a whole process: loads a checkpoint, separates a file with `apply_model`, writes the stems.

    demucs_run.py CHECKPOINT MIX.wav OUT [demucs | demucs_infer | GRAPH.onnx]

By PyTorch with the package of the authors or demucs-infer; or the network in ONNX Runtime, with the authors' package around it.
"""
import importlib
import json
import os
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import torch
from safetensors import safe_open

CHECKPOINT, MIX, OUT, IMPLEMENTATION = [*sys.argv[1:], "demucs"][:4]
THREADS = int(os.environ["OMP_NUM_THREADS"])
PACKAGE = "demucs" if IMPLEMENTATION.endswith(".onnx") else IMPLEMENTATION
HTDemucs: Any = importlib.import_module(f"{PACKAGE}.htdemucs").HTDemucs
apply_model = importlib.import_module(f"{PACKAGE}.apply").apply_model


class Onnx(HTDemucs):
    """The network as a graph in ONNX Runtime, between the transforms of the package."""

    def open(self, graph: str) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = THREADS
        tensors = {name: tensor.numpy() for name, tensor in self.state_dict().items()}
        options.add_external_initializers(list(tensors), list(map(onnxruntime.OrtValue.ortvalue_from_numpy, tensors.values())))
        self.session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])

    def forward(self, mix: torch.Tensor) -> torch.Tensor:
        inputs = {"mix": mix.numpy(), "mix_spectrogram": self._magnitude(self._spec(mix)).numpy()}
        stems, spectrograms = map(torch.from_numpy, self.session.run(["stems", "stem_spectrograms"], inputs))
        return stems + self._ispec(self._mask(None, spectrograms), mix.shape[-1])


def load(path: str):
    with safe_open(path, "pt") as file:
        kwargs = json.loads(file.metadata()["kwargs"])
        state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (it is no mapping)
    segment = kwargs["segment"]
    kwargs["segment"] = Fraction(segment["numerator"], segment["denominator"])
    is_graph = IMPLEMENTATION.endswith(".onnx")
    model = (Onnx if is_graph else HTDemucs)(**kwargs).eval()
    model.load_state_dict(state)
    if is_graph:
        model.open(IMPLEMENTATION)
    return model


def main() -> None:
    torch.set_num_threads(THREADS)
    model = load(CHECKPOINT)
    audio, rate = soundfile.read(MIX, dtype="float32", always_2d=True)
    track = torch.from_numpy(np.ascontiguousarray(audio.T))
    reference = track.mean(0)
    mean, deviation = reference.mean(), reference.std() + 1e-8
    with torch.inference_mode():
        stems = apply_model(model, ((track - mean) / deviation)[None], shifts=0, split=True, overlap=0.25)[0]
    stems = stems * deviation + mean
    Path(OUT).mkdir(parents=True, exist_ok=True)
    for name, stem in zip(model.sources, stems):
        soundfile.write(Path(OUT) / f"{name}.wav", stem.numpy().T, rate, subtype="FLOAT")


main()
