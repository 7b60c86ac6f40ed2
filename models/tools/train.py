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
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from demucs.htdemucs import HTDemucs
from torch import Tensor, nn

import unet
from checkpoints import load
from dataset import Batch
from evaluate import excerpts, separator
from join import best_shares
from losses import Targets, mask_loss, merge, waveform_loss
from masks import BINS, MaskNet, widen
from mini import Joined, Masked, Mini, Remembered
from real import read_song
from residual import share_out
from scores import sample, score_song, sdr
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


def checker(song: dict[str, np.ndarray], beside: Path | None, excerpts_of: list[Path], count: int,
            fit: list[Path]) -> Check:
    """Scores a network on a song that it does not learn from, and on excerpts of synthetic songs.

    The song alone decides. A mask branch is checked in the mean with the model `beside`, whose HTDemucs stays as it is and is
    asked only once, or by itself. Their shares of the mean are found anew on the songs of `fit`, as join.py does.
    """
    synthetic = {folder.name: [stems for stems, _ in excerpts(folder, 8, count)] for folder in excerpts_of}
    mini = load(beside) if beside else None
    made = Remembered(mini) if mini else None

    def check(model: nn.Module) -> tuple[float, str]:
        if isinstance(model, MaskNet):
            whole = (Masked if made is None else partial(Joined, made=made))(**SMALL, mask_filters=FILTERS).eval()
            whole.masks = model
            model = whole
            if made and fit:
                whole.mask_share.data.copy_(best_shares(whole, fit, 8))
        separate = separator(model)
        score = score_song(song, separate)
        leak = "" if score.leak is None else f"  leak {score.leak:.1f}"
        text = "  ".join(f"{name} {s.median:.2f} ({s.whole:.2f})" for name, s in score.stems.items()) + leak
        for name, songs in synthetic.items():
            found = np.array([[sdr(*pair) if np.any(pair[0]) else np.nan for pair in zip(stems, separate(stems.sum(axis=0)))]
                              for stems in songs])
            text += f"  {name}: " + " ".join(f"{median:.2f}" for median in np.nanmedian(found, axis=0))
        if fit and isinstance(model, Joined):
            text += "  of the masks: " + " ".join(f"{share:.2f}" for share in model.mask_share.tolist())
        return score.total(), text

    return check


def frames(columns: int) -> int:
    """Samples that `columns` of a spectrum cover."""
    return (columns - 1) * HOP + SIZE


SMALL: dict[str, Any] = {"sources": STEMS, "channels": 16, "growth": 2, "depth": 4, "t_layers": 3, "t_heads": 4, "dconv_mode": 3,
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
    parser.add_argument("--check-whole", action="store_true", help="the whole song, not a third of it")
    parser.add_argument("--origin", type=Path, help="weights as those of --start: weights between them and the average are checked too")
    parser.add_argument("--ways", type=float, nargs="+", default=[0.5, 1.0], help="how far from --origin, 1 being the average itself")
    parser.add_argument("--check-minutes", type=float, default=10)
    parser.add_argument("--beside", type=Path, help="a mini model: masks are checked in the mean with its HTDemucs")
    parser.add_argument("--check-songs", type=Path, nargs="+", default=[], help="folders of make_songs.py, scored beside --check")
    parser.add_argument("--fit", type=Path, nargs="+", default=[], help="folders of songs for the shares, as --songs of join.py")
    parser.add_argument("--check-count", type=int, default=12, help="of each of these folders")
    parser.add_argument("--steps", type=int, help="0: only checks what it starts with")
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
    check = None
    if options.check:
        song = read_song(options.check)
        check = checker(song if options.check_whole else sample(song), options.beside, options.check_songs, options.check_count,
                        options.fit)
    if check and options.beside and options.network == "masks":
        print("{}: {:.3f}  {}".format(options.beside, *check(load(options.beside).masks)), flush=True)
    train(replace(lesson, **changes), options.songs, options.checkpoint, options.start, options.seed,
          Minutes(options.minutes, options.save_minutes, options.check_minutes), check,
          options.origin, tuple(options.ways))


if __name__ == "__main__":
    main()
