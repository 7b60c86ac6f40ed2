"""The Rust client: another client's bytes, over broken connections and killed servers."""
import random
import subprocess

import numpy as np
import pytest
import soundfile

from ..audio import RATE
from ..common import INSTANT_FOUR_STEMS, wait_for
from ..proxy import CuttingProxy
from ..stemwire_client import api

MODELS = INSTANT_FOUR_STEMS


def samples(folder) -> dict:
    """The stems in a folder."""
    return {path.stem: soundfile.read(path, dtype="float32")[0].tobytes() for path in folder.iterdir()}


@pytest.mark.parametrize("seed", range(3))
def test_stems_survive_connections_that_break_anywhere(example, server, song, whole, tmp_path, seed):
    (tmp_path / "song.wav").write_bytes(song)
    draw = random.Random(seed)
    # The first one breaks in its answers: before them it may be one to another server, and is not retried.
    cuts = [sign * draw.randrange(4_000, len(song)) for sign in (-1, *draw.choices([1, -1], k=3))]
    with CuttingProxy(server.address, cuts) as proxy:
        command = [example("save_stems"), f"http://{proxy.address}", tmp_path / "song.wav", tmp_path / "stems"]
        out = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        assert out.returncode == 0, out.stderr
        assert proxy.done > 0, "no connection was cut"
    assert samples(tmp_path / "stems") == whole
    assert sorted(line.split()[0] for line in out.stdout.splitlines()) == sorted(whole)


def test_stems_survive_a_killed_server(example, server, song, whole, tmp_path):
    (tmp_path / "song.wav").write_bytes(song)
    before = len(server.stub.ListSessions(api.ListSessionsRequest()).sessions)
    command = [example("save_stems"), f"http://{server.address}", tmp_path / "song.wav", tmp_path / "stems"]
    running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def has_begun() -> bool:
        sessions = server.stub.ListSessions(api.ListSessionsRequest()).sessions
        return len(sessions) > before and sessions[0].committed_bytes > 0

    wait_for(has_begun)
    server.kill()
    server.restart()
    _, err = running.communicate(timeout=120)
    assert running.returncode == 0, err
    assert samples(tmp_path / "stems") == whole


def test_a_recording_has_stems_while_it_is_made(example, server, whole, song):
    audio, _ = soundfile.read(__import__("io").BytesIO(song), dtype="float32")
    pcm = np.rint(audio * 32_767).astype("<i2").tobytes()
    # Two recordings one after the other, so that the first stem is there before the second half is.
    running = subprocess.Popen(
        [example("live"), f"http://{server.address}"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    running.stdin.write(pcm)
    running.stdin.flush()
    first = running.stdout.read(4_096)
    assert len(first) == 4_096
    running.stdin.write(pcm)
    rest, err = running.communicate(timeout=120)
    assert running.returncode == 0, err
    assert len(first + rest) == 2 * 8 * RATE * 8
    stem = np.frombuffer(first + rest, "<f4")
    assert np.abs(stem).max() > 1e-3, "the stem is silent"


def test_errors_have_a_cause_and_a_remedy(example, server, tmp_path):
    (tmp_path / "song.wav").write_bytes(b"This is no music. " * 100)
    command = [example("save_stems"), f"http://{server.address}", tmp_path / "song.wav", tmp_path / "stems"]
    out = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert out.returncode == 1
    assert out.stderr.startswith("error: ") and "\nremedy: " in out.stderr
    assert list((tmp_path / "stems").iterdir()) == [], "no scratch file is left"
    command[1] = "http://127.0.0.1:1"
    out = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert out.returncode == 1 and "stemwire serve" in out.stderr
