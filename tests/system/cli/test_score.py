"""`stemwire score` against the same ratios computed by numpy, and on the demo song."""
import numpy as np
import pytest
import soundfile

from ..audio import RATE, music
from ..common import check_refused
from ..repository import ROOT


def write(folder, **stems) -> None:
    folder.mkdir(exist_ok=True)
    for name, (audio, rate) in stems.items():
        soundfile.write(folder / f"{name}.wav", audio, rate, subtype="FLOAT")


def rows(output: str) -> dict:
    return {line.split()[0]: line.split()[1:] for line in output.splitlines()[1:]}


def ratio(signal, noise) -> float:
    return 10 * np.log10((signal.astype(float) ** 2).sum() / (noise.astype(float) ** 2).sum())


def test_ratios_are_those_of_numpy(cli, tmp_path):
    true, other = music(2, 1), music(2, 2)
    found = 0.8 * true + 0.1 * other
    silence = np.zeros_like(true)
    write(tmp_path / "truth", vocals=(true, RATE), drums=(true, RATE), bass=(silence, RATE), other=(true, RATE))
    write(tmp_path / "stems", vocals=(found, RATE), drums=(found[:RATE], RATE), bass=(found, RATE), piano=(found, RATE))
    output = cli("score", tmp_path / "stems", tmp_path / "truth")
    table = rows(output.out.decode())
    nearest = true * ((true * found).sum() / (true**2).sum())
    assert float(table["vocals"][0]) == pytest.approx(ratio(true, found - true), abs=0.006)
    assert float(table["vocals"][1]) == pytest.approx(ratio(nearest, found - nearest), abs=0.006)
    # A shorter stem is padded with silence.
    short = np.concatenate([found[:RATE], silence[RATE:]])
    assert float(table["drums"][0]) == pytest.approx(ratio(true, short - true), abs=0.006)
    assert table["bass"][0] == "–" and "silent" in table["bass"][-1]
    assert "other" not in table and "piano" not in table and "other" in output.err


def test_what_cannot_be_compared_is_named(cli, tmp_path):
    write(tmp_path / "truth", vocals=(music(1), RATE))
    write(tmp_path / "stems", drums=(music(1), RATE))
    output = cli("score", tmp_path / "stems", tmp_path / "truth", code=3)
    check_refused("\n".join(output.err.splitlines()[1:]), "no stem is in both", "named after their stems")
    output = cli("score", tmp_path / "nowhere", tmp_path / "truth", code=3)
    check_refused(output.err, "nowhere", "folder")
    (tmp_path / "stems" / "vocals.wav").write_bytes(b"no sound")
    output = cli("score", tmp_path / "stems", tmp_path / "truth", code=3)
    check_refused(output.err, "vocals.wav", ".")


def test_the_demo_song_is_the_sum_of_its_true_stems():
    song, rate = soundfile.read(ROOT / "models" / "demo" / "song.mp3", dtype="float32")
    stems = [soundfile.read(path, always_2d=True)[0] for path in (ROOT / "models" / "demo" / "stems").glob("*.ogg")]
    total = sum(stem[:, [0, -1]] for stem in stems)
    assert len(stems) == 4 and rate == RATE and total.shape == song.shape
    # The rest is the error of the MP3 coding.
    assert ratio(total, song - total) > 15
