"""Connections without requests, too many connections, and sessions meanwhile."""
import contextlib
import threading
import time

import grpc
import pytest
import trustme

from ..audio import music, wav
from ..common import INSTANT_FOUR_STEMS, wait_for
from ..http_client import call, get
from ..stemwire_client import api, reason, separate, service
from .raw import PREFACE, connect, is_open, received

MODELS = INSTANT_FOUR_STEMS

HEAD = b"GET /health HTTP/1.1\r\nhost: localhost\r\n"
TOO_LITTLE = {
    "nothing": b"",
    "half of HTTP/2's preface": PREFACE[:12],
    "the preface only": PREFACE,
    "preface and settings": PREFACE + b"\0\0\0\4\0\0\0\0\0",
    "half a head": HEAD,
}


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    folder = tmp_path_factory.mktemp("certificate")
    issued = trustme.CA().issue_cert("localhost", "127.0.0.1")
    issued.private_key_pem.write_to_path(folder / "key.pem")
    issued.cert_chain_pems[0].write_to_path(folder / "cert.pem")
    return ["--tls-cert", str(folder / "cert.pem"), "--tls-key", str(folder / "key.pem")]


def test_a_connection_without_a_request_is_closed(start):
    server = start("--head-time", "300ms")
    for what, first in TOO_LITTLE.items():
        assert b"HTTP/1.1 200" not in received(connect(server, first)), what


def test_a_head_that_arrives_byte_by_byte_is_not_waited_for(start):
    server = start("--head-time", "300ms")
    connection, ended = connect(server, HEAD), threading.Event()

    def drip():
        with contextlib.suppress(OSError):
            while not ended.wait(0.05):
                connection.sendall(b"x")

    dripping = threading.Thread(target=drip)
    dripping.start()
    assert received(connection) == b""
    ended.set()
    dripping.join()


def test_a_handshake_of_tls_that_does_not_end_is_closed(start, certificate):
    server = start("--head-time", "300ms", *certificate)
    # Nothing, and the beginning of a ClientHello.
    for first in (b"", b"\x16\x03\x01\x02\x00\x01"):
        received(connect(server, first))


def test_a_connection_that_is_idle_between_requests_is_closed(start):
    server = start("--idle-connection", "300ms")
    connection = connect(server, HEAD + b"\r\n")
    assert received(connection).startswith(b"HTTP/1.1 200")
    # A running call is not idle: this one ends with the session.
    assert separate(server.stub, wav(music(1)), pause=lambda _: time.sleep(0.3)).error is None


def test_connections_without_requests_give_way_to_new_ones(start):
    server = start("--max-connections", "6", "--head-time", "1h")
    # One of them is in use, so it stays.
    session_id = server.stub.CreateSession(api.CreateSessionRequest()).session.session_id
    watched = server.stub.WatchSession(api.WatchSessionRequest(session_id=session_id))
    assert next(watched).session.session_id == session_id
    silent = [connect(server) for _ in range(40)]
    assert get(server, "/health").status == 200
    wait_for(lambda: sum(map(is_open, silent)) <= 5)
    assert not is_open(silent[0]) and server.get(session_id).session_id == session_id
    watched.cancel()


def test_a_connection_too_many_is_refused_and_served_later(start):
    server = start("--max-client-connections", "2")
    assert get(server, "/api/sessions").status == 200
    session_id = server.stub.CreateSession(api.CreateSessionRequest()).session.session_id
    request = api.WatchSessionRequest(session_id=session_id)
    with grpc.insecure_channel(server.address, [("grpc.use_local_subchannel_pool", 1)]) as other:
        watching = [stub.WatchSession(request) for stub in (server.stub, service.SeparationServiceStub(other))]
        for watched in watching:
            next(watched)
        refused = get(server, "/api/sessions")
        assert refused.problem() == (503, "UNAVAILABLE", "TOO_MANY_CONNECTIONS")
        assert refused.headers["retry-after"] and refused.headers["connection"] == "close"
        assert "tus-resumable" not in refused.headers
        assert call(server, "HEAD", "/api/uploads/x").headers["tus-resumable"] == "1.0.0"
        with grpc.insecure_channel(server.address, [("grpc.use_local_subchannel_pool", 1)]) as third:
            with pytest.raises(grpc.RpcError) as error:
                service.SeparationServiceStub(third).Health(api.HealthRequest())
            assert reason(error.value)[:2] == ("UNAVAILABLE", "TOO_MANY_CONNECTIONS")
        for watched in watching:
            watched.cancel()
    wait_for(lambda: get(server, "/api/sessions").status == 200)


def test_sessions_go_on_beside_as_many_connections_as_the_system_allows(start):
    """The limit of open files cannot be raised here: some of them are kept for sessions."""
    server = start("--head-time", "1h", wrapper=["prlimit", "--nofile=240", "--"])
    silent = []

    def crowd(_):
        with contextlib.suppress(OSError):
            silent.extend(connect(server) for _ in range(20))

    result = separate(server.stub, wav(music(8)), pause=crowd)
    assert len(silent) > 300, "more than there may be open files"
    assert result.error is None and len(result.stems) == 4
    for connection in silent:
        connection.close()
