"""Makes songs as four stems: FOLDER/SPLIT/00000.npy, int16 (4, 2, frames) at 44.1 kHz, with a .json beside each.

The split "voices" is the vocal stem alone, (1, 2, frames): four times as many singers for the same time.

Song number n of a split depends on the seed, the split and n alone; songs already there are kept, so that the
command can be stopped and started again, and run beside the training, which uses new songs as they are made.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np

from glottal import GlottalSinger
from kits import KITS, render_kit
from music import Song, compose
from production import (
    chorus,
    compress,
    delay,
    duck,
    highpass,
    master,
    mp3,
    pan,
    random_eq,
    reverb,
    saturate,
    set_level,
    set_width,
    telephone,
)
from speech import RATE, Utterance, load_bank
from synth import render_drum_machine, render_font, render_oscillators
from voices import Manner, Note, SpeechSinger, phrases, vary

STEMS = ("drums", "bass", "other", "vocals")
FONT = Path("/usr/share/sounds/sf2/FluidR3_GM.sf2")
# Number in the seed, whose drum kits play, and the banks of who sings. seen: unseen songs with kits and singers of the
# training. unseen: with others.
SPLITS = {"train": (0, "train", ("train", "natural")), "seen": (1, "train", ("train",)), "unseen": (2, "test", ("test",)),
          "voices": (3, "train", ("train", "natural"))}


def cast_singer(bank: list[Utterance], rng: np.random.Generator) -> tuple[GlottalSinger | SpeechSinger, str]:
    """A new singer and who it is: half of them glottal inventions, half from speech, of which half natural if there is any."""
    manner = Manner.random(rng)
    if rng.random() < 0.5:
        return GlottalSinger(manner, rng), "glottal"
    if (natural := [u for u in bank if u.speaker.startswith("kokoro")]) and rng.random() < 0.5:
        bank = natural
    speaker = bank[int(rng.integers(len(bank)))].speaker
    own = [u for u in bank if u.speaker == speaker]
    chosen = [own[k] for k in rng.choice(len(own), min(3, len(own)), replace=False)]
    return SpeechSinger(chosen, manner, rng), speaker


def sing(singer: GlottalSinger | SpeechSinger, line: list[Note], frames: int) -> np.ndarray:
    """A whole line, mono (frames,)."""
    out = np.zeros(frames, np.float32)
    for phrase in phrases(line):
        sound = singer.sing(phrase)
        a = int(phrase[0].start * RATE)
        sound = sound[:max(0, frames - a)]
        out[a:a + len(sound)] += sound
    return out


def vocals(song: Song, bank: list[Utterance], rng: np.random.Generator) -> tuple[np.ndarray, list[str]]:
    """The vocal stem (2, frames) and who sings."""
    frames = int(song.seconds * RATE)
    singer, name = cast_singer(bank, rng)
    names = [name]
    lead = sing(singer, song.lead, frames)[None].repeat(2, axis=0)
    lead = pan(lead[0], float(rng.normal(0, 0.05)))
    if rng.random() < 0.3:  # doubles, a little late and aside
        amount, spread = rng.uniform(0.15, 0.6), rng.uniform(0.1, 0.9)
        for side in (-spread, spread):
            singer.manner = vary(singer.manner, rng)
            late = [Note(n.start + abs(rng.normal(0.015, 0.012)), n.duration, n.pitch + rng.normal(0, 0.07))
                    for n in song.lead]
            lead += amount * pan(sing(singer, late, frames), side)
    if song.harmony:
        lead += rng.uniform(0.2, 0.7) * pan(sing(singer, song.harmony, frames), float(rng.uniform(-0.6, 0.6)))
    lead = compress(set_level(lead, -18), float(rng.uniform(-24, -14)), float(rng.uniform(2, 6)))
    lead = random_eq(highpass(lead, float(rng.uniform(60, 160))), rng)
    if rng.random() < 0.2:
        lead = saturate(lead, float(rng.uniform(3, 22)))
    if rng.random() < 0.06:
        lead = telephone(lead, rng)
    if rng.random() < 0.12:
        lead = chorus(lead, rng)
    lead = lead / (np.abs(lead).max() + 1e-9) * 0.5
    if song.choir:
        back = np.zeros((2, frames), np.float32)
        for place, line in zip((-0.7, 0.0, 0.7), song.choir):
            other, name = cast_singer(bank, rng)
            names.append(name)
            back += pan(sing(other, line, frames), place)
        lead = set_level(lead, -18) + set_level(random_eq(back, rng), float(rng.uniform(-30, -21)))
    if rng.random() < 0.4:
        lead = delay(lead, song.beat * float(rng.choice([0.5, 0.75, 1.0])), float(rng.uniform(0.05, 0.3)), rng)
    if rng.random() < 0.9:
        lead = reverb(lead, rng, float(rng.uniform(0.03, 0.4)))
    return lead, names


def band(song: Song, kits: tuple[str, ...], rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Drums, bass and other, each (2, frames)."""
    frames = int(song.seconds * RATE)
    played = render_font(song.parts, song.seconds, FONT)
    room = float(rng.uniform(0.3, 1.8))
    out = {stem: np.zeros((2, frames), np.float32) for stem in STEMS[:3]}
    for part, sound in zip(song.parts, played):
        if part.role == "drums":
            if rng.random() < 0.4:
                sound = render_kit(str(rng.choice(kits)), part.notes, song.seconds, rng)
            elif rng.random() < 0.35:
                machine = set_level(render_drum_machine(part.notes, song.seconds, rng), -20)
                sound = machine + (set_level(sound, -24) if rng.random() < 0.4 else 0)
            sound = compress(set_level(sound, -18), float(rng.uniform(-26, -12)), float(rng.uniform(1.5, 5)), 0.02)
            sound = random_eq(sound, rng)
            if rng.random() < 0.4:
                sound = saturate(sound, float(rng.uniform(0, 12)))
            sound = set_width(reverb(sound, rng, float(rng.beta(1, 6)), room * 0.6), float(rng.uniform(-16, -6)))
        elif part.role == "bass":
            if rng.random() < 0.25:
                sound = render_oscillators(part, song.seconds, rng)
            sound = compress(set_level(sound, -18), -22, float(rng.uniform(2, 5)))
            sound = set_width(random_eq(sound, rng, 3), float(rng.uniform(-40, -18)))
            if rng.random() < 0.3:
                sound = saturate(sound, float(rng.uniform(0, 18)))
        else:
            if part.role in ("pad", "arp", "stab", "lead", "keys") and rng.random() < 0.25:
                sound = render_oscillators(part, song.seconds, rng)
            if part.program in (29, 30) or rng.random() < 0.1:
                sound = saturate(sound, float(rng.uniform(6, 24)))
            sound = random_eq(highpass(sound, float(rng.uniform(50, 200))), rng)
            if rng.random() < 0.15:
                sound = delay(sound, song.beat * 0.75, float(rng.uniform(0.1, 0.4)), rng)
            place = float(rng.uniform(-0.8, 0.8)) * (part.role != "pad")
            sound = 0.5 * sound + 0.7 * pan(sound.mean(axis=0), place)
            sound = set_level(reverb(sound, rng, float(rng.beta(1.2, 5)), room), float(rng.normal(-23, 3)))
        out[part.stem] += sound
    # Wider than −6 dB is rare on records; the earlier trial lost decibels with wide accompaniment.
    out["other"] = set_width(out["other"], float(rng.uniform(-14, -5)))
    kicks = [n.start for p in song.parts if p.role == "drums" for n in p.notes if n.pitch == 36]
    if kicks and rng.random() < 0.15:
        out["other"] = duck(out["other"], kicks, float(rng.uniform(0.3, 0.8)), 0.1)
    return out


def make_song(split: str, number: int, seed: int, seconds: float,
              bank: list[Utterance]) -> tuple[np.ndarray, dict[str, object]]:
    """(stems (4, 2, frames) in STEMS order, or the voice alone; what it is made of)."""
    rng = np.random.default_rng([seed, SPLITS[split][0], number])
    song = compose(rng, seconds)
    if split == "voices":
        voice, names = vocals(song, bank, rng)
        return master(set_level(voice, -17.5)[None], 0.0), {"singers": names, "manner": song.manner}
    stems = band(song, KITS[SPLITS[split][1]], rng)
    stems["vocals"], names = vocals(song, bank, rng)
    levels = {"drums": rng.normal(-18, 2.5), "bass": rng.normal(-20, 2.5), "other": rng.normal(-20, 2.5),
              "vocals": rng.normal(-17.5, 2.5)}
    mixed = np.stack([set_level(stems[stem], levels[stem]) for stem in STEMS])
    about = {"singers": names, "manner": song.manner, "seconds": round(song.seconds, 2),
             "parts": [[p.role, p.program] for p in song.parts]}
    made = master(mixed, float(rng.uniform(0, 6)))
    return mp3(made, rng) if rng.random() < 0.2 else made, about


def save(stems: np.ndarray, about: dict[str, object], path: Path) -> None:
    """Published by renaming, so that a reader never meets half a song."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.with_suffix(".json").write_text(json.dumps(about) + "\n")
    scratch = path.with_suffix(".part.npy")
    np.save(scratch, np.round(stems * 32767).astype(np.int16))
    scratch.replace(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="gets a folder for the split")
    parser.add_argument("split", choices=list(SPLITS))
    parser.add_argument("--count", type=int, default=80)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=28)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--speech", type=Path, help="where speech.py wrote its files, if not into the same folder")
    options = parser.parse_args()
    speech = options.speech or options.folder
    bank = [utterance for name in SPLITS[options.split][2] for utterance in load_bank(speech / f"speech-{name}.npz")]
    for number in range(options.first, options.first + options.count):
        path = options.folder / options.split / f"{number:05d}.npy"
        if not path.exists():
            began = time.monotonic()
            save(*make_song(options.split, number, options.seed, options.seconds, bank), path)
            print(f"{path.name} {time.monotonic() - began:.1f} s", flush=True)


if __name__ == "__main__":
    main()
