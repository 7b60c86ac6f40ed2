"""Composition: a song as notes. Key, tempo, chords and sections first, then every part played over them."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from drums import drum_part
from voices import Note

SCALES = {"major": (0, 2, 4, 5, 7, 9, 11), "minor": (0, 2, 3, 5, 7, 8, 10), "dorian": (0, 2, 3, 5, 7, 9, 10),
          "mixolydian": (0, 2, 4, 5, 7, 9, 10), "harmonic": (0, 2, 3, 5, 7, 8, 11)}
# Scale degrees of one chord a bar (0 = tonic).
PROGRESSIONS = ((0, 4, 5, 3), (5, 3, 0, 4), (0, 3, 4, 4), (0, 5, 3, 4), (1, 4, 0, 0), (0, 0, 3, 4), (0, 6, 5, 4),
                (0, 3, 0, 4), (0, 2, 3, 4), (5, 4, 3, 4), (0, 3, 6, 2), (0, 0, 0, 0), (0, 5, 1, 4), (3, 4, 2, 5))
BASSES = (32, 33, 33, 33, 34, 34, 35, 36, 37, 38, 38, 39, 39, 43)
PADS = (48, 49, 50, 51, 52, 89, 90, 91, 92, 94, 95, 88, 16, 18, 19, 20)
KEYS = (0, 0, 1, 2, 3, 4, 4, 5, 5, 6, 7, 11, 12, 16, 17, 18, 21)
GUITARS = (24, 24, 25, 25, 25, 26, 27, 27, 28, 29, 30, 30, 31)
ARPS = (0, 4, 11, 12, 13, 24, 26, 45, 46, 80, 81, 84, 87, 104, 107, 108, 114)
LEADS = (11, 26, 27, 29, 30, 56, 57, 60, 61, 64, 65, 66, 68, 71, 73, 74, 80, 81, 40, 42, 21, 22)
STABS = (61, 62, 63, 55, 48, 81, 90, 5)


@dataclass
class Part:
    """One instrument's notes; `program` is a General MIDI number from 0, or a kit for drums."""

    stem: str
    program: int
    notes: list[Note]
    role: str


@dataclass
class Song:
    """A composition; times in seconds from the song's start."""

    seconds: float
    beat: float
    parts: list[Part] = field(default_factory=list)
    lead: list[Note] = field(default_factory=list)
    harmony: list[Note] = field(default_factory=list)
    choir: list[list[Note]] = field(default_factory=list)
    manner: str = "sung"


class Composer:
    """Draws one song; every choice comes from `rng`."""

    def __init__(self, rng: np.random.Generator, seconds: float) -> None:
        self.rng = rng
        self.beat = 60 / float(np.exp(rng.uniform(np.log(68), np.log(165))))
        self.bars = max(4, int(seconds / (4 * self.beat)))
        self.seconds = self.bars * 4 * self.beat + 1.0
        self.key = int(rng.integers(12))
        self.scale = SCALES[rng.choice(list(SCALES), p=[0.42, 0.33, 0.1, 0.1, 0.05])]
        self.swing = float(rng.choice([0, 0, 0, rng.uniform(0.05, 0.33)]))
        half = int(rng.integers(2, 5))
        first, second = rng.choice(len(PROGRESSIONS), 2)
        self.chords = [PROGRESSIONS[first if (b // 4) // half % 2 == 0 else second][b % 4] for b in range(self.bars)]
        self.sevenths = rng.random() < 0.3

    def time(self, sixteenth: float) -> float:
        """Seconds of a position in sixteenths, swung in eighths."""
        eighth, rest = divmod(sixteenth, 4)
        moved = rest + self.swing * 2 * (1 - abs(rest - 2) / 2) if 0 < rest < 4 else rest
        return (eighth * 4 + moved) * self.beat / 4

    def degree(self, degree: int, octave: int) -> int:
        """MIDI pitch of a scale degree (any integer) with the tonic in `octave` (5 = middle C's)."""
        up, step = divmod(degree, 7)
        return 12 * (octave + up) + self.key + self.scale[step]

    def chord(self, bar: int, octave: int) -> list[int]:
        root = self.chords[bar % self.bars]
        tones = [self.degree(root + k, octave) for k in ((0, 2, 4, 6) if self.sevenths else (0, 2, 4))]
        centre = 12 * octave + 7
        # Close voicing: every tone in the octave around one centre, so that parts lead smoothly.
        return sorted((t - centre + 6) % 12 + centre - 6 for t in tones)

    def note(self, at: float, length: float, pitch: float, velocity: float, loose: float = 0.006) -> Note:
        """A played note from positions in sixteenths, a little early or late."""
        start = max(0.0, self.time(at) + self.rng.normal(0, loose))
        return Note(start, max(0.03, length * self.beat / 4), pitch,
                    int(np.clip(velocity + self.rng.normal(0, 7), 20, 127)))

    def bars_of(self, presence: float) -> list[int]:
        """The bars in which a part plays: whole groups of four are left out."""
        playing = [self.rng.random() < presence for _ in range(0, self.bars, 4)]
        playing[int(self.rng.integers(len(playing)))] = True
        return [b for b in range(self.bars) if playing[b // 4]]


def compose(rng: np.random.Generator, seconds: float) -> Song:
    """A song of about `seconds` seconds."""
    c = Composer(rng, seconds)
    song = Song(c.seconds, c.beat)
    if rng.random() < 0.93:
        program, notes = drum_part(c)
        song.parts.append(Part("drums", program, notes, "drums"))
    if rng.random() < 0.95:
        song.parts.append(Part("bass", int(rng.choice(BASSES)), bass_part(c), "bass"))
    roles = list(rng.choice(["pad", "keys", "guitar", "arp", "lead", "stab"], int(rng.integers(1, 5)), replace=False,
                            p=[0.2, 0.24, 0.28, 0.13, 0.07, 0.08]))
    for role in roles:
        song.parts += [Part("other", program, notes, role) for program, notes in PLAYERS[role](c)]
    song.manner = str(rng.choice(["sung", "sung", "sung", "sung", "rap"]))
    song.lead = rap_line(c) if song.manner == "rap" else melody(c, rng.uniform(0.6, 0.95))
    if rng.random() < 0.3:
        song.harmony = harmonise(c, song.lead)
    if rng.random() < 0.25:
        song.choir = choir(c)
    return song


def bass_part(c: Composer) -> list[Note]:
    rng = c.rng
    style = rng.choice(["root", "eighths", "octaves", "walk", "groove", "groove", "long", "offbeat"])
    groove = sorted(rng.choice(16, int(rng.integers(3, 8)), replace=False))
    groove[0] = 0
    colours = rng.choice([0, 0, 0, 2, 4, 7, -1], len(groove))
    legato = rng.uniform(0.5, 1.0)
    notes = []
    for bar in c.bars_of(0.92):
        root, at = c.chords[bar], 16 * bar
        base = c.degree(root, 3)
        low = base - 12 if base > 46 else base

        def play(k: float, length: float, pitch: float, velocity: float = 100, at: int = at) -> None:
            notes.append(c.note(at + k, length * legato, pitch, velocity))

        if style == "long":
            play(0, 15.5, low)
        elif style == "root":
            for k in (0, 8):
                play(k, 7.5, low)
        elif style == "eighths":
            for k in range(0, 16, 2):
                play(k, 1.9, low, 100 if k % 4 == 0 else 86)
        elif style == "octaves":
            for k in range(0, 16, 2):
                play(k, 1.8, low + 12 * (k // 2 % 2))
        elif style == "offbeat":
            for k in range(2, 16, 4):
                play(k, 2, low)
        elif style == "walk":
            for k, step in enumerate(rng.choice([0, 2, 4, 1, 5, -1], 4)):
                play(4 * k, 3.8, low if k == 0 else c.degree(root + int(step), 3) - (12 if base > 46 else 0))
        else:
            for k, colour, end in zip(groove, colours, [*groove[1:], 16]):
                pitch = c.degree(root + int(colour), 3) - (12 if base > 46 else 0)
                play(k, end - k, pitch, 104 if k == 0 else 90)
    return notes


def pad_part(c: Composer) -> list[tuple[int, list[Note]]]:
    octave = int(c.rng.choice([4, 5]))
    notes = [c.note(16 * bar, 16, p, 75) for bar in c.bars_of(0.8) for p in c.chord(bar, octave)]
    return [(int(c.rng.choice(PADS)), notes)]


def keys_part(c: Composer) -> list[tuple[int, list[Note]]]:
    rng = c.rng
    hits = sorted({0, *rng.choice([0, 3, 4, 6, 8, 10, 11, 12, 14], int(rng.integers(1, 5)))})
    length, octave, left = rng.uniform(0.5, 1.0), int(rng.choice([4, 5, 5])), rng.random() < 0.4
    notes = []
    for bar in c.bars_of(0.85):
        for k, end in zip(hits, [*hits[1:], 16]):
            notes += [c.note(16 * bar + k, (end - k) * length, p, 84) for p in c.chord(bar, octave)]
        if left:
            notes.append(c.note(16 * bar, 14, c.degree(c.chords[bar], 4), 80))
    return [(int(rng.choice(KEYS)), notes)]


def guitar_part(c: Composer) -> list[tuple[int, list[Note]]]:
    """Strummed, picked or power chords; sometimes the same part twice, for left and right."""
    rng = c.rng
    program = int(rng.choice(GUITARS))
    style = "power" if program in (29, 30) and rng.random() < 0.75 else rng.choice(["strum", "pick", "skank"])
    pattern = [k for k in range(0, 16, 2) if k == 0 or rng.random() < 0.65]
    out, copies = [], 2 if rng.random() < 0.35 else 1
    bars = c.bars_of(0.9)
    for _ in range(copies):
        notes = []
        for bar in bars:
            tones = [*c.chord(bar, 4), c.chord(bar, 5)[0], c.chord(bar, 5)[1]]
            root = c.degree(c.chords[bar], 3)
            for index, k in enumerate([2, 6, 10, 14] if style == "skank" else pattern):
                end = 16 * bar + k
                if style == "power":
                    notes += [c.note(end, 1.9, p, 96) for p in (root, root + 7, root + 12)]
                elif style == "pick":
                    notes.append(c.note(end, 5, tones[(index * 2) % len(tones)], 88))
                else:
                    order = tones if index % 2 == 0 else tones[::-1]
                    length = 0.8 if style == "skank" else 3.5
                    notes += [c.note(end + 0.09 * s, length, p, 84 - 2 * s, 0.003) for s, p in enumerate(order)]
        out.append((program, notes))
    return out


def arp_part(c: Composer) -> list[tuple[int, list[Note]]]:
    rng = c.rng
    step, octave = int(rng.choice([1, 2, 2])), int(rng.choice([5, 5, 6]))
    order = rng.permutation(8)
    notes = []
    for bar in c.bars_of(0.7):
        tones = c.chord(bar, octave) + [t + 12 for t in c.chord(bar, octave)]
        notes += [c.note(16 * bar + k, step * 1.2, tones[order[(k // step) % 8] % len(tones)], 78)
                  for k in range(0, 16, step)]
    return [(int(rng.choice(ARPS)), notes)]


def lead_part(c: Composer) -> list[tuple[int, list[Note]]]:
    line = melody(c, 0.35)
    up = int(c.rng.choice([0, 12]))
    return [(int(c.rng.choice(LEADS)), [Note(n.start, n.duration * 0.95, n.pitch + up, n.velocity) for n in line])]


def stab_part(c: Composer) -> list[tuple[int, list[Note]]]:
    hits = c.rng.choice([0, 3, 6, 8, 11, 14], 2, replace=False)
    notes = [c.note(16 * bar + k, 1.5, p, 100) for bar in c.bars_of(0.5) for k in hits for p in c.chord(bar, 5)]
    return [(int(c.rng.choice(STABS)), notes)]


PLAYERS = {"pad": pad_part, "keys": keys_part, "guitar": guitar_part, "arp": arp_part, "lead": lead_part,
           "stab": stab_part}


def melody(c: Composer, presence: float) -> list[Note]:
    """A sung line: phrases of one or two bars with rests, chord tones on strong beats, motifs that come back."""
    rng = c.rng
    register = rng.uniform(50, 70)  # MIDI pitch about which the line moves: bass voice .. soprano
    density = rng.uniform(0.25, 0.7)
    motifs = [sorted({int(rng.choice([0, 2, 4])), *[k for k in range(0, 28, 2) if rng.random() < density]})
              for _ in range(3)]
    notes: list[Note] = []
    pitch = register
    for bar in range(0, c.bars - 1, 2):
        if rng.random() > presence:
            continue
        slots = motifs[int(rng.choice([0, 0, 1, 2]))]
        if rng.random() < 0.15:
            slots = slots[:2]  # long held notes
        for k, end in zip(slots, [*slots[1:], 30]):
            tones = c.chord(bar + k // 16, 4)
            if k % 8 == 0 or rng.random() < 0.35:
                options = [t + 12 * o for t in tones for o in (-1, 0, 1, 2)]
            else:
                options = [c.degree(d, 3) for d in range(21)]
            cost = [abs(p - pitch) + 0.35 * abs(p - register) + rng.exponential(2.0) for p in options]
            pitch = options[int(np.argmin(cost))]
            length = min(end - k, rng.choice([2, 4, 6, 12, 30]) if rng.random() < 0.3 else 30)
            notes.append(c.note(16 * bar + k, length * 0.97, pitch, 92, 0.012))
    return notes


def rap_line(c: Composer) -> list[Note]:
    """Fast syllables near one pitch, falling at the ends of lines."""
    rng = c.rng
    register = rng.uniform(42, 58)
    notes = []
    for bar in range(c.bars - 1):
        if rng.random() < 0.15:
            continue
        slots = [k for k in range(15) if k % 4 == 0 or rng.random() < 0.5]
        for k, end in zip(slots, [*slots[1:], 16]):
            pitch = register + rng.normal(0, 2) + (2 if k % 4 == 0 else 0) - 3 * (k > 11)
            notes.append(c.note(16 * bar + k, min(end - k, 3), pitch, 92, 0.012))
    return notes


def harmonise(c: Composer, line: list[Note]) -> list[Note]:
    """The line a third (or so) above, within the scale, in some of the bars."""
    scale = [c.degree(d, 0) for d in range(-7, 70)]
    steps = int(c.rng.choice([2, 2, 4, -3, -2]))
    bars = set(c.bars_of(0.5))
    out = []
    for n in line:
        if int(n.start / (4 * c.beat)) in bars:
            nearest = int(np.argmin([abs(s - n.pitch) for s in scale]))
            out.append(Note(n.start, n.duration, scale[nearest + steps], n.velocity - 8))
    return out


def choir(c: Composer) -> list[list[Note]]:
    """Held chords for several voices, one list a voice."""
    bars = c.bars_of(0.35)
    octave = int(c.rng.choice([4, 5]))
    return [[c.note(16 * b, 15, c.chord(b, octave)[v], 80, 0.03) for b in bars] for v in range(3)]
