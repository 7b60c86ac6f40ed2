"""How exactly a graph of SCNet computes what PyTorch computes with the same weights."""
from __future__ import annotations

from dataclasses import asdict

import numpy as np
import onnxruntime
import torch
from pymss_core.modules.scnet.scnet import SCNet
from torch import Tensor
from torch.nn import functional

from .scnet import Topology


def random_model(topology: Topology, seed: int = 1) -> SCNet:
    """The reference with random weights. Biases and norms are initialised to constants, which would hide errors."""
    arguments = {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(topology).items()}
    del arguments["chunk"]
    torch.manual_seed(seed)
    model = SCNet(win_size=topology.nfft, **arguments).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() == 1:
                parameter.add_(0.05 * torch.randn_like(parameter))
    return model


def signal_to_noise(model: SCNet, topology: Topology, graph: bytes) -> list[float]:
    """Decibels, one a stem, of the graph's spectra against those of `model` for noise, both in float32."""
    draw = torch.Generator().manual_seed(3)
    spectrum = _spectrum(model, torch.randn(2, topology.chunk, generator=draw))
    tensors = {name: tensor.contiguous().numpy() for name, tensor in model.state_dict().items()}
    values = [onnxruntime.OrtValue.ortvalue_from_numpy(tensor) for tensor in tensors.values()]
    options = onnxruntime.SessionOptions()
    options.add_external_initializers(list(tensors), values)
    session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    found: np.ndarray = session.run(["stem_spectrograms"], {"mix_spectrogram": spectrum.numpy()})[0]
    expected = _network(model, spectrum).reshape(found.shape).double()
    noise = (expected - torch.from_numpy(found)).square().sum((0, 2, 3, 4))
    return (10 * torch.log10(expected.square().sum((0, 2, 3, 4)) / noise)).tolist()


def _spectrum(model: SCNet, mix: Tensor) -> Tensor:
    """[1, 4, F, N], as the model's `forward` makes it."""
    hop = model.hop_length
    hops = mix.shape[1] // hop + 1
    padded = functional.pad(mix, (0, (hops + (hops + 1) % 2) * hop - mix.shape[1]))
    columns = torch.view_as_real(torch.stft(padded, **model.stft_config, window=None, return_complex=True))
    return columns.permute(0, 3, 1, 2).reshape(1, 4, *columns.shape[1:3])


@torch.inference_mode()
def _network(model: SCNet, value: Tensor) -> Tensor:
    """What lies between the two transforms in the model's `forward`."""
    levels = []
    for encoder in model.encoder:
        value, *level = encoder(value)
        levels.append(level)
    value = model.separation_net(value)
    for fusion, upsampling in model.decoder:
        skip, lengths, originals = levels.pop()
        value = upsampling(fusion(value, skip), lengths, originals)
    return value
