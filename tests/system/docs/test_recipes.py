"""The examples of clients/README.md and clients/python/README.md run as documented."""
import json
import re
import subprocess
import zipfile
from pathlib import Path

import numpy as np
import pytest
import soundfile

from ..audio import music, wav
from ..repository import ROOT
from ..stemwire_client import Config, api, config_pb2, separate
from .examples import blocks, section

RECIPES = (ROOT / "clients" / "README.md").read_text()
PYTHON = (ROOT / "clients" / "python" / "README.md").read_text()



@pytest.mark.parametrize("tool", ["buf curl", "grpcurl"])
def test_a_shell_separates_a_song(server, shell, tmp_path, tool):
    output = shell(blocks(section(RECIPES, tool), "sh"))
    for word in ("SERVING_STATUS_SERVING", '"SERVING"', "grpc.health.v1.Health", '"mini-spleeter"', "SESSION_STATE_DONE"):
        assert word in output
    expected = separate(server.stub, (tmp_path / "song.mp3").read_bytes())
    assert (tmp_path / "vocals.f32").read_bytes() == expected.stems["vocals"]
    audio = np.frombuffer(expected.stems["vocals"], "<f4").reshape(-1, 2)
    assert np.abs(soundfile.read(tmp_path / "vocals.flac", dtype="float32")[0] - np.clip(audio, -1, 1)).max() < 2**-15
    # The recipe has deleted its session.
    sessions = server.stub.ListSessions(api.ListSessionsRequest()).sessions
    assert [session.session_id for session in sessions] == [expected.done.session_id]
    server.stub.DeleteSession(api.DeleteSessionRequest(session_id=expected.done.session_id))


def test_curl_separates_a_song(server, shell, tmp_path):
    output = shell(blocks(section(RECIPES, "curl"), "sh"))
    assert '"session_id"' in output
    stems = separate(server.stub, (tmp_path / "song.mp3").read_bytes(), Config(stems=["vocals", "accompaniment"])).stems
    assert soundfile.read(tmp_path / "vocals.wav", dtype="float32")[0].tobytes() == stems["vocals"]
    assert soundfile.info(tmp_path / "accompaniment.flac").frames == 7 * 44_100
    with zipfile.ZipFile(tmp_path / "stems.zip") as archive:
        assert archive.testzip() is None and len(archive.namelist()) == 2
    resumable, *_ = [session for session in server.stub.ListSessions(api.ListSessionsRequest()).sessions if not session.config.file_name]
    assert resumable.upload_complete and resumable.committed_bytes == (tmp_path / "song.mp3").stat().st_size
    server.stub.DeleteSession(api.DeleteSessionRequest(session_id=resumable.session_id))


def test_the_commands_call_methods_that_there_are():
    proto = (ROOT / "proto/stemwire/v1/separation_service.proto").read_text()
    calls = set(re.findall(r"^  rpc (\w+)\(", proto, re.MULTILINE))
    named = set(re.findall(r"(?:\$service|SeparationService)/(\w+)", RECIPES))
    assert named <= calls and {"Health", "UploadChunk", "GetStem"} <= named
    for tool in ("buf curl", "grpcurl"):
        assert set(re.findall(r"(?:\$service|SeparationService)/(\w+)", section(RECIPES, tool))) == named


@pytest.fixture
def songs(tmp_path):
    """The songs of the Python examples, and a file that is not audio."""
    (tmp_path / "song.mp3").write_bytes(wav(music(2)))
    (tmp_path / "songs").mkdir()
    for name in ("a.wav", "b.wav"):
        (tmp_path / "songs" / name).write_bytes(wav(music(1, seed=ord(name[0]))))
    (tmp_path / "songs" / "cover.jpg").write_text("This is no song. " * 100)


def run(python: Path, folder: Path, server, *command) -> subprocess.CompletedProcess:
    environment = {"STEMWIRE_SERVER": server.address, "PATH": "/usr/bin:/bin"}
    ended = subprocess.run([python, *command], cwd=folder, env=environment, capture_output=True, text=True, timeout=240, check=False)
    assert ended.returncode == 0, ended.stderr
    return ended


def test_the_python_programs_run(python, server, songs, tmp_path):
    program = blocks(PYTHON, "python").replace('"http://127.0.0.1:8000"', f'"{server.address}"')
    output = run(python, tmp_path, server, "-c", program + "\n" + blocks(section(RECIPES, "Python"), "python")).stdout
    assert "vocals 0.0 (" in output and "FORMAT_UNKNOWN" in output and "State.DONE" in output
    for folder in ("song", "1", "2", ""):
        assert soundfile.info(tmp_path / "stems" / folder / "vocals.wav").frames == 2 * 44_100
    assert soundfile.info(tmp_path / "stems" / "song" / "vocals.wav").subtype == "PCM_24"


def test_every_option_of_the_package_is_in_its_readme(python, server, tmp_path):
    output = run(python, tmp_path, server, "-c", "import stemwire; print(*stemwire.SeparateOptions.__annotations__)")
    table = section(PYTHON, "Options")
    assert set(output.stdout.split()) == set(re.findall(r"`(\w+)`", "\n".join(re.findall(r"^\| (`.*?) \|", table, re.MULTILINE))))


def test_karaoke_leaves_the_voice_out(python, server, songs, tmp_path):
    example = ROOT / "clients" / "python" / "examples" / "karaoke.py"
    output = run(python, tmp_path, server, example, "song.mp3", "karaoke.wav")
    assert "100%" in output.stderr and "mini" in output.stderr
    audio, rate = soundfile.read(tmp_path / "karaoke.wav", dtype="int16")
    stems = separate(server.stub, (tmp_path / "song.mp3").read_bytes()).stems
    rest = sum(np.frombuffer(pcm, "<f4").reshape(-1, 2) for name, pcm in stems.items() if name != "vocals")
    assert rate == 44_100 and np.abs(audio / 32_768 - rest).max() < 2**-15


def test_a_recording_is_separated_live(python, server):
    example = ROOT / "clients" / "python" / "examples" / "live.py"
    recording = np.rint(music(1) * 32_767).astype("<i2").tobytes()
    environment = {"STEMWIRE_SERVER": server.address, "PATH": "/usr/bin:/bin"}
    ended = subprocess.run([python, example], env=environment, input=recording, stdout=subprocess.PIPE, timeout=240, check=True)
    raw = config_pb2.RawPcm(encoding=config_pb2.ENCODING_S16LE, sample_rate=44_100, channels=2)
    assert ended.stdout == separate(server.stub, recording, Config(input=raw, stems=["vocals"])).stems["vocals"]


def test_a_data_set_continues_after_an_interruption(python, server, songs, tmp_path):
    example = ROOT / "clients" / "python" / "examples" / "dataset.py"
    output = run(python, tmp_path, server, example, "songs", "dataset")
    assert sorted(output.stdout.split()) == ["a.wav", "b.wav"] and "cover.jpg" in output.stderr
    lines = [json.loads(line) for line in (tmp_path / "dataset" / "index.jsonl").read_text().splitlines()]
    assert sorted(line["song"] for line in lines) == ["a.wav", "b.wav"]
    for line in lines:
        for name, stem in line["stems"].items():
            assert soundfile.info(tmp_path / "dataset" / line["song"] / f"{name}.wav").frames == stem["frames"] == 44_100
        assert line["engine"]["model"] == "mini-spleeter" and not line["engine_changes"]
    (tmp_path / "songs" / "c.wav").write_bytes(wav(music(1, seed=3)))
    assert run(python, tmp_path, server, example, "songs", "dataset").stdout.split() == ["c.wav"]
