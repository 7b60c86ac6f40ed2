"""The command line, REST and gRPC: the audio tracks of a film."""
import json
import subprocess

import imageio_ffmpeg
import pytest

from .. import http_client
from ..audio import RATE, music, wav
from ..common import INSTANT_MODEL, check_refused, stems
from ..stemwire_client import Config, reason, separate
from .folders import names

MODELS = INSTANT_MODEL
NOTE = {"kind": "TRACK_CHOSEN", "to": 2, "count": 2}


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    """Pictures and two audio tracks of 1 and 2 s."""
    folder = tmp_path_factory.mktemp("film")
    for seconds in (1, 2):
        (folder / f"{seconds}.wav").write_bytes(wav(music(seconds, seed=seconds)))
    inputs = ["-f", "lavfi", "-i", "color=s=32x32:d=2:r=10", "-i", "1.wav", "-i", "2.wav", "-map", "0", "-map", "1", "-map", "2"]
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", *inputs, "-c:v", "mpeg4", "-c:a", "flac", "film.mkv"]
    subprocess.run(command, check=True, cwd=folder)
    return folder / "film.mkv"


@pytest.mark.parametrize("remote", [False, True])
def test_a_track_is_chosen_noted_and_has_a_result_of_its_own(cli, server, film, tmp_path, remote):
    options = ["-o", "out", *(["--server", f"http://{server.address}"] if remote else [])]
    first = cli("separate", film, *options).err
    assert "stereo, 0:01, audio track 1 of 2\n" in first
    lines = cli("separate", film, "--track", 2, "--json", *options).out.splitlines()
    [done] = [event for event in map(json.loads, lines) if event["event"] == "done"]
    assert (done["source"]["frames"], done["source"]["notes"]) == (2 * RATE, [NOTE])
    assert names(tmp_path / "out") == ["film", "film (2)"]
    record = lambda name: json.loads((tmp_path / "out" / name / "stemwire.json").read_text())
    assert "track" not in record("film")["settings"] and record("film (2)")["settings"]["track"] == 2
    assert {len(audio) for audio, _ in stems(tmp_path / "out" / "film (2)").values()} == {2 * RATE}
    for number in ([], ["--track", 2]):
        assert "film.mkv: skipped" in cli("separate", film, *number, *options).err
    refused = cli("separate", film, "--track", 3, *options, code=2).err
    check_refused(refused, r"there is no audio track 3: the Matroska file has 2 \(FLAC, FLAC\)", "Choose one of its audio tracks")


def test_servers_take_it_over_grpc_and_http(server, film):
    song = film.read_bytes()
    result = separate(server.stub, song, Config(track=2))
    assert (result.done.source.frames, result.done.config.track) == (2 * RATE, 2)
    assert reason(separate(server.stub, song, Config(track=3)).error)[:2] == ("INVALID_ARGUMENT", "CONFIG_INVALID")
    session_id = http_client.separate(server, song, "film.mkv", track="2").json()["session_id"]
    assert http_client.get(server, f"/api/sessions/{session_id}").json()["source"]["notes"] == [NOTE]
