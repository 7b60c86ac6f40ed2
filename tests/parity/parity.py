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
once more without its offset: gains that change make a song's offset wander, which streaming cannot know beforehand. Of
SCNet, RoFormers and MDX-Nets there are also tracks of one chunk, of one frame less and one more, one channel, and silence, of
which the largest sample is printed. Checkpoints have the published layout and random values (`tests/golden/*_reference.py`),
as the published ones are not to be downloaded by a test. Prints a table in Markdown: the signal-to-noise ratio of the worst
stem, in decibels. Ends with 1 where a figure is below what is promised. The environments take 4 GB. One core of an AMD EPYC
takes about 36 minutes for HTDemucs and Spleeter, of which htdemucs_ft has 21 and Spleeter 5. RoFormers and scnet-large take
one to three minutes for every ten seconds: name them with --models, and --lengths.
"""
from __future__ import annotations

import argparse
import hashlib
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import soundfile

ROOT = Path(__file__).resolve().parents[2]
GOLDEN = ROOT / "tests" / "golden"
PEERS = ROOT / "tests" / "bench" / "peers"
RATE = 44_100
GAINS = (1.0, 0.5, 0.8, 0.25, 0.9)
LENGTHS = {"40 s": 40 * RATE + 1, "40 s centred": 40 * RATE + 1, "5 s": 5 * RATE, "7.9 s": 348_390, "13 s": 13 * RATE}
# Of the families that have a chunk: its frames are added.
AROUND_CHUNK = {"chunk - 1": -1, "chunk": 0, "chunk + 1": 1}
MONO, SILENCE = "5 s mono", "silence"
# What a network amplifies that normalises each band, is noise there where music has no high frequencies: a RoFormer gets some.
NOISE = 0.002
LEAST_SILENCE = 1e-6
DEMUCS = ("htdemucs", "htdemucs_6s", "htdemucs_ft")
# The reference's name, and the file's in the card.
SCNET = {
    "scnet": ("scnet", "scnet_checkpoint_musdb18.ckpt"),
    "scnet-large": ("scnet_large", "SCNet-large_starrytong_fixed.ckpt"),
}
# The reference's name.
ROFORMER = {"melband-kim": "mel_kim", "bs-roformer-viperx": "bs_viperx"}
# The reference's name. Its checkpoint is scaled to each song, so that every length has one of its own.
MDX = {"mdx-voc-ft": "voc_ft"}
SPLEETER = {"spleeter-2stems": 2, "spleeter-4stems": 4, "spleeter-5stems": 5}
# What is promised, in decibels a stem.
LEAST = {"bs": 75.0, "htdemucs": 75.0, "mdx": 75.0, "melband": 75.0, "scnet": 75.0, "spleeter": 60.0}


def chunk(name: str) -> int | None:
    """Frames that the network sees at once, of those whose windows are tested around it."""
    if name in SCNET:
        return 485_100
    if name in ROFORMER:
        return 352_800
    return 253_440 if name in MDX else None


def mixtures(song: Path, folder: Path, lengths: list[str], name: str) -> dict[str, Path]:
    """The song at each length that a model is tested with, float32 files."""
    sound, rate = soundfile.read(song, dtype="float32", always_2d=True)
    if rate != RATE or sound.shape[1] != 2:
        sys.exit(f"{song}: give 44.1 kHz stereo")
    # Stemwire's stems are zero there, the references' are not.
    shortest = RATE // 20
    if any((np.convolve(channel == 0, np.ones(shortest), "valid") == shortest).any() for channel in sound.T):
        sys.exit(f"{song}: give a song without silent passages")
    frames = dict(LENGTHS)
    if size := chunk(name):
        frames |= {length: size + more for length, more in AROUND_CHUNK.items()} | {MONO: 5 * RATE, SILENCE: size + 1}
    folder.mkdir(parents=True, exist_ok=True)
    found = {}
    for length in (length for length in lengths if length in frames):
        index = np.arange(frames[length])
        gains = np.array(GAINS, np.float32)[index // len(sound) % len(GAINS)]
        offset = sound.mean(axis=0) if length.endswith("centred") else 0
        samples = (sound - offset)[index % len(sound)] * gains[:, None]
        if name in ROFORMER:
            samples += np.random.default_rng(1).uniform(-NOISE, NOISE, samples.shape)
        if length == MONO:
            samples[:] = samples.mean(axis=1, keepdims=True)
        if length == SILENCE:
            samples[:] = 0
        found[length] = folder / f"{length.replace(' ', '')}.wav"
        soundfile.write(found[length], samples, RATE, subtype="FLOAT")
    return found


def one_channel(mix: Path) -> Path:
    """The left channel of a mixture whose channels are the same, for Stemwire; the references take two."""
    samples, _ = soundfile.read(mix, dtype="float32")
    folder = mix.parent / "left"
    folder.mkdir(exist_ok=True)
    soundfile.write(folder / mix.name, samples[:, 0], RATE, subtype="FLOAT")
    return folder / mix.name


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


def msst_references(options: argparse.Namespace, name: str, mixes: dict[str, Path], out: Path) -> dict[str, Path]:
    """The same with two windows in each frame. The first folder has the checkpoint and its configuration, too."""
    model = SCNET[name][0] if name in SCNET else ROFORMER[name]
    script = "scnet_reference.py" if name in SCNET else "roformer_reference.py"
    first, *others = (out / path.stem for path in mixes.values())
    mix = next(iter(mixes.values()))
    tool = [options.scnet, GOLDEN / script, "--model", model, "--audio", mix, "--overlaps", 2, "--out", first]
    subprocess.run([str(part) for part in tool], check=True)
    for folder, mix in zip(others, list(mixes.values())[1:]):
        tool = [options.scnet, PEERS / "msst_run.py", first / f"{model}.ckpt", first / f"{model}.yaml", 2, mix, folder]
        subprocess.run([str(part) for part in tool], check=True)
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
    model = f"{name}-{folder.name.lower().replace('+', 'plus')}"
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
    for path in reference.glob("*.wav"):
        if path.name == "mix.f32.wav":
            continue
        expected, _ = soundfile.read(path, dtype="float64")
        stem, _ = soundfile.read(found / path.name.replace(".f32", ""), dtype="float64")
        if len(stem) != len(expected):
            sys.exit(f"{found}: {path.name} has {len(stem)} frames, not {len(expected)}")
        noise = ((expected - stem) ** 2).sum() + 1e-30
        levels.append(10 * np.log10((expected**2).sum() / noise))
    return min(levels)


def largest(folder: Path) -> float:
    """The largest sample of any stem."""
    return max(abs(soundfile.read(path)[0]).max() for path in folder.glob("*.wav"))


def check(options: argparse.Namespace, name: str, mixes: dict[str, Path]) -> dict[str, dict[str, float]]:
    """For each mode a figure for each length: decibels, and of silence the largest sample."""
    out = options.work / name
    out.mkdir(exist_ok=True)
    mixes, silent = dict(mixes), mixes.get(SILENCE)
    mixes.pop(SILENCE, None)
    if name in SPLEETER:
        references = spleeter_references(options, name, mixes, out)
        archive = out / f"{SPLEETER[name]}stems.tar.gz"
        model = published_model(name, archive, archive.name, options.work / "models")
        modes = {"zeros": ["--mask-extension", "zeros"]}
    elif name in SCNET:
        references = msst_references(options, name, mixes, out)
        checkpoint = next(iter(references.values())) / f"{SCNET[name][0]}.ckpt"
        model = published_model(name, checkpoint, SCNET[name][1], options.work / "models")
        modes = {"exact, overlap 0.5": ["--normalization", "exact", "--overlap", "0.5"]}
    elif name in ROFORMER:
        references = msst_references(options, name, mixes, out)
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
    found: dict[str, dict[str, float]] = {mode: {} for mode in modes}
    for mode, arguments in modes.items():
        stems = out / "stems" / mode
        for length, mix in mixes.items():
            if name in MDX:
                model = mdx_model(options, name, references[length])
            upload = one_channel(mix) if length == MONO else mix
            stemwire(options, "separate", upload, "--model", model, "--output", stems, "--force", *arguments)
            found[mode][length] = worst(references[length], stems / mix.stem)
            print(f"{name} {mode} {length}: {found[mode][length]:.1f} dB", file=sys.stderr, flush=True)
        if silent:
            stemwire(options, "separate", silent, "--model", model, "--output", stems, "--force", *arguments)
            found[mode][SILENCE] = largest(stems / silent.stem)
            print(f"{name} {mode} {SILENCE}: {found[mode][SILENCE]:g}", file=sys.stderr, flush=True)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("song", type=Path)
    parser.add_argument("--work", type=Path, required=True, help="folder for checkpoints, references and stems")
    parser.add_argument("--spleeter", type=Path, help="a Python that has the spleeter package")
    parser.add_argument("--scnet", type=Path, help="a Python that has the pymss-core package")
    parser.add_argument("--stemwire", type=Path, default=ROOT / "target" / "release" / "stemwire")
    parser.add_argument("--mdx", type=Path, help="a Python that has the audio-separator package")
    lengths = [*LENGTHS, *AROUND_CHUNK, MONO, SILENCE]
    usual = [*DEMUCS, *SCNET, *MDX, *SPLEETER]
    parser.add_argument("--models", nargs="+", choices=[*usual, *ROFORMER], default=usual)
    parser.add_argument("--lengths", nargs="+", choices=lengths, default=lengths)
    options = parser.parse_args()
    if options.spleeter is None and any(name in SPLEETER for name in options.models):
        parser.error("--spleeter is needed for these models")
    if options.scnet is None and any(name in SCNET or name in ROFORMER for name in options.models):
        parser.error("--scnet is needed for these models")
    if options.mdx is None and any(name in MDX for name in options.models):
        parser.error("--mdx is needed for these models")
    options.work, options.stemwire = options.work.resolve(), options.stemwire.resolve()
    options.work.mkdir(parents=True, exist_ok=True)
    print(f"| model | mode | {' | '.join(options.lengths)} |\n|---|---|{'---|' * len(options.lengths)}")
    failed = False
    for name in options.models:
        mixes = mixtures(options.song, options.work / "mixes" / name, options.lengths, name)
        for mode, figures in check(options, name, mixes).items():
            cells = [cell(length, figures[length]) if length in figures else "" for length in options.lengths]
            print(f"| {name} | {mode} | {' | '.join(cells)} |", flush=True)
            promised = LEAST[re.split("[-_]", name)[0]]
            failed |= any(value > LEAST_SILENCE if length == SILENCE else value < promised for length, value in figures.items())
    sys.exit(1 if failed else 0)


def cell(length: str, figure: float) -> str:
    return f"{figure:g}" if length == SILENCE else f"{figure:.1f}"


if __name__ == "__main__":
    main()
