"""Makes small checkpoints with PyTorch's own torch.save, for the tests of the reader: python tests/golden/make_pytorch.py

Needs torch (2.15 made the committed ones). Every tensor of N values has the values 0, 1/8, 2/8, … in the order of its
storage, so that the tests compute what they expect.
"""
from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

FOLDER = Path(__file__).parent / "pytorch"


def counted(*shape: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    count = torch.Size(shape).numel()
    return (torch.arange(count, dtype=torch.float64) / 8).reshape(shape).to(dtype)


def with_counted(network: nn.Module) -> nn.Module:
    with torch.no_grad():
        for value in network.state_dict().values():
            value.copy_(counted(*value.shape))
    return network


def views() -> dict:
    base = counted(24)
    square = base.reshape(4, 6)
    return {
        "whole": square,
        "transposed": square.t(),
        "columns": square[:, 1:5:2],
        "permuted": base.reshape(2, 3, 4).permute(2, 0, 1),
        "row": square[2],
        "scalar": base[5],
        "again": square,
        "empty": counted(0, 3),
    }


def training() -> dict:
    """A training file: the best state beside the last, an optimizer, options, all names with the prefix `module.`."""
    network = nn.DataParallel(with_counted(nn.Linear(2, 2)))
    last = {name: value + 1 for name, value in network.state_dict().items()}
    optimizer = torch.optim.Adam(network.parameters())
    network(counted(1, 2)).sum().backward()
    optimizer.step()
    with_counted(network)
    return {
        "epoch": 12, "state": last, "best_state": network.state_dict(), "optimizer": optimizer.state_dict(),
        "history": [{"loss": 0.5, "large": 1 << 40, "negative": -300}], "name": "übung", "flags": (True, None),
    }  # fmt: skip


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    network = with_counted(nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2)))
    types = {"f64": torch.float64, "f16": torch.float16, "bf16": torch.bfloat16, "i32": torch.int32, "bool": torch.bool}
    torch.save(network.state_dict(), FOLDER / "plain.ckpt")
    torch.save(views(), FOLDER / "views.ckpt")
    torch.save({name: counted(2, 3, dtype=dtype) for name, dtype in types.items()}, FOLDER / "types.ckpt")
    torch.save(training(), FOLDER / "training.th")
    torch.save({"model": {"weight": nn.Parameter(counted(2))}}, FOLDER / "parameter.pt")
    torch.save({"weight": counted(2)}, FOLDER / "legacy.pt", _use_new_zipfile_serialization=False)
    torch.save(nn.Linear(2, 2), FOLDER / "module.pt")


if __name__ == "__main__":
    main()
