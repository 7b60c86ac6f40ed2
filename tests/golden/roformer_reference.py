#!/usr/bin/env python3
"""Makes a checkpoint in the layout of published RoFormer weights, with random values, and the stems that a reference
implementation (the `pymss-core` package, PyTorch) separates with it.

The published weights cannot be fetched where the tests run; this stands in for them. The file has their names,
shapes, dtype (float32) and container (a zip of torch.save with a plain dictionary of tensors, in which all layers share
the storage of `rotary_embed.freqs`), so whatever reads it reads the published ones too.

    pip install pymss-core==0.1.14 torch soundfile numpy pyyaml
    roformer_reference.py --audio mix.wav --out DIR [--model MODEL] [--overlaps 2] [--seed 1]

Models
    mel_kim      MelBandRoformer.ckpt of KimberleyJensen: vocals, 684 tensors
    bs_viperx    model_bs_roformer_ep_317_sdr_12.9755.ckpt of viperx: vocals, 699 tensors
    mel_tiny, bs_tiny    the same topologies, small enough for golden files in a repository; bs_tiny has two stems

Writes into DIR
    <model>.ckpt         weights
    <model>.yaml         the configuration in the published form
    mix.f32.wav          the mixture that the reference saw, float32, 44.1 kHz, stereo
    <stem>.f32.wav       reference stem, float32
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from pymss_core.utils import get_model_from_config

from msst import Tuple, demix, disturb_vectors, read_stereo, write_config, write_stereo

STEMS = ["vocals", "drums"]
BANDS = [2] * 24 + [4] * 12 + [12] * 8 + [24] * 8 + [48] * 8 + [128, 129]
TINY_STFT = dict(dim_freqs_in=257, stft_n_fft=512, stft_hop_length=110, stft_win_length=512)
TINY = dict(dim=8, depth=2, dim_head=8, heads=2, mlp_expansion_factor=2, **TINY_STFT)
MODELS: dict[str, tuple[int, dict]] = {
    # name: (frames of a chunk, a multiple of the hop, hyperparameters that differ from SHARED)
    "mel_kim": (352800, dict(dim=384, depth=6, num_bands=60, sample_rate=44100)),
    "bs_viperx": (352800, dict(dim=512, depth=12, freqs_per_bands=Tuple(BANDS))),
    "mel_tiny": (60060, dict(num_bands=12, sample_rate=44100, **TINY)),
    "bs_tiny": (60060, dict(num_stems=2, freqs_per_bands=Tuple([2] * 4 + [12] * 4 + [48] * 3 + [57]), **TINY)),
}
SHARED = dict(
    stereo=True, num_stems=1, time_transformer_depth=1, freq_transformer_depth=1, dim_head=64, heads=8,
    attn_dropout=0, ff_dropout=0, flash_attn=True, dim_freqs_in=1025, stft_n_fft=2048, stft_hop_length=441,
    stft_win_length=2048, stft_normalized=False, mask_estimator_depth=2, multi_stft_resolution_loss_weight=1.0,
    multi_stft_resolutions_window_sizes=Tuple([4096, 2048, 1024, 512, 256]), multi_stft_hop_size=147,
    multi_stft_normalized=False,
)  # fmt: skip


def configuration(chunk: int, extra: dict, overlaps: int) -> dict:
    model = {**SHARED, **extra}
    audio = dict(
        chunk_size=chunk, dim_f=1024, dim_t=256, hop_length=model["stft_hop_length"], n_fft=model["stft_n_fft"],
        num_channels=2, sample_rate=44100, min_mean_abs=0.0,
    )  # fmt: skip
    return dict(
        audio=audio,
        model=model,
        training=dict(**stems(model["num_stems"]), use_amp=True),
        inference=dict(batch_size=1, dim_t=256, num_overlap=overlaps),
    )


def stems(count: int) -> dict:
    if count == 1:
        return dict(instruments=[STEMS[0], "other"], target_instrument=STEMS[0])
    return dict(instruments=STEMS[:count], target_instrument=None)


def make_model(config_file: Path, mel: bool) -> torch.nn.Module:
    """As Music-Source-Separation-Training makes it. Where this package has other defaults they are given:

    `mask_estimator_depth: 2` means three linear layers in a Mel-Band RoFormer's masks, two in a BS-RoFormer's; and the
    lowest bin of either's output is silenced.
    """
    defaults = dict(mlp_hidden_layers=2) if mel else dict(zero_dc=True)
    return get_model_from_config("auto", str(config_file), defaults)[0].eval()


def random_weights(model: torch.nn.Module, chunk: int, seed: int) -> dict:
    frequencies = {name: value.clone() for name, value in model.state_dict().items() if name.endswith("embed.freqs")}
    disturb_vectors(model, seed)
    model.load_state_dict(frequencies, strict=False)
    with torch.no_grad():
        noise = torch.randn(1, 2, chunk)
        gain = 0.7 * noise.std() / model(noise).std()  # so that stems are about as loud as the mixture
        for estimator in model.mask_estimators:
            for band in estimator.to_freqs:
                last = band[0][-1]
                values = last.out_features // 2  # the other half are the gates
                last.weight[:values].mul_(gain)
                last.bias[:values].mul_(gain)
    return model.state_dict()


def make_reference(name: str, out: Path, overlaps: int, seed: int) -> torch.nn.Module:
    """The reference with random weights; writes checkpoint and configuration."""
    chunk, extra = MODELS[name]
    mel = name.startswith("mel")
    config_file, weights_file = (out / f"{name}.{kind}" for kind in ("yaml", "ckpt"))
    write_config(config_file, configuration(chunk, extra, overlaps))
    torch.manual_seed(seed)
    torch.save(random_weights(make_model(config_file, mel), chunk, seed), weights_file)
    model = make_model(config_file, mel)  # a fresh one: the package keeps copies of weights that it has used
    model.load_state_dict(torch.load(weights_file))
    return model


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--audio", type=Path, required=True, help="44.1 kHz stereo file that soundfile reads")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--model", choices=MODELS, default="mel_tiny")
    parser.add_argument("--overlaps", type=int, default=2, help="num_overlap of the configuration")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)

    chunk = MODELS[options.model][0]
    model = make_reference(options.model, options.out, options.overlaps, options.seed)
    mix = read_stereo(options.audio)
    found = demix(model, mix, chunk, options.overlaps)
    write_stereo(options.out / "mix.f32.wav", mix)
    for name, stem in zip(STEMS, found):
        write_stereo(options.out / f"{name}.f32.wav", stem)
    tensors = len(model.state_dict())
    print(f"{options.model}: {tensors} tensors, {len(found)} stems, {mix.shape[1]} frames -> {options.out}")


if __name__ == "__main__":
    main()
