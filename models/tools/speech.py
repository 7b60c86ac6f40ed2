"""The bank of spoken utterances: text-to-speech in many voices, analysed once by WORLD.

An utterance is three tracks at 5 ms: f0 in Hz (0 where unvoiced), log power spectrum at the BANDS frequencies,
aperiodicity (0 periodic .. 1 noise) at the AP_BANDS frequencies. `voices.py` sings them at other pitches. There are three banks:
"train" and "natural" for what is learned from, "test" for what is not. Voices under a licence that passes to copies of their
recordings (GPL) speak only in the last.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyworld
import soundfile
from scipy.signal import resample_poly

RATE = 44100
FRAME_S = 0.005
FFT = 2048
NYQUIST = RATE / 2


def _warped(count: int) -> np.ndarray:
    """`count` frequencies in Hz from 0 to Nyquist, dense below 1 kHz as the ear's own scale is."""
    mel = np.linspace(0, 2595 * np.log10(1 + NYQUIST / 700), count)
    return 700 * (10 ** (mel / 2595) - 1)


BANDS = _warped(128)
AP_BANDS = _warped(20)

# espeak-ng voices of Latin script, so that every one can read the invented words below.
TRAIN_LANGUAGES = ("en-us en-gb en-gb-scotland es es-419 fr-fr it pt pt-br nl sv da nb pl ro hu tr id sw eo "
                   "fi et lv hr sk").split()
TEST_LANGUAGES = "de cs cy eu vi lt".split()
TRAIN_VARIANTS = ("f1 f2 f4 m1 m2 m3 m5 m6 m7 Alex Alicia Andy Annie Denis Diogo Gene Hugo Jacky Lee Marco Mario "
                  "Michael Mike adam anika antonio aunty belinda benjamin boris caleb david ed edward gustave iven "
                  "john kaukovalta klatt klatt2 klatt4 linda max michel miguel pablo paul quincy rob sandro shelby "
                  "steph travis victor").split()
TEST_VARIANTS = "f3 f5 m4 m8 Andrea Henrique Storm grandma norbert robert steph3 klatt3 zac marcelo".split()
TRAIN_FLITE = ("kal16", "awb", "rms", "slt")
# Free of conditions on copies, or LGPL: in the training bank. See README.md for each licence.
TRAIN_FESTIVAL = ("kal_diphone", "ked_diphone", "cmu_us_slt_arctic_hts", "upc_ca_ona_hts", "suo_fi_lj_diphone",
                  "hy_fi_mv_diphone")
TEST_FESTIVAL = ("czech_dita", "czech_krb", "czech_machac", "czech_ph", "pc_diphone", "lp_diphone")
BANKS = ("train", "test", "natural")
NATURAL = 40  # speakers of kokoro.py, two utterances each


@dataclass
class Utterance:
    """One analysed utterance; tracks of equal length at FRAME_S."""

    speaker: str
    f0: np.ndarray  # (frames,) Hz, 0 = unvoiced
    log_power: np.ndarray  # (frames, len(BANDS)) natural log of power
    aperiodicity: np.ndarray  # (frames, len(AP_BANDS)) 0..1
    ceiling: float  # Hz; above it the recording held nothing


def invented_text(rng: np.random.Generator, syllables: int) -> str:
    """Pronounceable words in no language: open syllables mostly, as sung words tend to be."""
    onsets = "b d f g h j k l m n p r s t v w z br dr fl gr kl pl sh st tr".split() + [""] * 3
    vowels = "a e i o u a e o ai ou".split()
    words, word = [], ""
    for _ in range(syllables):
        word += rng.choice(onsets) + rng.choice(vowels)
        if rng.random() < 0.2:
            word += rng.choice(list("lmnrst"))
        if rng.random() < 0.5:
            words.append(word)
            word = ""
    return " ".join([*words, word]).strip()


def _speak(speaker: str, text: str, rng: np.random.Generator, out: Path) -> None:
    """Writes `text` as a wav file; `speaker` is engine:voice."""
    engine, voice = speaker.split(":", 1)
    if engine == "espeak":
        speed, pitch = rng.integers(95, 170), rng.integers(20, 90)
        subprocess.run(["espeak-ng", "-v", voice, "-s", str(speed), "-p", str(pitch), "-w", out, text],
                       check=True, capture_output=True)
    elif engine == "kokoro":
        # Loads a model that the other engines do not need.
        import kokoro

        soundfile.write(out, kokoro.speak(voice, text, float(rng.uniform(0.6, 1.0))), kokoro.RATE)
    elif engine == "flite":
        subprocess.run(["flite", "-voice", voice, "-t", text, "-o", out], check=True, capture_output=True)
    else:
        scheme = (f'(voice_{voice})\n(utt.save.wave (utt.synth (Utterance Text "{text}")) "{out}" \'riff)\n')
        subprocess.run(["festival", "--pipe"], input=scheme.encode(), check=True, capture_output=True)


def analyse(signal: np.ndarray, rate: int, speaker: str) -> Utterance:
    """WORLD's tracks of a mono recording, trimmed of silence at both ends."""
    ceiling = 0.92 * rate / 2
    x = resample_poly(signal, RATE, rate) if rate != RATE else signal
    x = np.ascontiguousarray(x, dtype=np.float64)
    loud = np.flatnonzero(np.abs(x) > 0.02 * np.abs(x).max())
    x = x[max(0, loud[0] - 400):loud[-1] + 400]
    # A trace of noise keeps the log spectrum finite where the synthesiser is digitally silent.
    x = x / np.abs(x).max() * 0.7 + np.random.default_rng(1).normal(0, 1e-5, len(x))
    f0, times = pyworld.dio(x, RATE, f0_floor=65, f0_ceil=600, frame_period=FRAME_S * 1000)
    f0 = pyworld.stonemask(x, f0, times, RATE)
    power = pyworld.cheaptrick(x, f0, times, RATE, fft_size=FFT)
    aperiodicity = pyworld.d4c(x, f0, times, RATE, fft_size=FFT)
    grid = np.arange(FFT // 2 + 1) * RATE / FFT
    log_power = np.log(power + 1e-14)
    to_bands = _interpolation(grid, BANDS)
    to_ap = _interpolation(grid, AP_BANDS)
    return Utterance(speaker, f0.astype(np.float32), (log_power @ to_bands).astype(np.float16),
                     (aperiodicity @ to_ap).astype(np.float16), ceiling)


def _interpolation(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Matrix (len(source), len(target)) of linear interpolation from one frequency axis to another."""
    position = np.interp(target, source, np.arange(len(source)))
    low = np.minimum(position.astype(int), len(source) - 2)
    matrix = np.zeros((len(source), len(target)), dtype=np.float32)
    columns = np.arange(len(target))
    matrix[low, columns] = 1 - (position - low)
    matrix[low + 1, columns] = position - low
    return matrix


def _cast(split: str, rng: np.random.Generator) -> list[str]:
    """The speakers of a bank, one entry an utterance."""
    if split == "natural":
        import kokoro

        return [f"kokoro:{v}" for v in kokoro.speakers(NATURAL, rng) for _ in range(2)]
    train = split == "train"
    languages, variants = (TRAIN_LANGUAGES, TRAIN_VARIANTS) if train else (TEST_LANGUAGES, TEST_VARIANTS)
    flites, festivals = (TRAIN_FLITE, TRAIN_FESTIVAL) if train else ((), TEST_FESTIVAL)
    cast = [f"flite:{v}" for v in flites for _ in range(12)]
    cast += [f"festival:{v}" for v in festivals for _ in range(10)]
    for k in range(220 if train else 60):
        cast.append(f"espeak:{rng.choice(languages)}+{variants[k % len(variants)]}")
    return cast


def make_bank(split: str, seed: int, folder: Path) -> None:
    """Writes `folder/speech-{split}.npz`; a voice that is not installed is left out, and said so."""
    rng = np.random.default_rng([seed, 17 + BANKS.index(split)])
    utterances: list[Utterance] = []
    for speaker in _cast(split, rng):
        text = invented_text(rng, int(rng.integers(9, 16)))
        with tempfile.TemporaryDirectory() as scratch:
            out = Path(scratch) / "speech.wav"
            try:
                _speak(speaker, text, rng, out)
                signal, rate = soundfile.read(out)
                utterance = analyse(signal, rate, speaker)
            except (subprocess.CalledProcessError, OSError, IndexError, ValueError) as error:
                print(f"left out {speaker}: {error}")
                continue
        if np.mean(utterance.f0 > 0) > 0.2:  # whispers cannot carry a tune
            utterances.append(utterance)
    save_bank(utterances, folder / f"speech-{split}.npz")
    print(f"{split}: {len(utterances)} utterances of {len({u.speaker for u in utterances})} speakers")


def save_bank(utterances: list[Utterance], path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, f0=np.concatenate([u.f0 for u in utterances]),
             log_power=np.concatenate([u.log_power for u in utterances]),
             aperiodicity=np.concatenate([u.aperiodicity for u in utterances]),
             ends=np.cumsum([len(u.f0) for u in utterances]),
             about=json.dumps([[u.speaker, u.ceiling] for u in utterances]))


def load_bank(path: Path) -> list[Utterance]:
    bank = np.load(path)
    f0, log_power, aperiodicity, ends = (bank[k] for k in ("f0", "log_power", "aperiodicity", "ends"))
    starts = np.concatenate([[0], ends[:-1]])
    return [Utterance(speaker, f0[a:b], log_power[a:b], aperiodicity[a:b], ceiling)
            for (speaker, ceiling), a, b in zip(json.loads(str(bank["about"])), starts, ends)]


if __name__ == "__main__":
    import argparse

    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("folder", type=Path)
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--banks", nargs="+", choices=BANKS, default=BANKS)
    options = arguments.parse_args()
    for name in options.banks:
        make_bank(name, options.seed, options.folder)
