"""M4A and NI stem files, downloaded and from the command line, as FFmpeg and a reader of boxes find them."""
import io
import json
import re
import subprocess
import zipfile

import imageio_ffmpeg
import numpy as np
import pytest

from ..audio import RATE, music, wav
from ..common import INSTANT_FOUR_STEMS, check_refused
from ..http_client import call, get, separate
from ..mp4 import descend, enabled, lengths
from ..sandbox.decoder import kernel_has_all
from ..server import Server
from .files import ffmpeg, pcm

MODELS = INSTANT_FOUR_STEMS
FFMPEG = imageio_ffmpeg.get_ffmpeg_exe()
STEMS = ["drums", "bass", "other", "vocals"]


@pytest.fixture(scope="module")
def song() -> bytes:
    return wav(music(2))


@pytest.fixture(scope="module")
def with_ffmpeg(binary, chosen_models, tmp_path_factory):
    sandbox = ["--require-sandbox"] if kernel_has_all() else []
    server = Server(binary, tmp_path_factory.mktemp("data"), "--ffmpeg", FFMPEG, *sandbox)
    yield server
    server.close()
    assert "panicked" not in server.log_text()


def decoded(file: bytes, folder, track: int = 0) -> np.ndarray:
    """A track as FFmpeg decodes it: float32 [frames, 2]."""
    (folder / "file.mp4").write_bytes(file)
    audio = ffmpeg("-i", folder / "file.mp4", "-map", f"0:{track}", "-f", "f32le", "-")
    return np.frombuffer(audio, "<f4").reshape(-1, 2)


def snr_db(actual, expected) -> float:
    """FFmpeg does not cut off the end of the last packet of AAC."""
    assert 0 <= len(actual) - len(expected) < 1024
    error = np.square(actual[: len(expected)] - expected, dtype=float).sum()
    return 10 * np.log10(np.square(expected, dtype=float).sum() / error)


@pytest.mark.parametrize("form_name, steps", [("m4a-alac", 1 << 23), ("m4a-alac-s16", 1 << 15)])
def test_alac_has_the_samples_of_the_stem(server, links, tmp_path, form_name, steps):
    answer = get(server, f"{links['vocals_url']}?format={form_name}")
    assert answer.headers["content-type"] == "audio/mp4" and 'vocals.m4a"' in answer.headers["content-disposition"]
    expected = pcm(server, links["session_id"], "vocals")
    assert lengths(answer.body) == [(0, len(expected))]
    # 16 bits have dither.
    assert np.abs(decoded(answer.body, tmp_path) - np.clip(expected, -1, 1)).max() <= 1.5 / steps


def test_aac_is_encoded_by_ffmpeg_and_has_the_length_of_the_stem(with_ffmpeg, song, tmp_path):
    links = separate(with_ffmpeg, song).json()
    answer = get(with_ffmpeg, f"{links['vocals_url']}?format=m4a-aac")
    assert (answer.status, answer.headers["content-type"]) == (200, "audio/mp4")
    expected = pcm(with_ffmpeg, links["session_id"], "vocals")
    assert lengths(answer.body) == [(1024, len(expected))]
    assert snr_db(decoded(answer.body, tmp_path), expected) > 8
    with zipfile.ZipFile(io.BytesIO(get(with_ffmpeg, f"/download/{links['session_id']}.zip?format=m4a-aac").body)) as archive:
        assert archive.testzip() is None and "vocals.m4a" in archive.namelist()
        assert archive.read("vocals.m4a") == answer.body


def test_aac_without_ffmpeg_is_refused_with_the_remedy(server, links, cli, tmp_path, song):
    problem = get(server, f"{links['vocals_url']}?format=m4a-aac")
    assert problem.problem() == (409, "FAILED_PRECONDITION", "ENCODER_MISSING")
    assert "m4a-alac" in problem.json()["remedy"] and "FFmpeg" in problem.json()["remedy"]
    (tmp_path / "song.wav").write_bytes(song)
    refused = cli("separate", "song.wav", "--format", "m4a-aac", code=2)
    check_refused(refused.err, "m4a-aac", "m4a-alac.*FFmpeg")


def check_ni_stems(file: bytes, folder, parts: list[np.ndarray], db: float) -> None:
    assert enabled(file) == [True, False, False, False, False]
    manifest = json.loads(descend(file, b"moov", b"udta", b"stem")[0])
    assert manifest["version"] == 1 and set(manifest["mastering_dsp"]) == {"compressor", "limiter"}
    assert [stem["name"].lower() for stem in manifest["stems"]] == STEMS
    assert all(len(stem["color"]) == 7 and stem["color"][0] == "#" for stem in manifest["stems"])
    assert {length for _, length in lengths(file)} == {len(parts[0])}
    tracks = [decoded(file, folder, track) for track in range(5)]
    for track, expected in zip(tracks, [np.sum(parts, axis=0), *parts], strict=True):
        assert snr_db(track, expected) > db
    # What the decks play with all stems on is the mix.
    assert snr_db(tracks[0], np.sum(tracks[1:], axis=0)[: len(parts[0])]) > db


def test_ni_stems_have_five_tracks_whose_first_is_the_sum(with_ffmpeg, song, tmp_path):
    links = separate(with_ffmpeg, song, "my song.wav").json()
    answer = get(with_ffmpeg, f"/download/{links['session_id']}.stem.mp4")
    assert (answer.status, answer.headers["content-type"]) == (200, 'audio/mp4; codecs="mp4a.40.2"')
    assert 'my song.stem.mp4"' in answer.headers["content-disposition"]
    check_ni_stems(answer.body, tmp_path, [pcm(with_ffmpeg, links["session_id"], stem) for stem in STEMS], 8)
    assert b"mp4a" in answer.body and b"alac" not in answer.body
    head = call(with_ffmpeg, "HEAD", f"/download/{links['session_id']}.stem.mp4")
    assert (head.status, head.body) == (200, b"")


def test_ni_stems_without_ffmpeg_are_lossless(server, links, tmp_path):
    answer = get(server, f"/download/{links['session_id']}.stem.mp4")
    assert answer.headers["content-type"] == 'audio/mp4; codecs="alac"'
    check_ni_stems(answer.body, tmp_path, [pcm(server, links["session_id"], stem) for stem in STEMS], 70)
    for query, expected in (("codec=aac", (409, "FAILED_PRECONDITION", "ENCODER_MISSING")),
                            ("codec=mp3", (400, "INVALID_ARGUMENT", "CONFIG_INVALID"))):
        assert get(server, f"/download/{links['session_id']}.stem.mp4?{query}").problem() == expected


def test_a_session_of_two_stems_has_no_ni_stems(server, song):
    links = separate(server, song, stems="vocals,accompaniment").json()
    problem = get(server, f"/download/{links['session_id']}.stem.mp4")
    assert problem.problem() == (409, "FAILED_PRECONDITION", "STEMS_INCOMPLETE")
    assert "vocals, accompaniment" in problem.json()["message"]


def test_the_command_line_writes_ni_stems(cli, tmp_path, song):
    (tmp_path / "song.wav").write_bytes(song)
    cli("separate", "song.wav", "-o", "wav")
    parts = [np.frombuffer(ffmpeg("-i", tmp_path / "wav" / "song" / f"{stem}.wav", "-f", "f32le", "-"), "<f4").reshape(-1, 2)
             for stem in STEMS]
    noted = cli("separate", "song.wav", "-o", "lossless", "--format", "ni-stems").err
    assert "ALAC" in noted and "Traktor" in noted
    assert sorted(path.name for path in (tmp_path / "lossless" / "song").iterdir()) == ["song.stem.mp4", "stemwire.json"]
    check_ni_stems((tmp_path / "lossless" / "song" / "song.stem.mp4").read_bytes(), tmp_path, parts, 70)
    noted = cli("separate", "song.wav", "-o", "aac", "--format", "ni-stems", "--ffmpeg", FFMPEG).err
    assert "ALAC" not in noted
    check_ni_stems((tmp_path / "aac" / "song" / "song.stem.mp4").read_bytes(), tmp_path, parts, 8)
    again = cli("separate", "song.wav", "-o", "aac", "--format", "ni-stems", "--ffmpeg", FFMPEG).err
    assert "skipped" in again
    refused = cli("separate", "song.wav", "-o", "two", "--two-stems", "vocals", "--format", "ni-stems", code=2)
    check_refused(refused.err, "vocals, accompaniment", "drums, bass, other and vocals")


def test_ffmpeg_finds_the_streams_of_ni_stems(server, links, tmp_path):
    file = tmp_path / "song.stem.mp4"
    file.write_bytes(get(server, f"/download/{links['session_id']}.stem.mp4").body)
    # Without an output it lists the streams and ends with 1.
    listed = subprocess.run([FFMPEG, "-i", file], check=False, capture_output=True, text=True).stderr
    lines = re.findall(r"Stream #0:\d.*: Audio: (\w+) .* (\d+) Hz, (\w+), .*", listed)
    assert lines == [("alac", str(RATE), "stereo")] * 5
    assert re.findall(r"handler_name +: (\w+)", listed) == ["Mix", "Drums", "Bass", "Other", "Vocals"]
    assert re.findall(r"Stream #0:(\d).*\(default\)", listed) == ["0"]
    for stream in range(5):
        command = [FFMPEG, "-v", "error", "-i", file, "-map", f"0:a:{stream}", "-f", "f32le", "-"]
        assert len(subprocess.run(command, capture_output=True, check=True).stdout) == 2 * RATE * 8
