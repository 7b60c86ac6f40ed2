"""The graphs compute what PyTorch does, and what they cannot honour they refuse by name.

    make test-models
"""
from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest
import torch
from demucs.htdemucs import HTDemucs

import spleeter_names
import unet
from graph import Checkpoint, build_graph, parity_scnet, scnet, spleeter
from graph.parity import signal_to_noise
from mini import Mini

FOUR = ["drums", "bass", "other", "vocals"]
SMALL = {"sources": FOUR, "channels": 8, "t_layers": 2, "t_heads": 4, "dconv_mode": 3, "segment": Fraction(3, 2)}


def random_model(kwargs: dict) -> HTDemucs:
    """Biases, norms and layer scales are initialised to constants, which would hide errors."""
    torch.manual_seed(1)
    model = HTDemucs(**kwargs).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() == 1:
                parameter.add_(0.1 * torch.randn_like(parameter))
    return model


def random_unets(stems: list[str], filters: list[int]) -> unet.Spleeter:
    """Norms begin with constants, which would hide errors."""
    torch.manual_seed(1)
    model = unet.Spleeter(stems, filters, frames=64).eval()
    with torch.no_grad():
        for tensor in model.state_dict().values():
            if tensor.dim() == 1:
                tensor.add_(0.2 * torch.rand_like(tensor))
    return model


@pytest.mark.parametrize(("stems", "filters"), [(FOUR, [2, 3, 4, 4, 5, 6]), (["vocals"], [4, 4, 4, 4, 4, 4])], ids=str)
def test_graphs_of_unets_compute_what_pytorch_does(stems: list[str], filters: list[int]) -> None:
    model = random_unets(stems, filters)
    recipe = spleeter.Recipe(tuple(stems), "Elu", "Elu", filters=tuple(filters), frames=64, fourth_root=True)
    graph = spleeter.build_graph(recipe).SerializeToString()
    assert min(spleeter_names.signal_to_noise(model, graph, spleeter_names.tensors(model))) >= 100


SMALL_SCNET = scnet.Topology(dims=(4, 8, 8, 16), nfft=1024, hop_size=256, num_dplayer=2, chunk=65_000)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"sources": ("vocals",), "band_SR": scnet.LARGE, "chunk": 65_024},
        {"num_dplayer": 4, "expand": 2, "chunk": 50_000},
        {"dims": (4, 8, 16), "compress": 2, "conv_depths": (1, 0, 2), "conv_kernel": 5, "band_stride": (1, 4, 8)},
    ],
    ids=str,
)
def test_graphs_of_scnet_compute_what_pytorch_does(changes: dict) -> None:
    topology = replace(SMALL_SCNET, **changes)
    graph = scnet.build_graph(topology).SerializeToString()
    assert min(parity_scnet.signal_to_noise(parity_scnet.random_model(topology), topology, graph)) >= 100


@pytest.mark.parametrize("name", scnet.PUBLISHED)
def test_published_graphs_have_the_tensors_of_the_reference(name: str) -> None:
    topology = scnet.PUBLISHED[name]
    state = parity_scnet.random_model(topology).state_dict()
    assert {key: tuple(value.shape) for key, value in state.items()} == scnet.shapes(topology)
    assert len(state) == 372


def test_the_published_graph_of_scnet_computes_what_pytorch_does() -> None:
    topology = replace(scnet.PUBLISHED["scnet"], chunk=100_000)
    graph = scnet.build_graph(topology).SerializeToString()
    assert min(parity_scnet.signal_to_noise(parity_scnet.random_model(topology), topology, graph)) >= 100


def test_an_odd_number_of_dual_path_layers_is_refused() -> None:
    with pytest.raises(ValueError, match="num_dplayer=3"):
        scnet.build_graph(replace(SMALL_SCNET, num_dplayer=3))


@pytest.mark.parametrize("segment", [1.5, 2.972154195011338], ids=["65 columns", "128 columns, none to fill up"])
def test_graphs_with_masks_compute_what_pytorch_does(segment: float) -> None:
    kwargs: dict[str, Any] = {**SMALL, "segment": segment, "mask_filters": [4, 4, 6, 6, 8, 8]}
    torch.manual_seed(1)
    model = Mini(**kwargs).eval()
    state = {name: tensor for name, tensor in model.state_dict().items() if tensor.is_floating_point()}
    with torch.no_grad():
        for name, tensor in state.items():
            if tensor.dim() == 1 or name == "masks.height":
                tensor.add_(0.2 * torch.rand_like(tensor))
    shapes = {name: tuple(tensor.shape) for name, tensor in state.items()}
    graph = build_graph(Checkpoint(kwargs, shapes)).SerializeToString()
    assert min(signal_to_noise(model, graph)) >= 100


def checkpoint(kwargs: dict) -> Checkpoint:
    return Checkpoint(kwargs, {name: tuple(value.shape) for name, value in random_model(kwargs).state_dict().items()})


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"sources": [*FOUR, "guitar", "piano"]},
        {"bottom_channels": 32},
        {"bottom_channels": 32, "t_heads": 2, "t_cross_first": True, "t_layers": 3},
        {"segment": Fraction(39, 25), "channels": 16},
        {"segment": 1.2345},
        {"dconv_mode": 0},
        {"dconv_mode": 1, "dconv_depth": 3, "dconv_comp": 4},
        {"dconv_mode": 2, "dconv_depth": -2},
        {"t_layers": 0},
        {"freq_emb": 0.0},
        {"rewrite": False},
        {"nfft": 2048, "depth": 3, "context_enc": 1, "context": 0},
        {"t_weight_pos_embed": 0.5, "t_max_period": 1000.0, "emb_scale": 3, "samplerate": 32000},
    ],
    ids=str,
)
def test_graphs_compute_what_pytorch_does(changes: dict) -> None:
    kwargs = {**SMALL, **changes}
    graph = build_graph(checkpoint(kwargs)).SerializeToString()
    assert min(signal_to_noise(random_model(kwargs), graph)) >= 100


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"multi_freqs": [0.5]}, "multi_freqs"),
        ({"t_emb": "cape", "cac": False}, "cac=False.*t_emb='cape'|t_emb='cape'.*cac=False"),
        ({"t_norm_first": False}, "t_norm_first"),
        ({"norm_starts": 2}, "norm_starts"),
        ({"depth": 5, "norm_starts": 5}, "depth"),
        ({"lstm": True}, "lstm"),
        ({"sources": []}, "sources"),
    ],
    ids=str,
)
def test_arguments_that_cannot_be_honoured_are_named(changes: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build_graph(Checkpoint({**SMALL, **changes}, {}))


def test_tensors_that_miss_or_are_too_many_are_named() -> None:
    shapes = checkpoint(SMALL).shapes
    with pytest.raises(ValueError, match=r"surplus\.weight"):
        build_graph(Checkpoint(SMALL, {**shapes, "surplus.weight": (1,)}))
    del shapes["decoder.2.conv_tr.bias"]
    with pytest.raises(ValueError, match=r"decoder\.2\.conv_tr\.bias"):
        build_graph(Checkpoint(SMALL, shapes))
