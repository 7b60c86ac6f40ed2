"""Singers without any recording: glottal pulses through moving formants, each singer drawn at random.

The pulse follows the Liljencrants-Fant shape (Fant, Liljencrants, Lin 1985) with a random open quotient and
return phase; the tract is a cascade of two-pole resonators, as in Klatt (1980).
"""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter1d
from scipy.signal import butter, lfilter, sosfilt

from speech import RATE
from voices import Manner, Note, level_to, pitch_contour

BLOCK = 128  # samples between two settings of the tract
STEP_S = BLOCK / RATE
# F1, F2, F3, F4 in Hz of an adult of middle size; each singer moves every one of them.
VOWELS = np.array([[730, 1090, 2440, 3500], [530, 1840, 2480, 3500], [270, 2290, 3010, 3600], [570, 840, 2410, 3300],
                   [300, 870, 2240, 3300], [660, 1720, 2410, 3600], [490, 1350, 1690, 3300], [500, 1500, 2500, 3500],
                   [400, 2000, 2550, 3500], [640, 1190, 2390, 3400], [300, 1700, 2200, 3300]], float)
TABLE = 2048


class GlottalSinger:
    """An invented person; sings open syllables."""

    def __init__(self, manner: Manner, rng: np.random.Generator) -> None:
        self.manner, self.rng = manner, rng
        self.vowels = VOWELS * manner.tract * rng.normal(1, 0.07, VOWELS.shape)
        high = 4500 * manner.tract * rng.uniform(0.9, 1.1) + np.cumsum(rng.uniform(800, 1500, 12))
        self.high = high[high < 17000]
        self.width = rng.uniform(0.6, 1.6)
        self.open_quotient = rng.uniform(0.42, 0.85)
        self.skew = rng.uniform(0.62, 0.85)
        self.closing = rng.uniform(0.004, 0.06)
        self.shimmer = rng.uniform(0.01, 0.12)
        self.growl = rng.uniform(0.1, 0.5) if rng.random() < 0.15 else 0.0
        self.consonants = rng.uniform(0.2, 0.95)
        self.slur = rng.uniform(0.006, 0.035)  # seconds, how fast the tongue moves
        self.sibilant = rng.uniform(4000, 9000)
        self.loss = np.exp(-2 * np.pi * np.exp(rng.uniform(np.log(900), np.log(5000))) / RATE)
        self.legato = rng.random() < 0.3
        # The singer's formant of trained voices, the dull ones of whispery pop: one broad equaliser a singer.
        self.presence = rng.uniform(-3, 9)

    def sing(self, phrase: list[Note]) -> np.ndarray:
        """The phrase as mono audio from its first note's start, RMS of loud parts near 0.1."""
        rng = self.rng
        f0 = pitch_contour(phrase, self.manner, STEP_S, rng)
        formants, voice, air, hiss = self._articulate(phrase, f0)
        source = self._pulses(f0, voice) + self._breath(f0, voice, air)
        # The cascade of so many resonators rings too bright above 5 kHz: real tracts lose there.
        sound = lfilter([1 - self.loss], [1, -self.loss], self._tract(source, formants))
        sound = _bell(sound, 3000 * self.manner.tract, self.presence)
        noise = rng.normal(0, 1, len(sound)) * np.repeat(hiss, BLOCK)
        band = [0.6 * self.sibilant, min(1.6 * self.sibilant, 18000)]
        level = np.sqrt(np.mean(sound ** 2)) + 1e-9
        sound = sound + level * sosfilt(butter(2, band, "band", fs=RATE, output="sos"), noise)
        fade = np.minimum(np.arange(len(sound)), np.arange(len(sound))[::-1]) / 700
        return level_to(sound * np.clip(fade, 0, 1), 0.1)

    def _articulate(self, phrase: list[Note], f0: np.ndarray) -> tuple[np.ndarray, ...]:
        """Per block: formants (blocks, 4) Hz, voicing 0..1, aspiration 0..1, frication 0..1."""
        rng, blocks = self.rng, len(f0)
        formants = np.zeros((blocks, 4))
        voice, air, hiss = np.ones(blocks), np.full(blocks, self.manner.breath), np.zeros(blocks)
        starts = [int((n.start - phrase[0].start) / STEP_S) for n in phrase] + [blocks]
        vowel = self.vowels[rng.integers(len(self.vowels))]
        for note, a, b in zip(phrase, starts, starts[1:]):
            if b <= a:
                continue
            if not (self.legato and rng.random() < 0.6):
                vowel = self.vowels[rng.integers(len(self.vowels))] * rng.normal(1, 0.03, 4)
            formants[a:b] = vowel
            if rng.random() < 0.25:  # a diphthong
                formants[a + int(0.6 * (b - a)):b] = self.vowels[rng.integers(len(self.vowels))]
            voice[a:b] *= 0.35 + 0.65 * note.velocity / 110
            if rng.random() < self.consonants:
                self._consonant(a, b, formants, voice, air, hiss)
        formants = gaussian_filter1d(formants, self.slur / STEP_S, axis=0, mode="nearest")
        formants *= 1 + 0.015 * gaussian_filter1d(rng.normal(0, 1, formants.shape), 12, axis=0) * 12 ** 0.5
        # Singers raise F1 with the pitch, or the vowel would vanish between two harmonics.
        formants[:, 0] = np.maximum(formants[:, 0], 1.02 * f0)
        formants[:, 1] = np.maximum(formants[:, 1], formants[:, 0] + 150)
        return formants, gaussian_filter1d(voice, 2), gaussian_filter1d(air, 3), gaussian_filter1d(hiss, 1.5)

    def _consonant(self, a: int, b: int, formants: np.ndarray, voice: np.ndarray, air: np.ndarray,
                   hiss: np.ndarray) -> None:
        """Writes a random consonant into the first blocks of a syllable."""
        rng = self.rng
        kind = rng.choice(["stop", "fricative", "nasal", "liquid", "breath"])
        length = min(int(rng.uniform(0.04, 0.13) / STEP_S), (b - a) // 2)
        span = slice(a, a + max(1, length))
        if kind == "stop":
            voice[span] *= rng.choice([0.0, 0.15])
            hiss[a + length - min(length, 4):a + length] = rng.uniform(0.3, 1.5)
            formants[span] *= rng.uniform(0.7, 1.2, 4)
        elif kind == "fricative":
            voice[span] *= rng.choice([0.0, 0.0, 0.4])
            hiss[span] = rng.uniform(0.15, 1.2)
        elif kind == "nasal":
            formants[span] = np.array([270, 1100, 2200, 3300]) * self.manner.tract
            voice[span] *= 0.45
        elif kind == "liquid":
            formants[span] = np.array([340, 1150, rng.uniform(1600, 2800), 3300]) * self.manner.tract
            voice[span] *= 0.7
        else:
            voice[span] *= 0.1
            air[span] = rng.uniform(0.5, 1.5)

    def _pulses(self, f0: np.ndarray, voice: np.ndarray) -> np.ndarray:
        """The derivative of the glottal flow, (blocks * BLOCK,)."""
        rng = self.rng
        pitch = np.interp(np.arange(len(f0) * BLOCK) / BLOCK, np.arange(len(f0)), f0)
        phase = np.cumsum(pitch / RATE) + rng.random()
        table = _pulse_table(self.open_quotient, self.skew, self.closing, int(0.45 * RATE / f0.max()))
        wave = np.interp(phase % 1, np.arange(TABLE + 1) / TABLE, table)
        cycle = np.floor(phase).astype(int)
        cycle -= cycle[0]
        loud = 1 + self.shimmer * rng.normal(0, 1, cycle[-1] + 1)
        loud[::2] *= 1 - self.growl
        return wave * loud[cycle] * np.repeat(voice, BLOCK)

    def _breath(self, f0: np.ndarray, voice: np.ndarray, air: np.ndarray) -> np.ndarray:
        """Turbulence, stronger while the glottis is open."""
        noise = lfilter([0.5], [1, -0.5], self.rng.normal(0, 1, len(f0) * BLOCK))
        phase = np.cumsum(np.repeat(f0, BLOCK) / RATE)
        return noise * (0.4 + 0.6 * np.sin(np.pi * (phase % 1)) ** 2) * np.repeat(air * (0.02 + 0.15 * air), BLOCK)

    def _tract(self, source: np.ndarray, formants: np.ndarray) -> np.ndarray:
        widths = self.width * np.array([60, 90, 130, 180, *np.linspace(300, 1800, len(self.high))])
        state = np.zeros((4 + len(self.high), 2))
        out = np.empty_like(source)
        radius = np.exp(-np.pi * widths / RATE)
        sections = np.zeros((len(widths), 6))
        sections[:, 3] = 1
        sections[:, 5] = radius ** 2
        for k, moving in enumerate(formants):
            centre = np.concatenate([moving, self.high])
            sections[:, 4] = -2 * radius * np.cos(2 * np.pi * centre / RATE)
            sections[:, 0] = 1 + sections[:, 4] + sections[:, 5]  # unity at 0 Hz: Klatt's cascade
            span = slice(k * BLOCK, (k + 1) * BLOCK)
            out[span], state = sosfilt(sections, source[span], zi=state)
        return out


def _pulse_table(open_quotient: float, skew: float, closing: float, harmonics: int) -> np.ndarray:
    """One period, TABLE + 1 points, no harmonic above `harmonics` so that nothing aliases."""
    t = np.arange(TABLE) / TABLE
    opening = skew * open_quotient
    growth = 2.5 / open_quotient
    wave = np.exp(growth * t) * np.sin(np.pi * t / opening)
    at_closure = np.exp(growth * open_quotient) * np.sin(np.pi * open_quotient / opening)
    after = t >= open_quotient
    wave[after] = at_closure * np.exp(-(t[after] - open_quotient) / closing)
    spectrum = np.fft.rfft(wave - wave.mean())
    spectrum[harmonics + 1:] = 0
    wave = np.fft.irfft(spectrum)
    wave /= np.sqrt(np.mean(wave ** 2))
    return np.append(wave, wave[0])


def _bell(x: np.ndarray, centre: float, gain_db: float) -> np.ndarray:
    """A broad peaking equaliser (R. Bristow-Johnson's cookbook, Q 0.8)."""
    amplitude, w = 10 ** (gain_db / 40), 2 * np.pi * centre / RATE
    alpha = np.sin(w) / 1.6
    b = [1 + alpha * amplitude, -2 * np.cos(w), 1 - alpha * amplitude]
    a = [1 + alpha / amplitude, -2 * np.cos(w), 1 - alpha / amplitude]
    return lfilter(b, a, x)
