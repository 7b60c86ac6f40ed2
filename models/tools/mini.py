"""The mini model: a small HTDemucs, and beside it a branch of masks on the mixture's spectrum.

HTDemucs makes each stem anew, which few parameters do poorly; a mask can only pass on what is there, but is learned
fast. Their errors differ, so a weighted mean of both is better than either.
"""

from __future__ import annotations

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
