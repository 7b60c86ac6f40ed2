"""What is measured on: music, checkpoints of the published sizes, and the peers' environments."""
from __future__ import annotations

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
PARITY = ROOT / "tests" / "parity"
SONG = ROOT / "models" / "demo" / "song.mp3"
RATE = 44_100
BLOCK = 60 * RATE


def music(folder: Path, seconds: float, form: str = "wav", noise: bool = False) -> Path:
    """The demo's song again and again, without its offset; 32-bit float WAV, or MP3 where it shall be small.

    With `noise` of -59 dBFS, where a network normalises each band of frequencies: it would amplify rounding, as an MP3 file has
    no high ones.
    """
    path = folder / f"music-{seconds:g}{'-noise' * noise}.{form}"
    if path.exists():
        return path
    song, rate = soundfile.read(SONG, dtype="float32", always_2d=True)
    assert rate == RATE and song.shape[1] == 2
    song -= song.mean(axis=0)
    frames = round(seconds * RATE)
    part = path.with_suffix(".part")
    kind = {"wav": ("WAV", "FLOAT"), "mp3": ("MP3", "MPEG_LAYER_III")}[form]
    with soundfile.SoundFile(part, "w", RATE, 2, format=kind[0], subtype=kind[1]) as file:
        for start in range(0, frames, BLOCK):
            block = song[np.arange(start, min(frames, start + BLOCK)) % len(song)]
            if noise:
                block = block + np.random.default_rng(start).uniform(-0.002, 0.002, block.shape).astype(np.float32)
            file.write(block)
    return part.rename(path)


def environment(folder: Path, name: str, requirements: Path) -> Path:
    """The Python of a virtual environment with a peer in it, made where there is none."""
    place = folder / "environments" / name
    python = place / "bin" / "python"
    if not (place / "ready").exists():
        print(f"installing {name} into {place}: some gigabytes, once", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", place], check=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", "-r", requirements], check=True)
        (place / "ready").touch()
    return python


def htdemucs(folder: Path, demucs: Path, stemwire: Path, name: str = "htdemucs") -> tuple[Path, Path]:
    """A checkpoint of the published size with random values (of a bag, the first one), and a models folder that has it."""
    made, models = folder / name, folder / "models"
    if not list(made.glob("*.safetensors")):
        tool: list = [demucs, GOLDEN / "htdemucs_reference.py", "--model", name, "--audio", music(folder, 1)]
        subprocess.run([*tool, "--out", made], check=True, stdout=subprocess.DEVNULL)
    checkpoints = sorted(made.glob("*.safetensors"))
    if not (models / name).exists():
        command: list = [stemwire, "models", "import", name, *checkpoints, "--allow-unverified", "--models-dir", models]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return checkpoints[0], models


def spleeter(folder: Path, python: Path, stems: int = 2) -> tuple[Path, Path]:
    """A checkpoint of this many stems as published, and a models folder that has it as `bench-2stems`."""
    made, model = folder / "spleeter", folder / "models" / f"bench-{stems}stems"
    archive = made / f"{stems}stems.tar.gz"
    if not archive.exists():
        tool: list = [python, GOLDEN / "spleeter_reference.py", "--stems", stems, "--audio", music(folder, 1), "--out", made]
        subprocess.run([str(part) for part in tool], check=True, stdout=subprocess.DEVNULL)
    if not model.exists():
        published(ROOT / "models" / f"spleeter-{stems}stems", model, archive)
    return archive, folder / "models"


def scnet(folder: Path, python: Path, name: str) -> tuple[Path, str]:
    """A folder with a checkpoint of the published size with random values and its configuration, and the model of it."""
    made, model = folder / name, folder / "models" / f"bench-{name}"
    network = name.replace("-", "_")
    checkpoint = made / f"{network}.ckpt"
    if not checkpoint.exists():
        tool: list = [python, GOLDEN / "scnet_reference.py", "--model", network, "--audio", music(folder, 1), "--out", made]
        subprocess.run(tool, check=True, stdout=subprocess.DEVNULL)
    if not model.exists():
        published(ROOT / "models" / name, model, checkpoint)
    return made, model.name


def roformer(folder: Path, python: Path, stemwire: Path, network: str) -> tuple[Path, str]:
    """The same of a RoFormer, imported by its configuration."""
    made, model = folder / network, folder / "models" / f"bench-{network.replace('_', '-')}"
    weights, config = made / f"{network}.ckpt", made / f"{network}.yaml"
    if not weights.exists():
        tool: list = [python, GOLDEN / "roformer_reference.py", "--model", network, "--audio", music(folder, 1), "--out", made]
        subprocess.run(tool, check=True, stdout=subprocess.DEVNULL)
    if not model.exists():
        import_model(stemwire, model, weights, config)
    return made, model.name


def mdx(folder: Path, python: Path, stemwire: Path) -> tuple[Path, str]:
    """The same of an MDX-Net of Voc_FT's size, with its entry in UVR's list."""
    made, model = folder / "mdx", folder / "models" / "bench-mdx"
    weights, config = made / "voc_ft.onnx", made / "model_data.json"
    if not config.exists():
        tool: list = [python, GOLDEN / "mdx_reference.py", "--model", "voc_ft", "--audio", music(folder, 1), "--out", made]
        subprocess.run(tool, check=True, stdout=subprocess.DEVNULL)
    if not model.exists():
        import_model(stemwire, model, weights, config)
    return made, model.name


def import_model(stemwire: Path, model: Path, weights: Path, config: Path) -> None:
    command: list = [stemwire, "models", "import", model.name, weights, "--config", config, "--allow-unverified"]
    subprocess.run([*command, "--models-dir", model.parent], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def published(source: Path, model: Path, checkpoint: Path) -> None:
    """A model with the published card and graph and this checkpoint."""
    card, weights = (source / "card.toml").read_text().split("[weights]")
    digest = hashlib.sha256(checkpoint.read_bytes()).hexdigest()
    weights = re.sub(r'sha256 = ".*"', f'sha256 = "{digest}"', weights)
    weights = re.sub(r'file = ".*"', f'file = "{checkpoint.name}"', weights)
    card = card.replace(f'name = "{source.name}"', f'name = "{model.name}"')
    model.mkdir(parents=True)
    shutil.copy(source / "graph.onnx", model)
    shutil.copy(checkpoint, model)
    (model / "card.toml").write_text(f"{card}[weights]{weights}")


def agreement(reference: Path, found: Path, stems: list[str]) -> float:
    """Decibels of the worst stem; 32-bit float WAV on both sides, read piece by piece."""
    levels = []
    for stem in stems:
        signal = noise = 1e-30
        expected = soundfile.blocks(reference / f"{stem}.wav", BLOCK, dtype="float64")
        for one, other in zip(expected, soundfile.blocks(found / f"{stem}.wav", BLOCK, dtype="float64")):
            signal, noise = signal + (one**2).sum(), noise + ((one - other) ** 2).sum()
        levels.append(10 * np.log10(signal / noise))
    return min(levels)
