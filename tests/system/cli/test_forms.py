"""The command line: stems are written in every format, with the length of the song."""
import json
import subprocess

import imageio_ffmpeg
import numpy as np
import pytest

from ..audio import music, wav
from ..common import INSTANT_MODEL, check_refused

MODELS = INSTANT_MODEL
FORMS = {
    "wav-f32": "wav", "wav-s24": "wav", "wav-s16": "wav", "flac": "flac", "flac-s16": "flac", "aiff": "aiff", "aiff-s16": "aiff",
    "opus": "opus", "mp3": "mp3",
}
# The rate in the files, of a song at this rate.
CODED = {"opus": lambda rate: 48_000, "mp3": lambda rate: min(rate, 48_000)}


def decoded(path, channels: int) -> np.ndarray:
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-i", path, "-c:a", "pcm_f32le", "-f", "f32le", "-"]
    return np.frombuffer(subprocess.run(command, capture_output=True, check=True).stdout, "<f4").reshape(-1, channels)


@pytest.mark.parametrize("channels, rate", [(2, 44_100), (1, 96_000)])
@pytest.mark.parametrize("form", FORMS)
def test_every_form_has_the_channels_and_the_length_of_the_song(cli, tmp_path, form, channels, rate):
    audio = music(1)[:, :channels]
    (tmp_path / "song.wav").write_bytes(wav(audio, rate=rate))
    options = ["--format", form, "--rate", "source", "--channels", "source"]
    output = cli("separate", "song.wav", "-o", "out", *options)
    assert "clipped" not in output.err
    coded = CODED.get(form, lambda rate: rate)(rate)
    folder = tmp_path / "out" / "song"
    assert {path.name for path in folder.iterdir()} == {"stemwire.json", *(f"{stem}.{FORMS[form]}" for stem in ("vocals", "other"))}
    for stem in ("vocals", "other"):
        assert len(decoded(folder / f"{stem}.{FORMS[form]}", channels)) == -(-len(audio) * coded // rate)
    again = cli("separate", "song.wav", "-o", "out", *options)
    assert "skipped" in again.err, "the result is found again"


@pytest.mark.parametrize("is_remote", [False, True])
def test_a_rate_that_the_format_lacks_is_refused(cli, server, tmp_path, is_remote):
    (tmp_path / "song.wav").write_bytes(wav(music(2), rate=192_000))
    backend = ["--server", f"http://{server.address}"] if is_remote else []
    output = cli("separate", "song.wav", "-o", "out", "--format", "flac", "--rate", "source", *backend, code=3)
    assert "192000 Hz exceeds the limit of 96000 Hz" in output.err and "disk" not in output.err
    assert "remedy: Choose another --format, or leave out --rate source." in output.err
    assert not (tmp_path / "out" / "song").exists()
    cli("separate", "song.wav", "-o", "out", "--format", "flac", *backend)


def test_the_command_line_and_a_server_write_the_same_files(cli, server, tmp_path):
    (tmp_path / "song.wav").write_bytes(wav(music(1)))
    for form in ("wav-s16", "mp3", "opus"):
        cli("separate", "song.wav", "-o", "here", "--format", form)
        cli("separate", "song.wav", "-o", "there", "--format", form, "--server", f"http://{server.address}")
    here = {path.relative_to(tmp_path / "here"): path.read_bytes() for path in (tmp_path / "here").glob("*/*.*") if path.suffix != ".json"}
    assert len(here) == 6
    for name, content in here.items():
        assert (tmp_path / "there" / name).read_bytes() == content, name


def test_another_bitrate_is_another_result(cli, short, tmp_path):
    cli("separate", short, "-o", "out", "--format", "mp3")
    cli("separate", short, "-o", "out", "--format", "mp3", "--bitrate", "64")
    sizes = [(tmp_path / "out" / folder / "vocals.mp3").stat().st_size for folder in ("short", "short (2)")]
    assert 3.8 < sizes[0] / sizes[1] < 4.2
    assert json.loads((tmp_path / "out" / "short (2)" / "stemwire.json").read_text())["settings"]["bitrate"] == 64


@pytest.mark.parametrize("options, cause", [
    (["--format", "mp3", "--bitrate", "100"], "100 kbit/s is none of its bitrates"),
    (["--format", "wav-s16", "--bitrate", "128"], "it has no bitrate"),
    (["--format", "mp3", "--stdout", "vocals"], "--stdout writes raw PCM, not mp3"),
])
def test_options_that_do_not_fit_are_refused_before_anything_is_computed(cli, short, tmp_path, options, cause):
    refused = cli("separate", short, *options, code=2)
    check_refused(refused.err, cause, r"\.")
    assert [path.name for path in tmp_path.iterdir()] == ["short.wav"]
