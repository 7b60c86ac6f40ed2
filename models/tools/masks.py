"""The mask branch of the mini model: one U-Net that tells what share of the mixture's spectrum belongs to which stem."""

from __future__ import annotations

import itertools

import torch
from torch import Tensor, nn
from torch.nn import functional

BINS = 1024  # the network sees these and no higher ones, up to 11 kHz
TOP = 128  # of these the highest, whose mean stands for all above
NARROW = 4  # all frequencies meet in so much fewer
LOWEST = 2  # an offset of the recording reaches the bins below, which are inaudible, and none from here on


class Step(nn.Module):
    """Half the size, or twice of it; norm; leaky ReLU."""

    def __init__(self, convolution: nn.Module, channels: int) -> None:
        super().__init__()
        self.convolution = convolution
        self.norm = nn.BatchNorm2d(channels, momentum=0.02)

    def forward(self, x: Tensor) -> Tensor:
        return functional.leaky_relu(self.norm(self.convolution(x)), 0.2)


class Across(nn.Module):
    """Adds what all frequencies tell each of them: harmonics lie farther apart than a kernel reaches (Choi et al. 2020)."""

    def __init__(self, bins: int, channels: int) -> None:
        super().__init__()
        self.down = nn.Parameter(torch.randn(bins // NARROW, bins) / bins**0.5)
        self.up = nn.Parameter(torch.zeros(bins, bins // NARROW))
        self.norm = nn.BatchNorm2d(channels, momentum=0.02)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.up @ functional.leaky_relu(self.norm(self.down @ x), 0.2)


class MaskNet(nn.Module):
    """Masks (batch, stems, 2, BINS, times), which sum to 1 over the stems, of magnitudes (batch, 2, bins, times).

    The magnitudes are in units of the spectrum's own deviation. Their fourth root is what the convolutions see, so
    that quiet sounds count as well as loud ones. graph/masks.py makes the graph of the same network.
    """

    def __init__(self, stems: int, filters: list[int]) -> None:
        super().__init__()
        self.stems = stems
        wide = [2, *filters]
        self.down = nn.ModuleList(Step(nn.Conv2d(a, b, 5, 2, 2), b) for a, b in itertools.pairwise(wide))
        self.across = nn.ModuleList(Across(BINS >> (level + 1), n) for level, n in enumerate(filters))
        # Convolutions alone could not tell a bass from a whistle.
        self.height = nn.Parameter(torch.zeros(filters[0], BINS // 2, 1))
        up = [*filters[-2::-1], 2 * stems]
        sources = [filters[-1], *[2 * n for n in up[:-1]]]
        self.up = nn.ModuleList(Step(nn.ConvTranspose2d(a, b, 5, 2, 2, 1), b) for a, b in zip(sources, up))
        self.head = nn.Conv2d(2 * stems, 2 * stems, 3, padding=1)
        self.to(memory_format=torch.channels_last)

    def forward(self, magnitudes: Tensor) -> Tensor:
        times = magnitudes.shape[-1]
        x = magnitudes[:, :, LOWEST:BINS].sqrt().sqrt()
        # A fourth root would make much of the smallest offset, so the lowest bins are not looked at.
        x = torch.cat([x[:, :, :1]] * LOWEST + [x], dim=2)
        x = functional.pad(x, (0, -times % 2 ** len(self.down))).to(memory_format=torch.channels_last)
        skips: list[Tensor] = []
        for index, step in enumerate(self.down):
            x = step(x)
            if index == 0:
                x = x + self.height
            x = self.across[index](x)
            skips.append(x)
        skips.pop()
        for index, step in enumerate(self.up):
            if index:
                x = torch.cat([skips.pop(), x], dim=1)
            x = step(x)
        logits = self.head(x)[..., :times].float().contiguous()
        return logits.reshape(len(x), self.stems, 2, BINS, times).softmax(dim=1)


def widen(masks: Tensor, bins: int) -> Tensor:
    """The masks for all bins: above those that the network sees, the mean of the highest."""
    above = masks[..., -TOP:, :].mean(dim=-2, keepdim=True)
    return torch.cat([masks, above.expand(*above.shape[:-2], bins - BINS, -1)], dim=-2)
