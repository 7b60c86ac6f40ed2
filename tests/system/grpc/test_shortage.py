"""Resources that run out pause sessions: a full disk, the limits of stored bytes, the limit of open files."""
import resource
import shutil
import subprocess
import threading
import time

import grpc
import psutil
import pytest

from ..audio import music, wav
from ..common import INSTANT_MODEL, finish, wait_for
from ..server import Server
from ..stemwire_client import Config, api, get_stem, reason, separate, session_pb2

State = session_pb2
MODELS = INSTANT_MODEL


def mounts_are_allowed() -> bool:
    command = ["unshare", "-r", "-m", "sh", "-c", "mount -t tmpfs none /mnt"]
    return shutil.which("unshare") is not None and subprocess.run(command, capture_output=True, check=False).returncode == 0


@pytest.fixture
def on_small_disk(binary, chosen_models, tmp_path, request):
    """on_small_disk(size, *options) begins a server whose data lie on a disk of that size."""
    if not mounts_are_allowed():
        pytest.skip("this machine does not allow mounting a small disk")

    def begin(size: str, *options: str) -> Server:
        data = tmp_path / "small"
        data.mkdir()
        mount = f"mount -t tmpfs -o size={size} none {data} && exec \"$@\""
        server = Server(binary, data, *options, wrapper=["unshare", "-r", "-m", "sh", "-c", mount, "sh"])
        request.addfinalizer(server.close)
        return server

    return begin


def upload(server, song: bytes, complete: bool = True, **config) -> str:
    session_id = server.stub.CreateSession(api.CreateSessionRequest(config=Config(**config))).session.session_id
    for offset in range(0, len(song), 1 << 20):
        server.stub.UploadChunk(api.UploadChunkRequest(
            session_id=session_id, offset=offset, data=song[offset : offset + (1 << 20)]))
    if complete:
        finish(server, session_id, song)
    return session_id


def wait_until_delayed(server, session_id: str, why: str):
    wait_for(lambda: server.get(session_id).delay.reason == why)
    session = server.get(session_id)
    assert session.state == State.SESSION_STATE_PAUSED
    assert not session.HasField("error")
    return session


def delete(server, session_id: str) -> None:
    server.stub.DeleteSession(api.DeleteSessionRequest(session_id=session_id))


def retry_delay(error: grpc.RpcError) -> bool:
    return b"google.rpc.RetryInfo" in dict(error.trailing_metadata())["grpc-status-details-bin"]


def test_a_full_disk_pauses_a_session_until_there_is_space(on_small_disk):
    """A disk of 24 MiB: the stems of 16 seconds take 11."""
    server, song = on_small_disk("24m", "--min-free", "1B"), wav(music(16))
    first = separate(server.stub, song)
    assert first.error is None
    second = upload(server, song)
    session = wait_until_delayed(server, second, "DISK_FULL")
    # What was committed before can be read.
    frames = session.progress.finished_frames
    assert frames > 0
    assert get_stem(server.stub, second, "vocals", frame_count=frames) == bytes(first.stems["vocals"])[: frames * 8]
    delete(server, first.session.session_id)
    wait_for(lambda: server.get(second).state == State.SESSION_STATE_DONE)
    for name, pcm in first.stems.items():
        assert get_stem(server.stub, second, name) == bytes(pcm)


def test_an_upload_that_fills_the_disk_can_be_continued(on_small_disk):
    server, song = on_small_disk("24m", "--min-free", "1B"), wav(music(16))
    first = separate(server.stub, song)
    large = wav(music(90))
    result = separate(server.stub, large)
    assert reason(result.error)[:2] == ("RESOURCE_EXHAUSTED", "DISK_FULL")
    assert retry_delay(result.error)
    session_id = result.session.session_id
    wait_for(lambda: server.get(session_id).state == State.SESSION_STATE_PAUSED)
    committed = server.get(session_id).committed_bytes
    delete(server, first.session.session_id)
    data = large[committed : committed + (1 << 20)]
    answer = server.stub.UploadChunk(api.UploadChunkRequest(session_id=session_id, offset=committed, data=data))
    assert answer.committed_bytes == committed + len(data)


def test_the_space_that_stays_free_is_kept_while_sessions_run(on_small_disk):
    server = on_small_disk("32m", "--min-free", "8MiB")
    lowest, over = [1 << 60], threading.Event()

    def watch():
        while not over.wait(0.01):
            lowest[0] = min(lowest[0], server.stub.Health(api.HealthRequest()).free_disk_bytes)

    watcher = threading.Thread(target=watch)
    watcher.start()
    sessions = [upload(server, wav(music(16))) for _ in range(2)]
    wait_for(lambda: any(server.get(session_id).delay.reason == "DISK_FULL" for session_id in sessions))
    time.sleep(1)
    over.set()
    watcher.join()
    # Manifests and directories are small, and are written all the same.
    assert lowest[0] > (8 << 20) - (1 << 19), f"{lowest[0]} bytes were free"


def test_open_files_that_run_out_pause_sessions(start):
    song = wav(music(9))
    # A model that takes its time.
    server = start("--engines", "mini", "--threads", "1")
    whole = separate(server.stub, song)
    instant = separate(server.stub, song, Config(model="waveform"))
    running = upload(server, song)
    uploading = upload(server, song[: 1 << 20], complete=False, model="waveform")
    wait_for(lambda: server.get(running).progress.finished_frames > 0)
    process = psutil.Process(server.process.pid)
    limits = process.rlimit(resource.RLIMIT_NOFILE)
    # Those that are open stay open.
    process.rlimit(resource.RLIMIT_NOFILE, (3, limits[1]))
    session = wait_until_delayed(server, running, "SYSTEM_LIMIT")
    assert "files cannot be read" not in session.delay.message, "it is no fault of the disk"
    with pytest.raises(grpc.RpcError) as refused:
        server.stub.UploadChunk(api.UploadChunkRequest(
            session_id=uploading, offset=1 << 20, data=song[1 << 20 : 2 << 20]))
    assert reason(refused.value)[:2] == ("RESOURCE_EXHAUSTED", "SYSTEM_LIMIT")
    assert retry_delay(refused.value)
    process.rlimit(resource.RLIMIT_NOFILE, limits)
    for offset in range(1 << 20, len(song), 1 << 20):
        server.stub.UploadChunk(api.UploadChunkRequest(
            session_id=uploading, offset=offset, data=song[offset : offset + (1 << 20)]))
    finish(server, uploading, song)
    for session_id, expected in ((running, whole), (uploading, instant)):
        wait_for(lambda: server.get(session_id).state == State.SESSION_STATE_DONE)
        assert not server.get(session_id).engine_changes
        for name, pcm in expected.stems.items():
            assert get_stem(server.stub, session_id, name) == bytes(pcm)
