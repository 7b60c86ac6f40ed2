#!/usr/bin/env python3
"""Makes the golden files that hold Stemwire's numbers against the reference implementation's.

    pip install demucs==4.1.0 torch safetensors soundfile numpy onnx
    make_golden.py                      writes clip.wav, reference.safetensors and tiny/ beside this file

`clip.wav` is 1.5 s of synthetic music in 16 bits. A case repeats it at changing gain up to the case's length
(`mixture` below; the tests do the same arithmetic, which is exact). `tiny/` is a model of HTDemucs' topology with
random weights, made by `htdemucs_reference.py`. `reference.safetensors` holds excerpts of the stems that the
`demucs` package computes: tensor "<case>/<first frame>", float32 [stems, 2 channels, EXCERPT frames], around the
edges of the track and of every segment.
"""
import hashlib
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import soundfile
from safetensors.numpy import save_file

HERE = Path(__file__).resolve().parent
TOOLS = HERE.parent.parent / "models" / "tools"
RATE, SEGMENT, STRIDE, EXCERPT = 44_100, 343_980, 257_985, 192
STEMS = ["drums", "bass", "other", "vocals"]
GAINS = np.array([1.0, 0.5, 0.25, 0.75, 0.125], np.float32)
# name: (frames, level)
CASES = {
    "five-seconds": (220_500, 1.0),
    "just-over-a-segment": (348_390, 1.0),
    "two-short-segments": (573_300, 1.0),
    "long-and-odd": (1_776_347, 1.0),
    "quiet": (573_300, 0.01),
}


def clip() -> np.ndarray:
    """Plucked chords, a kick and a snare, and a wavering voice-like tone; float64 [frames, 2]."""
    draw = np.random.default_rng(7)
    time = np.arange(int(1.5 * RATE)) / RATE
    left, right = np.zeros_like(time), np.zeros_like(time)
    for start, pitches in [(0.0, (220.0, 277.2, 329.6)), (0.75, (196.0, 246.9, 293.7))]:
        since = np.maximum(time - start, 0.0)
        for index, pitch in enumerate(pitches):
            tone = sum(np.sin(2 * np.pi * pitch * k * since) / k for k in (1, 2, 3, 4)) * np.exp(-3 * since)
            left += 0.05 * tone * (time >= start) * (1 + 0.3 * index)
            right += 0.05 * tone * (time >= start) * (1.6 - 0.3 * index)
    for beat in (0.0, 0.375, 0.75, 1.125):
        since = np.maximum(time - beat, 0.0) + 1e-9
        hit = (time >= beat) * np.exp(-25 * since)
        kick = beat in (0.0, 0.75)
        sound = np.sin(2 * np.pi * (45 * since - 6 * np.exp(-30 * since))) if kick else draw.normal(size=len(time))
        left, right = left + 0.25 * hit * sound, right + 0.25 * hit * sound
    phase = 2 * np.pi * np.cumsum(330 + 8 * np.sin(2 * np.pi * 5.5 * time)) / RATE
    voice = sum(np.sin(k * phase) * np.exp(-((k * 330 - 1100) / 900) ** 2) for k in range(1, 12))
    voice *= 0.15 * np.clip(np.sin(2 * np.pi * time / 1.5), 0, 1)
    # As in many recordings, the mean is not zero: the reference takes the track's mean away and adds it again.
    return np.stack([left + voice + 0.001, right + voice], axis=1)


def mixture(sound: np.ndarray, frames: int, level: float) -> np.ndarray:
    """float32 [frames, 2]: the clip again and again, each time at the next gain, all at `level`."""
    index = np.arange(frames)
    gain = GAINS[index // len(sound) % len(GAINS)]
    return sound[index % len(sound)] * gain[:, None] * np.float32(level)


def positions(frames: int) -> list:
    """Where excerpts begin: around the edges of the track and of every segment, and in between."""
    edges = [0, frames]
    for start in range(0, frames, STRIDE):
        edges += [start, min(start + SEGMENT, frames), min(start + SEGMENT // 2, frames)]
    return sorted({min(max(edge - EXCERPT // 2, 0), frames - EXCERPT) for edge in edges})


def run_reference(audio: np.ndarray, folder: Path) -> np.ndarray:
    """Reference stems, float32 [stems, 2, frames]."""
    soundfile.write(folder / "mix.wav", audio, RATE, subtype="FLOAT")
    command: list = [sys.executable, HERE / "htdemucs_reference.py", "--model", "tiny", "--audio", folder / "mix.wav"]
    subprocess.run([*command, "--out", folder], check=True)
    stems = [soundfile.read(folder / f"{name}.f32.wav", dtype="float32")[0].T for name in STEMS]
    return np.stack(stems)


def write_model(checkpoint: Path) -> None:
    folder = HERE / "tiny"
    folder.mkdir(exist_ok=True)
    weights = folder / checkpoint.name
    weights.write_bytes(checkpoint.read_bytes())
    graph = folder / "graph.onnx"
    subprocess.run([sys.executable, TOOLS / "make_graph.py", "--weights", weights, "--out", graph], check=True)
    digest = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in (graph, weights)}
    (folder / "card.toml").write_text(f"""\
name = "tiny"
title = "HTDemucs' topology with random weights, for tests"
family = "htdemucs"
stems = {json.dumps(STEMS)}
sample_rate = {RATE}
segment = {SEGMENT}
overlap = 0.25
licence = "MIT OR Apache-2.0"

[stft]
size = 4096
hop = 1024

[graph]
file = "{graph.name}"
sha256 = "{digest[graph.name]}"

[weights]
file = "{weights.name}"
sha256 = "{digest[weights.name]}"
""")


def main() -> None:
    soundfile.write(HERE / "clip.wav", clip(), RATE, subtype="PCM_16")
    sound, _ = soundfile.read(HERE / "clip.wav", dtype="float32")
    excerpts, cases = {}, {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for case, (frames, level) in CASES.items():
            cases[case] = json.dumps({"frames": frames, "level": level})
            stems = run_reference(mixture(sound, frames, level), folder)
            for start in positions(frames):
                excerpts[f"{case}/{start}"] = np.ascontiguousarray(stems[:, :, start : start + EXCERPT])
        write_model(folder / "00000000.safetensors")
    save_file(excerpts, HERE / "reference.safetensors", metadata=cases)


if __name__ == "__main__":
    main()
