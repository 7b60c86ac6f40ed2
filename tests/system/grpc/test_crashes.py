"""Which abnormal ends are evidence against an engine: the crash of its own process, and nothing else."""
import contextlib
import os
import signal
import time

import psutil
import pytest

from ..audio import music, wav
from ..common import QUICK_MODEL, finish, wait_for
from ..stemwire_client import api, get_stem, separate, session_pb2

MODELS = QUICK_MODEL
State = session_pb2
SONG = wav(music(8))
HALF = len(SONG) // 2


def create(server) -> str:
    return server.stub.CreateSession(api.CreateSessionRequest()).session.session_id


def upload(server, session_id: str, start: int, end: int) -> None:
    for offset in range(start, end, 1 << 20):
        data = SONG[offset : min(offset + (1 << 20), end)]
        server.stub.UploadChunk(api.UploadChunkRequest(session_id=session_id, offset=offset, data=data))


def begin(server) -> str:
    session_id = create(server)
    upload(server, session_id, 0, len(SONG))
    finish(server, session_id, SONG)
    return session_id


def check_done(server, session_id: str, whole) -> None:
    """The session ends DONE with the bytes of `whole`, by one engine."""
    wait_for(lambda: server.get(session_id).state == State.SESSION_STATE_DONE)
    assert not server.get(session_id).engine_changes
    for name, pcm in whole.stems.items():
        assert get_stem(server.stub, session_id, name) == bytes(pcm)


def is_computing(server, session_id: str, since: float) -> bool:
    """Whether a segment is being computed, by a marker that was written after this time."""
    # It may be removed meanwhile.
    with contextlib.suppress(FileNotFoundError):
        return any(marker.stat().st_mtime > since for marker in server.directory(session_id).glob("computing.*"))
    return False


def is_stopped_while_computing(server, session_id: str, since: float) -> bool:
    """Stops the process, and lets it continue if the segment has ended before."""
    if is_computing(server, session_id, since):
        process = psutil.Process(server.process.pid)
        process.suspend()
        wait_for(lambda: process.status() == psutil.STATUS_STOPPED)
        if is_computing(server, session_id, since):
            return True
        process.resume()
    return False


def kill_twice_while_computing(server, session_id: str) -> None:
    started = 0.0
    for _ in range(2):
        # Not the marker of the killed server, which the next one may not have counted yet.
        wait_for(lambda since=started: is_stopped_while_computing(server, session_id, since))
        server.kill()
        started = time.time()
        server.restart()


def find_child(server, command: str) -> psutil.Process | None:
    """The server's child that runs this hidden command."""
    for child in psutil.Process(server.process.pid).children():
        with contextlib.suppress(psutil.Error):
            if command in child.cmdline():
                return child
    return None


def wait_for_child(server, command: str) -> psutil.Process:
    wait_for(lambda: find_child(server, command))
    child = find_child(server, command)
    assert child, f"{command} has ended"
    return child


def has_loaded_runtime(process: psutil.Process) -> bool:
    return any("onnxruntime" in mapping.path for mapping in process.memory_maps())


@pytest.fixture(scope="module")
def whole(slow_server):
    """The song's stems of an undisturbed run."""
    return separate(slow_server.stub, SONG)


def test_kills_at_one_segment_change_neither_engine_nor_bytes(start, whole):
    server = start("--threads", "1")
    session_id = begin(server)
    kill_twice_while_computing(server, session_id)
    # Once more, while the segment is computed in a process of its own, which ends with the server.
    process = wait_for_child(server, "compute")
    server.kill()
    wait_for(lambda: not process.is_running() or process.status() == psutil.STATUS_ZOMBIE)
    server.restart()
    check_done(server, session_id, whole)
    assert find_child(server, "compute") is None


def test_a_crash_of_the_engines_own_process_switches_the_engine(start):
    server = start("--threads", "1", "--engines", "mini-spleeter,mini")
    session_id = begin(server)
    kill_twice_while_computing(server, session_id)
    process = wait_for_child(server, "compute")
    # Before, it is not the engine that crashes.
    wait_for(lambda: has_loaded_runtime(process))
    # Rust takes a first SIGSEGV that no instruction has caused.
    process.send_signal(signal.SIGABRT)
    wait_for(lambda: server.get(session_id).state == State.SESSION_STATE_DONE)
    changes = server.get(session_id).engine_changes
    assert [(change.reason, change.to.model) for change in changes] == [("ENGINE_CRASHED", "mini")]
    assert "SIGABRT" in changes[0].message


def test_a_killed_engine_process_delays_the_session(start, whole):
    server = start("--threads", "1")
    session_id = begin(server)
    kill_twice_while_computing(server, session_id)
    wait_for_child(server, "compute").kill()
    wait_for(lambda: server.get(session_id).delay.reason == "PROCESS_KILLED")
    check_done(server, session_id, whole)


def test_a_killed_decoder_is_started_again(start, whole):
    server = start("--threads", "1")
    session_id = create(server)
    upload(server, session_id, 0, HALF)
    wait_for_child(server, "decode").kill()
    wait_for(lambda: server.get(session_id).delay.reason == "PROCESS_KILLED")
    upload(server, session_id, HALF, len(SONG))
    finish(server, session_id, SONG)
    check_done(server, session_id, whole)


def test_ctrl_c_reaches_the_server_only(start, whole):
    """A terminal sends SIGINT to its foreground process group."""
    server = start("--threads", "1", wrapper=("setsid",))
    session_id = create(server)
    upload(server, session_id, 0, HALF)
    decoder = wait_for_child(server, "decode")
    assert os.getpgid(decoder.pid) != os.getpgid(server.process.pid)
    os.killpg(server.process.pid, signal.SIGINT)
    assert server.process.wait(30) == 0
    server.restart()
    session = server.get(session_id)
    assert session.state == State.SESSION_STATE_PAUSED and not session.HasField("delay")
    upload(server, session_id, HALF, len(SONG))
    finish(server, session_id, SONG)
    check_done(server, session_id, whole)
