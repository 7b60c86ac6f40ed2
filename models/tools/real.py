"""Makes recordings ready for the training: whole songs as true stems, and singers without a band.

    real.py MUSIC WORK [--without SONG ...]

MUSIC/songs/NAME/{drums,bass,other,vocals} or {drums,bass_and_other,vocals}, .ogg, .flac or .wav, gives WORK/real/NAME-N.npy, int16
(4, 2, frames) or (3, 2, frames); MUSIC/voices/NAME gives WORK/sung/NAME-N.npy, (1, 2, frames). Version 0 is the recording as
it is. The others are produced and coded anew, stem by stem. `dataset.py` cuts and remixes them. A song that is named
after --without stays out: for validation.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import soundfile
from scipy.signal import resample_poly

from production import (
    aac,
    chorus,
    compress,
    delay,
    highpass,
    mp3,
    pan,
    random_eq,
    reverb,
    saturate,
    set_level,
    set_width,
    telephone,
)
from speech import RATE

FILES = (".ogg", ".flac", ".wav")
STEMS = ("drums", "bass", "other", "vocals")
MERGED = ("drums", "bass_and_other", "vocals")
LOUDNESS = -13.0  # dB, of a song's sounding parts
SUNG = -17.5  # dB, of a voice alone
SHORTEST_S = 9.0  # shorter recordings of singers are repeated


def read(path: Path) -> np.ndarray:
    """A recording (2, frames) float32 at RATE."""
    sound, rate = soundfile.read(path, dtype="float32", always_2d=True)
    sound = sound.T[[0, -1]]
    return sound if rate == RATE else resample_poly(sound, RATE, rate, axis=1).astype(np.float32)


def find(folder: Path, name: str) -> Path | None:
    """The recording of that name, whatever its format."""
    return next((folder / (name + kind) for kind in FILES if (folder / (name + kind)).exists()), None)


def read_song(folder: Path) -> dict[str, np.ndarray]:
    """The true stems of a song by name, of one length; ValueError where they are not complete."""
    for names in (STEMS, MERGED):
        paths = [find(folder, name) for name in names]
        if all(paths):
            stems = [read(path) for path in paths if path]
            frames = min(stem.shape[1] for stem in stems)
            return {name: stem[:, :frames] for name, stem in zip(names, stems)}
    raise ValueError(f"{folder} has neither {', '.join(STEMS)} nor {', '.join(MERGED)}")


def produce(stem: np.ndarray, is_voice: bool, rng: np.random.Generator) -> np.ndarray:
    """A stem as another studio might have made it, about as loud as before."""
    before = np.sqrt(np.mean(stem**2)) + 1e-9
    sound = random_eq(stem, rng)
    if rng.random() < 0.6:
        level = 20 * np.log10(np.abs(sound).max() + 1e-9)
        sound = compress(sound, level + float(rng.uniform(-24, -8)), float(rng.uniform(1.5, 5)))
    if rng.random() < 0.2:
        sound = saturate(sound, float(rng.uniform(3, 18)))
    if is_voice:
        sound = highpass(sound, float(rng.uniform(60, 160)))
        if rng.random() < 0.06:
            sound = telephone(sound, rng)
        if rng.random() < 0.25:
            sound = chorus(sound, rng)
        if rng.random() < 0.3:
            sound = delay(sound, float(rng.uniform(0.15, 0.6)), float(rng.uniform(0.05, 0.3)), rng)
    if rng.random() < (0.6 if is_voice else 0.2):
        sound = reverb(sound, rng, float(rng.uniform(0.03, 0.35)))
    if rng.random() < 0.2:
        sound = set_width(sound, float(rng.uniform(-30, -8)))
    return (sound * before / (np.sqrt(np.mean(sound**2)) + 1e-9)).astype(np.float32)


def code(stems: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Two thirds of the time through a coder and back, every stem by itself, so that they still sum to the song."""
    way = rng.random()
    if way < 0.33:
        return mp3(stems, rng)
    return aac(stems, rng) if way < 0.66 else stems


def song_version(song: dict[str, np.ndarray], version: int, rng: np.random.Generator) -> np.ndarray:
    """(stems, 2, frames), all of them scaled by one factor."""
    stems = np.stack(list(song.values()))
    if version:
        stems = code(np.stack([produce(stem, name == "vocals", rng) for name, stem in song.items()]), rng)
    mix = stems.sum(axis=0)
    return stems * (set_level(mix, LOUDNESS)[:, ::997].std() / (mix[:, ::997].std() + 1e-9))


def voice_version(voice: np.ndarray, version: int, rng: np.random.Generator) -> np.ndarray:
    """(1, 2, frames), long enough for an example."""
    pause = np.zeros((2, int(0.4 * RATE)), np.float32)
    times = max(1, int(np.ceil(SHORTEST_S * RATE / (voice.shape[1] + pause.shape[1]))))
    sound = np.concatenate(times * [voice, pause], axis=1)
    if version:
        sound = produce(pan(sound.mean(axis=0), float(rng.normal(0, 0.1))), True, rng)
    return code(set_level(sound, SUNG)[None], rng) if version else set_level(sound, SUNG)[None]


def save(stems: np.ndarray, path: Path) -> None:
    """Published by renaming, so that a reader never meets half a song."""
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_suffix(".part.npy")
    loudest = np.abs(stems).max()
    np.save(scratch, np.round(stems * (32767 / max(1.0, loudest))).astype(np.int16))
    scratch.replace(path)
    print(path.name, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("music", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--without", nargs="*", default=[], metavar="SONG")
    parser.add_argument("--versions", type=int, default=3, help="of each song")
    parser.add_argument("--voices", type=int, default=6, help="versions of each singer")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    voices = sorted(p for p in (options.music / "voices").iterdir() if p.suffix in FILES)
    for place, path in enumerate(voices):
        for version in range(options.voices):
            out = options.work / "sung" / f"{path.stem}-{version}.npy"
            if not out.exists():
                rng = np.random.default_rng([options.seed, 31, place, version])
                save(voice_version(read(path), version, rng), out)
    songs = sorted(p for p in (options.music / "songs").iterdir() if p.is_dir())
    for version in range(options.versions):
        for place, folder in enumerate(songs):
            out = options.work / "real" / f"{folder.name}-{version}.npy"
            if folder.name not in options.without and not out.exists():
                rng = np.random.default_rng([options.seed, 32, place, version])
                save(song_version(read_song(folder), version, rng), out)


if __name__ == "__main__":
    main()
