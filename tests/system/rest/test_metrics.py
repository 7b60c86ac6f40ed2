"""/metrics: every request is counted once, under its route or method, also when it is refused."""
import http.client
import socket
import struct
from collections import Counter

import grpc
import pytest
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from ..audio import RATE, music, wav
from ..common import QUICK_MODEL, wait_for
from ..http_client import get, separate
from ..stemwire_client import api, get_stem, service

MODELS = QUICK_MODEL
SERVICE = "stemwire.v1.SeparationService"
TOKEN = "a token that is not guessed"
GRPC_WEB = {"Content-Type": "application/grpc-web+proto", "X-Grpc-Web": "1"}


def samples(server, **headers: str) -> Counter:
    """{(name, (label, value), …): number} as Prometheus reads it."""
    answer = get(server, "/metrics", **headers)
    assert answer.headers["content-type"].startswith("application/openmetrics-text")
    families = text_string_to_metric_families(answer.body.decode())
    return Counter({(sample.name, *sorted(sample.labels.items())): sample.value for family in families for sample in family.samples})


def named(name: str, **labels: str) -> tuple:
    return (f"stemwire_{name}", *sorted(labels.items()))


def grpc_calls(method: str, code: str) -> tuple:
    return named("grpc_requests_total", method=method, code=code)


def http_requests(method: str, route: str, status: int) -> tuple:
    return named("http_requests_total", method=method, route=route, status=str(status))


def requests(counted: Counter) -> Counter:
    """The counted requests, except those for the metrics and the document, which the first test of a run reads."""
    kinds, own = ("stemwire_grpc_requests_total", "stemwire_http_requests_total"), {("route", "/metrics"), ("route", "/openapi.json")}
    return Counter({key: value for key, value in counted.items() if key[0] in kinds and own.isdisjoint(key)})


def requests_of(server, count: int) -> Counter:
    """The counted requests, once their number is reached: a long response is counted just after its end."""
    wait_for(lambda: requests(samples(server)).total() >= count, 10)
    return samples(server)


class Watched:
    """The counts of a `with` block, once they are as `expected`; a call is counted just after its end."""

    def __init__(self, server, **headers: str):
        self.server, self.headers = server, headers

    def look(self) -> Counter:
        return requests(samples(self.server, **self.headers))

    def __enter__(self):
        self.before = self.look()
        return self

    def __exit__(self, kind, *_):
        if kind is None:
            self.counted = lambda: self.look() - self.before

    def check(self, *expected: tuple) -> None:
        wanted = Counter(expected)
        wait_for(lambda: self.counted().total() >= wanted.total(), 10)
        assert self.counted() == wanted


def ask(server, method: str, path: str, body: bytes | None = None, **headers: str) -> http.client.HTTPResponse:
    connection = http.client.HTTPConnection(server.address, timeout=10)
    try:
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        response.read()
        return response
    finally:
        connection.close()


def refusal(call, *arguments, **options) -> str:
    with pytest.raises(grpc.RpcError) as refused:
        call(*arguments, **options)
    return refused.value.code().name


def test_numbers_count_what_happened(start):
    server = start("--engines", "mini")
    song = wav(music(9))
    reported = separate(server, song, query="?stems=vocals").json()
    get(server, reported["vocals_url"])
    get(server, "/api/anything/at/all")
    get_stem(server.stub, reported["session_id"], "vocals")
    with pytest.raises(grpc.RpcError):
        server.get("67e55044-10b1-426f-9247-bb680e5fe0c8")
    counted = requests_of(server, 5)
    assert counted[named("uploaded_bytes_total")] == len(song)
    assert counted[http_requests("POST", "/api/separate", 200)] == 1
    assert counted[http_requests("GET", "/download/{id}/{stem}", 200)] == 1
    assert counted[http_requests("GET", "other", 404)] == 1
    assert counted[grpc_calls(f"{SERVICE}/GetStem", "OK")] == 1
    assert counted[grpc_calls(f"{SERVICE}/GetSession", "NOT_FOUND")] == 1
    assert counted[named("grpc_request_duration_seconds_count", method=f"{SERVICE}/GetStem")] == 1
    assert counted[named("first_stem_latency_seconds_count")] == 1
    # Nine seconds are three segments of four, or four.
    assert counted[named("segments_total", model="mini")] in (3, 4)
    assert counted[named("engine_time_seconds_total", model="mini")] > 0
    assert counted[named("open_sessions")] == counted[named("queued_sessions")] == 0
    assert counted[named("stored_bytes")] > 9 * RATE * 8


def test_what_the_guard_refuses_is_counted(server):
    elsewhere = grpc.insecure_channel(server.address, [("grpc.default_authority", "evil.example")])
    with elsewhere, Watched(server) as watched:
        assert refusal(service.SeparationServiceStub(elsewhere).Health, api.HealthRequest()) == "PERMISSION_DENIED"
        answer = ask(server, "POST", f"/{SERVICE}/ListModels", b"\0\0\0\0\0", Origin="https://evil.example", **GRPC_WEB)
        assert answer.getheader("grpc-status") == "7"
        assert ask(server, "GET", "/health", Host="evil.example").status == 403
        assert ask(server, "POST", "/api/separate", b"x", Origin="https://evil.example").status == 403
    watched.check(
        grpc_calls(f"{SERVICE}/Health", "PERMISSION_DENIED"),
        grpc_calls(f"{SERVICE}/ListModels", "PERMISSION_DENIED"),
        http_requests("GET", "/health", 403),
        http_requests("POST", "/api/separate", 403),
    )


def test_calls_without_the_token_are_counted(start):
    server = start("--token", TOKEN)
    with Watched(server, Authorization=f"Bearer {TOKEN}") as watched:
        assert refusal(server.stub.GetSession, api.GetSessionRequest()) == "UNAUTHENTICATED"
        assert refusal(lambda: list(server.stub.Separate(iter([])))) == "UNAUTHENTICATED"
        assert ask(server, "GET", "/metrics").status == 401
        assert ask(server, "GET", "/api/sessions").status == 401
    watched.check(
        grpc_calls(f"{SERVICE}/GetSession", "UNAUTHENTICATED"),
        grpc_calls(f"{SERVICE}/Separate", "UNAUTHENTICATED"),
        http_requests("GET", "/api/sessions", 401),
    )


def test_calls_that_reach_no_handler_are_counted(server):
    unary = lambda path: server.channel.unary_unary(path, lambda message: message, lambda message: message)
    upload = f"/{SERVICE}/UploadChunk"
    with Watched(server) as watched:
        assert refusal(unary("/no.such.Service/Call"), b"") == "UNIMPLEMENTED"
        assert refusal(unary(f"/{SERVICE}/Nothing"), b"") == "UNIMPLEMENTED"
        assert refusal(unary(upload), b"\xff\xff\xff") == "INTERNAL"
        assert refusal(unary(upload), bytes(5 << 20)) == "OUT_OF_RANGE"
        # gRPC needs HTTP/2, grpc-web needs POST, and a form is not a message.
        assert ask(server, "POST", upload, b"\0\0\0\0\0", **{"Content-Type": "application/grpc"}).status == 415
        assert ask(server, "PUT", upload, b"\0\0\0\0\0", **GRPC_WEB).status == 405
        assert ask(server, "POST", "/api/separate", b"\0\0\0\0\0", **{"Content-Type": "application/grpc"}).status == 415
        assert ask(server, "GET", upload).status == 405
    watched.check(
        grpc_calls("other", "UNIMPLEMENTED"),
        grpc_calls("other", "UNIMPLEMENTED"),
        grpc_calls(f"{SERVICE}/UploadChunk", "INTERNAL"),
        grpc_calls(f"{SERVICE}/UploadChunk", "OUT_OF_RANGE"),
        # Answered without a gRPC status.
        grpc_calls(f"{SERVICE}/UploadChunk", "UNKNOWN"),
        grpc_calls(f"{SERVICE}/UploadChunk", "UNKNOWN"),
        http_requests("POST", "/api/separate", 415),
        http_requests("GET", "other", 405),
    )


def test_a_call_whose_time_is_over_before_its_message_has_come_is_counted(server):
    head = f"POST /{SERVICE}/Health HTTP/1.1\r\nHost: {server.address}\r\nContent-Type: application/grpc-web+proto\r\n"
    with socket.create_connection(server.address.split(":"), timeout=10) as slow, Watched(server) as watched:
        slow.sendall(f"{head}Content-Length: 5\r\ngrpc-timeout: 100m\r\n\r\n\0".encode())
        assert slow.recv(1 << 16).startswith(b"HTTP/1.1 ")
    watched.check(grpc_calls(f"{SERVICE}/Health", "DEADLINE_EXCEEDED"))


def test_streams_are_counted_with_the_code_that_their_client_saw(server):
    session_id = server.stub.CreateSession(api.CreateSessionRequest()).session.session_id
    with Watched(server) as watched:
        watch = server.stub.WatchSession(api.WatchSessionRequest(session_id=session_id))
        next(watch)
        watch.cancel()
        # The server's deadline: the client's own may pass a moment before.
        message = api.WatchSessionRequest(session_id=session_id).SerializeToString()
        body = struct.pack(">BI", 0, len(message)) + message
        response = ask(server, "POST", f"/{SERVICE}/WatchSession", body, **GRPC_WEB, **{"grpc-timeout": "200m"})
        assert response.status == 200
        ProtoReflectionDescriptorDatabase(server.channel).get_services()
        server.stub.CancelSession(api.CancelSessionRequest(session_id=session_id))
    ended = lambda: {key for key in watched.counted() if ("method", f"{SERVICE}/WatchSession") in key}
    expected = {grpc_calls(f"{SERVICE}/WatchSession", code) for code in ("CANCELLED", "DEADLINE_EXCEEDED")}
    wait_for(lambda: len(ended()) >= 2, 10)
    assert ended() == expected


def test_file_names_of_downloads_are_safe(server):
    before = samples(server)
    for number in range(20):
        word = f"stranger{number}"
        ask(server, "GET", f"/{word}/{word}", Host=f"{word}.example")
        ask(server, word.upper(), f"/api/sessions/{word}")
        ask(server, "POST", f"/{word}.v1.Service/{word}", b"\0\0\0\0\0", Origin=f"https://{word}.example", **GRPC_WEB)
        unary = server.channel.unary_unary(f"/{word}.Service/{word}", lambda message: message, lambda message: message)
        refusal(unary, b"", metadata=[("x-name", word)])
    after = requests_of(server, requests(before).total() + 80)
    assert requests(after - before).total() == 80
    reported = {value.lower() for key in after for _, value in key[1:]}
    assert not any("stranger" in value for value in reported)
    # One route, method and status each.
    assert len(requests(after).keys() - requests(before).keys()) <= 4
