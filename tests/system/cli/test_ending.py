"""The command line: interrupted, killed and abandoned runs."""
import contextlib
import os
import re
import signal
import subprocess
import threading
from pathlib import Path

import psutil
import pytest

from ..audio import music, wav
from ..common import QUICK_MODEL, wait_for
from ..stemwire_client import api, session_pb2
from .folders import names, scratch

MODELS = QUICK_MODEL


def size(path: Path) -> int:
    """Size of a file; 0 if it is gone."""
    with contextlib.suppress(FileNotFoundError):
        return path.stat().st_size
    return 0


class Running:
    """A running `stemwire separate` of a minute of music."""

    def __init__(self, binary, folder: Path, *options):
        self.out = folder / "out"
        (folder / "long.wav").write_bytes(wav(music(60)))
        command = [binary, "separate", folder / "long.wav", "-o", self.out, "--offline", *options]
        environment = os.environ | {"STEMWIRE_THREADS": "1"}
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
        wait_for(lambda: any(size(path) > 10**6 for path in self.out.glob(".*/**/*.wav*")))
        self.children = psutil.Process(self.process.pid).children(recursive=True)

    def end(self) -> str:
        _, err = self.process.communicate(timeout=60)
        wait_for(lambda: all(map(is_gone, self.children)), 20)
        return err


def is_gone(process: psutil.Process) -> bool:
    """Whether a process has ended, zombies included."""
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_a_session_cancelled_by_another_client_is_an_error_without_stems(binary, slow_server, tmp_path):
    server = slow_server
    running = Running(binary, tmp_path, "--server", f"http://{server.address}")
    session = server.stub.ListSessions(api.ListSessionsRequest(page_size=1)).sessions[0]
    assert session.config.file_name == "long.wav"
    server.stub.CancelSession(api.CancelSessionRequest(session_id=session.session_id))
    err = running.end()
    assert running.process.returncode == 5, err
    assert re.search("^error: .*long.wav: .*cancel", err, re.MULTILINE), err
    assert names(running.out) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("remote", [False, True])
def test_an_interrupted_run_leaves_no_files(binary, slow_server, tmp_path, number, remote):
    running = Running(binary, tmp_path, *(["--server", f"http://{slow_server.address}"] if remote else []))
    running.process.send_signal(number)
    output = running.end()
    assert running.process.returncode == 130
    assert names(running.out) == []
    assert "ERROR" not in output and "error:" not in output, "what was asked to stop has not failed"
    if remote:
        session = slow_server.stub.ListSessions(api.ListSessionsRequest(page_size=1)).sessions[0]
        assert output == f"interrupted: session {session.session_id} is cancelled\n"
        assert session.state == session_pb2.SESSION_STATE_CANCELLED


def test_an_interrupted_run_names_the_session_that_it_could_not_cancel(binary, start, tmp_path):
    server = start("--threads", "1")
    running = Running(binary, tmp_path, "--server", f"http://{server.address}")
    session = server.stub.ListSessions(api.ListSessionsRequest(page_size=1)).sessions[0].session_id
    server.process.send_signal(signal.SIGSTOP)
    try:
        running.process.send_signal(signal.SIGINT)
        output = running.end()
    finally:
        server.process.send_signal(signal.SIGCONT)
    assert running.process.returncode == 130 and names(running.out) == []
    assert f"session {session} was not cancelled: no answer" in output
    assert f"curl -X POST http://{server.address}/api/sessions/{session}/cancel" in output


def test_what_a_killed_run_leaves_is_removed_by_the_next(binary, cli, short, tmp_path):
    running = Running(binary, tmp_path)
    running.process.kill()
    running.end()
    assert scratch(running.out) != [], "it could not be removed"
    cli("separate", short, "-o", running.out)
    assert names(running.out) == ["short"]


@pytest.mark.parametrize("remote", [False, True])
def test_several_songs_do_not_pile_up_their_scratch(cli, server, tmp_path, remote):
    songs = [tmp_path / f"{number}.wav" for number in range(4)]
    for song in songs:
        song.write_bytes(wav(music(1)))
    seen, ended = set(), threading.Event()

    def watch():
        # The songs under way: a folder of stems is made for each.
        while not ended.wait(0.005):
            pattern = ".stemwire-*/.tmp*" if remote else ".stemwire-*/sessions/*"
            # The folder may be removed meanwhile.
            with contextlib.suppress(FileNotFoundError):
                seen.add(len(list((tmp_path / "out").glob(pattern))))

    watcher = threading.Thread(target=watch)
    watcher.start()
    cli("separate", *songs, "-o", "out", *(["--server", f"http://{server.address}"] if remote else []))
    ended.set()
    watcher.join()
    assert max(seen) == 1
    assert names(tmp_path / "out") == ["0", "1", "2", "3"]


@pytest.mark.parametrize("remote", [False, True])
def test_a_reader_that_has_enough_of_a_pipe_ends_the_run_without_an_error(binary, server, tmp_path, remote):
    (tmp_path / "song.wav").write_bytes(wav(music(20)))
    options = ["--server", f"http://{server.address}"] if remote else []
    command = [binary, "separate", tmp_path / "song.wav", "--stdout", "vocals", "--offline", *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert len(process.stdout.read(100)) == 100
    process.stdout.close()
    err = process.stderr.read().decode()
    assert (process.wait(60), err) == (0, "")


def test_stems_are_written_although_the_reader_of_the_messages_has_left(binary, short, tmp_path):
    process = subprocess.Popen([binary, "separate", short, "-o", tmp_path / "out", "--offline"], stdout=subprocess.PIPE)
    process.stdout.close()
    assert process.wait(60) == 0 and names(tmp_path / "out") == ["short"]
