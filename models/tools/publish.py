"""What both exporters do: weights as F16, a graph that is held against PyTorch, three files that appear together."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor

# What the golden tests of the published topology reach with room to spare; an error in the graph is far below.
LEAST_DECIBELS = 85.0


def half_precision(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The weights as F16; ValueError naming those that are not finite, or are no longer once they are F16."""
    halves = {name: tensor.detach().cpu().half().contiguous() for name, tensor in state.items()}
    broken = [name for name, tensor in halves.items() if not tensor.isfinite().all()]
    if broken:
        raise ValueError(f"not finite as F16: {', '.join(broken)}")
    return halves


def check(stems: list[str], decibels: list[float]) -> None:
    """Tells how well graph and PyTorch agree; ValueError where they do not."""
    print("graph against PyTorch, dB: " + ", ".join(f"{stem} {level:.1f}" for stem, level in zip(stems, decibels)))
    if not min(decibels) >= LEAST_DECIBELS:
        raise ValueError(f"the graph does not compute what PyTorch does: less than {LEAST_DECIBELS} dB")


def write(folder: Path, graph: bytes, weights: bytes, card: str) -> None:
    """The card last: until it is there, the old one's hashes refuse the new files."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in {"graph.onnx": graph, "weights.safetensors": weights, "card.toml": card.encode()}.items():
        part = folder / f"{name}.part"
        part.write_bytes(content)
        part.replace(folder / name)
        print(f"{folder / name}: {len(content):,} bytes")
