"""Production: what happens to stems between the instrument and the record. Stereo is (2, frames) float32."""

from __future__ import annotations

import io
import subprocess
import tempfile

import numpy as np
import soundfile
from scipy.ndimage import maximum_filter1d, uniform_filter1d
from scipy.signal import butter, fftconvolve, lfilter, sosfilt

from speech import RATE


def bell(x: np.ndarray, centre: float, gain_db: float, q: float) -> np.ndarray:
    """A peaking equaliser (R. Bristow-Johnson's cookbook)."""
    amplitude, w = 10 ** (gain_db / 40), 2 * np.pi * centre / RATE
    alpha = np.sin(w) / (2 * q)
    b = [1 + alpha * amplitude, -2 * np.cos(w), 1 - alpha * amplitude]
    a = [1 + alpha / amplitude, -2 * np.cos(w), 1 - alpha / amplitude]
    return lfilter(b, a, x).astype(np.float32)


def random_eq(x: np.ndarray, rng: np.random.Generator, depth_db: float = 5.0) -> np.ndarray:
    """Two or three broad bells; now and then the top or the bottom is cut."""
    for _ in range(int(rng.integers(1, 4))):
        x = bell(x, float(np.exp(rng.uniform(np.log(80), np.log(12000)))), float(rng.normal(0, depth_db / 2)),
                 float(rng.uniform(0.4, 1.4)))
    if rng.random() < 0.15:
        x = sosfilt(butter(1, float(rng.uniform(3500, 12000)), "low", fs=RATE, output="sos"), x).astype(np.float32)
    return x


def highpass(x: np.ndarray, frequency: float) -> np.ndarray:
    return sosfilt(butter(2, frequency, "high", fs=RATE, output="sos"), x).astype(np.float32)


def compress(x: np.ndarray, threshold_db: float, ratio: float, attack_s: float = 0.01,
             release_s: float = 0.12) -> np.ndarray:
    """A feed-forward compressor; its detector runs on blocks of 64 samples."""
    block = 64
    frames = x.shape[-1]
    power = np.maximum(x[0], x[1]) if x.shape[0] > 2 else np.abs(x).max(axis=0)
    peaks = np.pad(power, (0, -frames % block)).reshape(-1, block).max(axis=1)
    level, state = np.empty_like(peaks), 0.0
    rise, fall = np.exp(-block / RATE / attack_s), np.exp(-block / RATE / release_s)
    for k, p in enumerate(peaks.tolist()):
        state = p + (state - p) * (rise if p > state else fall)
        level[k] = state
    over = np.maximum(0, 20 * np.log10(level + 1e-9) - threshold_db)
    gain = 10 ** (-over * (1 - 1 / ratio) / 20)
    return (x * np.interp(np.arange(frames) / block, np.arange(len(gain)), gain)).astype(np.float32)


def saturate(x: np.ndarray, drive_db: float) -> np.ndarray:
    """Soft clipping at the same loudness."""
    peak = np.abs(x).max() + 1e-9
    drive = 10 ** (drive_db / 20)
    y = np.tanh(drive * x / peak)
    return (y * np.sqrt(np.mean(x ** 2) / (np.mean(y ** 2) + 1e-12))).astype(np.float32)


def reverb(x: np.ndarray, rng: np.random.Generator, wet: float, seconds: float | None = None) -> np.ndarray:
    """Adds a random room: decaying noise, darker as it decays, different left and right."""
    seconds = seconds or float(np.exp(rng.uniform(np.log(0.25), np.log(2.5))))
    t = np.arange(int(1.2 * seconds * RATE)) / RATE
    room = rng.normal(0, 1, (2, len(t))) * np.exp(-6.9 * t / seconds)
    dark = lfilter([0.15], [1, -0.85], room)
    room = room * np.exp(-t / (0.35 * seconds)) + 2 * dark
    room[1] += rng.uniform(0, 1) * room[0]
    room = np.pad(room, ((0, 0), (int(rng.uniform(0, 0.05) * RATE), 0)))
    room /= np.sqrt((room ** 2).sum(axis=1, keepdims=True))
    mid = highpass(x.mean(axis=0, keepdims=True), 180)
    tail = fftconvolve(np.repeat(mid, 2, axis=0), room, axes=1)[:, :x.shape[1]]
    return (x + wet * tail).astype(np.float32)


def delay(x: np.ndarray, seconds: float, wet: float, rng: np.random.Generator) -> np.ndarray:
    """Echoes, each darker than the last, from side to side or in the middle."""
    out, echo = x.copy(), x.mean(axis=0)
    step = int(seconds * RATE)
    swing = rng.uniform(0, 0.8)
    for k in range(1, 5):
        echo = lfilter([0.4], [1, -0.6], echo) * (wet if k == 1 else 0.5)
        if k * step >= x.shape[1]:
            break
        for side in (0, 1):
            out[side, k * step:] += (1 + swing * (-1) ** (k + side)) * echo[:-k * step]
    return out.astype(np.float32)


def pan(x: np.ndarray, place: float) -> np.ndarray:
    """A mono signal (frames,) placed at -1 left .. 1 right with constant power."""
    angle = (place + 1) * np.pi / 4
    return np.stack([x * np.cos(angle), x * np.sin(angle)]).astype(np.float32)


def set_width(x: np.ndarray, side_db: float) -> np.ndarray:
    """Scales the side signal down to `side_db` below the mid; never widens."""
    mid, side = x.mean(axis=0), (x[0] - x[1]) / 2
    scale = min(1.0, np.sqrt(np.mean(mid ** 2) / (np.mean(side ** 2) + 1e-12)) * 10 ** (side_db / 20))
    return np.stack([mid + scale * side, mid - scale * side]).astype(np.float32)


def set_level(x: np.ndarray, rms_db: float) -> np.ndarray:
    """Scales so that the RMS of the sounding parts is `rms_db` below full scale."""
    energy = uniform_filter1d((x[:, ::64] ** 2).mean(axis=0), 300)
    if energy.max() <= 1e-12:
        return x
    loud = energy[energy > 0.05 * energy.max()].mean()
    return (x * 10 ** (rms_db / 20) / np.sqrt(loud)).astype(np.float32)


def duck(x: np.ndarray, trigger_times: list[float], depth: float, seconds: float) -> np.ndarray:
    """Side-chain: lower after every trigger, as if a kick drove a compressor."""
    gain = np.ones(x.shape[1], np.float32)
    dip = 1 - depth * np.exp(-np.arange(int(3 * seconds * RATE)) / RATE / seconds).astype(np.float32)
    for t in trigger_times:
        a = int(t * RATE)
        span = gain[a:a + len(dip)]
        np.minimum(span, dip[:len(span)], out=span)
    return x * gain


def telephone(x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Only what a small speaker passes on."""
    band = [float(rng.uniform(180, 500)), float(rng.uniform(2500, 5000))]
    return sosfilt(butter(2, band, "band", fs=RATE, output="sos"), x).astype(np.float32)


def chorus(x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Adds each side once more, later by some milliseconds that wander; with little wandering a wide double."""
    at = np.arange(x.shape[1])
    out = x.copy()
    for side in (0, 1):
        late = rng.uniform(0.006, 0.028) + rng.uniform(0, 0.003) * np.sin(2 * np.pi * rng.uniform(0.1, 1.5) * at / RATE)
        out[side] += rng.uniform(0.2, 0.7) * np.interp(at - late * RATE, at, x[side], left=0)
    return out.astype(np.float32)


def mp3(stems: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Each stem (stems, 2, frames) coded and decoded at one quality, between about 160 and 300 kbit/s."""
    quality = float(rng.uniform(0.1, 0.5))
    out = np.empty_like(stems)
    for coded, stem in zip(out, stems):
        file = io.BytesIO()
        soundfile.write(file, stem.T, RATE, format="MP3", subtype="MPEG_LAYER_III", compression_level=quality,
                        bitrate_mode="CONSTANT")
        file.seek(0)
        coded[:] = soundfile.read(file, dtype="float32")[0].T
    return out


def aac(stems: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The same by ffmpeg's AAC, between 96 and 256 kbit/s; what its coder puts in front is gone."""
    rate = f"{int(rng.uniform(96, 256))}k"
    raw = ["-f", "f32le", "-ar", str(RATE), "-ac", "2"]
    out = np.zeros_like(stems)
    for coded, stem in zip(out, stems):
        sound = np.ascontiguousarray(stem.T, dtype="<f4").tobytes()
        with tempfile.NamedTemporaryFile(suffix=".m4a") as file:
            quiet = ["ffmpeg", "-v", "error", "-y"]
            subprocess.run([*quiet, *raw, "-i", "-", "-c:a", "aac", "-b:a", rate, file.name], input=sound, check=True)
            decoded = subprocess.run([*quiet, "-i", file.name, *raw, "-"], stdout=subprocess.PIPE, check=True).stdout
        frames = np.frombuffer(decoded, "<f4").reshape(-1, 2).T[:, :stem.shape[1]]
        coded[:, :frames.shape[1]] = frames
    return out


def master(stems: np.ndarray, drive_db: float) -> np.ndarray:
    """A look-ahead limiter on the sum: one gain for all stems (4, 2, frames), so that they still add to the mix."""
    mix = stems.sum(axis=0)
    peak = np.abs(mix).max(axis=0)
    ceiling = np.quantile(peak, 0.9999) * 10 ** (-drive_db / 20) + 1e-9
    need = np.minimum(1, ceiling / (maximum_filter1d(peak, 441) + 1e-9))
    gain = uniform_filter1d(need, 441)
    return np.clip(stems * (gain * 0.89 / ceiling), -1, 1).astype(np.float32)
