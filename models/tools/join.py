"""Joins an HTDemucs and a mask branch, each trained alone, to the checkpoint of one model.

    join.py WORK/waveform.pt WORK/masks.pt WORK/mini.pt --songs WORK/choose

How much of a stem comes from the masks is found by least squares over the songs, which neither part was trained on and
which are none of the test songs. Without --songs the first file is a mini model, whose masks are replaced and whose shares stay.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from demucs.apply import apply_model
from torch import Tensor

import checkpoints
from evaluate import STEMS, excerpts
from mini import Mini
from residual import share_out


def best_shares(model: Mini, songs: list[Path], seconds: float) -> Tensor:
    """(4,): the share that leaves the least error, every excerpt counting alike."""
    along = torch.zeros(len(STEMS))
    across = torch.zeros(len(STEMS))
    for folder in songs:
        for stems, _ in excerpts(folder, seconds, len(list(folder.iterdir()))):
            truth = torch.from_numpy(stems)
            mix = truth.sum(dim=0)
            made, masked = (share_out(mix, part) for part in parts(model, mix))
            apart = masked - made
            weight = 1 / (truth.square().sum(dim=(1, 2)) + 1e-3 * mix.square().sum())
            along += weight * ((truth - made) * apart).sum(dim=(1, 2))
            across += weight * apart.square().sum(dim=(1, 2))
    return (along / across).clamp(0, 1)


def parts(model: Mini, mix: Tensor) -> list[Tensor]:
    """Stems (4, 2, frames) of HTDemucs alone and of the masks alone."""
    found = []
    with torch.inference_mode():
        for share in (0.0, 1.0):
            model.mask_share.fill_(share)
            found.append(apply_model(model, mix[None], overlap=0.25, shifts=0)[0])
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("waveform", type=Path)
    parser.add_argument("masks", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--songs", type=Path, nargs="+", default=[], help="folders of songs of make_songs.py")
    parser.add_argument("--seconds", type=float, default=8)
    options = parser.parse_args()
    torch.set_num_threads(1)
    waveform, masks = checkpoints.read(options.waveform), checkpoints.read(options.masks)
    kwargs = {**waveform["kwargs"], "mask_filters": masks["kwargs"]["filters"]}
    model = Mini(**kwargs).eval()
    state = {**waveform["state"], **{f"masks.{name}": value for name, value in masks["state"].items()}}
    model.load_state_dict({**state, "mask_share": model.mask_share.detach()})
    shares = best_shares(model, options.songs, options.seconds) if options.songs else waveform["state"]["mask_share"]
    print("of the masks: " + ", ".join(f"{stem} {share:.2f}" for stem, share in zip(STEMS, shares.tolist())))
    torch.save({"kwargs": kwargs, "state": {**state, "mask_share": shares}}, options.out)


if __name__ == "__main__":
    main()
