"""Songs whose sound is known, in sessions without a browser's upload, and what is measured of the sound."""
import numpy as np

from ..audio import RATE, wav
from ..stemwire_client import Config, separate

STEMS = ["vocals", "other"]

# A tone that is heard every quarter of a second.
TONE_HZ, BEAT = 440.0, RATE // 4


def tones(seconds: float) -> np.ndarray:
    time = np.arange(int(seconds * RATE))
    tone = np.sin(2 * np.pi * TONE_HZ * time / RATE) * (0.05 + 0.35 * (time % BEAT < BEAT // 2))
    return np.stack([tone, tone], axis=1).astype(np.float32)


def session(server, audio: np.ndarray) -> str:
    """The id of a session of this song."""
    result = separate(server.stub, wav(audio), Config(stems=STEMS, file_name="song.wav"))
    return result.session.session_id


def open_song(browse, server, session_id: str, **options):
    """The page with a session that is done."""
    page = browse(server, **options).visit(f"/#{session_id}")
    page.wait_done()
    return page


def spectrum_peak(sound: np.ndarray) -> float:
    """The strongest frequency, in Hz."""
    levels = np.abs(np.fft.rfft(sound * np.hanning(len(sound)), 8 * len(sound)))
    return float(np.argmax(levels)) * RATE / (8 * len(sound))


def period(sound: np.ndarray) -> float:
    """The period of the loudness, in seconds."""
    loudness = np.convolve(np.abs(sound), np.ones(441) / 441, "same")
    loudness = loudness - loudness.mean()
    likeness = np.fft.irfft(np.abs(np.fft.rfft(loudness, 2 * len(loudness))) ** 2)[: len(loudness)]
    least = RATE // 10
    return (least + int(np.argmax(likeness[least : RATE * 6 // 10]))) / RATE
