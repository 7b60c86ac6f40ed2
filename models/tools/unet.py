"""Spleeter's U-Net in PyTorch, narrow, with the ratio masks of its stems: what train.py trains as "spleeter".

Magnitudes are (batch, 2, times, bins) of an STFT 4096/1024, periodic Hann, not scaled. Layers, paddings and their order are
those of Spleeter (spleeter/model/functions/unet.py); graph/spleeter.py makes the graph of the same network.
"""

from __future__ import annotations

import itertools

import torch
from torch import Tensor, nn
from torch.nn import functional

SIZE, HOP = 4096, 1024
BINS = 1024  # the network sees these and no higher ones, up to 11 kHz
EPSILON = 1e-10  # in the ratio masks, shared among the stems


class UNet(nn.Module):
    """One stem's mask, (batch, 2, times, BINS) in 0 to 1; times must divide by 64."""

    def __init__(self, filters: list[int]) -> None:
        super().__init__()
        wide = [2, *filters]
        self.convolutions = nn.ModuleList(nn.Conv2d(a, b, 5, 2) for a, b in itertools.pairwise(wide))
        self.norms = nn.ModuleList(nn.BatchNorm2d(n, eps=1e-3, momentum=0.01) for n in filters[:-1])
        up = [*filters[-2::-1], 1]
        sources = [filters[-1], *[2 * n for n in up[:-1]]]
        self.transposed = nn.ModuleList(nn.ConvTranspose2d(a, b, 5, 2, 1) for a, b in zip(sources, up))
        self.up_norms = nn.ModuleList(nn.BatchNorm2d(n, eps=1e-3, momentum=0.01) for n in up)
        self.mask = nn.Conv2d(1, 2, 4, dilation=2, padding=3)

    def forward(self, x: Tensor) -> Tensor:
        skips: list[Tensor] = []
        for index, convolution in enumerate(self.convolutions):
            if index:
                x = functional.elu(self.norms[index - 1](x))
            # As TensorFlow pads an even size for a stride of two.
            x = convolution(functional.pad(x, (1, 2, 1, 2)))
            skips.append(x)
        skips.pop()
        for index, (transposed, norm) in enumerate(zip(self.transposed, self.up_norms)):
            if index:
                x = torch.cat([skips.pop(), x], dim=1)
            # One row and one column more than twice the size come out behind.
            x = norm(functional.elu(transposed(x)[:, :, :-1, :-1]))
        return torch.sigmoid(self.mask(x))


class Spleeter(nn.Module):
    """A U-Net a stem, each on the fourth root of the magnitudes, so that quiet music teaches as much as loud one."""

    def __init__(self, stems: list[str], filters: list[int], frames: int) -> None:
        super().__init__()
        self.frames = frames
        self.nets = nn.ModuleList(UNet(filters) for _ in stems)
        self.to(memory_format=torch.channels_last)

    def forward(self, magnitudes: Tensor) -> Tensor:
        """Estimated magnitudes (batch, stems, 2, times, bins)."""
        x = magnitudes.sqrt().sqrt().to(memory_format=torch.channels_last)
        return torch.stack([net(x).float().contiguous() * magnitudes for net in self.nets], dim=1)


def ratio_masks(estimates: Tensor) -> Tensor:
    """Each stem's share (batch, stems, 2, times, bins) of the energy of all; 1 in all."""
    squares = estimates ** 2
    return (squares + EPSILON / estimates.shape[1]) * (1 / (squares.sum(dim=1, keepdim=True) + EPSILON))


def spectrum(x: Tensor) -> Tensor:
    """Complex (..., times, SIZE // 2 + 1) of (..., frames); frame i covers i * HOP .. i * HOP + SIZE."""
    window = torch.hann_window(SIZE, device=x.device)
    z = torch.stft(x.reshape(-1, x.shape[-1]), SIZE, HOP, window=window, center=False, return_complex=True)
    return z.transpose(1, 2).reshape(*x.shape[:-1], z.shape[2], z.shape[1])


def separate(model: Spleeter, mix: Tensor) -> Tensor:
    """Stems (stems, 2, frames) of a mix (2, frames), as the engine computes them: windows that do not overlap."""
    length = mix.shape[-1]
    count = -(-(length + SIZE) // HOP)
    padded = functional.pad(mix, (SIZE, (count - 1) * HOP + SIZE - length - SIZE))
    z = spectrum(padded)
    z = functional.pad(torch.view_as_real(z), (0, 0, 0, 0, 0, -z.shape[1] % model.frames))
    z = torch.view_as_complex(z.contiguous())
    parts = [ratio_masks(model(part.abs()[None, ..., :BINS]))[0] for part in z.split(model.frames, dim=1)]
    masks = torch.cat(parts, dim=2)
    above = masks.mean(dim=-1, keepdim=True).expand(*masks.shape[:-1], z.shape[-1] - BINS)
    stems = (torch.cat([masks, above], dim=-1) * z)[:, :, :count]
    window = torch.hann_window(SIZE)
    # Four squared windows overlap to 3/2.
    frames = torch.fft.irfft(stems, SIZE) * window * (2 / 3)
    frames = frames.reshape(-1, count, SIZE).transpose(1, 2)
    total = functional.fold(frames, (1, (count - 1) * HOP + SIZE), (1, SIZE), stride=(1, HOP))
    return total.reshape(len(model.nets), 2, -1)[..., SIZE:SIZE + length]
