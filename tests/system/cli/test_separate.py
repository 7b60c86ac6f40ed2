"""The command line: songs in, stems out."""
import re
import subprocess

import imageio_ffmpeg
import numpy as np
import pytest
import soundfile

from ..audio import RATE, music, wav
from ..common import INSTANT_FOUR_STEMS, stems
from ..repository import ROOT
from .folders import STEMS, names

MODELS = INSTANT_FOUR_STEMS

GOLDEN = ROOT / "tests" / "golden"
FFMPEG = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-nostdin"]


def test_each_song_becomes_a_folder_of_stems_as_long_as_it_is(cli, short, whole, tmp_path):
    (tmp_path / "other song.flac").write_bytes(wav(music(1.23), subtype="PCM_24"))
    output = cli("separate", short, "other song.flac", "-o", "out")
    assert names(tmp_path / "out") == ["other song", "short"]
    for folder, seconds in [("short", 2), ("other song", 1.23)]:
        found = stems(tmp_path / "out" / folder)
        assert found.keys() == STEMS
        assert all(rate == RATE and audio.shape == (int(seconds * RATE), 2) for audio, rate in found.values())
    for name, (audio, _) in stems(tmp_path / "out" / "short").items():
        assert np.array_equal(audio, whole[name])
    assert all(name.encode() in output.out for name in ("short.wav", "other song.flac", "vocals"))


@pytest.mark.parametrize("options, expected", [
    (["--stems", "vocals"], {"vocals"}),
    (["--stems", "bass,accompaniment"], {"bass", "accompaniment"}),
    (["--two-stems", "vocals"], {"vocals", "accompaniment"}),
    (["--two-stems", "drums"], {"drums", "no_drums"}),
])
def test_only_requested_stems_are_written(cli, short, whole, tmp_path, options, expected):
    cli("separate", short, "-o", "out", *options)
    found = stems(tmp_path / "out" / "short")
    assert found.keys() == expected
    mixed = whole | {"accompaniment": whole["drums"] + whole["bass"] + whole["other"],
                     "no_drums": whole["bass"] + whole["other"] + whole["vocals"]}
    for name, (audio, _) in found.items():
        assert np.abs(audio - mixed[name]).max() < 1e-6


@pytest.mark.parametrize("form, subtype, bits", [
    ("wav-f32", "FLOAT", None), ("wav-s24", "PCM_24", 24), ("wav-s16", "PCM_16", 16),
])
def test_files_have_the_requested_format(cli, short, whole, tmp_path, form, subtype, bits):
    cli("separate", short, "-o", "out", "--format", form)
    for name, expected in whole.items():
        path = tmp_path / "out" / "short" / f"{name}.wav"
        assert soundfile.info(path).subtype == subtype
        if bits:
            audio, scale = soundfile.read(path, dtype="int32")[0] >> (32 - bits), 2.0 ** (bits - 1)
            expected = np.clip(np.rint(expected.astype(np.float64) * scale), -scale, scale - 1)
        else:
            audio = soundfile.read(path, dtype="float32")[0]
        # Dither moves samples of 16 bits by a step.
        assert np.abs(audio - expected).max() <= (1 if bits == 16 else 0)


@pytest.mark.parametrize("rate, expected", [("model", (44_100, 44_213)), ("source", (48_000, 48_123))])
def test_stems_have_the_models_rate_or_the_songs(cli, tmp_path, rate, expected):
    (tmp_path / "song.wav").write_bytes(wav(music(2)[:48_123], rate=48_000))
    cli("separate", "song.wav", "-o", "out", "--rate", rate)
    for audio, found in stems(tmp_path / "out" / "song").values():
        assert found == expected[0]
        # 48,123 frames are 44,213.006 of the other rate.
        assert abs(len(audio) - expected[1]) <= (rate == "model")


def test_loud_stems_are_clipped_and_counted_or_fitted_by_one_gain(cli, whole, tmp_path):
    loudest = max(np.abs(audio).max() for audio in whole.values())
    (tmp_path / "loud.wav").write_bytes(wav(4 / loudest * music(2), subtype="FLOAT"))
    cli("separate", "loud.wav", "-o", "floats")
    floats = {name: audio for name, (audio, _) in stems(tmp_path / "floats" / "loud").items()}
    peak = max(np.abs(audio).max() for audio in floats.values())
    assert peak > 1, "it must be too loud for integers"
    integers = ["--format", "wav-s16"]
    clipped = sum(int(count) for count in re.findall(r"(\d+) samples", cli("separate", "loud.wav", *integers).err))
    assert clipped == sum(np.sum((rounded > 32_767) | (rounded < -32_768)) for rounded in (
        np.rint(audio.astype(np.float64) * 32_768) for audio in floats.values()))
    output = cli("separate", "loud.wav", "-o", "fitted", *integers, "--fit")
    assert "clipped" not in output.err and f"{20 * np.log10(32_767 / 32_768 / peak):.2f} dB" in output.err
    for name, (audio, _) in stems(tmp_path / "fitted" / "loud").items():
        assert np.abs(audio - floats[name] / peak).max() < 1e-4


def test_a_pipe_has_the_same_pcm_as_a_file(cli, binary, short, tmp_path):
    """ffmpeg | stemwire | ffmpeg; the second ffmpeg converts the PCM without loss."""
    cli("separate", short, "-o", "out", "--stems", "vocals")
    expected = stems(tmp_path / "out" / "short")["vocals"][0].tobytes()
    before = subprocess.Popen([*FFMPEG, "-i", short, "-f", "wav", "-"], stdout=subprocess.PIPE)
    command = [binary, "separate", "-", "--stdout", "vocals", "--offline"]
    work = subprocess.Popen(command, cwd=tmp_path, stdin=before.stdout, stdout=subprocess.PIPE)
    raw = ["-f", "f32le", "-ar", str(RATE), "-ac", "2"]
    back = [*FFMPEG[:-1], *raw, "-i", "-", *raw, "-"]
    after = subprocess.run(back, stdin=work.stdout, capture_output=True, timeout=60, check=False)
    assert (before.wait(10), work.wait(10), after.returncode) == (0, 0, 0)
    assert after.stdout == expected
    assert names(tmp_path) == ["out", "short.wav"], "a pipe leaves no files"


def test_raw_pcm_on_standard_input_is_the_same_song(cli, tmp_path):
    audio = (music(2)[:90_000] * 32_767).astype("<i2")
    (tmp_path / "song.wav").write_bytes(wav(audio, rate=48_000))
    cli("separate", "song.wav", "-o", "out", "--stems", "bass")
    output = cli("separate", "-", "--raw", "s16le:48000:2", "--stdout", "bass", stdin=audio.tobytes())
    assert output.out == stems(tmp_path / "out" / "song")["bass"][0].tobytes()


@pytest.mark.parametrize("options", [
    ["--rate", "source", "--two-stems", "vocals", "--format", "wav-s24"],
    ["--normalization", "exact", "--overlap", "0.5"],
    ["--stdout", "drums", "--format", "wav-s16"],
    ["--model", "mini-spleeter", "--mask-extension", "zeros"],
])
def test_a_server_yields_the_same_bytes(cli, server, tmp_path, options):
    (tmp_path / "song.wav").write_bytes(wav(music(2)[:80_000], rate=32_000))
    folder = lambda name: [] if "--stdout" in options else ["-o", name]
    here = cli("separate", "song.wav", *folder("here"), *options)
    there = cli("separate", "song.wav", *folder("there"), *options, "--server", f"http://{server.address}")
    assert here.out == there.out if "--stdout" in options else names(tmp_path / "here" / "song")
    for path in tmp_path.glob("here/*/*.wav"):
        assert path.read_bytes() == (tmp_path / "there" / "song" / path.name).read_bytes()


def test_models_are_listed_with_their_stems(cli, tmp_path):
    broken = tmp_path / "models" / "broken"
    broken.mkdir(parents=True)
    (broken / "card.toml").write_text("name = 7\n")
    output = cli("models", "list", "--models-dir", GOLDEN).out.decode()
    assert re.search(r"^mini .*built in(.*\n)+.*drums, bass, other, vocals\n(.*\n)*^tiny .*installed", output, re.MULTILINE), output
    output = cli("models", "list", "--models-dir", tmp_path / "models")
    assert str(broken) in output.err and b"mini" in output.out
