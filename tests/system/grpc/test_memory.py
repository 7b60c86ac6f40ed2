"""Memory and threads: memory does not grow with the track, and ended sessions hold nothing."""
import threading

import grpc
import psutil
import pytest

from .. import stemwire_client as client
from ..audio import encode, music, wav
from ..common import INSTANT_FOUR_STEMS, INSTANT_MODEL, finish, peak, wait_for
from ..server import Server
from ..stemwire_client import Background, Config, api, collect, reason, requests, separate, session_pb2

MODELS = INSTANT_FOUR_STEMS


def test_five_minutes_need_the_memory_of_one(start):
    # With a model that takes no memory, what is kept of four more minutes would double it.
    audio, peaks = music(60), {}
    for minutes in (1, 5):
        song = encode(audio, "-b:a", "64k", "-af", f"aloop=loop={minutes - 1}:size={len(audio)}")
        server = start(variables=INSTANT_MODEL)
        assert separate(server.stub, song[:100_000]).error is None
        result = separate(server.stub, song, Config(stems=["vocals"], overlap=0.0))
        assert result.error is None
        assert result.done.progress.finished_frames == minutes * len(audio)
        peaks[minutes] = peak(server)
        server.close()
    print(f"peak RSS in KiB by minutes of the track: {peaks}")
    assert peaks[5] < 1.1 * peaks[1], peaks


def test_sessions_that_have_ended_leave_no_files_and_threads_open(start):
    server = start(variables=INSTANT_MODEL)
    process = psutil.Process(server.process.pid)
    brief = wav(music(0.5))

    def session():
        with client.connect(server.address) as channel:
            assert separate(client.service.SeparationServiceStub(channel), brief).error is None

    def held() -> tuple:
        return process.num_fds(), process.num_threads()

    for _ in range(3):
        session()
    before = held()
    for _ in range(30):
        session()
    # Idle threads for the disk end after a while; a few may stay, but not one for each session.
    allowed = (before[0], before[1] + 5)
    wait_for(lambda: all(now <= most for now, most in zip(held(), allowed)))


def by_separate(server, song: bytes, sha256: bytes):
    def messages():
        yield from requests(song, finish=False)
        yield api.SeparateRequest(finish=api.Finish(total_bytes=len(song), sha256=sha256))

    return collect(server.stub.Separate(messages())).error


def by_chunks(server, song: bytes, sha256: bytes):
    session_id = server.stub.CreateSession(api.CreateSessionRequest()).session.session_id
    try:
        for offset in range(0, len(song), 1 << 20):
            chunk = song[offset : offset + (1 << 20)]
            server.stub.UploadChunk(api.UploadChunkRequest(session_id=session_id, offset=offset, data=chunk))
        done = api.Finish(total_bytes=len(song), sha256=sha256)
        server.stub.FinishUpload(api.FinishUploadRequest(session_id=session_id, finish=done))
    except grpc.RpcError as error:
        return error
    return collect(server.stub.WatchSession(api.WatchSessionRequest(session_id=session_id))).error


@pytest.mark.parametrize("upload", [by_separate, by_chunks])
@pytest.mark.parametrize("song, sha256, expected", [
    (wav(music(1)), bytes(32), "UPLOAD_HASH_MISMATCH"),
    (wav(music(13)), b"", "UPLOAD_TOO_LARGE"),
    (b"no music " * 9_999, b"", "FORMAT_UNKNOWN"),
    (b"", b"", "UPLOAD_EMPTY"),
], ids=lambda value: value if isinstance(value, str) else "")
def test_refused_uploads_release_their_slots(refusing, upload, song, sha256, expected):
    for _ in range(5):
        assert reason(upload(refusing, song, sha256))[1] == expected, "there was room"
        assert refusing.stub.Health(api.HealthRequest()).open_sessions == 0
    assert separate(refusing.stub, wav(music(1))).error is None


@pytest.fixture(scope="module")
def refusing(binary, tmp_path_factory):
    """A server with one slot and no queue."""
    server = Server(binary, tmp_path_factory.mktemp("refusing"), "--max-open", "1", "--max-queued", "0", "--max-upload", "2MB")
    yield server
    server.close()


def test_concurrent_senders_of_one_upload_make_it_complete(server, song):
    """Each sends all of it in chunks of its own size, repeating earlier bytes."""
    plain = separate(server.stub, song)
    session_id = server.stub.CreateSession(api.CreateSessionRequest()).session.session_id
    ready = threading.Barrier(6)

    def send(size: int):
        with client.connect(server.address) as channel:
            stub, offset = client.service.SeparationServiceStub(channel), 0
            ready.wait()
            while offset < len(song):
                chunk = api.UploadChunkRequest(session_id=session_id, offset=offset, data=song[offset : offset + size])
                # Another sender may be ahead.
                offset = stub.UploadChunk(chunk).committed_bytes

    def run_ahead(size: int):
        """Sends each chunk before its predecessor, until the upload is complete."""
        with client.connect(server.address) as channel:
            stub, held = client.service.SeparationServiceStub(channel), 0
            ready.wait()
            while held < len(song):
                for offset in (held + size, held):
                    chunk = api.UploadChunkRequest(session_id=session_id, offset=offset, data=song[offset : offset + size])
                    try:
                        held = max(held, stub.UploadChunk(chunk).committed_bytes)
                    except grpc.RpcError as error:
                        assert reason(error)[:2] == ("OUT_OF_RANGE", "UPLOAD_GAP")

    senders = [Background(lambda size=size: send(size)) for size in (10_007, 65_536, 65_536, 100_000)]
    senders += [Background(lambda size=size: run_ahead(size)) for size in (4_096, 65_536)]
    for sender in senders:
        sender.result()
    finish(server, session_id, song)
    watched = collect(server.stub.WatchSession(api.WatchSessionRequest(session_id=session_id)))
    assert watched.error is None
    assert watched.done.state == session_pb2.SESSION_STATE_DONE
    assert watched.done.committed_bytes == len(song)
    assert (server.directory(session_id) / "upload").read_bytes() == song
    assert {stem.name: stem.sha256 for stem in watched.done.stems} == {stem.name: stem.sha256 for stem in plain.done.stems}
    assert watched.digests() == plain.digests()
