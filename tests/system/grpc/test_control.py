"""Many clients on one server: slots, fairness, cancelling, slow readers, and their progress."""
import threading

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

from ..audio import RATE, music, wav
from ..common import QUICK_MODEL, wait_for
from ..stemwire_client import Background, Config, api, collect, reason, requests, separate, session_pb2

MODELS = QUICK_MODEL
State = session_pb2
SERVICE = "stemwire.v1.SeparationService"


def test_a_cancelled_session_frees_its_worker(server, song):
    long, cancelled = wav(music(60)), threading.Event()
    # The upload is in the middle, and continues after the end: the reported end stays the same.
    call = server.stub.Separate(requests(long, pause=lambda so_far: so_far < len(long) // 2 or cancelled.wait(60)))
    session_id = next(call).session.session_id
    wait_for(lambda: server.get(session_id).progress.finished_frames > 0)
    server.stub.CancelSession(api.CancelSessionRequest(session_id=session_id))
    cancelled.set()
    session = server.get(session_id)
    assert session.state == State.SESSION_STATE_CANCELLED
    assert 0 < session.progress.finished_frames < 60 * RATE
    result = collect(call)
    assert reason(result.error)[:2] == ("CANCELLED", "SESSION_CANCELLED")
    assert result.done.state == State.SESSION_STATE_CANCELLED
    assert separate(server.stub, song).error is None
    # Finished frames stay readable, and the end is reported.
    pcm = bytearray()
    with pytest.raises(grpc.RpcError) as ended:
        for response in server.stub.GetStem(api.GetStemRequest(session_id=session_id, stem="bass")):
            pcm += response.chunk.pcm
    assert len(pcm) == session.progress.finished_frames * 8
    assert reason(ended.value)[1] == "SESSION_CANCELLED"
    with pytest.raises(grpc.RpcError) as refused:
        server.stub.UploadChunk(api.UploadChunkRequest(session_id=session_id, data=b"x"))
    assert reason(refused.value)[:2] == ("FAILED_PRECONDITION", "SESSION_ENDED")


def test_a_client_that_reads_nothing_costs_no_memory_and_no_time(server, song):
    """It stalls one stream; other streams of the same connection are served."""
    long = wav(music(60))
    call = server.stub.Separate(requests(long))
    session_id = next(call).session.session_id  # and no other message is taken
    separate(server.stub, song)
    before = server.rss()
    wait_for(lambda: server.get(session_id).state == State.SESSION_STATE_DONE, 120)
    assert separate(server.stub, song).error is None
    assert server.rss() < before + 16 * 1024 * 1024
    result = collect(call)
    assert result.error is None
    assert {len(pcm) for pcm in result.stems.values()} == {60 * RATE * 8}


def test_sessions_share_the_workers(slow_server):
    """Two long sessions advance together; a later short one is done before them."""
    server, brief, songs = slow_server, wav(music(11)), [wav(music(60, seed)) for seed in (1, 2)]
    # Its segments are short: the brief song has four, so that both of the others have a turn between them.
    config = Config(model="mini")
    calls = [server.stub.Separate(requests(song, config)) for song in songs]
    long = [next(call).session.session_id for call in calls]
    following = [Background(lambda call=call: collect(call)) for call in calls]
    finished = lambda: [server.get(session_id).progress.finished_frames for session_id in long]
    wait_for(lambda: min(finished()) > 0)
    before = finished()
    assert separate(server.stub, brief, config).error is None
    after = finished()
    assert all(frames < 60 * RATE for frames in after), "the short one came first"
    advanced = [now - then for now, then in zip(after, before)]
    assert min(advanced) > 0 and max(advanced) - min(advanced) <= 3 * 176_128, advanced
    for session_id, follower in zip(long, following):
        server.stub.CancelSession(api.CancelSessionRequest(session_id=session_id))
        assert reason(follower.result().error)[1] == "SESSION_CANCELLED"


def test_places_are_counted_and_the_queue_has_an_end(start, song):
    server = start("--max-open", "1", "--max-queued", "1", "--threads", "1")
    # It keeps its slot as long as it computes.
    first = server.stub.Separate(requests(wav(music(120))))
    session_id = next(first).session.session_id
    wait_for(lambda: server.get(session_id).progress.finished_frames > 0)
    second = server.stub.Separate(requests(song))
    session_id = next(second).session.session_id
    wait_for(lambda: server.get(session_id).progress.queue_position == 1)
    health = server.stub.Health(api.HealthRequest())
    assert (health.open_sessions, health.queued_sessions) == (1, 1)
    assert health.status == api.SERVING_STATUS_NOT_SERVING and "--max-queued" in health.remedy
    refused = separate(server.stub, song)
    assert reason(refused.error)[:2] == ("RESOURCE_EXHAUSTED", "QUEUE_FULL")
    assert len(server.stub.ListSessions(api.ListSessionsRequest()).sessions) == 2, "nothing is left of it"
    first.cancel()
    assert collect(second).error is None


def test_a_stalled_upload_releases_its_slot(start, song):
    server = start("--idle-upload", "2s", "--max-open", "1", "--max-queued", "0")
    by_chunks = server.stub.CreateSession(api.CreateSessionRequest()).session.session_id
    wait_for(lambda: server.get(by_chunks).state == State.SESSION_STATE_PAUSED)

    ended = threading.Event()
    result = collect(server.stub.Separate(requests(song, pause=lambda so_far: so_far and ended.wait(60))))
    ended.set()
    assert reason(result.error)[:2] == ("ABORTED", "UPLOAD_IDLE")
    wait_for(lambda: server.get(result.session.session_id).state == State.SESSION_STATE_PAUSED)
    assert separate(server.stub, song).error is None


def test_a_session_that_is_not_resumed_ends(start):
    server = start("--idle-upload", "1s", "--resume-window", "2s", "--keep", "0s")
    session_id = server.stub.CreateSession(api.CreateSessionRequest()).session.session_id
    wait_for(lambda: server.get(session_id).state == State.SESSION_STATE_FAILED)
    assert server.get(session_id).error.reason == "RESUME_WINDOW_ENDED"


def test_the_list_has_pages_and_deleted_sessions_are_gone(start, song):
    server = start()
    made = [server.stub.CreateSession(api.CreateSessionRequest()).session.session_id for _ in range(5)]
    seen, token = [], ""
    while True:
        page = server.stub.ListSessions(api.ListSessionsRequest(page_size=2, page_token=token))
        seen += [session.session_id for session in page.sessions]
        token = page.next_page_token
        if not token:
            break
    assert seen == made[::-1]
    with pytest.raises(grpc.RpcError) as refused:
        server.stub.ListSessions(api.ListSessionsRequest(page_token="nonsense"))
    assert reason(refused.value)[1] == "PAGE_TOKEN_INVALID"
    running = server.stub.Separate(requests(wav(music(60))))
    made.append(next(running).session.session_id)
    for session_id in made:
        server.stub.DeleteSession(api.DeleteSessionRequest(session_id=session_id))
        assert not server.directory(session_id).exists()
        with pytest.raises(grpc.RpcError) as refused:
            server.get(session_id)
        assert reason(refused.value)[:2] == ("NOT_FOUND", "SESSION_NOT_FOUND")
    assert collect(running).error is not None
    assert separate(server.stub, song).error is None


def test_health_is_reported_by_grpc_health_v1_too(start):
    # With the default models.
    server = start(variables=dict.fromkeys(MODELS))
    check = health_pb2_grpc.HealthStub(server.channel).Check
    for name in ("", SERVICE):
        assert check(health_pb2.HealthCheckRequest(service=name)).status == health_pb2.HealthCheckResponse.SERVING
    health = server.stub.Health(api.HealthRequest())
    assert health.status == api.SERVING_STATUS_SERVING
    assert health.runtime.name.startswith("onnxruntime 1.")
    assert [engine.name for engine in health.engines] == ["mini", "mini-spleeter"]
    assert health.free_disk_bytes > 0
    models = server.stub.ListModels(api.ListModelsRequest()).models
    assert [model.execution for model in models[:2]] == [engine.execution for engine in health.engines]
    assert list(models[0].stems) == ["drums", "bass", "other", "vocals"]
    assert models[0].sample_rate == 44_100


def test_a_shutdown_is_reported_before_it_is_complete(start):
    server = start()
    watch = health_pb2_grpc.HealthStub(server.channel).Watch(health_pb2.HealthCheckRequest(service=SERVICE))
    assert next(watch).status == health_pb2.HealthCheckResponse.SERVING
    ending = Background(lambda: server.terminate())
    assert next(watch).status == health_pb2.HealthCheckResponse.NOT_SERVING
    watch.cancel()
    assert ending.result() == 0


def test_reflection_describes_the_service(server):
    database = ProtoReflectionDescriptorDatabase(server.channel)
    assert SERVICE in database.get_services()
    file = database.FindFileContainingSymbol(SERVICE)
    assert {method.name for method in file.service[0].method} >= {"Separate", "GetStem", "Health", "WatchSession"}


def test_deadlines_end_streams(server):
    created = server.stub.CreateSession(api.CreateSessionRequest()).session.session_id
    watch = server.stub.WatchSession(api.WatchSessionRequest(session_id=created), timeout=1)
    assert collect(watch).error.code() == grpc.StatusCode.DEADLINE_EXCEEDED
    server.stub.CancelSession(api.CancelSessionRequest(session_id=created))


def test_a_token_is_required(start):
    server = start("--token", "a-very-secret-token")
    with pytest.raises(grpc.RpcError) as refused:
        server.stub.Health(api.HealthRequest())
    assert reason(refused.value)[:2] == ("UNAUTHENTICATED", "TOKEN_MISSING")
    server.stub.Health(api.HealthRequest(), metadata=[("authorization", "Bearer a-very-secret-token")])
    check = health_pb2_grpc.HealthStub(server.channel).Check
    assert check(health_pb2.HealthCheckRequest()).status == health_pb2.HealthCheckResponse.SERVING


def test_pages_from_elsewhere_are_refused(server):
    import http.client

    for headers, expected in [
        ({"Host": "evil.example"}, 403),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": f"http://{server.address}"}, 200),
    ]:
        connection = http.client.HTTPConnection(server.address, timeout=10)
        headers = {"Content-Type": "application/grpc-web+proto", "X-Grpc-Web": "1"} | headers
        connection.request("POST", f"/{SERVICE}/Health", body=b"\0\0\0\0\0", headers=headers)
        response = connection.getresponse()
        status = response.getheader("grpc-status")
        refused = response.status == 403 or status not in (None, "0")
        assert refused == (expected == 403), (headers, response.status, status)
        connection.close()
