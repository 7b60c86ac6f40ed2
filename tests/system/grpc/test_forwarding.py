"""Any gateway of a cluster takes any call: it forwards calls on sessions that another gateway has."""
import re

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
    counts = forwarded(other)
    for method in ("UploadChunk", "GetSession", "WatchSession", "GetStem", "PATCH /api/uploads/{id}"):
        assert (method, "answered") in counts, sorted(counts)
    assert not forwarded(one), "the gateway that has the session forwards nothing"


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
    status, code, found = get(other, f"/api/sessions/{session_id}").problem()
    assert (status, code, found) == (503, "UNAVAILABLE", "SESSION_ELSEWHERE")
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
