#!/usr/bin/env python3
"""Holds SCNet and RoFormers against PyTorch at the models' full sizes: the network on one and the same spectrum, and the stems.

    scnet/bin/python tests/parity/network.py make NAME --work DIR
    stemwire models import network DIR/NAME.ckpt --config DIR/NAME.yaml --allow-unverified --models-dir DIR/NAME
    scnet/bin/python tests/parity/network.py compare NAME --work DIR
    stemwire separate DIR/NAME.wav --model network --models-dir DIR/NAME --overlap 0.5 --normalization exact --output DIR/NAME
    scnet/bin/python tests/parity/network.py stems NAME --work DIR

`make` writes a checkpoint in the published layout with random values (or takes the one that is there), its configuration, a track
of one chunk of the demo's song, and what PyTorch makes of it and of its spectrum. `compare` runs the graph that the import has made on that
spectrum, in ONNX Runtime; `stems` compares the stems. Both print the decibels of each stem, and end with 1 below 100 and 75.
The steps are processes of their own, as each side of the largest model takes gigabytes. NAME is scnet, scnet_large, mel_kim or
bs_viperx. parity.py has other lengths; this takes two chunks.
"""
from __future__ import annotations

import argparse
import resource
import sys
import time
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import soundfile
import torch

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "golden"))
import msst  # noqa: E402
import roformer_reference  # noqa: E402
import scnet_reference  # noqa: E402

SONG = ROOT / "models" / "demo" / "song.mp3"
# Below this a RoFormer, which normalises each band, amplifies the rounding of bands without music.
NOISE = 0.002


def music(frames: int) -> np.ndarray:
    """[2, frames] of the demo's song, with noise of -59 dBFS."""
    song, _ = soundfile.read(SONG, dtype="float32", always_2d=True)
    noise = np.random.default_rng(1).uniform(-NOISE, NOISE, (frames, 2))
    return np.ascontiguousarray((song[np.arange(frames) % len(song)] + noise).T.astype(np.float32))


def reference(name: str, work: Path, chunk: int) -> torch.nn.Module:
    """The model, with the weights in `work` or random ones."""
    torch.manual_seed(1)
    config, weights = (work / f"{name}.{kind}" for kind in ("yaml", "ckpt"))
    tool = scnet_reference if name in scnet_reference.MODELS else roformer_reference
    msst.write_config(config, tool.configuration(chunk, tool.MODELS[name][1], 2))
    if tool is scnet_reference:
        model = scnet_reference.get_model_from_config("auto", str(config))[0].eval()
    else:
        model = roformer_reference.make_model(config, name.startswith("mel"))
    if not weights.exists():
        frequencies = {key: value.clone() for key, value in model.state_dict().items() if key.endswith("embed.freqs")}
        msst.disturb_vectors(model, 1)
        model.load_state_dict(frequencies, strict=False)
        torch.save(model.state_dict(), weights)
        return reference(name, work, chunk)  # a fresh one: the package keeps copies of weights that it has used
    model.load_state_dict(torch.load(weights, weights_only=True))
    return model


def planes(spectra: torch.Tensor) -> np.ndarray:
    """Complex [S * 2, F, N] as [1, S, 4, F, N]."""
    parts = torch.view_as_real(spectra).permute(0, 3, 1, 2)
    return parts.reshape(1, -1, 4, *parts.shape[2:]).numpy()


def make(name: str, work: Path, frames: int | None) -> None:
    tool = scnet_reference if name in scnet_reference.MODELS else roformer_reference
    chunk = frames or tool.MODELS[name][0]
    model = reference(name, work, chunk)
    track = music(chunk)
    soundfile.write(work / f"{name}.wav", track.T, 44_100, subtype="FLOAT")
    seen: dict[str, np.ndarray] = {}
    forward, inverse = torch.stft, torch.istft

    def analysed(*arguments, **options):
        spectra = forward(*arguments, **options)
        seen.setdefault("mix", planes(spectra))
        return spectra

    def synthesised(spectra, *arguments, **options):
        seen.setdefault("stems", planes(spectra))
        return inverse(spectra, *arguments, **options)

    torch.stft, torch.istft = analysed, synthesised
    normalised = tool is scnet_reference
    mean, deviation = (track.mean(0).mean(), track.mean(0).std()) if normalised else (0.0, 1.0)
    began = time.monotonic()
    stems = msst.demix(model, (track - mean) / deviation, chunk, 2) * deviation + mean
    print(f"{name}: PyTorch {time.monotonic() - began:.1f} s, {processor():.1f} s of processor in all, {peak():.2f} GB", flush=True)
    np.savez(work / f"{name}.npz", mix=seen["mix"], stems=seen["stems"])
    for stem, samples in zip(names(tool, len(stems)), stems):
        soundfile.write(work / f"{name}-{stem}.wav", samples.T, 44_100, subtype="FLOAT")


def names(tool, count: int) -> list[str]:
    return (tool.SOURCES if tool is scnet_reference else tool.STEMS)[:count]


def compare_stems(name: str, work: Path) -> None:
    levels = []
    for path in work.glob(f"{name}-*.wav"):
        expected, _ = soundfile.read(path, dtype="float64")
        found, _ = soundfile.read(work / name / name / f"{path.stem.removeprefix(name + '-')}.wav", dtype="float64")
        levels.append(10 * np.log10((expected**2).sum() / ((expected - found) ** 2).sum()))
    print(f"{name}: stems {', '.join(f'{level:.1f}' for level in levels)} dB")
    sys.exit(1 if min(levels) < 75 else 0)


def compare(name: str, work: Path, folder: Path) -> None:
    seen = np.load(work / f"{name}.npz")
    graph = onnx.load(folder / "graph.onnx", load_external_data=False)
    wanted = {tensor.name for tensor in graph.graph.initializer}
    state = torch.load(work / f"{name}.ckpt", weights_only=True, mmap=True)
    tensors = {key: value.contiguous().numpy() for key, value in state.items() if key in wanted}
    options = onnxruntime.SessionOptions()
    options.add_external_initializers(list(tensors), [onnxruntime.OrtValue.ortvalue_from_numpy(value) for value in tensors.values()])
    session = onnxruntime.InferenceSession(folder / "graph.onnx", options, providers=["CPUExecutionProvider"])
    began = time.monotonic()
    found = session.run(["stem_spectrograms"], {"mix_spectrogram": seen["mix"][:, 0]})[0]
    expected = seen["stems"].astype(np.float64)
    noise = ((expected - found) ** 2).sum((0, 2, 3, 4))
    levels = 10 * np.log10((expected**2).sum((0, 2, 3, 4)) / noise)
    print(f"{name}: network {', '.join(f'{level:.1f}' for level in levels)} dB; {time.monotonic() - began:.1f} s")
    sys.exit(1 if levels.min() < 100 else 0)


def peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9


def processor() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("step", choices=("make", "compare", "stems"))
    parser.add_argument("name", choices=("scnet", "scnet_large", "mel_kim", "bs_viperx"))
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--chunk", type=int, help="frames of the chunk, a multiple of the hop of 441, where a whole one takes too long")
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    if options.step == "make":
        make(options.name, options.work, options.chunk)
    elif options.step == "compare":
        compare(options.name, options.work, options.work / options.name / "network")
    else:
        compare_stems(options.name, options.work)


if __name__ == "__main__":
    main()
