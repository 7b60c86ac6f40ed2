"""The command line: a part of a song, and stems of one channel."""
import hashlib
import json

import numpy as np
import pytest
import soundfile

from ..audio import RATE, music, wav
from ..common import INSTANT_MODEL, check_refused, stems
from ..stemwire_client import api, session_pb2
from .folders import names

MODELS = INSTANT_MODEL


def contents(folder) -> dict:
    return {path.name: path.read_bytes() for path in folder.glob("*.wav")}


@pytest.mark.parametrize("options, start, end", [
    (["--start", "0:01", "--end", "3.5"], 1, 3.5), (["--end", "2.00001"], 0, 2.00001), (["--start", "4.1", "--end", "1:00:00"], 4.1, 5),
])
def test_a_part_has_the_stems_of_a_song_that_is_cut(cli, server, tmp_path, options, start, end):
    song = music(5)
    (tmp_path / "song.wav").write_bytes(wav(song))
    (tmp_path / "cut.wav").write_bytes(wav(song[round(start * RATE) : round(end * RATE)]))
    # Titles are those of the files.
    options = [*options, "--no-tags"]
    cli("separate", "cut.wav", "--no-tags", "-o", "out")
    [done] = [event for line in cli("separate", "song.wav", *options, "--json", "-o", "out").out.splitlines()
              if (event := json.loads(line))["event"] == "done"]
    assert done["seconds"] == pytest.approx(end - start, abs=1 / RATE)
    cli("separate", "song.wav", *options, "-o", "there", "--server", f"http://{server.address}")
    expected = contents(tmp_path / "out" / "cut")
    assert contents(tmp_path / "out" / "song") == expected == contents(tmp_path / "there" / "song")
    piped = cli("separate", "-", *options, "--stdout", "other", stdin=(tmp_path / "song.wav").read_bytes()).out
    assert piped == stems(tmp_path / "out" / "cut")["other"][0].tobytes()


def test_another_part_is_another_result(cli, short, tmp_path):
    record = lambda name: json.loads((tmp_path / "stems" / name / "stemwire.json").read_text())["settings"]
    for options in ([], ["--end", "1"], ["--start", "1"]):
        cli("separate", short, *options, "--stems", "vocals")
        assert "skipped" in cli("separate", short, *options, "--stems", "vocals").err
    assert names(tmp_path / "stems") == ["short", "short (2)", "short (3)"]
    assert "start_s" not in record("short") and record("short (2)")["end_s"] == 1 and record("short (3)")["start_s"] == 1


def test_a_part_is_as_long_at_the_rate_of_the_song(cli, tmp_path):
    (tmp_path / "song.wav").write_bytes(wav(music(3)[:96_000], rate=32_000))
    cli("separate", "song.wav", "--start", "1", "--end", "1.5", "--rate", "source")
    assert all(audio.shape == (16_000, 2) and rate == 32_000 for audio, rate in stems(tmp_path / "stems" / "song").values())


def test_a_server_ends_a_part_before_the_upload_ends(cli, server, tmp_path):
    (tmp_path / "long.wav").write_bytes(wav(np.tile(music(1), (90, 1))))
    cli("separate", "long.wav", "--end", "0.5", "--stems", "vocals", "--server", f"http://{server.address}")
    session = server.stub.ListSessions(api.ListSessionsRequest(page_size=1)).sessions[0]
    assert session.state == session_pb2.SESSION_STATE_DONE
    assert (session.progress.total_frames, session.source.frames, session.config.end_s) == (RATE // 2, RATE // 2, 0.5)


@pytest.mark.parametrize("remote", [False, True])
def test_a_part_behind_the_end_of_the_song_is_an_error(cli, server, short, remote, tmp_path):
    options = ["--server", f"http://{server.address}"] if remote else []
    refused = cli("separate", short, "--start", "2", *options, code=2).err
    check_refused(refused, "the part begins at 2 s, and the song ends at 2.000 s", "before the end")
    assert names(tmp_path / "stems") == []
    check_refused(cli("separate", short, "--start", "1", "--end", "1", *options, code=2).err, "the part ends at 1 s", "help")


@pytest.mark.parametrize("form", ["wav-f32", "wav-s24"])
def test_a_song_of_one_channel_has_stems_of_one_channel_on_request(cli, server, tmp_path, form):
    soundfile.write(tmp_path / "mono.wav", music(2)[:40_001, 0], RATE, subtype="FLOAT")
    cli("separate", "mono.wav", "-o", "stereo")
    command = ["separate", "mono.wav", "--channels", "source", "--format", form]
    cli(*command, "-o", "mono")
    cli(*command, "-o", "there", "--server", f"http://{server.address}")
    assert contents(tmp_path / "mono" / "mono") == contents(tmp_path / "there" / "mono")
    for name, (audio, _) in stems(tmp_path / "stereo" / "mono").items():
        path = tmp_path / "mono" / "mono" / f"{name}.wav"
        found, rate = soundfile.read(path, dtype="float32")
        assert found.shape == (40_001,) and rate == RATE and path.stat().st_size % 2 == 0
        assert np.abs(found - audio.mean(axis=1)).max() < 2e-7
    piped = cli(*command, "--stdout", "other").out
    assert cli(*command, "--stdout", "other", "--server", f"http://{server.address}").out == piped
    bits = {"wav-f32": "<f4", "wav-s24": None}[form]
    if bits:
        assert np.array_equal(np.frombuffer(piped, bits), soundfile.read(tmp_path / "mono" / "mono" / "other.wav", dtype="float32")[0])
    else:
        assert len(piped) == 3 * 40_001


@pytest.mark.parametrize("remote", [False, True])
def test_standard_input_has_the_result_of_a_part_although_the_rest_is_not_needed(cli, server, tmp_path, remote):
    song = wav(np.tile(music(1), (60, 1)))
    options = ["--end", "0.5", "-o", "out", *(["--server", f"http://{server.address}"] if remote else [])]
    cli("separate", "-", *options, stdin=song)
    [name] = names(tmp_path / "out")
    record = json.loads((tmp_path / "out" / name / "stemwire.json").read_text())
    assert (record["source"]["sha256"], record["frames"]) == (hashlib.sha256(song).hexdigest(), RATE // 2)


def test_a_song_of_two_channels_has_stems_of_two_whatever_is_asked_for(cli, short, tmp_path):
    cli("separate", short, "-o", "out")
    cli("separate", short, "-o", "same", "--channels", "source")
    assert contents(tmp_path / "out" / "short") == contents(tmp_path / "same" / "short")
