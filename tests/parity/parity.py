#!/usr/bin/env python3
"""Holds Stemwire's stems against those of the authors' own packages, at the models' full sizes, on real music.

    python3.11 -m venv demucs && demucs/bin/pip install -r tests/parity/requirements.txt
    python3.11 -m venv spleeter && spleeter/bin/pip install -r tests/parity/requirements-spleeter.txt
    python3.11 -m venv scnet && scnet/bin/pip install -r tests/parity/requirements-scnet.txt
    python3.11 -m venv mdx && mdx/bin/pip install -r tests/parity/requirements-mdx.txt
    cargo build --release
    demucs/bin/python tests/parity/parity.py SONG --work DIR --spleeter spleeter/bin/python --scnet scnet/bin/python \\
        --mdx mdx/bin/python [--models NAME...]

SONG is a 44.1 kHz stereo file; it is repeated at changing gain to 40 s and an odd length, 5 s, 7.9 s and 13 s, and to 40 s
once more without its offset: gains that change make a song's offset wander, which streaming cannot know beforehand.
Checkpoints have the published layout and random values (`tests/golden/*_reference.py`), as the published ones are not to
be downloaded by a test. Prints a table in Markdown: the signal-to-noise ratio of the worst stem, in decibels. Ends with 1
where a figure is below what is promised. The environments take 4 GB. One core of an
AMD EPYC takes about 36 minutes for all, of which htdemucs_ft has 21 and Spleeter 5.
"""
from __future__ import annotations

import argparse
import hashlib
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

ROOT = Path(__file__).resolve().parents[2]
GOLDEN = ROOT / "tests" / "golden"
RATE = 44_100
GAINS = (1.0, 0.5, 0.8, 0.25, 0.9)
LENGTHS = {"40 s": 40 * RATE + 1, "40 s centred": 40 * RATE + 1, "5 s": 5 * RATE, "7.9 s": 348_390, "13 s": 13 * RATE}
DEMUCS = ("htdemucs", "htdemucs_6s", "htdemucs_ft")
# The reference's name, and the file's in the card.
SCNET = {
    "scnet": ("scnet", "scnet_checkpoint_musdb18.ckpt"),
    "scnet-large": ("scnet_large", "SCNet-large_starrytong_fixed.ckpt"),
}
# The reference's name. A model of two cores takes minutes for each length: name it with --models, and --lengths.
ROFORMER = {"melband-kim": "mel_kim", "bs-roformer-viperx": "bs_viperx"}
# The reference's name. Its checkpoint is scaled to each song, so that every length has one of its own.
MDX = {"mdx-voc-ft": "voc_ft"}
SPLEETER = {"spleeter-2stems": 2, "spleeter-4stems": 4, "spleeter-5stems": 5}
# What is promised, in decibels a stem.
LEAST = {"bs": 75.0, "htdemucs": 75.0, "mdx": 75.0, "melband": 75.0, "scnet": 75.0, "spleeter": 60.0}


def mixtures(song: Path, folder: Path, lengths: list[str]) -> dict[str, Path]:
    """The song at each length, float32 files."""
    sound, rate = soundfile.read(song, dtype="float32", always_2d=True)
    if rate != RATE or sound.shape[1] != 2:
        sys.exit(f"{song}: give 44.1 kHz stereo")
    # Stemwire's stems are zero there, the references' are not.
    shortest = RATE // 20
    if any((np.convolve(channel == 0, np.ones(shortest), "valid") == shortest).any() for channel in sound.T):
        sys.exit(f"{song}: give a song without silent passages")
    found = {}
    for name in lengths:
        index = np.arange(LENGTHS[name])
        gains = np.array(GAINS, np.float32)[index // len(sound) % len(GAINS)]
        found[name] = folder / f"{name.replace(' ', '')}.wav"
        offset = sound.mean(axis=0) if name.endswith("centred") else 0
        samples = (sound - offset)[index % len(sound)] * gains[:, None]
        soundfile.write(found[name], samples, RATE, subtype="FLOAT")
    return found


def stemwire(options: argparse.Namespace, *arguments: object) -> None:
    command = [options.stemwire, *arguments, "--models-dir", options.work / "models"]
    subprocess.run([str(part) for part in command], check=True, stdout=subprocess.DEVNULL)


def published_model(name: str, checkpoint: Path, file: str, models: Path) -> str:
    """A folder with the published model's card and graph and this checkpoint; answers the model's name."""
    source, folder = ROOT / "models" / name, models / f"parity-{name}"
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(source / "graph.onnx", folder)
    shutil.copy(checkpoint, folder / file)
    card, weights = (source / "card.toml").read_text().split("[weights]")
    digest = hashlib.sha256(checkpoint.read_bytes()).hexdigest()
    weights = re.sub(r'sha256 = ".*"', f'sha256 = "{digest}"', weights)
    card = card.replace(f'name = "{name}"', f'name = "{folder.name}"')
    (folder / "card.toml").write_text(f"{card}[weights]{weights}")
    return folder.name


def demucs_model(options: argparse.Namespace, name: str, files: list[Path]) -> str:
    """Imports unpublished checkpoints; returns the model's name."""
    folder = options.work / "models" / name
    shutil.rmtree(folder, ignore_errors=True)
    stemwire(options, "models", "import", name, *files, "--allow-unverified")
    return name


def spleeter_references(options: argparse.Namespace, name: str, mixes: dict[str, Path], out: Path) -> dict[str, Path]:
    """The folder of reference stems of each length."""
    tool = [options.spleeter, GOLDEN / "spleeter_reference.py", "--stems", SPLEETER[name], "--out", out]
    subprocess.run([str(part) for part in [*tool, "--audio", *mixes.values()]], check=True)
    return {length: out / path.stem for length, path in mixes.items()}


def scnet_references(options: argparse.Namespace, name: str, mixes: dict[str, Path], out: Path) -> dict[str, Path]:
    """The same of the reference with two windows in each frame."""
    for path in mixes.values():
        tool = [options.scnet, GOLDEN / "scnet_reference.py", "--model", SCNET[name][0], "--audio", path, "--overlaps", 2]
        subprocess.run([str(part) for part in [*tool, "--out", out / path.stem]], check=True)
    return {length: out / path.stem for length, path in mixes.items()}


def roformer_references(options: argparse.Namespace, name: str, mixes: dict[str, Path], out: Path) -> dict[str, Path]:
    """The same, with a checkpoint and its configuration beside the stems of each length."""
    for path in mixes.values():
        tool = [options.scnet, GOLDEN / "roformer_reference.py", "--model", ROFORMER[name], "--audio", path, "--overlaps", 2]
        subprocess.run([str(part) for part in [*tool, "--out", out / path.stem]], check=True)
    return {length: out / path.stem for length, path in mixes.items()}


def roformer_model(options: argparse.Namespace, name: str, folder: Path) -> str:
    """Imports a RoFormer by its configuration; returns the model's name."""
    model = f"parity-{name}"
    shutil.rmtree(options.work / "models" / model, ignore_errors=True)
    weights, config = (folder / f"{ROFORMER[name]}.{kind}" for kind in ("ckpt", "yaml"))
    stemwire(options, "models", "import", model, weights, "--config", config, "--allow-unverified")
    return model


def mdx_references(options: argparse.Namespace, name: str, mixes: dict[str, Path], out: Path) -> dict[str, Path]:
    """The same, with a checkpoint and its entry in UVR's list beside the stems of each length."""
    for path in mixes.values():
        tool = [options.mdx, GOLDEN / "mdx_reference.py", "--model", MDX[name], "--audio", path, "--out", out / path.stem]
        subprocess.run([str(part) for part in tool], check=True)
    return {length: out / path.stem for length, path in mixes.items()}


def mdx_model(options: argparse.Namespace, name: str, folder: Path) -> str:
    """Imports an MDX-Net; returns the model's name."""
    model = f"{name}-{folder.name.lower()}"
    shutil.rmtree(options.work / "models" / model, ignore_errors=True)
    arguments = [folder / f"{MDX[name]}.onnx", "--config", folder / "model_data.json", "--allow-unverified"]
    stemwire(options, "models", "import", model, *arguments)
    return model


def demucs_references(options: argparse.Namespace, name: str, mixes: dict[str, Path], out: Path) -> dict[str, Path]:
    """The folder of reference stems of each length, beside the checkpoints, which are the same each time."""
    for path in mixes.values():
        tool = [sys.executable, GOLDEN / "htdemucs_reference.py", "--model", name, "--audio", path]
        subprocess.run([str(part) for part in [*tool, "--out", out / path.stem]], check=True)
    return {length: out / path.stem for length, path in mixes.items()}


def worst(reference: Path, found: Path) -> float:
    """Decibels of the worst stem; every reference stem must be there, and as long."""
    levels = []
    for path in reference.glob("*.f32.wav"):
        if path.name == "mix.f32.wav":
            continue
        expected, _ = soundfile.read(path, dtype="float64")
        stem, _ = soundfile.read(found / path.name.replace(".f32", ""), dtype="float64")
        if len(stem) != len(expected):
            sys.exit(f"{found}: {path.name} has {len(stem)} frames, not {len(expected)}")
        noise = ((expected - stem) ** 2).sum() + 1e-30
        levels.append(10 * np.log10((expected**2).sum() / noise))
    return min(levels)


def check(options: argparse.Namespace, name: str, mixes: dict[str, Path]) -> list[list[Any]]:
    """Rows of model, mode and a figure for each length."""
    out = options.work / name
    out.mkdir(exist_ok=True)
    if name in SPLEETER:
        references = spleeter_references(options, name, mixes, out)
        archive = out / f"{SPLEETER[name]}stems.tar.gz"
        model = published_model(name, archive, archive.name, options.work / "models")
        modes = {"zeros": ["--mask-extension", "zeros"]}
    elif name in SCNET:
        references = scnet_references(options, name, mixes, out)
        checkpoint = next(iter(references.values())) / f"{SCNET[name][0]}.ckpt"
        model = published_model(name, checkpoint, SCNET[name][1], options.work / "models")
        modes = {"exact, overlap 0.5": ["--normalization", "exact", "--overlap", "0.5"]}
    elif name in ROFORMER:
        references = roformer_references(options, name, mixes, out)
        model = roformer_model(options, name, next(iter(references.values())))
        modes = {"overlap 0.5": ["--overlap", "0.5"]}
    elif name in MDX:
        references = mdx_references(options, name, mixes, out)
        model = ""
        modes = {"streaming": ["--normalization", "streaming"]}
    else:
        references = demucs_references(options, name, mixes, out)
        model = demucs_model(options, name, sorted(next(iter(references.values())).glob("*.safetensors")))
        modes = {mode: ["--normalization", mode] for mode in ("exact", "streaming")}
    rows = []
    for mode, arguments in modes.items():
        row: list[Any] = [name, mode]
        for length, mix in mixes.items():
            stems = out / "stems" / mode
            if name in MDX:
                model = mdx_model(options, name, references[length])
            stemwire(options, "separate", mix, "--model", model, "--output", stems, "--force", *arguments)
            row.append(worst(references[length], stems / mix.stem))
            print(f"{name} {mode} {length}: {row[-1]:.1f} dB", file=sys.stderr, flush=True)
        rows.append(row)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("song", type=Path)
    parser.add_argument("--work", type=Path, required=True, help="folder for checkpoints, references and stems")
    parser.add_argument("--spleeter", type=Path, help="a Python that has the spleeter package")
    parser.add_argument("--scnet", type=Path, help="a Python that has the pymss-core package")
    parser.add_argument("--stemwire", type=Path, default=ROOT / "target" / "release" / "stemwire")
    parser.add_argument("--mdx", type=Path, help="a Python that has the audio-separator package")
    usual = [*DEMUCS, *SCNET, *MDX, *SPLEETER]
    parser.add_argument("--models", nargs="+", choices=[*usual, *ROFORMER], default=usual)
    parser.add_argument("--lengths", nargs="+", choices=list(LENGTHS), default=list(LENGTHS))
    options = parser.parse_args()
    if options.spleeter is None and any(name in SPLEETER for name in options.models):
        parser.error("--spleeter is needed for these models")
    if options.scnet is None and any(name in SCNET or name in ROFORMER for name in options.models):
        parser.error("--scnet is needed for these models")
    if options.mdx is None and any(name in MDX for name in options.models):
        parser.error("--mdx is needed for these models")
    options.work, options.stemwire = options.work.resolve(), options.stemwire.resolve()
    options.work.mkdir(parents=True, exist_ok=True)
    mixes = mixtures(options.song, options.work, options.lengths)
    rows = [row for name in options.models for row in check(options, name, mixes)]
    print(f"| model | mode | {' | '.join(mixes)} |\n|---|---|{'---|' * len(mixes)}")
    for name, mode, *levels in rows:
        print(f"| {name} | {mode} | {' | '.join(f'{level:.1f}' for level in levels)} |")
    failed = [row for row in rows if min(row[2:]) < LEAST[re.split("[-_]", str(row[0]))[0]]]
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
