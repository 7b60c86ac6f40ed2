"""Drum parts: General MIDI percussion notes in a dozen styles, with fills and ghost notes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from voices import Note

if TYPE_CHECKING:
    from music import Composer

KICK, STICK, SNARE, CLAP, HAT, PEDAL, OPEN, CRASH, RIDE, BELL = 36, 37, 38, 39, 42, 44, 46, 49, 51, 53
TAMBOURINE, COWBELL, SHAKER, CONGA, BONGO = 54, 56, 70, 63, 60
TOMS = (50, 48, 47, 45, 43, 41)
KITS = (0, 0, 0, 8, 8, 16, 16, 24, 25, 25, 32, 40)
# (kick, snare, hat) as sixteenths of one bar.
STYLES = {
    "rock": ((0, 8, 10), (4, 12), range(0, 16, 2)), "pop": ((0, 6, 8), (4, 12), range(0, 16, 2)),
    "four": ((0, 4, 8, 12), (4, 12), (2, 6, 10, 14)), "house": ((0, 4, 8, 12), (4, 12), range(16)),
    "halftime": ((0, 3, 10), (8,), range(0, 16, 2)), "trap": ((0, 7, 10), (8,), range(16)),
    "boombap": ((0, 2, 9, 10), (4, 12), range(0, 16, 2)), "funk": ((0, 3, 6, 10), (4, 12), range(16)),
    "shuffle": ((0, 8), (4, 12), (0, 3, 4, 7, 8, 11, 12, 15)), "bossa": ((0, 3, 4, 7, 8, 11, 12, 15), (), range(16)),
    "reggae": ((8,), (8,), range(0, 16, 2)), "break": ((0, 2, 10, 11), (4, 7, 9, 12, 15), range(0, 16, 2)),
    "ballad": ((0, 8, 9), (4, 12), range(0, 16, 4)), "punk": ((0, 4, 8, 12), (2, 6, 10, 14), range(0, 16, 2))}


def drum_part(c: Composer) -> tuple[int, list[Note]]:
    """(kit, notes) over the whole song; each bar varies a little, each fourth may end with a fill."""
    rng = c.rng
    kicks, snares, hats = STYLES[str(rng.choice(list(STYLES)))]
    cymbal = int(rng.choice([HAT, HAT, HAT, HAT, RIDE, SHAKER]))
    snare = int(rng.choice([SNARE, SNARE, SNARE, 40, CLAP, STICK]))
    extra = int(rng.choice([0, 0, 0, TAMBOURINE, COWBELL, SHAKER, CONGA, BONGO]))
    extra_slots = [k for k in range(0, 16, 2) if rng.random() < 0.5]
    ghost, loose = rng.choice([0, 0, 0.12]), rng.choice([0.0, 0.003, 0.008])
    notes: list[Note] = []

    def hit(at: float, pitch: int, velocity: float) -> None:
        notes.append(c.note(at, 1.0, pitch, velocity, loose))

    for bar in c.bars_of(0.93):
        at = 16 * bar
        fill = bar % 4 == 3 and rng.random() < 0.5
        last = int(rng.choice([8, 10, 12])) if fill else 16
        if bar % 8 == 0 or (bar % 4 == 0 and rng.random() < 0.3):
            hit(at, CRASH, 100)
        for k in kicks:
            if k < last and rng.random() < 0.95:
                hit(at + k, KICK, 110)
        if rng.random() < 0.2:
            hit(at + int(rng.integers(16)), KICK, 95)
        for k in snares:
            if k < last:
                hit(at + k, snare, 108)
        for k in range(last):
            if rng.random() < ghost:
                hit(at + k, SNARE, 45)
            if k in hats:
                opened = cymbal == HAT and k == 14 and rng.random() < 0.4
                hit(at + k, OPEN if opened else cymbal, 88 if k % 4 == 0 else 68)
            if extra and k in extra_slots:
                hit(at + k, extra, 75)
        if fill:
            drums = np.sort(rng.choice([38, *TOMS], 16 - last))[::-1]
            for k, pitch in zip(range(last, 16), drums):
                if rng.random() < 0.85:
                    hit(at + k, int(pitch), 95)
    return int(rng.choice(KITS)), notes
