"""Trains one network on the songs that make_songs.py writes; may be stopped and started at any time.

    train.py waveform WORK WORK/waveform.pt     the HTDemucs of models/mini
    train.py masks WORK WORK/masks.pt           its mask branch
    train.py mini WORK WORK/mini.pt             both together; --start with what join.py made of them, or with models/mini
    train.py spleeter WORK WORK/spleeter.pt     the U-Nets of models/mini-spleeter

The schedule follows the steps: `--steps` of training in all, over all its runs, whatever machine runs it; or the
time, where that is what there is: `--minutes`.
"""

from __future__ import annotations

import argparse
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from demucs.htdemucs import HTDemucs
from torch import Tensor, nn

import unet
from dataset import Batch
from evaluate import separator
from losses import Targets, mask_loss, merge, waveform_loss
from masks import BINS, MaskNet, widen
from mini import Masked, Mini
from real import read_song
from residual import share_out
from scores import sample, score_song
from training import RATE, Check, Lesson, Minutes, train

SEGMENT_S = 4
STEMS = ["drums", "bass", "other", "vocals"]
SIZE, HOP = 4096, 1024  # of all transforms here
MASKS_COUNT = 0.3  # of the loss of the masks alone, in the loss of both parts together
# Loop fusion makes these many passes over large tensors a few. A GPU has the bandwidth for them.
if torch.cuda.is_available():
    measure, targets = mask_loss, Targets.of
else:
    measure, targets = torch.compile(mask_loss), torch.compile(Targets.of)


def waveform(model: nn.Module, batch: Batch, precision: AbstractContextManager[Any]) -> Tensor:
    """The loss of HTDemucs, whose stems shall sum to the mix."""
    truth, merged = batch
    mix = truth.sum(dim=1)
    with precision:
        stems = model(mix)
    return waveform_loss(merge(share_out(mix, stems.float()), merged), truth)


def masks(model: nn.Module, batch: Batch, precision: AbstractContextManager[Any]) -> Tensor:
    """The loss of the mask branch."""
    truth, merged = batch
    with torch.no_grad():
        target = targets(unet.spectrum(truth).transpose(-1, -2)[..., :-1, :] / SIZE**0.5, BINS)
    with precision:
        found = model(target.level[:, 0])
    return measure(merge(found, merged), target)


def mini(model: nn.Module, batch: Batch, precision: AbstractContextManager[Any]) -> Tensor:
    """The loss of HTDemucs and masks together: of their mean, and a little of the masks by themselves."""
    truth, merged = batch
    mix = truth.sum(dim=1)
    with precision:
        made = HTDemucs.forward(model, mix)
    spectrum = model._spec(mix)
    with torch.no_grad():
        target = targets(model._spec(truth.flatten(0, 1)).view(*truth.shape[:3], *spectrum.shape[-2:]), BINS)
    with precision:
        masks = model.masks(target.level[:, 0])
    share = model.mask_share[:, None, None]
    masked = model._ispec(widen(masks, spectrum.shape[-2]) * spectrum[:, None], mix.shape[-1])
    stems = (1 - share) * made.float() + share * masked
    made_of_both = merge(share_out(mix, stems), merged)
    return waveform_loss(made_of_both, truth) + MASKS_COUNT * measure(merge(masks, merged), target)


def spleeter(model: nn.Module, batch: Batch, precision: AbstractContextManager[Any]) -> Tensor:
    """The loss of Spleeter's U-Nets: of their ratio masks, on magnitudes that are not scaled."""
    truth, merged = batch
    with torch.no_grad():
        spectra = unet.spectrum(truth).transpose(-1, -2)
        target = targets(spectra, BINS)
        magnitudes = spectra[..., :BINS, :].sum(dim=1).abs().transpose(-1, -2).contiguous()
    with precision:
        estimates = model(magnitudes)
    return measure(merge(unet.ratio_masks(estimates).transpose(-1, -2), merged), target)


def checker(song: Path) -> Check:
    """Scores a network on a sample of a song that it does not learn from."""
    truth = sample(read_song(song))

    def check(model: nn.Module) -> tuple[float, str]:
        if isinstance(model, MaskNet):
            whole = Masked(**SMALL, mask_filters=FILTERS).eval()
            whole.masks = model
            model = whole
        score = score_song(truth, separator(model))
        leak = "" if score.leak is None else f"  leak {score.leak:.1f}"
        return score.total(), "  ".join(f"{name} {s.median:.2f}" for name, s in score.stems.items()) + leak

    return check


def frames(columns: int) -> int:
    """Samples that `columns` of a spectrum cover."""
    return (columns - 1) * HOP + SIZE


SMALL = {"sources": STEMS, "channels": 16, "growth": 2, "depth": 4, "t_layers": 3, "t_heads": 4, "dconv_mode": 3,
         "nfft": SIZE, "segment": SEGMENT_S, "samplerate": RATE}
FILTERS = [16, 24, 48, 64, 96, 128]
LESSONS = {
    "waveform": Lesson(HTDemucs, SMALL, waveform, SEGMENT_S * RATE, 2, 1e-3, 8000),
    "masks": Lesson(MaskNet, {"stems": len(STEMS), "filters": FILTERS}, masks,
                    frames(-(-SEGMENT_S * RATE // HOP)), 3, 2e-3, 12000),
    "mini": Lesson(Mini, {**SMALL, "mask_filters": FILTERS}, mini, SEGMENT_S * RATE, 32, 1.5e-3, 4000),
    "spleeter": Lesson(unet.Spleeter, {"stems": STEMS, "filters": [8, 16, 24, 32, 56, 80], "frames": 256}, spleeter,
                       frames(128), 4, 2e-3, 5000),
}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("network", choices=list(LESSONS))
    parser.add_argument("songs", type=Path, help="the folder with the songs: its train/ and voices/ are used")
    parser.add_argument("checkpoint", type=Path, help="written every --save-minutes; gone on from if it is there")
    parser.add_argument("--start", type=Path, nargs="+", default=[],
                        help="checkpoints or a weights.safetensors to begin with; a later one overwrites what it has as well")
    parser.add_argument("--check", type=Path, help="a song's folder, as real.py reads it: the average that does best there is kept")
    parser.add_argument("--check-minutes", type=float, default=10)
    parser.add_argument("--steps", type=int)
    parser.add_argument("--minutes", type=float, help="of this run; what ends first, they or the steps, is the schedule's end")
    parser.add_argument("--rate", type=float, help="peak of the learning rate")
    parser.add_argument("--batch", type=int)
    parser.add_argument("--seconds", type=float, help="length of an example")
    parser.add_argument("--save-minutes", type=float, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    lesson = LESSONS[options.network]
    changes = {key: getattr(options, key) for key in ("steps", "rate", "batch") if getattr(options, key) is not None}
    if options.seconds:
        changes["frames"] = int(options.seconds * RATE)
    train(replace(lesson, **changes), options.songs, options.checkpoint, options.start, options.seed,
          Minutes(options.minutes, options.save_minutes, options.check_minutes),
          checker(options.check) if options.check else None)


if __name__ == "__main__":
    main()
