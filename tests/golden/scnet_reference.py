#!/usr/bin/env python3
"""Makes a checkpoint in the layout of the published SCNet weights, with random values, and the stems that a
reference implementation (the `pymss-core` package, PyTorch) separates with it.

The published weights cannot be fetched where the tests run; this stands in for them. The file has their names,
shapes, dtype (float32) and container (a zip of torch.save with a plain dictionary of tensors), so whatever reads it
reads the published ones too: `scnet_checkpoint_musdb18.ckpt` and `SCNet-large_starrytong_fixed.ckpt`.

    pip install pymss-core==0.1.14 torch soundfile numpy pyyaml
    scnet_reference.py --audio mix.wav --out DIR [--model scnet|scnet_large|tiny] [--overlaps 4] [--seed 1]

Writes into DIR
    <model>.ckpt         weights
    <model>.yaml         the configuration in the published form
    mix.f32.wav          the mixture that the reference saw, float32, 44.1 kHz, stereo
    <stem>.f32.wav       reference stems, float32: track normalised if the configuration says so, as published
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from pymss_core.utils import get_model_from_config

from msst import demix, disturb_vectors, read_stereo, write_config, write_stereo

SOURCES = ["drums", "bass", "other", "vocals"]
MODELS = {
    # name: (frames of a chunk, hyperparameters that differ from `scnet`)
    "scnet": (485100, {}),
    "scnet_large": (485100, dict(dims=[4, 64, 128, 256], band_SR=[0.225, 0.372, 0.403])),
    # the same topology, small enough for golden files in a repository
    "tiny": (65000, dict(dims=[4, 8, 8, 16], nfft=1024, hop_size=256, win_size=1024, num_dplayer=2)),
    # that of SCNet XL IHF, whose configuration does not normalise the track
    "xl_tiny": (65000, dict(
        dims=[4, 4, 4, 8], nfft=1024, hop_size=256, win_size=1024, num_dplayer=2, band_SR=[0.23, 0.37, 0.4],
        band_stride=[1, 4, 4], band_kernel=[3, 4, 4], conv_depths=[3, 3, 3],
    )),
}


def configuration(chunk: int, extra: dict, overlaps: int) -> dict:
    model = dict(
        sources=SOURCES, audio_channels=2, dims=[4, 32, 64, 128], nfft=4096, hop_size=1024, win_size=4096,
        normalized=True, band_SR=[0.175, 0.392, 0.433], band_stride=[1, 4, 16], band_kernel=[3, 4, 16],
        conv_depths=[3, 2, 1], compress=4, conv_kernel=3, num_dplayer=6, expand=1,
    )  # fmt: skip
    return dict(
        audio=dict(chunk_size=chunk, num_channels=2, sample_rate=44100, min_mean_abs=0.0),
        model={**model, **extra},
        training=dict(instruments=SOURCES, target_instrument=None, use_amp=True),
        inference=dict(batch_size=1, dim_t=256, num_overlap=overlaps, normalize=True),
    )


def make_model(name: str, out: Path, overlaps: int, seed: int) -> torch.nn.Module:
    """The reference with random weights; writes checkpoint and configuration."""
    chunk, extra = MODELS[name]
    config_file = out / f"{name}.yaml"
    write_config(config_file, configuration(chunk, extra, overlaps))
    torch.manual_seed(seed)
    model, _ = get_model_from_config("auto", str(config_file))
    disturb_vectors(model.eval(), seed)
    with torch.no_grad():
        noise = torch.randn(1, 2, chunk)
        gain = 0.7 * noise.std() / model(noise).std()  # so that stems are about as loud as the mixture
        for layer in model.decoder[-1][1].convtrs:
            layer.weight.mul_(gain)
            layer.bias.mul_(gain)
    torch.save(model.state_dict(), out / f"{name}.ckpt")
    return model


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--audio", type=Path, required=True, help="44.1 kHz stereo file that soundfile reads")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--model", choices=MODELS, default="scnet")
    parser.add_argument("--overlaps", type=int, default=4, help="num_overlap of the configuration")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)

    chunk = MODELS[options.model][0]
    model = make_model(options.model, options.out, options.overlaps, options.seed)
    mix = read_stereo(options.audio)
    mean, deviation = mix.mean(0).mean(), mix.mean(0).std()
    stems = demix(model, (mix - mean) / deviation, chunk, options.overlaps) * deviation + mean
    write_stereo(options.out / "mix.f32.wav", mix)
    for name, stem in zip(SOURCES, stems, strict=True):
        write_stereo(options.out / f"{name}.f32.wav", stem)
    tensors = len(model.state_dict())
    print(f"{options.model}: {tensors} tensors, stems {SOURCES}, {mix.shape[1]} frames -> {options.out}")


if __name__ == "__main__":
    main()
