"""The small U-Nets' parameters under the names that TensorFlow gives a Spleeter's variables."""

from __future__ import annotations

import onnxruntime
import torch
from torch import Tensor

from graph.spleeter import Layers
from unet import BINS, Spleeter

NORM = {"gamma": "weight", "beta": "bias", "moving_mean": "running_mean", "moving_variance": "running_var"}


def tensors(model: Spleeter) -> dict[str, Tensor]:
    """The parameters under TensorFlow's names, in its order of dimensions."""
    found: dict[str, Tensor] = {}

    def layer(name: str, module: torch.nn.Module) -> None:
        found[f"{name}/kernel"] = module.weight.permute(2, 3, 1, 0)
        found[f"{name}/bias"] = module.bias

    def norm(name: str, module: torch.nn.Module) -> None:
        found.update({f"{name}/{part}": getattr(module, attribute) for part, attribute in NORM.items()})

    for index, net in enumerate(model.nets):
        layers = Layers(index, len(net.convolutions))
        for level, (down, up, up_norm) in enumerate(zip(net.convolutions, net.transposed, net.up_norms)):
            layer(layers.convolution(level), down)
            layer(layers.transposed(level), up)
            norm(layers.up_norm(level), up_norm)
        for level, module in enumerate(net.norms):
            norm(layers.norm(level), module)
        layer(layers.mask(), net.mask)
    return {name: tensor.detach() for name, tensor in found.items()}


def signal_to_noise(model: Spleeter, graph: bytes, weights: dict[str, Tensor]) -> list[float]:
    """Decibels, one a stem, of the graph's estimates against PyTorch's, on magnitudes like those of music."""
    draw = torch.Generator().manual_seed(3)
    magnitudes = torch.rand((1, 2, model.frames, BINS), generator=draw) ** 4 * 100
    with torch.inference_mode():
        expected = model.eval()(magnitudes)[0].double()
    names = list(weights)
    values = [onnxruntime.OrtValue.ortvalue_from_numpy(weights[name].float().contiguous().numpy()) for name in names]
    options = onnxruntime.SessionOptions()
    options.add_external_initializers(names, values)
    session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    found = torch.from_numpy(session.run(["estimates"], {"magnitudes": magnitudes.numpy()})[0])[0]
    noise = (expected - found).square().sum((1, 2, 3))
    return (10 * torch.log10(expected.square().sum((1, 2, 3)) / noise)).tolist()
