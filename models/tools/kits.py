"""Real drum kits: recorded hits of Hydrogen's kits (Debian's hydrogen-drumkits) for General MIDI percussion notes.

README.md has the kits' licences: the songs that are learned from hear those that ask nothing of a composition; the
others play in the test songs only.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import soundfile

from drums import BELL, CLAP, COWBELL, CRASH, HAT, KICK, OPEN, PEDAL, RIDE, SNARE, STICK, TAMBOURINE, TOMS
from speech import RATE
from voices import Note

FOLDER = Path("/usr/share/hydrogen/data/drumkits")
KITS = {"train": ("Audiophob", "ColomboAcousticDrumkit", "rumpf_kit_z01_h2"),
        "test": ("ForzeeStereo", "The Black Pearl 1.0")}
LONGEST_S = 4
# The first that fits an instrument's name says what it is; a key comes from the first list that has one.
NAMES = ((KICK, r"kick|bass ?drum"), (STICK, r"stick|rim click"), (CLAP, r"clap"), (SNARE, r"snare"),
         (PEDAL, r"pedal"), (OPEN, r"hat.*open|open hh"), (HAT, r"closed|choke"), (TOMS[5], r"low|floor"),
         (TOMS[0], r"tom.*hi|hi(gh)? ?tom|tom ?1"), (TOMS[2], r"tom"), (BELL, r"bell|cup"), (COWBELL, r"cow|agogo"),
         (RIDE, r"ride|cymbal"), (CRASH, r"crash|splash|china"), (TAMBOURINE, r"tambourine"))
INSTEAD = {40: SNARE, 35: KICK, 48: TOMS[0], 47: TOMS[2], 45: TOMS[2], 43: TOMS[5], BELL: RIDE, RIDE: CRASH, PEDAL: HAT,
           CLAP: SNARE, STICK: SNARE, TAMBOURINE: HAT, COWBELL: STICK, 70: HAT, 63: TOMS[0], 60: TOMS[0], OPEN: CRASH}


@dataclass(frozen=True)
class Layer:
    """One recording (2, frames) and up to which velocity, 0 to 1, it is played."""

    above: float
    sound: np.ndarray


@lru_cache(maxsize=2)
def load_kit(name: str) -> dict[int, list[Layer]]:
    """Key -> its recordings, softest first, at RATE."""
    kit: dict[int, list[Layer]] = {}
    root = ElementTree.parse(FOLDER / name / "drumkit.xml").getroot()
    for instrument in root.findall(".//{*}instrument"):
        title = (instrument.findtext("{*}name") or "").lower()
        key = next((key for key, pattern in NAMES if re.search(pattern, title)), None)
        # Older kits have one recording an instrument and no layers; the first instrument of a kind is the usual one.
        layers = instrument.findall("{*}layer") or [instrument]
        if key is None or key in kit or not layers[0].findtext("{*}filename"):
            continue
        found = [Layer(float(layer.findtext("{*}min") or 0), _read(FOLDER / name / str(layer.findtext("{*}filename"))))
                 for layer in layers]
        kit[key] = sorted(found, key=lambda layer: layer.above)
    return kit


def render_kit(name: str, notes: list[Note], seconds: float, rng: np.random.Generator) -> np.ndarray:
    """The notes on a kit, tuned and damped at random, stereo (2, frames); what the kit does not have is not played."""
    kit = load_kit(name)
    out = np.zeros((2, int(seconds * RATE) + LONGEST_S * 2 * RATE), np.float32)
    tuning, damping = float(np.exp(rng.normal(0, 0.08))), float(rng.uniform(0.4, 6))
    played: dict[tuple[int, int], np.ndarray] = {}
    for note in notes:
        key = int(note.pitch)
        while key not in kit and key in INSTEAD:
            key = INSTEAD[key]
        if key not in kit:
            continue
        force = note.velocity / 127
        index = max(0, sum(layer.above <= force for layer in kit[key]) - 1)
        if (key, index) not in played:
            sound = _tuned(kit[key][index].sound, tuning)
            played[key, index] = sound * np.exp(-np.arange(sound.shape[1]) / RATE / damping).astype(np.float32)
        hit = played[key, index] * np.float32(force ** 1.3)
        begin = int(note.start * RATE)
        out[:, begin:begin + hit.shape[1]] += hit[:, :out.shape[1] - begin]
    return out[:, :int(seconds * RATE)]


def _read(path: Path) -> np.ndarray:
    sound, rate = soundfile.read(path, dtype="float32", always_2d=True)
    return _tuned(sound.T[[0, -1]], rate / RATE)[:, :LONGEST_S * RATE]


def _tuned(sound: np.ndarray, speed: float) -> np.ndarray:
    """Played `speed` times as fast."""
    at = np.arange(int((sound.shape[1] - 1) / speed)) * speed
    low = at.astype(np.int64)
    part = (at - low).astype(np.float32)
    return (sound[:, low] * (1 - part) + sound[:, low + 1] * part).astype(np.float32)
