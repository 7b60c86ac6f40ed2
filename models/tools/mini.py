"""The mini model: a small HTDemucs, and beside it a branch of masks on the mixture's spectrum.

HTDemucs makes each stem anew, which few parameters do poorly; a mask can only pass on what is there, but is learned
fast. Their errors differ, so a weighted mean of both is better than either.
"""

from __future__ import annotations

import hashlib
from typing import Any

import torch
from demucs.htdemucs import HTDemucs
from torch import Tensor, nn

from masks import MaskNet, widen


class Mini(HTDemucs):
    """HTDemucs with the arguments `kwargs`, and a `MaskNet` with `mask_filters`."""

    def __init__(self, mask_filters: list[int], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.masks = MaskNet(len(self.sources), mask_filters)
        # A stem's share that comes from the masks; the rest comes from HTDemucs.
        self.mask_share = nn.Parameter(torch.full((len(self.sources),), 0.5))

    def forward(self, mix: Tensor) -> Tensor:
        """Stems (batch, stems, 2, frames) of a mix (batch, 2, frames), a segment at most."""
        share = self.mask_share[:, None, None]
        return (1 - share) * super().forward(mix) + share * self.masked(mix)

    def masked(self, mix: Tensor) -> Tensor:
        """What the masks alone give, of the same shape."""
        length = mix.shape[-1]
        missing = (0, int(self.segment * self.samplerate) - length)
        spectrum = self._spec(nn.functional.pad(mix, missing))
        parts = self._magnitude(spectrum)  # real and imaginary, each a channel
        mean, deviation = parts.mean(dim=(1, 2, 3), keepdim=True), parts.std(dim=(1, 2, 3), keepdim=True)
        parts = (parts - mean) / (1e-5 + deviation)
        magnitudes = (parts[:, 0::2].square() + parts[:, 1::2].square()).sqrt()
        masks = widen(self.masks(magnitudes), spectrum.shape[-2])
        return self._ispec(masks * spectrum[:, None], missing[1] + length)[..., :length]


class Masked(Mini):
    """The same by the masks alone."""

    def forward(self, mix: Tensor) -> Tensor:
        return self.masked(mix)


class Remembered:
    """What HTDemucs makes of a mini model's segments: each is computed once, for masks that change while it does not."""

    def __init__(self, model: Mini) -> None:
        self.share = model.mask_share.detach().clone()
        self._model = model
        self._known: dict[bytes, Tensor] = {}

    def __call__(self, mix: Tensor) -> Tensor:
        key = hashlib.sha256(mix.contiguous().numpy().tobytes()).digest()
        if key not in self._known:
            self._known[key] = HTDemucs.forward(self._model, mix).half()
        return self._known[key].float()


class Joined(Mini):
    """The mean of what is remembered and of this network's masks."""

    def __init__(self, made: Remembered, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.made = made
        self.mask_share.data.copy_(made.share)

    def forward(self, mix: Tensor) -> Tensor:
        share = self.mask_share[:, None, None]
        return (1 - share) * self.made(mix) + share * self.masked(mix)
