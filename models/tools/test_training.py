"""What a training keeps, and what is remembered of a part that it does not change.

    make test-models
"""
from pathlib import Path
from typing import Any

import pytest
import torch
from demucs.htdemucs import HTDemucs
from torch import nn

from mini import Joined, Mini, Remembered
from training import Lesson, Run

SMALL: dict[str, Any] = {"sources": ["drums", "bass", "other", "vocals"], "channels": 4, "growth": 2, "depth": 4, "t_layers": 1,
                         "t_heads": 2, "dconv_mode": 0, "nfft": 4096, "segment": 1, "samplerate": 44100, "mask_filters": [4] * 6}


def run_at(weight: float) -> Run:
    """Of a network that has one weight."""
    arguments = {"in_features": 1, "out_features": 1, "bias": False}
    run = Run(Lesson(nn.Linear, arguments, lambda *_: torch.zeros(()), 1, 1, 1e-3, 1), "cpu", 1)
    run.average = {"weight": torch.tensor([[weight]])}
    return run


@pytest.mark.parametrize("target, share, weight", [(1.0, 0.0, 1.0), (2.1, 0.5, 2.0), (9.0, 1.0, 3.0)])
def test_the_best_of_the_way_from_the_origin_is_kept(tmp_path: Path, target: float, share: float, weight: float) -> None:
    torch.save({"state": {"weight": torch.tensor([[1.0]])}}, tmp_path / "origin.pt")
    run = run_at(3.0)
    run.compare_with(tmp_path / "origin.pt", (0.0, 0.5, 1.0))
    run.keep_best(lambda model: (-abs(model.weight.item() - target), ""), tmp_path / "run.pt")
    kept = torch.load(tmp_path / "run.best.pt", weights_only=True)
    assert kept["way"] == share and kept["state"]["weight"].item() == weight


def test_without_an_origin_the_average_alone_is_kept(tmp_path: Path) -> None:
    run_at(3.0).keep_best(lambda model: (model.weight.item(), ""), tmp_path / "run.pt")
    assert torch.load(tmp_path / "run.best.pt", weights_only=True)["state"]["weight"].item() == 3.0


def test_what_is_remembered_gives_the_mean_of_both_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(2)
    mini = Mini(**SMALL).eval()
    joined = Joined(made=Remembered(mini), **SMALL).eval()
    joined.masks = mini.masks
    mix = 0.1 * torch.randn(1, 2, 44100)
    with torch.no_grad():
        wanted = mini(mix)
        first = joined(mix)
        monkeypatch.setattr(HTDemucs, "forward", lambda *_: pytest.fail("it was computed again"))
        again = joined(mix)
    torch.testing.assert_close(first, wanted, atol=1e-3, rtol=1e-2)
    assert torch.equal(first, again)
