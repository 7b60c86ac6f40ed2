"""The command line: the stems of a finished folder are mixed into one file."""
import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import soundfile

from ..audio import RATE, music, wav
from ..common import INSTANT_FOUR_STEMS, check_refused
from .folders import names

MODELS = INSTANT_FOUR_STEMS
STEMS = ("vocals", "drums", "bass", "other")


@pytest.fixture(scope="module")
def separated(binary, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("mix")
    (folder / "song.wav").write_bytes(wav(music(2.03)))
    offline = os.environ | {"STEMWIRE_OFFLINE": "1"}
    subprocess.run([binary, "separate", "song.wav"], cwd=folder, env=offline, capture_output=True, check=True)
    return folder / "stems" / "song"


def read(path) -> np.ndarray:
    return soundfile.read(path, always_2d=True)[0]


@pytest.mark.parametrize("gains, factors", [
    ([], dict.fromkeys(STEMS, 1)),
    (["--gains", "vocals:-inf,drums:-20,bass:+6"], {"drums": 0.1, "bass": 10**0.3, "other": 1}),
])
def test_the_mix_is_the_sum_of_the_stems_with_their_gains(cli, separated, tmp_path, gains, factors):
    expected = sum(factor * read(separated / f"{stem}.wav") for stem, factor in factors.items())
    for file, error in (("mix.wav", 1e-6), ("mix.flac", 0.5 / 2**23 + 1e-6)):
        cli("mix", separated, *gains, "-o", file)
        mix, rate = soundfile.read(tmp_path / file, always_2d=True)
        assert rate == RATE and np.abs(mix - expected).max() <= error
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mix.flac", "mix.wav"]


def test_the_file_is_named_after_song_and_gains(cli, separated, tmp_path):
    output = cli("mix", separated, "--gains", "vocals:-inf", "--format", "mp3")
    assert (tmp_path / "song (no vocals).mp3").stat().st_size > 10_000
    assert "song (no vocals).mp3" in output.err


def test_fit_uses_the_whole_scale(cli, separated, tmp_path):
    loud = ",".join(f"{stem}:12" for stem in STEMS)
    assert "clipped" in cli("mix", separated, "--gains", loud, "-o", "clipped.wav", "--format", "wav-s24").err
    cli("mix", separated, "--gains", loud, "-o", "fitted.wav", "--format", "wav-s24", "--fit")
    assert 0.999 < np.abs(read(tmp_path / "fitted.wav")).max() <= 1


def test_files_are_replaced_with_force_only(cli, separated, tmp_path):
    (tmp_path / "mine.wav").write_bytes(b"mine")
    (tmp_path / "mine.wav.part").write_bytes(b"a download")
    check_refused(cli("mix", separated, "-o", "mine.wav", code=2).err, "mine.wav exists", "--force")
    assert (tmp_path / "mine.wav").read_bytes() == b"mine"
    cli("mix", separated, "-o", "mine.wav", "--force")
    assert len(read(tmp_path / "mine.wav")) == int(2.03 * RATE)
    assert (tmp_path / "mine.wav.part").read_bytes() == b"a download"
    assert names(tmp_path) == ["mine.wav", "mine.wav.part"]


def test_what_cannot_be_mixed_is_refused(cli, separated, tmp_path):
    refused = lambda cause, remedy, code, *arguments: check_refused(cli("mix", *arguments, code=code).err, cause, remedy)
    refused("no stem piano", "vocals", 2, separated, "--gains", "piano:-3")
    refused("within -60 to 12 dB", "vocals", 2, separated, "--gains", "vocals:13")
    refused("extension", "--format", 2, separated, "-o", "mix.ogg")
    (tmp_path / "foreign").mkdir()
    refused("no result of `stemwire separate`", "folder of stems", 2, tmp_path / "foreign")
    changed = Path(shutil.copytree(separated, tmp_path / "changed"))
    soundfile.write(changed / "bass.wav", np.zeros((9, 2)), RATE)
    refused("was changed", "--force", 3, changed)
    (changed / "bass.wav").unlink()
    refused("incomplete", "again", 3, changed)
    assert not list(tmp_path.glob("*.wav"))
