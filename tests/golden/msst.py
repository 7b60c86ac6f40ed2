"""What the reference tools for SCNet and RoFormer share: how Music-Source-Separation-Training (ZFTurbo, MIT) runs a
model over a whole track, and how its configurations and checkpoints are written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile
import torch
import yaml
from torch.nn import functional


class Tuple(tuple):
    """Written as `!!python/tuple`, as the published configurations have it."""


yaml.SafeDumper.add_representer(
    Tuple, lambda dumper, items: dumper.represent_sequence("tag:yaml.org,2002:python/tuple", list(items))
)


def read_stereo(path: Path) -> np.ndarray:
    """[2, frames], float32."""
    audio, rate = soundfile.read(path, dtype="float32", always_2d=True)
    assert rate == 44100 and audio.shape[1] == 2, "give 44.1 kHz stereo"
    return np.ascontiguousarray(audio.T)


def write_stereo(path: Path, audio: np.ndarray) -> None:
    soundfile.write(path, audio.T, 44100, subtype="FLOAT")


def write_config(path: Path, config: dict) -> None:
    path.write_text(yaml.dump(config, Dumper=yaml.SafeDumper, sort_keys=False))


def disturb_vectors(model: torch.nn.Module, seed: int) -> None:
    """Biases, norms and gates are initialised to constants, which would hide errors."""
    torch.manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() == 1:
                parameter.add_(torch.randn_like(parameter) * 0.05)


@torch.no_grad()
def demix(model: torch.nn.Module, mix: np.ndarray, chunk: int, overlaps: int) -> np.ndarray:
    """Stems [S, 2, frames] of a track, as `utils/model_utils.py: demix` computes them with batch_size 1.

    Chunks begin every chunk/overlaps frames. Each is faded in and out over a tenth of its length, the first not in and
    the last not out; what overlaps is averaged with these weights.
    """
    track = torch.from_numpy(mix)
    step, fade, length = chunk // overlaps, chunk // 10, track.shape[1]
    border = chunk - step
    padded = border > 0 and length > 2 * border
    if padded:
        track = functional.pad(track, (border, border), mode="reflect")
    total, weights = 0, torch.zeros(track.shape[1])
    for start in range(0, track.shape[1], step):
        part = track[:, start : start + chunk]
        have = part.shape[1]
        # A short rest would have nothing to be mirrored at.
        mode = "reflect" if have > chunk // 2 else "constant"
        stems = model(functional.pad(part, (0, chunk - have), mode=mode)[None])[0]
        if stems.dim() == 2:  # a model of one stem leaves that axis out
            stems = stems[None]
        window = torch.ones(chunk)
        if start > 0:
            window[:fade] = torch.linspace(0, 1, fade)
        # Of a track of one chunk the reference treats the only one as the first.
        if start + step < track.shape[1] or start == 0:
            window[-fade:] = torch.linspace(1, 0, fade)
        if isinstance(total, int):
            total = torch.zeros(stems.shape[0], 2, track.shape[1])
        total[..., start : start + have] += stems[..., :have] * window[:have]
        weights[start : start + have] += window[:have]
    # Where nothing overlaps, the ends of the windows have weight 0: the reference makes silence of 0/0.
    result = torch.nan_to_num(total / weights, nan=0.0).numpy()
    return result[..., border:-border] if padded else result
