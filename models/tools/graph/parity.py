"""How exactly a graph computes what PyTorch computes with the same weights."""
from __future__ import annotations

import numpy as np
import onnxruntime
import torch
from demucs.htdemucs import HTDemucs


def signal_to_noise(model: HTDemucs, graph: bytes) -> list[float]:
    """Decibels, one a stem, of the graph's stems against those of `model`, both in float32 with the model's weights.

    The mix is synthetic: tones that swell, clicks and noise. The transforms around the graph are the model's own.
    """
    mix = torch.from_numpy(_mix(int(model.segment * model.samplerate)))[None]
    with torch.no_grad():
        expected = model.eval()(mix)[0]
        inputs = {"mix": mix.numpy(), "mix_spectrogram": model._magnitude(model._spec(mix)).numpy()}
        stems, spectrograms = _session(model, graph).run(["stems", "stem_spectrograms"], inputs)
        waves = model._ispec(model._mask(None, torch.from_numpy(spectrograms)), mix.shape[-1])
    found = (torch.from_numpy(stems) + waves)[0]
    signal, noise = expected.double().square().sum((1, 2)), (expected.double() - found).square().sum((1, 2))
    return (10 * torch.log10(signal / noise)).tolist()


def _session(model: HTDemucs, graph: bytes) -> onnxruntime.InferenceSession:
    tensors = {name: tensor.contiguous().numpy() for name, tensor in model.state_dict().items()
               if tensor.is_floating_point()}
    values = [onnxruntime.OrtValue.ortvalue_from_numpy(tensor) for tensor in tensors.values()]
    options = onnxruntime.SessionOptions()
    options.add_external_initializers(list(tensors), values)
    return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])


def _mix(frames: int) -> np.ndarray:
    """float32 [2, frames]"""
    draw, seconds = np.random.default_rng(3), np.arange(frames) / 44_100
    mix = 0.02 * draw.normal(size=(2, frames))
    for pitch in (55.0, 220.3, 441.0, 1733.0):
        phase = draw.uniform(0, 6, size=(2, 1))
        mix += 0.1 * np.sin(2 * np.pi * pitch * seconds + phase) * np.sin(pitch % 3 * seconds) ** 2
    mix[:, ::11_025] += 0.5
    return mix.astype(np.float32)
