"""Singing: what all singers share (notes, the pitch contour, manners), and speech sung at other pitches.

A singer is drawn at random for each use, so that one utterance never comes back as the same person twice.
`glottal.py` has the singers that need no recording at all.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace

import numpy as np
import pyworld
from scipy.ndimage import gaussian_filter1d
from scipy.signal import lfilter

from speech import AP_BANDS, BANDS, FFT, FRAME_S, NYQUIST, RATE, Utterance, _interpolation


@dataclass(frozen=True)
class Note:
    """One note: start and duration in seconds, pitch in MIDI semitones (60 = middle C), velocity 0..127."""

    start: float
    duration: float
    pitch: float
    velocity: int = 90


@dataclass(frozen=True)
class Manner:
    """How a singer sings; drawn once a singer."""

    tract: float  # formants are multiplied by this: 0.8 large body .. 1.3 child
    breath: float  # 0 clear .. 1 mostly air
    vibrato_hz: float
    vibrato_cents: float
    vibrato_delay: float  # seconds after the note's start
    glide: float  # seconds, time constant from one pitch to the next
    scoop: float  # semitones below the pitch at a phrase's start
    jitter: float  # relative, of f0
    tilt: float  # dB an octave above 500 Hz, added to the recording's own
    brightness: float  # dB an octave lost above the recording's ceiling

    @staticmethod
    def random(rng: np.random.Generator) -> Manner:
        plain = rng.random() < 0.3
        tuned = rng.random() < 0.12  # by a machine: from pitch to pitch at once
        return Manner(tract=float(np.exp(rng.uniform(np.log(0.8), np.log(1.28)))),
                      breath=float(rng.beta(1.2, 4)),
                      vibrato_hz=float(rng.uniform(4.3, 6.8)),
                      vibrato_cents=0.0 if plain or tuned else float(rng.uniform(5, 70)),
                      vibrato_delay=float(rng.uniform(0.05, 0.5)),
                      glide=0.002 if tuned else float(rng.uniform(0.008, 0.07)),
                      scoop=float(rng.choice([0, 0, 0.5, 1, 2]) * rng.random()),
                      jitter=float(rng.uniform(0.001, 0.008)),
                      tilt=float(rng.uniform(-3, 3)),
                      brightness=float(rng.uniform(5, 16)))


def vary(manner: Manner, rng: np.random.Generator) -> Manner:
    """The same singer once more, a little different: for doubles."""
    return replace(manner, tract=manner.tract * rng.uniform(0.97, 1.03),
                   vibrato_hz=manner.vibrato_hz * rng.uniform(0.9, 1.1), glide=manner.glide * rng.uniform(0.8, 1.3))


def phrases(notes: list[Note], gap: float = 0.25) -> list[list[Note]]:
    """Notes split where a singer would breathe: at rests longer than `gap` seconds."""
    out: list[list[Note]] = []
    for note in notes:
        if out and note.start - (out[-1][-1].start + out[-1][-1].duration) < gap:
            out[-1].append(note)
        else:
            out.append([note])
    return out


def pitch_contour(phrase: list[Note], manner: Manner, step: float, rng: np.random.Generator) -> np.ndarray:
    """f0 in Hz every `step` seconds from the phrase's start to its end: glides, scoop, vibrato, drift, jitter."""
    begin, end = phrase[0].start, phrase[-1].start + phrase[-1].duration
    frames = max(2, round((end - begin) / step))
    times = begin + np.arange(frames) * step
    starts = np.array([n.start for n in phrase])
    which = np.clip(np.searchsorted(starts, times, side="right") - 1, 0, len(phrase) - 1)
    target = np.array([n.pitch for n in phrase])[which]
    since = times - starts[which]
    decay = np.exp(-step / max(manner.glide, 1e-3))
    first = target[0] - manner.scoop
    pitch = lfilter([1 - decay], [1, -decay], target, zi=[first * decay])[0]
    swell = np.clip((since - manner.vibrato_delay) / 0.3, 0, 1)
    phase = 2 * np.pi * np.cumsum(np.full(frames, manner.vibrato_hz * step)) + rng.uniform(0, 6.28)
    pitch = pitch + manner.vibrato_cents / 100 * swell * np.sin(phase)
    pitch += gaussian_filter1d(rng.normal(0, 1, frames), 0.15 / step, mode="nearest") * 0.9
    f0 = 440 * 2 ** ((pitch - 69) / 12)
    return f0 * (1 + manner.jitter * gaussian_filter1d(rng.normal(0, 1.5, frames), 1))


class SpeechSinger:
    """Sings with the syllables of a few utterances of one speaker."""

    def __init__(self, utterances: list[Utterance], manner: Manner, rng: np.random.Generator) -> None:
        self.manner = manner
        self.rng = rng
        self.syllables = [s for u in utterances for s in _syllables(u)]
        self.next = int(rng.integers(len(self.syllables)))
        grid = np.arange(FFT // 2 + 1) * RATE / FFT
        self.grid = grid
        self.to_grid = _interpolation(BANDS, np.minimum(grid / manner.tract, NYQUIST))
        self.ap_to_grid = _interpolation(AP_BANDS, np.minimum(grid / manner.tract, NYQUIST))
        octaves = np.log2(np.maximum(grid, 500) / 500)
        self.colour = gaussian_filter1d(rng.normal(0, 1, len(grid)), 25) * 25 ** 0.5 * rng.uniform(0, 5)
        self.colour += manner.tilt * octaves  # dB

    def sing(self, phrase: list[Note]) -> np.ndarray:
        """The phrase as mono audio from its first note's start, RMS of loud parts near 0.1."""
        manner, rng = self.manner, self.rng
        f0 = pitch_contour(phrase, manner, FRAME_S, rng).astype(np.float64)
        frames, begin = len(f0), phrase[0].start
        log_power = np.zeros((frames, len(BANDS)), np.float32)
        aperiodicity = np.zeros((frames, len(AP_BANDS)), np.float32)
        voiced = np.zeros(frames, bool)
        ceiling = NYQUIST
        for note, following in zip(phrase, [*phrase[1:], None]):
            a = round((note.start - begin) / FRAME_S)
            b = frames if following is None else round((following.start - begin) / FRAME_S)
            if b - a < 2:
                continue
            utterance, first, peak, last = self.syllables[self.next % len(self.syllables)]
            self.next += 1
            where = _stretch(b - a, first, peak, last, rng)
            low = np.clip(where.astype(int), 0, len(utterance.f0) - 2)
            part = np.clip(where - low, 0, 1)[:, None]
            log_power[a:b] = (1 - part) * utterance.log_power[low] + part * utterance.log_power[low + 1]
            log_power[a:b] += 0.23 * (note.velocity - 90) / 6
            aperiodicity[a:b] = (1 - part) * utterance.aperiodicity[low] + part * utterance.aperiodicity[low + 1]
            voiced[a:b] = utterance.f0[low] > 0
            ceiling = min(ceiling, utterance.ceiling)
        return self._synthesise(np.where(voiced, f0, 0.0), log_power, aperiodicity, ceiling)

    def _synthesise(self, f0: np.ndarray, log_power: np.ndarray, aperiodicity: np.ndarray,
                    ceiling: float) -> np.ndarray:
        power = log_power @ self.to_grid
        noise = np.clip(aperiodicity @ self.ap_to_grid, 1e-3, 1)
        ceiling = ceiling * min(1.0, self.manner.tract)
        if ceiling < 0.9 * NYQUIST:
            # Air above what the recording held: it falls off smoothly from the last band that is there.
            edge = int(ceiling / NYQUIST * (len(self.grid) - 1))
            level = power[:, edge - 12:edge].mean(axis=1, keepdims=True)
            power[:, edge:] = level - 0.23 * self.manner.brightness * np.log2(self.grid[edge:] / ceiling)
            noise[:, edge:] = np.maximum(noise[:, edge:], 0.6)
        power += 0.23 * self.colour
        breath = self.manner.breath
        noise = np.clip(noise + breath * (1 - noise) * np.clip(self.grid / 6000, 0, 1) ** 0.7, 1e-3, 1)
        fade = np.minimum(np.minimum(np.arange(len(f0)) + 1, 4) / 4, np.minimum(np.arange(len(f0))[::-1] + 1, 8) / 8)
        power += 2 * np.log(fade)[:, None]
        audio = pyworld.synthesize(f0, np.exp(power.astype(np.float64)), noise.astype(np.float64), RATE,
                                   FRAME_S * 1000)
        return level_to(audio, 0.1)


def level_to(audio: np.ndarray, rms: float) -> np.ndarray:
    """Scaled so that the loud half of the signal has this RMS; silence stays silence."""
    energy = gaussian_filter1d(audio[::32] ** 2, 40)
    loud = energy[energy > 0.1 * energy.max()] if energy.size and energy.max() > 0 else np.array([1.0])
    return (audio * rms / np.sqrt(loud.mean() + 1e-12)).astype(np.float32)


def _syllables(utterance: Utterance) -> list[tuple[Utterance, int, int, int]]:
    """(utterance, first, peak, last) frames: voiced loudness peaks at least 100 ms apart, cut at the dips between."""
    band = (BANDS > 200) & (BANDS < 4000)
    loud = np.log(np.exp(utterance.log_power[:, band].astype(np.float32)).sum(axis=1) + 1e-9)
    loud = gaussian_filter1d(loud, 4)
    score = np.where(utterance.f0 > 0, loud, -99)
    peaks: list[int] = []
    for frame in np.argsort(-score):
        if score[frame] < loud.max() - 5:
            break
        if all(abs(frame - p) >= 20 for p in peaks):
            peaks.append(int(frame))
    peaks.sort()
    edges = [0] + [p + int(np.argmin(loud[p:q])) for p, q in itertools.pairwise(peaks)] + [len(loud) - 1]
    out = [(utterance, a, p, b) for a, p, b in zip(edges, peaks, edges[1:]) if b - a >= 6]
    return out or [(utterance, 0, len(loud) // 2, len(loud) - 1)]


def _stretch(frames: int, first: int, peak: int, last: int, rng: np.random.Generator) -> np.ndarray:
    """Where in the utterance each of `frames` reads: consonants at their own speed, the vowel held as needed."""
    attack = min(peak - first, int(0.45 * frames))
    release = min(last - peak, int(0.3 * frames))
    hold = frames - attack - release
    wander = np.abs(np.cumsum(rng.normal(0, 0.25, hold))) % 8
    held = peak + np.minimum(wander, max(0, last - peak - 1))
    start = held[0] if hold else peak
    end = held[-1] if hold else peak
    return np.concatenate([np.linspace(first, start, attack, endpoint=False), held, np.linspace(end, last, release)])
