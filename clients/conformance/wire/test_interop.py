"""The scenarios of gRPC's own interoperability tests, by grpcio, against this service.

Those that need an echo (custom metadata, large messages of a chosen size, compressed responses) do not apply. Names of
scenarios are those of grpc/grpc, doc/interop-test-descriptions.md.
"""
import re
import threading

import grpc
import pytest
from google.rpc import status_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from system.audio import music, wav
from system.common import wait_for
from system.http_client import get
from system.stemwire_client import Config, api, config_pb2, connect, reason, requests, separate, service, session_pb2

SERVICE = "stemwire.v1.SeparationService"
# Characters of and beyond the basic plane, as in the scenario.
UNICODE = "\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈\t\n"


@pytest.fixture(scope="module")
def song() -> bytes:
    return wav(music(5))


def counted(server, method: str, *codes: str) -> int:
    """The calls of a method that have ended with one of these codes."""
    text = get(server, "/metrics").body.decode()
    sample = rf'^stemwire_grpc_requests_total{{method="{SERVICE}/{method}",code="({"|".join(codes)})"}} (\d+)'
    return sum(int(count) for _, count in re.findall(sample, text, re.MULTILINE))


def call(channel, path: str, message: bytes = b"", **options) -> bytes:
    plain = lambda value: value
    return channel.unary_unary(path, request_serializer=plain, response_deserializer=plain)(message, timeout=30, **options)


def code_of(work) -> grpc.StatusCode:
    with pytest.raises(grpc.RpcError) as failed:
        work()
    return failed.value.code()


def held(song: bytes, released: threading.Event, config: Config | None = None, count: int = 2):
    """The first messages of an upload; the stream stays open until it is released."""
    for number, message in enumerate(requests(song, config)):
        if number == count:
            break
        yield message
    released.wait(60)


def test_empty_unary(server):
    assert health_pb2_grpc.HealthStub(server.channel).Check(health_pb2.HealthCheckRequest(), timeout=30).status == 1


def test_cancel_after_begin(server):
    released = threading.Event()
    before = counted(server, "Separate", "CANCELLED")
    stream = server.stub.Separate(held(b"", released, count=0))
    stream.cancel()
    assert code_of(lambda: next(stream)) == grpc.StatusCode.CANCELLED
    released.set()
    # A stream that is cancelled before its head has left the client is none for the server.
    assert counted(server, "Separate", "CANCELLED") - before in (0, 1)
    assert separate(server.stub, wav(music(1))).error is None


@pytest.mark.parametrize("on_disconnect, state", [
    (config_pb2.ON_DISCONNECT_PAUSE, session_pb2.SESSION_STATE_PAUSED),
    (config_pb2.ON_DISCONNECT_CANCEL, session_pb2.SESSION_STATE_CANCELLED),
])
def test_cancel_after_first_response(server, song, on_disconnect, state):
    released = threading.Event()
    stream = server.stub.Separate(held(song, released, Config(on_disconnect=on_disconnect)))
    session_id = next(stream).session.session_id
    stream.cancel()

    def drain() -> None:
        for _ in stream:
            pass

    assert code_of(drain) == grpc.StatusCode.CANCELLED
    released.set()
    wait_for(lambda: server.get(session_id).state == state)


def test_timeout_on_sleeping_server(server, song):
    """A session whose upload has stopped sends nothing."""
    session_id = server.stub.CreateSession(api.CreateSessionRequest()).session.session_id
    ended = lambda: counted(server, "WatchSession", "DEADLINE_EXCEEDED", "CANCELLED")
    before = ended()

    def drain() -> None:
        for _ in server.stub.WatchSession(api.WatchSessionRequest(session_id=session_id), timeout=0.5):
            pass

    assert code_of(drain) == grpc.StatusCode.DEADLINE_EXCEEDED
    # The server has ended the call, too, whichever of both was first.
    wait_for(lambda: ended() == before + 1)


def test_empty_stream(server):
    with pytest.raises(grpc.RpcError) as empty:
        list(server.stub.Separate(iter(()), timeout=30))
    assert reason(empty.value)[:2] == ("INVALID_ARGUMENT", "CONFIG_MISSING"), reason(empty.value)
    reflection = reflection_pb2_grpc.ServerReflectionStub(server.channel)
    assert list(reflection.ServerReflectionInfo(iter(()), timeout=30)) == []


def test_ping_pong(server):
    """Each answer is there before the next request is sent."""
    answered = threading.Semaphore(1)

    def asked():
        for _ in range(50):
            assert answered.acquire(timeout=30)
            yield reflection_pb2.ServerReflectionRequest(list_services="")

    reflection = reflection_pb2_grpc.ServerReflectionStub(server.channel)
    count = 0
    for answer in reflection.ServerReflectionInfo(asked(), timeout=60):
        assert SERVICE in {found.name for found in answer.list_services_response.service}
        count += 1
        answered.release()
    assert count == 50


@pytest.mark.parametrize("path", [f"/{SERVICE}/UnimplementedCall", "/grpc.testing.UnimplementedService/UnimplementedCall"])
def test_unimplemented_method_and_service(server, path):
    assert code_of(lambda: call(server.channel, path)) == grpc.StatusCode.UNIMPLEMENTED


def test_special_status_message(server):
    """Whitespace is escaped in the message, because a log line may have it; other characters arrive as they are."""
    session_id = server.stub.CreateSession(api.CreateSessionRequest()).session.session_id
    with pytest.raises(grpc.RpcError) as refused:
        list(server.stub.GetStem(api.GetStemRequest(session_id=session_id, stem=UNICODE), timeout=30))
    message = refused.value.details()
    assert "☺" in message and "😈" in message and "\n" not in message, message
    details = dict(refused.value.trailing_metadata())["grpc-status-details-bin"]
    assert status_pb2.Status.FromString(details).message == message


@pytest.mark.parametrize("size", [(1 << 20) + 1, 8 << 20, 64 << 20])
def test_large_unary_is_refused_and_the_connection_stays(server, size):
    with connect(server.address) as channel:
        stub = service.SeparationServiceStub(channel)
        session_id = stub.CreateSession(api.CreateSessionRequest()).session.session_id
        with pytest.raises(grpc.RpcError) as large:
            stub.UploadChunk(api.UploadChunkRequest(session_id=session_id, data=bytes(size)), timeout=60)
        assert reason(large.value)[:2] in [
            ("OUT_OF_RANGE", "MESSAGE_TOO_LARGE"), ("RESOURCE_EXHAUSTED", "MESSAGE_TOO_LARGE"), ("INVALID_ARGUMENT", "CHUNK_TOO_LARGE"),
        ], reason(large.value)
        assert server.get(session_id).committed_bytes == 0
        assert stub.UploadChunk(api.UploadChunkRequest(session_id=session_id, data=bytes(1 << 20)), timeout=60).committed_bytes == 1 << 20


def test_client_compressed_unary(server):
    """A message is refused by the name of its compression, which the server does not support."""
    with pytest.raises(grpc.RpcError) as refused:
        server.stub.Health(api.HealthRequest(), compression=grpc.Compression.Gzip, timeout=30)
    assert refused.value.code() == grpc.StatusCode.UNIMPLEMENTED
    assert "gzip" in refused.value.details()


def test_server_compressed_unary(server):
    """A client that accepts compression gets plain messages."""
    accepts = (("grpc-accept-encoding", "identity,gzip,deflate"),)
    assert server.stub.Health(api.HealthRequest(), metadata=accepts, timeout=30).status == api.SERVING_STATUS_SERVING


def test_concurrent_calls_on_one_channel(server, song):
    """All streams of a connection, and more than those, are served."""
    watched = [server.stub.CreateSession(api.CreateSessionRequest()).session.session_id for _ in range(4)]
    streams = [server.stub.WatchSession(api.WatchSessionRequest(session_id=watched[n % 4])) for n in range(120)]
    assert all(next(stream).WhichOneof("message") == "session" for stream in streams)
    assert separate(server.stub, song).error is None
    for stream in streams:
        stream.cancel()


def test_rpc_soak_and_channel_soak(server):
    for _ in range(500):
        assert server.stub.Health(api.HealthRequest(), timeout=30).status == api.SERVING_STATUS_SERVING
    for _ in range(50):
        with connect(server.address) as channel:
            assert service.SeparationServiceStub(channel).Health(api.HealthRequest(), timeout=30).status == api.SERVING_STATUS_SERVING
