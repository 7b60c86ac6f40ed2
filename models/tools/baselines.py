"""Separators that have learned nothing, for comparison: each gives stems (4, 2, frames) of a mix (2, frames)."""

from __future__ import annotations

import librosa
import numpy as np

RATE = 44100
SIZE, HOP = 4096, 1024
VOCALS = 3
VOICE_HZ = (250, 5000)
CONTEXT_S = 2  # a repetition is sought farther away than this


def mixture(mix: np.ndarray) -> np.ndarray:
    """The mixture as every stem."""
    return np.repeat(mix[None], 4, axis=0)


def best_gain(mix: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """The mixture at the one gain that is best for this very excerpt and stem, which is unknown in practice."""
    gains = (truth * mix).sum(axis=(1, 2), keepdims=True) / ((mix ** 2).sum() + 1e-9)
    return gains * mix


def mid_channel(mix: np.ndarray) -> np.ndarray:
    """What both sides share between 250 and 5000 Hz as the voice, a third of the rest as every other stem."""
    spectrum = _spectrum(mix)
    heights = librosa.fft_frequencies(sr=RATE, n_fft=SIZE)
    band = (heights >= VOICE_HZ[0]) & (heights <= VOICE_HZ[1])
    voice = np.repeat(spectrum.mean(axis=0, keepdims=True), 2, axis=0) * band[:, None]
    return _stems(mix, _waveform(voice, mix.shape[1]))


def repet_centre(mix: np.ndarray) -> np.ndarray:
    """REPET-SIM times a mask of the stereo centre (Rafii and Pardo 2012): what neither repeats nor lies aside is the voice."""
    spectrum = _spectrum(mix)
    level = np.abs(spectrum).mean(axis=0)
    width = int(librosa.time_to_frames(CONTEXT_S, sr=RATE, hop_length=HOP))
    repeats = librosa.decompose.nn_filter(level, aggregate=np.median, metric="cosine", width=width)
    repeats = np.minimum(level, repeats)
    foreground = librosa.util.softmask(level - repeats, 2 * repeats, power=2)
    left, right = spectrum
    apart = np.abs(left - right) / (np.abs(left) + np.abs(right) + 1e-9)
    centre = np.clip(1 - apart, 0, 1) ** 2
    heights = librosa.fft_frequencies(sr=RATE, n_fft=SIZE)
    mask = foreground * centre * (heights >= 100)[:, None]
    return _stems(mix, _waveform(spectrum * mask, mix.shape[1]))


def _stems(mix: np.ndarray, voice: np.ndarray) -> np.ndarray:
    rest = (mix - voice) / 3
    return np.stack([rest, rest, rest, voice])


def _spectrum(mix: np.ndarray) -> np.ndarray:
    return np.stack([librosa.stft(channel, n_fft=SIZE, hop_length=HOP) for channel in mix])


def _waveform(spectrum: np.ndarray, frames: int) -> np.ndarray:
    return np.stack([librosa.istft(side, hop_length=HOP, length=frames) for side in spectrum])
