"""Any gateway of a cluster takes any call: it forwards calls on sessions that another gateway has."""
import re
import threading

import grpc
import pytest

from ..audio import music, wav
from ..common import QUICK_MODEL, finish, wait_for
from ..http_client import call, get
from ..nats import NatsServer
from ..stemwire_client import (
    Background,
    Config,
    api,
    chunks,
    collect,
    get_stem,
    reason,
    request_id,
    requests,
    separate,
    session_pb2,
)

MODELS = QUICK_MODEL
CHUNK = 256 * 1024
SERVICE = "stemwire.v1.SeparationService"


@pytest.fixture(scope="module")
def nats(tmp_path_factory):
    server = NatsServer(tmp_path_factory.mktemp("nats"), "--jetstream")
    yield server
    server.kill()


@pytest.fixture
def gateways(start, nats, tmp_path):
    """gateways(count) starts gateways of one cluster."""
    secret = tmp_path / "secret"
    secret.write_text("0123456789abcdef" * 2)
    secret.chmod(0o600)
    options = ["--cluster", nats.url, "--store", f"file://{tmp_path / 'store'}", "--cluster-secret-file", str(secret)]
    return lambda count: [start(*options, data=tmp_path / f"data-{number}") for number in range(count)]


def create(server, **config) -> str:
    return server.stub.CreateSession(api.CreateSessionRequest(config=Config(**config))).session.session_id


def put(server, session_id: str, song: bytes, start: int, end: int) -> int:
    for offset in range(start, end, CHUNK):
        data = song[offset : min(offset + CHUNK, end)]
        held = server.stub.UploadChunk(api.UploadChunkRequest(session_id=session_id, offset=offset, data=data)).committed_bytes
    return held


def forwarded(server) -> dict:
    """The number of forwarded calls, by method and outcome."""
    text = get(server, "/metrics").body.decode()
    found = re.findall(r'stemwire_forwarded_calls_total\{method="([^"]+)",outcome="([^"]+)"\} (\d+)', text)
    return {(method.removeprefix(f"{SERVICE}/"), outcome): int(count) for method, outcome, count in found}


def test_calls_on_a_session_reach_the_gateway_that_has_it(gateways):
    song = wav(music(6))
    one, other = gateways(2)
    alone = separate(one.stub, song)
    session_id = create(one)
    half = len(song) // 2
    assert put(one, session_id, song, 0, CHUNK) == CHUNK
    assert put(other, session_id, song, CHUNK, half) == half
    assert other.get(session_id).committed_bytes == half
    refusals = []
    for gateway in [one, other]:
        with pytest.raises(grpc.RpcError) as refused:
            put(gateway, session_id, song, half + 1, half + 2)
        refusals.append((*reason(refused.value)[:2], refused.value.details()))
    assert refusals[0] == refusals[1] and refusals[0][1], "the owner's reason, from wherever it is asked"
    watched = Background(lambda: collect(other.stub.WatchSession(api.WatchSessionRequest(session_id=session_id))))
    stem = Background(lambda: get_stem(other.stub, session_id, "vocals"))
    patch = {"Tus-Resumable": "1.0.0", "Upload-Offset": str(half), "Content-Type": "application/offset+octet-stream"}
    answer = call(other, "PATCH", f"/api/uploads/{session_id}", chunks(song, CHUNK, half), patch)
    assert (answer.status, answer.headers["upload-offset"]) == (204, str(len(song)))
    finish(other, session_id, song)
    result = watched.result()
    assert result.done.state == session_pb2.SESSION_STATE_DONE, result.error
    assert result.digests() == alone.digests()
    assert stem.result() == bytes(alone.stems["vocals"])
    wanted = {(method, "answered") for method in ("UploadChunk", "GetSession", "WatchSession", "GetStem", "PATCH /api/uploads/{id}")}
    # A call is counted just after its end.
    wait_for(lambda: wanted <= forwarded(other).keys())
    assert not forwarded(one), "the gateway that has the session forwards nothing"


def test_separate_is_resumed_at_another_gateway(gateways):
    song = wav(music(6))
    one, other = gateways(2)
    alone = separate(one.stub, song)
    config = Config(request_id=request_id())
    half = len(song) // 2
    broken = collect(one.stub.Separate(requests(song[:half], config, finish=False)))
    session_id = broken.session.session_id
    assert reason(broken.error)[1] == "UPLOAD_UNFINISHED"
    again = api.CreateSessionRequest(config=config)
    assert other.stub.CreateSession(again).session.session_id == session_id
    wait_for(lambda: other.get(session_id).committed_bytes == half)
    config.upload_offset = half
    result = collect(other.stub.Separate(requests(song, config)))
    assert result.session.session_id == session_id and result.digests() == alone.digests()
    wait_for(lambda: ("Separate", "answered") in forwarded(other))
    again.config.file_name = "another.wav"
    for gateway in (one, other):
        with pytest.raises(grpc.RpcError) as refused:
            gateway.stub.CreateSession(again)
        assert reason(refused.value)[:2] == ("ALREADY_EXISTS", "REQUEST_CONFLICT")


def test_of_concurrent_creations_with_one_request_id_one_creates_the_session(gateways):
    both = gateways(2)
    for _ in range(10):
        wanted = api.CreateSessionRequest(config=Config(request_id=request_id()))
        begin = threading.Barrier(2)

        def create_at(gateway):
            begin.wait()
            return gateway.stub.CreateSession(wanted).session.session_id

        calls = [Background(lambda gateway=gateway: create_at(gateway)) for gateway in both]
        first, second = [call.result() for call in calls]
        assert first == second
    # A gateway that has just started asks the others once it knows them.
    wait_for(lambda: len(both[0].stub.ListSessions(api.ListSessionsRequest()).sessions) == 10)


def test_each_gateway_lists_the_sessions_of_all(gateways):
    one, other = gateways(2)
    created = [create((one, other)[number % 2], file_name=f"{number}") for number in range(7)]
    ended = created[2]
    one.stub.CancelSession(api.CancelSessionRequest(session_id=ended))
    newest_first = created[::-1]
    for gateway in (one, other):
        # A gateway is asked from its second look at the others on.
        wait_for(lambda: len(gateway.stub.ListSessions(api.ListSessionsRequest()).sessions) == 7)
        paged, token = [], ""
        while token or not paged:
            page = gateway.stub.ListSessions(api.ListSessionsRequest(page_size=3, page_token=token))
            paged += page.sessions
            token = page.next_page_token
        assert [session.session_id for session in paged] == newest_first
        cancelled = [session.session_id for session in paged if session.state == session_pb2.SESSION_STATE_CANCELLED]
        assert cancelled == [ended]
        found, token = [], ""
        while token is not None:
            page = get(gateway, f"/api/sessions?page_size=3&page_token={token}").json()
            found += page["sessions"]
            token = page["next_page_token"]
        assert [session["session_id"] for session in found] == newest_first
        assert [session["file_name"] for session in found] == ["6", "5", "4", "3", "2", "1", "0"]
    other.kill()
    left = one.stub.ListSessions(api.ListSessionsRequest()).sessions
    assert {session.session_id for session in left} == {created[0], created[2], created[4], created[6]}


def test_the_end_of_a_call_reaches_the_gateway_that_has_the_session(gateways):
    song = wav(music(30))
    one, other = gateways(2)
    session_id = create(one)
    put(one, session_id, song, 0, CHUNK)
    request = api.WatchSessionRequest(session_id=session_id, progress_only=True)
    watched = other.stub.WatchSession(request)
    assert next(watched).session.session_id == session_id
    watched.cancel()
    ended = 'stemwire_grpc_requests_total{method="stemwire.v1.SeparationService/WatchSession",code="CANCELLED"} 1'
    wait_for(lambda: ended in get(one, "/metrics").body.decode())
    late = collect(other.stub.WatchSession(request, timeout=0.5))
    assert late.error.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    cancelled = other.stub.CancelSession(api.CancelSessionRequest(session_id=session_id)).session
    assert cancelled.state == session_pb2.SESSION_STATE_CANCELLED
    assert one.get(session_id).state == session_pb2.SESSION_STATE_CANCELLED


def test_a_gateway_that_is_lost_is_reported_at_once(gateways):
    one, other = gateways(2)
    session_id = create(one)
    put(one, session_id, wav(music(5)), 0, CHUNK)
    watched = other.stub.WatchSession(api.WatchSessionRequest(session_id=session_id, progress_only=True))
    assert next(watched).session.session_id == session_id
    one.kill()
    for error in (collect(watched).error, Background(lambda: failure(other, session_id)).result()):
        assert reason(error)[:2] == ("UNAVAILABLE", "SESSION_ELSEWHERE"), error
    answer = get(other, f"/api/sessions/{session_id}")
    assert answer.problem() == (503, "UNAVAILABLE", "SESSION_ELSEWHERE")
    address = one.address.encode()
    assert address not in answer.body and address not in str(answer.headers).encode(), "clients do not see where it is"
    assert address not in str(failure(other, session_id)).encode()
    assert forwarded(other)["GetSession", "unreachable"] >= 1


def failure(server, session_id: str):
    with pytest.raises(grpc.RpcError) as caught:
        server.get(session_id)
    return caught.value


@pytest.mark.parametrize("headers", [
    {"stemwire-forwarded-by": "me", "stemwire-cluster-secret": "fedcba98" * 4},
    {"stemwire-forwarded-by": "me"},
])
def test_a_client_that_poses_as_a_gateway_is_refused(gateways, headers):
    (one,) = gateways(1)
    assert call(one, "GET", "/api/sessions", headers=headers).problem()[0] == 401
    assert get(one, "/api/sessions").status == 200
