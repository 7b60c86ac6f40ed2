"""Sound sources for notes: the General MIDI sound font through fluidsynth, and two small synthesisers beside it."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

import mido
import numpy as np
import soundfile
from scipy.signal import butter, sosfilt

from drums import CLAP, HAT, KICK, OPEN, PEDAL, SNARE, STICK, TOMS
from music import Part
from speech import RATE
from voices import Note

TICKS_A_SECOND = 1920
TAIL_S = 2.5


def render_font(parts: list[Part], seconds: float, font: Path) -> list[np.ndarray]:
    """Each part alone, stereo (2, frames), dry.

    All parts are played one after the other in one run, because loading the sound font costs more than playing.
    """
    pitch = seconds + TAIL_S
    track = mido.MidiTrack()
    events: list[tuple[int, int, mido.Message]] = []
    for index, part in enumerate(parts):
        channel = 9 if part.role == "drums" else 0
        begin = int(index * pitch * TICKS_A_SECOND)
        events.append((begin, 0, mido.Message("program_change", channel=channel, program=part.program)))
        for n in part.notes:
            on = begin + int(n.start * TICKS_A_SECOND) + 2
            off = on + max(1, int(n.duration * TICKS_A_SECOND))
            key = int(np.clip(round(n.pitch), 0, 127))
            events.append((on, 2, mido.Message("note_on", channel=channel, note=key, velocity=n.velocity)))
            events.append((min(off, begin + int(seconds * TICKS_A_SECOND)), 1,
                           mido.Message("note_off", channel=channel, note=key)))
    now = 0
    for tick, _, message in sorted(events, key=lambda e: e[:2]):
        track.append(message.copy(time=tick - now))
        now = tick
    midi = mido.MidiFile(ticks_per_beat=960, tracks=[track])  # at the default 120 beats a minute
    frames, stride = int(seconds * RATE), int(pitch * RATE)
    with tempfile.TemporaryDirectory() as scratch:
        midi.save(f"{scratch}/song.mid")
        subprocess.run(["fluidsynth", "-niq", "-o", "synth.dynamic-sample-loading=1", "-g", "0.3", "-R", "0", "-C", "0",
                        "-r", str(RATE), "-O", "float", "-T", "wav", "-F", f"{scratch}/song.wav", str(font), f"{scratch}/song.mid"],
                       check=True, capture_output=True)
        audio = soundfile.read(f"{scratch}/song.wav", dtype="float32", always_2d=True)[0].T
    audio = np.pad(audio, ((0, 0), (0, max(0, len(parts) * stride + RATE - audio.shape[1]))))
    return [audio[:, k * stride:k * stride + frames] for k in range(len(parts))]


def render_oscillators(part: Part, seconds: float, rng: np.random.Generator) -> np.ndarray:
    """A subtractive synthesiser with one random patch, stereo (2, frames): sines, pulses and saws, alias-free."""
    out = np.zeros((2, int(seconds * RATE) + RATE), np.float32)
    slope, odd = rng.uniform(0.6, 2.2), rng.random() < 0.35
    attack, release = rng.choice([0.003, 0.01, 0.08]), rng.uniform(0.02, 0.3)
    decay, sustain = rng.uniform(0.1, 1.5), rng.uniform(0.2, 1.0)
    cutoff, sweep = rng.uniform(2, 14), rng.uniform(0, 25)
    detune = rng.choice([0, 0.06, 0.12]) if part.stem == "other" else 0.0
    for n in part.notes:
        frames = int((n.duration + 3 * release) * RATE)
        t = np.arange(frames, dtype=np.float32) / RATE
        envelope = np.minimum(t / attack, 1) * (sustain + (1 - sustain) * np.exp(-t / decay))
        envelope *= np.exp(-np.maximum(0, t - n.duration) / release)
        brightness = cutoff + sweep * np.exp(-t / decay)
        start = int(n.start * RATE)
        for side, cents in enumerate((-detune, detune) if detune else (0.0,)):
            f = 440 * 2 ** ((n.pitch + cents - 69) / 12)
            turn = np.exp(1j * (2 * np.pi * f * np.arange(frames) / RATE + rng.uniform(0, 6.28))).astype(np.complex64)
            wave, harmonic = np.zeros(frames, np.float32), np.ones(frames, np.complex64)
            for k in range(1, min(24, int(16000 / f)) + 1):
                harmonic *= turn
                if not (odd and k % 2 == 0):
                    wave += harmonic.imag * np.float32(k ** -slope) * np.exp(-((k - 1) / brightness) ** 2)
            wave = (wave * envelope * n.velocity / 127 * 0.1)[:out.shape[1] - start]
            sides = (side,) if detune else (0, 1)
            for s in sides:
                out[s, start:start + len(wave)] += wave
    return out[:, :int(seconds * RATE)]


def render_drum_machine(notes: list[Note], seconds: float, rng: np.random.Generator) -> np.ndarray:
    """An analogue drum machine with one random setting a song, stereo (2, frames)."""
    out = np.zeros((2, int(seconds * RATE) + 3 * RATE), np.float32)
    sounds = {key: _drum(key, rng) for key in {int(n.pitch) for n in notes}}
    pans = {key: 0.0 if key in (KICK, SNARE, 40, CLAP) else rng.uniform(-0.6, 0.6) for key in sounds}
    for n in notes:
        sound, pan, start = sounds[int(n.pitch)], pans[int(n.pitch)], int(n.start * RATE)
        hit = sound * (n.velocity / 127) ** 1.5
        out[0, start:start + len(hit)] += hit * np.sqrt((1 - pan) / 2)
        out[1, start:start + len(hit)] += hit * np.sqrt((1 + pan) / 2)
    return out[:, :int(seconds * RATE)]


def _drum(key: int, rng: np.random.Generator) -> np.ndarray:
    """One hit, mono, peak near 1."""
    t = np.arange(int(1.2 * RATE)) / RATE
    noise = rng.normal(0, 0.4, len(t))

    def tone(f: float, drop: float, fall: float, ring: float) -> np.ndarray:
        return np.sin(2 * np.pi * np.cumsum(f * (1 + drop * np.exp(-t / fall))) / RATE) * np.exp(-t / ring)

    def band(low: float, high: float, ring: float) -> np.ndarray:
        return sosfilt(butter(2, [low, high], "band", fs=RATE, output="sos"), noise) * np.exp(-t / ring)

    if key in (KICK, 35):
        sound = tone(rng.uniform(42, 65), rng.uniform(2, 7), rng.uniform(0.008, 0.04), rng.uniform(0.06, 0.4))
        sound += rng.uniform(0, 0.6) * band(1500, 9000, 0.006)
    elif key in (SNARE, 40, STICK):
        sound = rng.uniform(0.2, 0.8) * tone(rng.uniform(150, 260), 0.6, 0.02, rng.uniform(0.04, 0.15))
        sound += 1.5 * band(rng.uniform(300, 1500), 12000, rng.uniform(0.05, 0.2))
    elif key == CLAP:
        sound = sum(np.roll(band(700, 5000, 0.01 if k < 3 else 0.12), int(k * 0.011 * RATE)) for k in range(4)) * 1.2  # type: ignore[assignment]
    elif key in TOMS:
        sound = tone(70 + 12 * (key - 41), 0.7, 0.05, rng.uniform(0.1, 0.35))
    else:
        ring = {HAT: 0.03, PEDAL: 0.03, OPEN: 0.25, 49: 0.6, 51: 0.4}.get(key, 0.06) * rng.uniform(0.6, 1.6)
        sound = band(rng.uniform(4500, 8500), 18000, ring)
    return (sound / (np.abs(sound).max() + 1e-9)).astype(np.float32)
