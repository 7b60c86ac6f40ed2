"""Gateways of one cluster that are lost, stopped or cut off, and the leases of their sessions."""
import os
import signal
import time

import grpc
import pytest

from system.audio import music, wav
from system.common import QUICK_MODEL, finish, upload, wait_for
from system.stemwire_client import Background, Config, api, collect, config_pb2, get_stem, reason, requests, separate, session_pb2

State = session_pb2
MODELS = QUICK_MODEL

# A lease lasts 15 s. It is missed after two looks, 5 s apart.
TAKEN_OVER = 60


@pytest.fixture
def gateways(start, nats, tmp_path):
    """Two gateways of a cluster whose leases are not new any more."""
    options = ("--store", f"file://{tmp_path}/store", "--cluster", nats.url)
    both = [start(*options, data=tmp_path / name) for name in ["first", "second"]]
    time.sleep(15)
    return both


def has(server, session_id: str) -> bool:
    """Whether a gateway answers for a session."""
    try:
        server.get(session_id)
    except grpc.RpcError as error:
        assert reason(error)[1] in ["SESSION_ELSEWHERE", "CLUSTER_UNAVAILABLE"]
        return False
    return True


def listed(server) -> dict:
    """The states of the sessions that a gateway lists."""
    return {session.session_id: session.state for session in server.stub.ListSessions(api.ListSessionsRequest()).sessions}


def test_what_a_killed_gateway_had_begun_is_finished_by_another_without_a_call(gateways):
    first, second = gateways
    song = wav(music(40))
    whole = separate(second.stub, song)
    config = Config(on_disconnect=config_pb2.ON_DISCONNECT_CONTINUE)
    call = Background(lambda: collect(first.stub.Separate(requests(song, config))))
    find = lambda: first.stub.ListSessions(api.ListSessionsRequest()).sessions
    wait_for(lambda: any(session.state == State.SESSION_STATE_RUNNING and session.progress.finished_frames for session in find()), 120)
    session_id = next(session.session_id for session in find() if session.session_id != whole.done.session_id)
    first.kill()
    received = call.result()
    assert received.error is not None
    assert session_id not in listed(second) and not has(second, session_id)
    wait_for(lambda: listed(second).get(session_id) == State.SESSION_STATE_DONE, TAKEN_OVER)
    watched = collect(second.stub.WatchSession(api.WatchSessionRequest(session_id=session_id)))
    assert watched.digests() == whole.digests()
    for name, pcm in received.stems.items():
        assert watched.stems[name][: len(pcm)] == pcm


def test_a_stopped_gateway_that_comes_back_does_no_harm(gateways):
    first, second = gateways
    song = wav(music(10))
    half = len(song) // 2
    whole = separate(second.stub, song)
    session_id = upload(first, song[:half])
    os.kill(first.process.pid, signal.SIGSTOP)
    # Sent meanwhile, and of another file.
    other = api.UploadChunkRequest(session_id=session_id, offset=half, data=bytes(1000))
    late = Background(lambda: first.stub.UploadChunk(other))
    wait_for(lambda: has(second, session_id), TAKEN_OVER)
    assert second.get(session_id).committed_bytes == half, "acknowledged bytes are there"
    rest = api.UploadChunkRequest(session_id=session_id, offset=half, data=song[half:])
    assert second.stub.UploadChunk(rest).committed_bytes == len(song)
    os.kill(first.process.pid, signal.SIGCONT)
    with pytest.raises(grpc.RpcError):
        late.result()
    finish(second, session_id, song)
    watched = collect(second.stub.WatchSession(api.WatchSessionRequest(session_id=session_id)))
    assert watched.digests() == whole.digests()
    # Its part has ended, and it reads the session as the other one has ended it.
    wait_for(lambda: has(first, session_id) and first.get(session_id).state == State.SESSION_STATE_DONE, 30)
    for name, pcm in watched.stems.items():
        assert get_stem(first.stub, session_id, name) == bytes(pcm)


def test_leases_that_nats_has_lost_are_taken_again_by_their_owners(gateways, nats):
    first, second = gateways
    song = wav(music(4))
    session_id = upload(first, song[: len(song) // 2])
    for _ in range(2):
        nats.wipe()
        end = time.monotonic() + 20
        while time.monotonic() < end:
            has(second, session_id)
            time.sleep(0.5)
        assert has(second, session_id) and not second.directory(session_id).exists(), "its owner answers"
    rest = api.UploadChunkRequest(session_id=session_id, offset=len(song) // 2, data=song[len(song) // 2 :])
    assert first.stub.UploadChunk(rest).committed_bytes == len(song)
    finish(first, session_id, song)
    wait_for(lambda: has(second, session_id) and second.get(session_id).state == State.SESSION_STATE_DONE)
