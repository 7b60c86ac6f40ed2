"""x-request-id: one id in the request, its response, its error and the server's log."""
import http.client
import struct
import uuid

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2

from ..audio import music, wav
from ..common import INSTANT_FOUR_STEMS, wait_for
from ..http_client import call, form
from ..server import Server
from ..stemwire_client import api

MODELS = INSTANT_FOUR_STEMS

SERVICE = "stemwire.v1.SeparationService"
GRPC_WEB = {"Content-Type": "application/grpc-web+proto", "X-Grpc-Web": "1"}
UNKNOWN = "67e55044-10b1-426f-9247-bb680e5fe0c8"


def ask(server, method: str, path: str, body: bytes | None = None, **headers: str) -> tuple:
    """(status, x-request-id, body) of a response."""
    connection = http.client.HTTPConnection(server.address, timeout=30)
    try:
        connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
        response = connection.getresponse()
        (reported,) = response.headers.get_all("x-request-id", [])
        return response.status, reported, response.read()
    finally:
        connection.close()


def is_fresh(reported: str) -> bool:
    return str(uuid.UUID(reported)) == reported and uuid.UUID(reported).version == 4


def info(error: grpc.RpcError) -> list:
    """The RequestInfo of an error."""
    details = dict(error.trailing_metadata())["grpc-status-details-bin"]
    found = []
    for detail in status_pb2.Status.FromString(details).details:
        if detail.Is(error_details_pb2.RequestInfo.DESCRIPTOR):
            request = error_details_pb2.RequestInfo()
            detail.Unpack(request)
            found.append(request.request_id)
    return found


ROUTES = [
    ("GET", "/", 200), ("GET", "/static/app.js", 200), ("GET", "/health", 200), ("GET", "/metrics", 200), ("GET", "/nothing", 404),
    ("GET", f"/download/{UNKNOWN}/vocals", 404), ("PUT", "/api/sessions", 405), ("OPTIONS", "/api/sessions", 200),
    ("POST", "/api/separate", 415), ("GET", f"/{SERVICE}/Health", 405),
]


@pytest.mark.parametrize("method, path, status", ROUTES)
def test_every_answer_has_an_id(server, method, path, status):
    assert ask(server, method, path, X_Request_Id="mine/7")[:2] == (status, "mine/7")
    fresh = [ask(server, method, path) for _ in range(2)]
    assert all(answer[0] == status and is_fresh(answer[1]) for answer in fresh)
    assert fresh[0][1] != fresh[1][1]


@pytest.mark.parametrize("given", ["7", "x" * 128, "Root=1-67891233-abcdef012345678912345678", "a.b:c/d+e=f@g_h-i"])
def test_an_id_that_is_fit_is_kept(server, given):
    assert ask(server, "GET", "/health", X_Request_Id=given)[1] == given


@pytest.mark.parametrize("given", ["", "x" * 129, "a b", 'a"b', "a;b", "{a}", "<script>", "a%0ab", "caf\u00e9"])
def test_an_id_that_is_not_is_replaced(server, given):
    assert is_fresh(ask(server, "GET", "/health", X_Request_Id=given)[1])


@pytest.mark.parametrize("refused", [
    lambda server, **id: call(server, "GET", f"/api/sessions/{UNKNOWN}", headers=id),
    lambda server, **id: call(server, "GET", "/nothing/there", headers=id),
    lambda server, **id: call(server, "GET", "/health", headers={"Host": "evil.example", **id}),
    lambda server, **id: call(server, "POST", "/api/separate", b"x", headers={"Origin": "https://evil.example", **id}),
    lambda server, **id: call(server, "POST", "/api/separate", *broken_song(id)),
])
def test_a_refusal_names_its_request(server, refused):
    answer = refused(server, **{"X-Request-Id": "mine"})
    answer.problem()
    assert answer.json()["request_id"] == "mine"
    answer = refused(server)
    answer.problem()
    assert is_fresh(answer.json()["request_id"])


def broken_song(id: dict) -> tuple:
    body, headers = form(("file", "notes.txt", b"no music " * 9_999))
    return body, headers | id


def test_a_failed_session_is_no_request(server):
    reported = call(server, "POST", "/api/separate", *broken_song({})).json()
    error = call(server, "GET", f"/api/sessions/{reported['metadata']['session_id']}").json()["error"]
    assert error["reason"] == reported["reason"] and "request_id" not in error


# gRPC.


def unary(server, path: str):
    return server.channel.unary_unary(path, lambda message: message, lambda message: message)


@pytest.mark.parametrize("name, begin", [
    ("a handler refuses", lambda server: lambda **more: server.stub.GetSession(api.GetSessionRequest(session_id=UNKNOWN), **more)),
    ("a stream is refused", lambda server: lambda **more: list(server.stub.GetStem(api.GetStemRequest(session_id=UNKNOWN), **more))),
    ("a stream ends so", lambda server: lambda **more: list(server.stub.Separate(iter([]), **more))),
    ("no such method", lambda server: lambda **more: unary(server, f"/{SERVICE}/Nothing")(b"", **more)),
    ("no such service", lambda server: lambda **more: unary(server, "/no.such.Service/Call")(b"", **more)),
    ("no message", lambda server: lambda **more: unary(server, f"/{SERVICE}/UploadChunk")(b"\xff\xff", **more)),
], ids=lambda value: value if isinstance(value, str) else "")
def test_an_error_of_grpc_names_its_request(server, name, begin):
    with pytest.raises(grpc.RpcError) as refused:
        begin(server)(metadata=[("x-request-id", "mine")])
    assert info(refused.value) == ["mine"]
    with pytest.raises(grpc.RpcError) as refused:
        begin(server)()
    (fresh,) = info(refused.value)
    assert is_fresh(fresh)
    error = refused.value
    heads = dict(error.initial_metadata() or error.trailing_metadata()) if hasattr(error, "initial_metadata") else {}
    assert heads.get("x-request-id", fresh) == fresh


def test_the_guard_names_the_request_that_it_refuses(server):
    elsewhere = [("grpc.default_authority", "evil.example")]
    with grpc.insecure_channel(server.address, elsewhere) as channel, pytest.raises(grpc.RpcError) as refused:
        channel.unary_unary(f"/{SERVICE}/Health")(b"", metadata=[("x-request-id", "mine")])
    assert info(refused.value) == ["mine"]


def test_successful_calls_return_their_id_in_the_headers(server):
    _, called = server.stub.Health.with_call(api.HealthRequest(), metadata=[("x-request-id", "mine")])
    assert dict(called.initial_metadata())["x-request-id"] == "mine"
    _, called = server.stub.Health.with_call(api.HealthRequest())
    assert is_fresh(dict(called.initial_metadata())["x-request-id"])
    status, reported, body = ask(server, "POST", f"/{SERVICE}/Health", b"\0\0\0\0\0", X_Request_Id="mine", **GRPC_WEB)
    assert (status, reported) == (200, "mine") and b"grpc-status:0" in body


def test_a_page_reads_the_id_of_an_error(server):
    """Over grpc-web, in a stream's trailers, which are part of the body."""
    message = api.GetSessionRequest(session_id=UNKNOWN).SerializeToString()
    body = struct.pack(">BI", 0, len(message)) + message
    status, reported, _ = ask(server, "POST", f"/{SERVICE}/GetSession", body, **GRPC_WEB)
    assert status == 200 and is_fresh(reported)


def test_other_pages_that_may_call_may_send_and_read_it(start):
    page = "https://page.example"
    server = start("--allow-origin", page)
    connection = http.client.HTTPConnection(server.address, timeout=30)
    asked = {"Origin": page, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "x-request-id"}
    connection.request("OPTIONS", f"/{SERVICE}/Health", headers=asked)
    permission = connection.getresponse()
    permission.read()
    assert "x-request-id" in permission.headers["access-control-allow-headers"]
    connection.request("GET", "/health", headers={"Origin": page})
    answer = connection.getresponse()
    answer.read()
    assert "x-request-id" in answer.headers["access-control-expose-headers"]


def test_the_log_has_it(binary, tmp_path, monkeypatch):
    monkeypatch.setenv("STEMWIRE_LOG", "stemwire=debug")
    server = Server(binary, tmp_path / "data")
    try:
        ask(server, "GET", "/health", X_Request_Id="find-me-http")
        server.stub.Health.with_call(api.HealthRequest(), metadata=[("x-request-id", "find-me-grpc")])
        # A form whose client disconnects is cleaned up in a task of its own.
        body, headers = form(("file", "song.wav", wav(music(20))))
        leaving = http.client.HTTPConnection(server.address, timeout=30)
        leaving.request("POST", "/api/separate", body[: len(body) // 2],
                        headers | {"Content-Length": str(len(body)), "X-Request-Id": "find-me-later"})
        wait_for(lambda: any(path.is_dir() for path in (server.data / "sessions").iterdir()), 30)
        leaving.close()
        lines = lambda word: [line for line in server.log_text().splitlines() if f"id={word}" in line]
        wait_for(lambda: any("session removed" in line for line in lines("find-me-later")), 30)
        assert any("method=\"GET\"" in line and "path=\"/health\"" in line and "status=200" in line for line in lines("find-me-http"))
        assert any(f"/{SERVICE}/Health" in line for line in lines("find-me-grpc"))
    finally:
        server.close()
