"""Makes the demo song: models/demo/song.mp3 and its true stems in models/demo/stems. Written by hand, not drawn.

A verse and a chorus in A minor over F, G, A minor and C: kit, electric bass, strummed guitar, electric piano,
strings, and a sung voice with a second voice in the chorus.

The stems are small files, so the song is the sum of what these files decode to: they are its true stems, whatever
their coding did to them.
"""

from __future__ import annotations

import argparse
import io
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import soundfile

from make_songs import FONT, STEMS, sing
from music import Part
from production import compress, delay, highpass, master, pan, reverb, saturate, set_level, set_width
from speech import RATE, load_bank
from synth import render_font
from voices import Manner, Note, SpeechSinger

BEAT = 60 / 96
BARS = 11
SECONDS = 30.0
# Song and stems take less than 1 MB together.
QUALITY, KBIT = 1.0, 96
# One chord a bar: the verse, then the chorus, then the last chord.
CHORDS = ["Am", "F", "C", "G", "Am", "F", "C", "G", "F", "G", "Am"]
TONES = {"Am": (57, 60, 64), "F": (57, 60, 65), "C": (55, 60, 64), "G": (55, 59, 62)}
ROOTS = {"Am": 33, "F": 29, "C": 36, "G": 31}
# (bar, beat, beats long, pitch) of the voice.
VERSE = [(1, 0, 1, 69), (1, 1, 0.5, 67), (1, 1.5, 1.5, 65), (1, 3, 1, 64), (2, 0, 2.5, 67), (3, 0, 1, 67),
         (3, 1, 0.5, 69), (3, 1.5, 1, 71), (3, 2.5, 1, 67), (4, 0, 1, 69), (4, 1, 0.5, 72), (4, 1.5, 2, 69),
         (5, 0, 1, 69), (5, 1, 0.5, 67), (5, 1.5, 1.5, 65), (5, 3, 1, 64)]
CHORUS = [(6, 0, 1, 67), (6, 1, 1, 72), (6, 2, 2, 76), (7, 0, 1.5, 74), (7, 1.5, 0.5, 72), (7, 2, 1.5, 71),
          (8, 0, 1, 69), (8, 1, 1, 72), (8, 2, 2, 77), (9, 0, 1.5, 76), (9, 1.5, 0.5, 74), (9, 2, 1, 72), (9, 3, 1, 71),
          (10, 0, 3.6, 69)]


def at(bar: float, beat: float, beats: float, pitch: float, velocity: int = 90) -> Note:
    return Note((4 * bar + beat) * BEAT, beats * BEAT * 0.97, pitch, velocity)


def parts() -> list[Part]:
    """The band's notes."""
    drums, bass, guitar, piano, strings = [], [], [], [], []
    for bar, chord in enumerate(CHORDS):
        last = bar == BARS - 1
        tones, root, chorus = TONES[chord], ROOTS[chord], bar >= 6
        if bar in (2, 6) or last:
            drums.append(at(bar, 0, 1, 49, 100))
        if bar >= 2 and not last:
            drums += [at(bar, b, 0.5, 36, 108) for b in ((0, 1.5, 2, 3.5) if chorus else (0, 2.5))]
            drums += [at(bar, b, 0.5, 38, 104) for b in (1, 3)]
            drums += [at(bar, b / 2, 0.5, 42, 84 if b % 2 == 0 else 62) for b in range(8)]
            if bar == 5:
                drums += [at(bar, 3 + k / 4, 0.25, p, 100) for k, p in enumerate((38, 48, 45, 43))]
        if bar >= 1:
            steps = [(0, 4)] if last else [(0, 1.5), (1.5, 0.5), (2, 1), (3, 0.5), (3.5, 0.5)]
            bass += [at(bar, b, n, root + (7 if b == 3.5 else 0), 98) for b, n in steps]
        strums = (0,) if last else (0, 1, 1.5, 2.5, 3, 3.5)
        for index, b in enumerate(strums):
            order = [tones[0], *tones[1:], tones[0] + 12, tones[1] + 12]
            order = order if index % 2 == 0 else order[::-1]
            guitar += [at(bar, b + 0.02 * s, 4 if last else 0.9, p, 82 - 3 * s) for s, p in enumerate(order)]
        if bar >= 4:
            piano += [at(bar, b, 1.4, p + 12, 74) for b in ((0,) if last else (0, 1.5, 2.5)) for p in tones]
        if chorus:
            strings += [at(bar, 0, 4, p + 12, 70) for p in tones]
    return [Part("drums", 0, drums, "drums"), Part("bass", 33, bass, "bass"), Part("other", 25, guitar, "guitar"),
            Part("other", 4, piano, "keys"), Part("other", 48, strings, "pad")]


def stems(folder: Path, seed: int, speaker: str) -> np.ndarray:
    """(4, 2, frames) in STEMS order."""
    rng = np.random.default_rng(seed)
    frames = int(SECONDS * RATE)
    drums, bass, guitar, piano, strings = render_font(parts(), SECONDS, FONT)
    drums = compress(reverb(set_level(drums, -18), rng, 0.08, 0.5), -20, 3)
    other = sum(set_level(reverb(highpass(x, 120), rng, 0.1, 1.2), level) for x, level in
                ((pan(guitar.mean(axis=0), -0.45), -24), (pan(piano.mean(axis=0), 0.4), -25), (strings, -28)))
    bank = [u for u in load_bank(folder / "speech-train.npz") if u.speaker == speaker]
    manner = Manner(tract=1.04, breath=0.12, vibrato_hz=5.4, vibrato_cents=28, vibrato_delay=0.3, glide=0.025,
                    scoop=0.4, jitter=0.002, tilt=0.5, brightness=9)
    singer = SpeechSinger(bank[:3], manner, rng)
    singer.colour *= 0
    singer.next = 0
    lead = sing(singer, [at(*n) for n in VERSE + CHORUS], frames)
    second = sing(singer, [at(*n[:3], n[3] - (3 if n[3] in (72, 76, 67) else 4)) for n in CHORUS], frames)
    voice = compress(highpass(pan(lead, 0.0) + 0.35 * pan(second, 0.35), 100), -22, 3)
    voice = reverb(delay(voice, 0.75 * BEAT, 0.1, rng), rng, 0.12, 1.6)
    levels = {"drums": -19, "bass": -20, "other": -20.5, "vocals": -17}
    made = {"drums": set_width(drums, -12), "bass": set_width(saturate(bass, 3), -40), "other": set_width(other, -8),  # type: ignore[arg-type]
            "vocals": voice}
    return master(np.stack([set_level(made[s], levels[s]) for s in STEMS]), 1.0)


def coded(stem: np.ndarray) -> tuple[bytes, np.ndarray]:
    """A stem (2, frames) as Ogg Vorbis and what that decodes to; one channel where both sides are the same."""
    apart = np.abs(stem[0] - stem[1]).max() > 1e-3
    file = io.BytesIO()
    soundfile.write(file, stem.T if apart else stem.mean(axis=0), RATE, format="OGG", subtype="VORBIS",
                    compression_level=QUALITY)
    file.seek(0)
    return file.getvalue(), soundfile.read(file, dtype="float32", always_2d=True)[0].T[[0, -1]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="holds speech-train.npz")
    parser.add_argument("--out", type=Path, default=Path(__file__).parents[1] / "demo")
    parser.add_argument("--speaker", default="flite:slt")
    parser.add_argument("--seed", type=int, default=96)
    options = parser.parse_args()
    made = stems(options.folder, options.seed, options.speaker)
    (options.out / "stems").mkdir(parents=True, exist_ok=True)
    song = np.zeros_like(made[0])
    for name, stem in zip(STEMS, made):
        file, sound = coded(stem)
        (options.out / "stems" / f"{name}.ogg").write_bytes(file)
        song += sound
    with tempfile.NamedTemporaryFile(suffix=".wav") as scratch:
        soundfile.write(scratch.name, song.T, RATE, subtype="PCM_24")
        tags = ["--tt", "Eleven Bars", "--ta", "Stemwire"]
        subprocess.run(["lame", "--quiet", "-b", str(KBIT), "--resample", "44.1", *tags, scratch.name,
                        options.out / "song.mp3"], check=True)


if __name__ == "__main__":
    main()
