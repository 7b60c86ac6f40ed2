"""Training examples are what they are said to be, and losses and masks what they promise: held against numpy.

    make test-models
"""
from pathlib import Path
from typing import cast

import numpy as np
import pytest
import torch

import dataset
from dataset import RATE, VOCALS, Songs, remix
from effects import crush, equalise, rooms
from losses import STEM_WEIGHT, Targets, mask_loss, merge, waveform_loss
from masks import BINS, LOWEST, TOP, MaskNet, widen
from residual import share_out

TONES = np.array([400.0, 800.0, 1600.0, 3200.0])  # of each stem in every song; at no speed is one another's
FRAMES = 8192
CPU = torch.device("cpu")


def tone(frequency: float, seconds: int = 2) -> np.ndarray:
    wave = np.sin(2 * np.pi * frequency * np.arange(seconds * RATE) / RATE)
    return np.stack([20000 * wave, 10000 * wave]).astype(np.int16)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("songs")
    for split, stems in [("train", TONES), ("voices", TONES[VOCALS:])]:
        (folder / split).mkdir()
        for number in range(3):
            np.save(folder / split / f"{number}.npy", np.stack([tone(frequency) for frequency in stems]))
    return folder


def mixed(folder: Path, seed: int, batches: int = 1) -> np.ndarray:
    """True stems (examples, 4, 2, FRAMES)."""
    songs, rng, random = Songs(folder, "cpu"), np.random.default_rng(seed), torch.Generator().manual_seed(seed)
    return np.concatenate([remix(songs, FRAMES, 64, rng, random).stems.numpy() for _ in range(batches)])


def frequencies(stems: np.ndarray) -> np.ndarray:
    """The strongest of each stem's left side, Hz: the top of a parabola through the three highest bins."""
    heights = np.log(np.abs(np.fft.rfft(stems[..., 0, :] * np.hanning(FRAMES))) + 1e-9)
    at = heights[..., 1:-1].argmax(axis=-1)[..., None] + 1
    low, top, high = (np.take_along_axis(heights, at + step, -1)[..., 0] for step in (-1, 0, 1))
    return (at[..., 0] + (low - high) / (2 * (low - 2 * top + high))) * RATE / FRAMES


def test_examples_are_whole_songs_or_stems_of_several_each_at_its_own_speed(folder: Path) -> None:
    stems = mixed(folder, 1, batches=6)
    assert stems.shape == (384, 4, 2, FRAMES) and stems.dtype == np.float32
    heard = np.abs(stems).max(axis=(2, 3)) > 0
    assert heard.any(axis=1).all()
    np.testing.assert_allclose(1 - heard.mean(axis=0), dataset.DROPPED, atol=0.05)
    peaks = np.abs(stems.sum(axis=1)).max(axis=(1, 2))
    assert peaks.min() > 0.249 and peaks.max() < 1.001 and peaks.std() > 0.15
    all_heard = stems[heard.all(axis=1)]
    speeds = frequencies(all_heard) / TONES
    assert speeds.min() > 1 - dataset.SPEED - 0.01 and speeds.max() < 1 + dataset.SPEED + 0.01
    together = np.ptp(speeds, axis=1) < 0.002
    assert 0.4 < together.mean() < 0.6 and len(together) > 200


def test_a_seed_gives_the_same_examples_and_another_gives_others(folder: Path) -> None:
    assert (mixed(folder, 5) == mixed(folder, 5)).all()
    assert not (mixed(folder, 5) == mixed(folder, 6)).all()


def test_songs_are_used_once_they_are_complete(tmp_path: Path) -> None:
    (tmp_path / "train").mkdir()
    sound = np.stack([tone(frequency) for frequency in TONES])
    sound[VOCALS, :, :RATE] = 0
    np.save(tmp_path / "train" / "1.npy", sound)
    songs = Songs(tmp_path, "cpu")
    np.save(tmp_path / "train" / "2.part.npy", sound)
    songs.take_up()
    assert len(songs.whole) == 1 and songs.whole[0].heard[VOCALS].tolist() == [False, True]
    (tmp_path / "train" / "2.part.npy").rename(tmp_path / "train" / "2.npy")
    songs.take_up()
    songs.take_up()
    assert len(songs.whole) == 2


def test_recordings_are_used_as_they_know_their_stems(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "train").symlink_to(folder / "train")
    (tmp_path / "voices").symlink_to(folder / "voices")
    real = {"merged": [1000.0, 500.0, 500.0], "apart": [2000.0, 2500.0, 5000.0, 1000.0]}
    (tmp_path / "real").mkdir()
    (tmp_path / "sung").mkdir()
    for name, tones in real.items():
        np.save(tmp_path / "real" / f"{name}.npy", np.stack([tone(frequency) for frequency in tones]))
    np.save(tmp_path / "sung" / "voice.npy", tone(8000)[None])
    songs, rng, random = Songs(tmp_path, "cpu"), np.random.default_rng(21), torch.Generator().manual_seed(21)
    batches = [remix(songs, FRAMES, 64, rng, random) for _ in range(6)]
    stems = np.concatenate([batch.stems.numpy() for batch in batches])
    merged = np.concatenate([batch.merged.numpy() for batch in batches])
    heard = np.abs(stems).max(axis=(2, 3)) > 0
    found = np.where(heard, frequencies(stems), 0)

    def near(stem: int, frequency: float) -> np.ndarray:
        return abs(found[:, stem] / frequency - 1) < dataset.SPEED + 0.005

    assert not heard[merged, dataset.BASS].any()
    assert near(dataset.OTHER, 500)[merged].all() and merged.mean() > 0.1
    assert not near(dataset.OTHER, 500)[~merged].any()
    assert near(VOCALS, 8000)[heard[:, VOCALS]].mean() > 0.05
    assert near(dataset.BASS, 2500).any() and near(dataset.DRUMS, 1000).any()


def test_a_loss_holds_bass_and_other_together_where_the_truth_does() -> None:
    rng = np.random.default_rng(22)
    truth = torch.from_numpy(rng.standard_normal((2, 4, 2, 4096)).astype(np.float32))
    truth[0, dataset.OTHER] += truth[0, dataset.BASS]
    truth[0, dataset.BASS] = 0
    split = truth.clone()
    split[:, dataset.BASS] += 0.3 * truth[:, dataset.OTHER]
    split[:, dataset.OTHER] *= 0.7
    merged = torch.tensor([True, False])
    same = merge(split, merged)
    np.testing.assert_allclose(same[0].numpy(), truth[0].numpy(), atol=1e-6)
    assert torch.equal(same[1], split[1])
    assert torch.equal(merge(split, torch.tensor([False, False])), split)


def test_a_leak_into_a_silent_stem_costs_more_than_the_same_error_of_a_stem_that_sounds() -> None:
    rng = np.random.default_rng(23)
    truth = torch.from_numpy(rng.standard_normal((1, 4, 2, 8192)).astype(np.float32))
    leak = torch.from_numpy(0.05 * rng.standard_normal((2, 8192)).astype(np.float32))
    silent = truth.clone()
    silent[:, dataset.DRUMS] = 0

    def cost(stems: torch.Tensor) -> float:
        wrong = stems.clone()
        wrong[:, dataset.DRUMS] += leak
        return (waveform_loss(wrong, stems) - waveform_loss(stems, stems)).item()

    assert cost(silent) > 2 * cost(truth) > 0


def test_speeds_are_linear_interpolation() -> None:
    cuts = np.random.default_rng(2).integers(-32767, 32768, (3, 2, 1300), dtype=np.int16)
    speeds = np.array([1.0, 0.82, 1.18])
    resampled = dataset._resample(torch.from_numpy(cuts), torch.from_numpy(speeds), 1000).numpy()
    for cut, speed, sides in zip(cuts, speeds, resampled):
        for side, expected in zip(sides, cut / 32767):
            np.testing.assert_allclose(side, np.interp(speed * np.arange(1000), np.arange(1300), expected), atol=1e-4)


def test_each_stem_has_its_own_gain_polarity_and_sides(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dataset, "equalise", lambda wanted, bins, rng, device: torch.ones(*wanted.shape, bins))
    monkeypatch.setattr(dataset, "rooms", lambda count, frames, rng, random: torch.zeros(count, 2, frames))
    monkeypatch.setattr(dataset, "crush", lambda stems, rng: stems)
    rng = np.random.default_rng(3)
    stems = rng.standard_normal((400, 4, 2, 64)).astype(np.float32)
    varied = dataset._vary(torch.from_numpy(stems), rng, torch.Generator().manual_seed(3)).numpy()
    assert varied.shape == stems.shape
    mono = np.broadcast_to(stems.mean(axis=2, keepdims=True), stems.shape)
    ways = np.stack([stems, stems[:, :, ::-1], mono])
    gains = (varied * ways).sum(axis=(3, 4)) / (ways**2).sum(axis=(3, 4))
    errors = ((varied - gains[..., None, None] * ways) ** 2).sum(axis=(3, 4)) / (varied**2).sum(axis=(2, 3))
    way, gain = errors.argmin(axis=0), np.take_along_axis(gains, errors.argmin(axis=0)[None], 0)[0]
    assert errors.min(axis=0).max() < 1e-9, "nothing but a gain, and left and right swapped or one"
    np.testing.assert_allclose(np.bincount(way.ravel()) / way.size, [0.45, 0.45, 0.1], atol=0.04)
    assert abs((gain < 0).mean() - 0.5) < 0.04
    decibels = 20 * np.log10(np.abs(gain))
    assert abs(decibels.mean()) < 0.3 and abs(decibels.std() - 3.5) < 0.3
    assert abs(np.corrcoef(decibels.T) - np.eye(4)).max() < 0.2, "each its own"


def test_distortion_keeps_length_loudness_and_signs() -> None:
    rng = np.random.default_rng(4)
    stems = (rng.standard_normal((20, 2, 4000)) * 10 ** rng.uniform(-3, 0, (20, 1, 1))).astype(np.float32)
    stems[0] = 0
    crushed = crush(torch.from_numpy(stems), rng).numpy()
    assert crushed.shape == stems.shape and (np.sign(crushed) == np.sign(stems)).all()
    np.testing.assert_allclose((crushed**2).mean(axis=(1, 2)), (stems**2).mean(axis=(1, 2)), rtol=1e-3)
    assert (np.abs(crushed[1:]).max(axis=(1, 2)) < np.abs(stems[1:]).max(axis=(1, 2))).all()


class Middle:
    """Draws whatever is in the middle, and of a normal distribution its deviation."""

    def uniform(self, low: float, high: float, size: tuple[int, ...]) -> np.ndarray:
        return np.full(size, (low + high) / 2)

    def normal(self, mean: float, deviation: float, size: tuple[int, ...]) -> np.ndarray:
        return np.full(size, mean + deviation)

    def random(self, size: tuple[int, ...]) -> np.ndarray:
        return np.full(size, 0.5)


def test_an_equaliser_is_bells_over_octaves() -> None:
    factors = equalise(np.array([[True, False]]), 2049, cast(np.random.Generator, Middle()), CPU).numpy()[0]
    heights = np.linspace(0, RATE / 2, 2049)
    octaves_away = np.log2(np.maximum(heights, 40) / np.sqrt(100 * 12000))
    bells = 3 * 4 * np.exp(-0.5 * (octaves_away / 0.9) ** 2)
    np.testing.assert_allclose(20 * np.log10(factors[0]), bells, atol=0.05)
    np.testing.assert_allclose(factors[1], 1, atol=1e-6)


def test_what_is_dull_is_so_in_all_stems() -> None:
    factors = equalise(np.zeros((300, 4), bool), 2049, np.random.default_rng(5), CPU).numpy()
    assert (factors == factors[:, :1]).all(), "else the stems would not sum to a dull song"
    np.testing.assert_allclose(factors[..., np.linspace(0, RATE / 2, 2049) < 10500], 1, atol=1e-4)
    dull = factors[:, 0, -1] < 0.5
    np.testing.assert_allclose(factors[dull, 0, -1], 1e-3, rtol=0.01)
    assert 0.25 < dull.mean() < 0.42


def test_rooms_decay_and_darken_and_are_unlike_on_both_sides() -> None:
    responses = rooms(60, RATE, np.random.default_rng(6), torch.Generator().manual_seed(6)).numpy()
    assert responses.shape == (60, 2, RATE)
    levels = np.sqrt((responses**2).sum(axis=2))
    assert levels.min() > 0.029 and levels.max() < 0.351
    energy = (responses**2).reshape(60, 2, 2, -1).sum(axis=3)
    assert (energy[..., 0] > 5 * energy[..., 1]).all()
    assert all(abs(np.corrcoef(sides)[0, 1]) < 0.7 for sides in responses)
    early, late = (np.abs(np.fft.rfft(responses[..., begin : begin + 2205])) ** 2 for begin in (2205, 22050))
    centre = lambda power: (power * np.arange(power.shape[-1])).sum() / power.sum()
    assert centre(late) < 0.9 * centre(early)


def spectra(seed: int) -> np.ndarray:
    """Of stems (2, 4, 2, 40 bins, 9 times)."""
    rng = np.random.default_rng(seed)
    return (rng.standard_normal((2, 4, 2, 40, 9)) + 1j * rng.standard_normal((2, 4, 2, 40, 9))) * [[[[[3.0]]]], [[[[0.01]]]]]


def loss_of_masks(masks: np.ndarray, stems: np.ndarray, bins: int) -> float:
    """With complex numbers, double precision and no algebra."""
    mix = stems.sum(axis=1, keepdims=True)
    deviation = np.sqrt((np.abs(mix) ** 2).mean(axis=(1, 2, 3, 4), keepdims=True) / 2) + 1e-5
    mix, stems = mix[..., :bins, :] / deviation, stems[..., :bins, :] / deviation
    squares = np.abs(masks * mix - stems) ** 2
    below = np.sqrt(np.abs(stems) + 1e-4) - np.sqrt(masks * np.abs(mix) + 1e-4)
    weighted = lambda values: np.average(values, weights=STEM_WEIGHT)
    return (weighted(np.sqrt(squares + 1e-6).mean(axis=(0, 2, 3, 4)))
            + 0.3 * weighted(np.log(squares.mean(axis=(2, 3, 4)) + 0.02).mean(axis=0))
            + 0.5 * weighted(np.abs(below).mean(axis=(0, 2, 3, 4))) + 0.25 * np.maximum(below[:, VOCALS], 0).mean())


def test_the_loss_of_masks_is_the_error_of_what_they_pass() -> None:
    stems = spectra(7)
    masks = np.random.default_rng(8).dirichlet([1] * 4, (2, 2, 30, 9)).transpose(0, 4, 1, 2, 3)
    targets = Targets.of(torch.from_numpy(stems.astype(np.complex64)), 30)
    loss = mask_loss(torch.from_numpy(masks.astype(np.float32)), targets).item()
    assert loss == pytest.approx(loss_of_masks(masks, stems, 30), abs=1e-3)
    assert loss == pytest.approx(loss_of_masks(masks, stems * 1000, 30), abs=0.01), "loudness is no matter"


def test_no_error_costs_least_and_a_missed_voice_most() -> None:
    truth = torch.from_numpy(np.random.default_rng(9).standard_normal((2, 4, 2, 8192)).astype(np.float32))
    missing = []
    for stem in range(4):
        estimate = truth.clone()
        estimate[:, stem] = 0
        missing.append(waveform_loss(estimate, truth).item())
    others = [cost for stem, cost in enumerate(missing) if stem != VOCALS]
    nothing = waveform_loss(truth, truth).item()
    assert nothing < min(others) and missing[VOCALS] - nothing > 2 * (max(others) - nothing)


@pytest.mark.parametrize("times", [1, 64, 65])
def test_masks_share_the_mixture_out_whatever_its_length(times: int) -> None:
    torch.manual_seed(10)
    network = MaskNet(4, [4] * 6).eval()
    magnitudes = torch.rand(2, 2, 2048, times)
    with torch.no_grad():
        masks = network(magnitudes)
        magnitudes[:, :, :LOWEST] = 100.0
        same = network(magnitudes)
        magnitudes[:, :, LOWEST] = 100.0
        others = network(magnitudes)
    assert masks.shape == (2, 4, 2, BINS, times) and masks.min() >= 0
    np.testing.assert_allclose(masks.numpy().sum(axis=1), 1, atol=1e-5)
    assert torch.equal(masks, same), "an offset of the recording changes nothing"
    assert not torch.equal(masks, others)


def test_above_what_is_seen_the_mean_of_the_highest_counts() -> None:
    masks = np.random.default_rng(11).random((1, 4, 2, BINS, 3)).astype(np.float32)
    wide = widen(torch.from_numpy(masks), 2048).numpy()
    assert wide.shape == (1, 4, 2, 2048, 3) and (wide[..., :BINS, :] == masks).all()
    top = masks[..., BINS - TOP :, :].mean(axis=-2, keepdims=True)
    np.testing.assert_allclose(wide[..., BINS:, :], np.broadcast_to(top, (1, 4, 2, 2048 - BINS, 3)), atol=1e-6)


def test_what_no_stem_has_taken_is_shared_out() -> None:
    rng = np.random.default_rng(12)
    mix, stems = rng.standard_normal((2, 500)).astype(np.float32), rng.standard_normal((4, 2, 500)).astype(np.float32)
    shared = share_out(torch.from_numpy(mix), torch.from_numpy(stems)).numpy()
    np.testing.assert_allclose(shared.sum(axis=0), mix, atol=1e-5)
