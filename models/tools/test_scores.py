"""Scores of whole songs, held against what is known of the stems that they are given.

    make test-models
"""
import numpy as np
import pytest

from scores import RATE, STEMS, sample, score_song

FRAMES = 30 * RATE


@pytest.fixture(scope="module")
def truth() -> dict[str, np.ndarray]:
    """Noise at 0.1; the voice is silent in its second third."""
    rng = np.random.default_rng(1)
    stems = {stem: rng.normal(0, 0.1, (2, FRAMES)).astype(np.float32) for stem in STEMS}
    stems["vocals"][:, 10 * RATE:20 * RATE] = 0
    return stems


def test_an_error_of_a_tenth_is_20_db_and_silence_is_no_window(truth: dict[str, np.ndarray]) -> None:
    found = np.stack([1.1 * truth[stem] for stem in STEMS])
    score = score_song(truth, lambda mix: found)
    for stem in STEMS:
        assert score.stems[stem].whole == pytest.approx(20, abs=0.01)
        assert score.stems[stem].median == pytest.approx(20, abs=0.01)
    assert score.stems["drums"].gain == pytest.approx(20 + 10 * np.log10(2 + 2 / 3), abs=0.1), "the others' energy was the error"
    assert score.unsung_s == 10 and score.leak is not None and score.leak < -80


def test_what_is_taken_for_a_voice_where_there_is_none_is_a_leak(truth: dict[str, np.ndarray]) -> None:
    found = np.stack([truth[stem] for stem in STEMS])
    found[3] += 0.1 * (truth["drums"] + truth["bass"] + truth["other"])
    assert score_song(truth, lambda mix: found).leak == pytest.approx(-20, abs=0.1)


def test_bass_and_other_that_are_known_as_one_are_scored_as_one(truth: dict[str, np.ndarray]) -> None:
    merged = {"drums": truth["drums"], "bass_and_other": truth["bass"] + truth["other"], "vocals": truth["vocals"]}
    swapped = np.stack([truth[stem] for stem in ("drums", "other", "bass", "vocals")])
    score = score_song(merged, lambda mix: swapped)
    assert list(score.stems) == list(merged) and score.stems["bass_and_other"].whole > 60


def test_a_silent_stem_has_no_score_and_voice_counts_twice_in_the_total(truth: dict[str, np.ndarray]) -> None:
    stems = {**truth, "bass": 0 * truth["bass"]}
    gains = np.array([1.1, 1, 1.1, 1.01], np.float32)[:, None, None]
    score = score_song(stems, lambda mix: gains * np.stack([stems[stem] for stem in STEMS]))
    assert list(score.stems) == ["drums", "other", "vocals"]
    assert score.total() == pytest.approx((20 + 20 + 2 * 40) / 4, abs=0.01)


def test_a_sample_of_a_song_is_every_third_window(truth: dict[str, np.ndarray]) -> None:
    assert (sample(truth)["drums"] == truth["drums"][:, 10 * RATE:20 * RATE]).all()
