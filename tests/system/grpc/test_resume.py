"""Nothing is lost: broken uploads, disconnected clients, killed servers."""
import hashlib
import random
import threading
import time

import grpc
import pytest

from ..audio import encode, music, wav
from ..common import INSTANT_MODEL, finish, wait_for
from ..server import Server
from ..stemwire_client import (
    Background,
    Config,
    api,
    collect,
    config_pb2,
    get_stem,
    reason,
    request_id,
    requests,
    separate,
    session_pb2,
)

MODELS = INSTANT_MODEL
State = session_pb2

# The options of servers that are to be interrupted while they compute.
COMPUTING = ("--engines", "mini-spleeter", "--threads", "1")


@pytest.fixture(scope="module")
def computing(binary, chosen_models, tmp_path_factory):
    """A server for which a minute of music takes seconds on any machine."""
    server = Server(binary, tmp_path_factory.mktemp("computing"), *COMPUTING)
    yield server
    server.close()


@pytest.fixture(scope="module")
def whole(server, song):
    """The song's digests of an undisturbed run."""
    return separate(server.stub, song).digests()


def test_a_broken_separate_continues_where_the_server_is(server, song, whole):
    config = Config(request_id=request_id())
    broken = collect(server.stub.Separate(requests(song[:700_001], config, finish=False)))
    assert reason(broken.error)[:2] == ("ABORTED", "UPLOAD_UNFINISHED")
    committed = int(reason(broken.error)[2]["committed_bytes"])
    assert committed == 700_001
    wait_for(lambda: server.get(broken.session.session_id).state == State.SESSION_STATE_PAUSED)
    assert server.get(broken.session.session_id).committed_bytes == committed

    config.upload_offset = committed
    # It may have broken off within a round of stems.
    config.start_frame = min(len(broken.stems.get(name, b"")) for name in whole) // 8
    rest = separate(server.stub, song, config)
    assert rest.error is None
    assert rest.session.session_id == broken.session.session_id
    for name, digest in whole.items():
        head = bytes(broken.stems.get(name, b""))[: config.start_frame * 8]
        assert hashlib.sha256(head + rest.stems[name]).hexdigest() == digest


def test_a_broken_separate_continues_by_chunks(server, song, whole):
    broken = collect(server.stub.Separate(requests(song[:300_000], Config(), finish=False)))
    session_id = broken.session.session_id
    # One that repeats stored bytes, one that overlaps them, one that is new.
    for offset, end in [(0, 300_000), (200_000, 900_000), (900_000, len(song))]:
        chunk = api.UploadChunkRequest(session_id=session_id, offset=offset, data=song[offset:end])
        assert server.stub.UploadChunk(chunk).committed_bytes == end
    assert finish(server, session_id, song).session.upload_complete
    assert finish(server, session_id, song).session.upload_complete, "finish may be repeated"
    watched = collect(server.stub.WatchSession(api.WatchSessionRequest(session_id=session_id)))
    assert watched.digests() == whole


def test_a_request_id_names_one_session(server, song):
    config = Config(request_id=request_id(), file_name="a.wav")
    create = lambda config: server.stub.CreateSession(api.CreateSessionRequest(config=config)).session.session_id
    first = create(config)
    assert create(config) == first
    with pytest.raises(grpc.RpcError) as refused:
        create(Config(request_id=config.request_id, file_name="b.wav"))
    assert reason(refused.value)[:2] == ("ALREADY_EXISTS", "REQUEST_CONFLICT")
    assert reason(refused.value)[2]["session_id"] == first
    # A finished session is sent again, complete.
    once = separate(server.stub, song, config)
    again = separate(server.stub, song, config)
    assert once.done.session_id == again.done.session_id == first
    assert once.digests() == again.digests()


def test_a_second_call_takes_the_session_over(server, song, whole):
    config = Config(request_id=request_id())
    held = threading.Event()

    def stalls(so_far):
        if so_far >= 600_000:
            held.wait(60)

    first = Background(lambda: collect(server.stub.Separate(requests(song, config, pause=stalls))))
    find = lambda: server.stub.CreateSession(api.CreateSessionRequest(config=config)).session
    wait_for(lambda: find().committed_bytes >= 600_000)
    second = separate(server.stub, song, config)
    held.set()
    assert second.digests() == whole
    assert reason(first.result().error)[:2] == ("ABORTED", "REQUEST_TAKEN_OVER")


def test_a_call_that_arrives_late_does_not_take_the_session_over(server, song, whole):
    request, caller = request_id(), request_id()
    attempts = [config_pb2.CallAttempt(caller=caller, number=number) for number in (1, 2)]
    early, late = [Config(request_id=request, attempt=attempt) for attempt in attempts]
    held = threading.Event()

    def stalls(so_far):
        if so_far >= 600_000:
            held.wait(60)

    second = Background(lambda: collect(server.stub.Separate(requests(song, late, pause=stalls))))
    find = lambda: server.stub.CreateSession(api.CreateSessionRequest(config=late)).session
    wait_for(lambda: find().committed_bytes >= 600_000)
    first = separate(server.stub, song, early)
    held.set()
    assert reason(first.error)[:2] == ("ABORTED", "REQUEST_TAKEN_OVER")
    assert second.result().digests() == whole
    attempts[0].caller = "no UUID"
    refused = separate(server.stub, song, Config(attempt=attempts[0]))
    assert reason(refused.error)[:2] == ("INVALID_ARGUMENT", "CONFIG_INVALID")


def test_a_paused_session_with_a_complete_upload_resumes_when_watched(computing):
    server, song = computing, wav(music(40))
    call = server.stub.Separate(requests(song))
    session_id = next(call).session.session_id
    wait_for(lambda: server.get(session_id).upload_complete)
    call.cancel()
    wait_for(lambda: server.get(session_id).state == State.SESSION_STATE_PAUSED)
    progress = server.get(session_id).progress
    assert progress.finished_frames < 40 * 44_100
    with pytest.raises(grpc.RpcError) as refused:
        get_stem(server.stub, session_id, "vocals")
    assert reason(refused.value)[:2] == ("FAILED_PRECONDITION", "SESSION_PAUSED")
    watched = collect(server.stub.WatchSession(api.WatchSessionRequest(session_id=session_id, progress_only=True)))
    assert watched.done.state == State.SESSION_STATE_DONE


@pytest.mark.parametrize("wish, expected", [
    (config_pb2.ON_DISCONNECT_PAUSE, State.SESSION_STATE_PAUSED),
    (config_pb2.ON_DISCONNECT_CONTINUE, State.SESSION_STATE_DONE),
    (config_pb2.ON_DISCONNECT_CANCEL, State.SESSION_STATE_CANCELLED),
])
def test_what_becomes_of_a_session_whose_client_leaves(computing, wish, expected):
    server, song = computing, wav(music(40))
    call = server.stub.Separate(requests(song, Config(on_disconnect=wish)))
    session_id = next(call).session.session_id
    wait_for(lambda: server.get(session_id).upload_complete)
    call.cancel()
    wait_for(lambda: server.get(session_id).state == expected)


def test_kill_9_at_any_moment_loses_nothing(start):
    """A complete upload is finished without its client after ten kills, with the bytes of an undisturbed run."""
    song = encode(music(40), container="flac")
    server = start(*COMPUTING)
    undisturbed = separate(server.stub, song)
    assert undisturbed.error is None
    created = server.stub.CreateSession(api.CreateSessionRequest(config=Config())).session
    for offset in range(0, len(song), 1 << 20):
        server.stub.UploadChunk(api.UploadChunkRequest(
            session_id=created.session_id, offset=offset, data=song[offset : offset + (1 << 20)]))
    finish(server, created.session_id, song)
    draw = random.Random(11)
    progress = []
    for _ in range(10):
        time.sleep(draw.uniform(0.0, 0.6))
        progress.append(server.get(created.session_id).progress.finished_frames)
        server.kill()
        server.restart()
    assert progress == sorted(progress), "what was committed stays"
    # It may be delayed before, if many kills came at the same segment.
    wait_for(lambda: server.get(created.session_id).state in (State.SESSION_STATE_DONE, State.SESSION_STATE_FAILED), 120)
    session = server.get(created.session_id)
    assert session.state == State.SESSION_STATE_DONE, session.error
    assert not session.engine_changes
    for name, pcm in undisturbed.stems.items():
        assert get_stem(server.stub, created.session_id, name) == bytes(pcm)
    assert sorted(path.name for path in server.directory(created.session_id).iterdir()) == ["session.json", "stems", "upload"]


def test_kill_9_with_stems_at_the_sources_rate(start):
    """The resamplers continue bit-identically, too."""
    song = wav(music(15)[: 15 * 32_000], rate=32_000)
    config = Config(output=config_pb2.OutputFormat(rate=config_pb2.OUTPUT_RATE_SOURCE), stems=["accompaniment", "bass"])
    server = start(*COMPUTING)
    undisturbed = separate(server.stub, song, config)
    created = server.stub.CreateSession(api.CreateSessionRequest(config=config)).session
    for offset in range(0, len(song), 1 << 20):
        server.stub.UploadChunk(api.UploadChunkRequest(
            session_id=created.session_id, offset=offset, data=song[offset : offset + (1 << 20)]))
    finish(server, created.session_id, song)
    for wanted in (1, 250_000):
        wait_for(lambda: server.get(created.session_id).progress.finished_frames >= wanted)
        server.kill()
        server.restart()
    wait_for(lambda: server.get(created.session_id).state == State.SESSION_STATE_DONE)
    for name, pcm in undisturbed.stems.items():
        assert get_stem(server.stub, created.session_id, name) == bytes(pcm)


def test_kill_9_amid_an_upload_waits_for_its_client(start, song):
    server = start()
    whole = separate(server.stub, song).digests()
    for by_chunks in (True, False):
        config = Config(request_id=request_id())
        half = len(song) // 2
        if by_chunks:
            session_id = server.stub.CreateSession(api.CreateSessionRequest(config=config)).session.session_id
            server.stub.UploadChunk(api.UploadChunkRequest(session_id=session_id, data=song[:half]))
        else:
            held = threading.Event()
            stalls = lambda so_far: held.wait(60) if so_far >= half else None
            call = Background(lambda: collect(server.stub.Separate(requests(song, config, pause=stalls))))
            find = lambda: server.stub.CreateSession(api.CreateSessionRequest(config=config)).session
            wait_for(lambda: find().committed_bytes >= half)
            session_id = find().session_id
        server.kill()
        if not by_chunks:
            held.set()
            assert call.result().error is not None
        server.restart()
        session = server.get(session_id)
        assert session.state == State.SESSION_STATE_PAUSED
        committed = session.committed_bytes
        assert half <= committed < len(song)
        if by_chunks:
            for offset in range(committed, len(song), 1 << 20):
                server.stub.UploadChunk(api.UploadChunkRequest(
                    session_id=session_id, offset=offset, data=song[offset : offset + (1 << 20)]))
            finish(server, session_id, song)
            result = collect(server.stub.WatchSession(api.WatchSessionRequest(session_id=session_id)))
        else:
            config.upload_offset = committed
            result = separate(server.stub, song, config)
        assert result.error is None
        assert result.digests() == whole


def test_sigterm_parks_what_runs(start):
    song = wav(music(40))
    server = start(*COMPUTING)
    call = Background(lambda: collect(server.stub.Separate(requests(song, Config(request_id=request_id())))))
    wait_for(lambda: len(server.stub.ListSessions(api.ListSessionsRequest()).sessions) == 1)
    session_id = server.stub.ListSessions(api.ListSessionsRequest()).sessions[0].session_id
    wait_for(lambda: server.get(session_id).upload_complete and server.get(session_id).progress.finished_frames > 0)
    assert server.terminate() == 0
    assert call.result().error is not None
    server.restart()
    wait_for(lambda: server.get(session_id).state == State.SESSION_STATE_DONE, 120)
    undisturbed = separate(server.stub, song)
    for name, pcm in undisturbed.stems.items():
        assert get_stem(server.stub, session_id, name) == bytes(pcm)
