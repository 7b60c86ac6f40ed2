"""Bodies of requests that are too large, do not arrive, or arrive byte by byte; and answers that are not read."""
import contextlib
import http.client
import select
import struct
import threading
import time

import grpc
import psutil
import pytest

from .. import http_client
from ..audio import music, wav
from ..common import INSTANT_FOUR_STEMS, wait_for
from ..server import Server
from ..stemwire_client import api, get_stem, reason, separate, service

MODELS = INSTANT_FOUR_STEMS
TOKEN = "correct-horse-battery-0123456789"
SERVICE = "/stemwire.v1.SeparationService"


class Call:
    """A grpc-web call whose body is sent bit by bit."""

    def __init__(self, server, path: str, length: int, **headers: str):
        self.connection = http.client.HTTPConnection(server.address, timeout=30)
        self.connection.putrequest("POST", path)
        headers = {"content-type": "application/grpc-web+proto", "content-length": str(length)} | headers
        for name, value in headers.items():
            self.connection.putheader(name, value)
        self.connection.endheaders()

    def send(self, body: bytes) -> "Call":
        self.connection.send(body)
        return self

    def head(self) -> dict:
        response = self.connection.getresponse()
        head = {name.lower(): value for name, value in response.getheaders()}
        self.connection.close()
        return head | {"status": response.status}


def message(length: int, sent: int | None = None) -> bytes:
    """A message of this length, or its beginning."""
    return struct.pack(">BI", 0, length) + bytes(length if sent is None else sent)


@pytest.fixture(scope="module")
def guarded(binary, tmp_path_factory):
    server = Server(binary, tmp_path_factory.mktemp("guarded"), "--token", TOKEN)
    yield server
    server.close()


@pytest.mark.parametrize("path, fits, too_large", [
    ("/grpc.health.v1.Health/Check", 4 << 10, (4 << 10) + 1),
    (f"{SERVICE}/Health", 4 << 10, 4 << 20),
    (f"{SERVICE}/GetSession", 64 << 10, (64 << 10) + 1),
    (f"{SERVICE}/UploadChunk", 1 << 20, 2 << 20),
])
def test_a_message_is_refused_by_the_length_that_it_announces(guarded, path, fits, too_large):
    bearer = {"authorization": f"Bearer {TOKEN}"}
    # Nothing of it has arrived yet.
    head = Call(guarded, path, too_large + 5, **bearer).send(message(too_large, sent=0)).head()
    assert head["grpc-status"] == "11", "OUT_OF_RANGE"
    # Zeros are no message, but one that is read.
    assert Call(guarded, path, fits + 5, **bearer).send(message(fits)).head().get("grpc-status") != "11"


def test_a_call_without_the_token_is_refused_before_its_body_arrives(guarded):
    for path, kind, status in [
        (f"{SERVICE}/UploadChunk", "application/grpc-web+proto", 200),
        ("/api/separate", "multipart/form-data; boundary=x", 401),
    ]:
        head = Call(guarded, path, 10**6, **{"content-type": kind}).head()
        assert head["status"] == status
        assert head.get("grpc-status", "16") == "16", "UNAUTHENTICATED"


def drip(call: Call, piece: bytes = b"\0") -> dict:
    """The answer to a call whose body arrives byte by byte."""
    answered = threading.Event()

    def send():
        with contextlib.suppress(OSError):
            while not answered.wait(0.05):
                call.connection.send(piece)

    dripping = threading.Thread(target=send)
    dripping.start()
    try:
        return call.head()
    finally:
        answered.set()
        dripping.join()


def test_a_body_that_arrives_byte_by_byte_is_refused(start):
    server = start("--head-time", "500ms", "--idle-upload", "500ms", "--min-upload-rate", "1KB")
    single = drip(Call(server, f"{SERVICE}/GetSession", 1 << 10).send(message(1000, sent=0)))
    assert single["grpc-status"] == "4", "DEADLINE_EXCEEDED"
    form = "multipart/form-data; boundary=x"
    field = b"--x\r\ncontent-disposition: form-data; name=\"model\"\r\n\r\n"
    refused = drip(Call(server, "/api/separate", 10**6, **{"content-type": form}).send(field), b"a")
    assert refused["status"] == 408
    tus = {"content-type": "application/offset+octet-stream", "tus-resumable": "1.0.0", "upload-offset": "0"}
    created = http_client.call(server, "POST", "/api/uploads", headers={"tus-resumable": "1.0.0", "upload-length": "1000000"})
    upload = created.headers["location"]
    assert drip(Call(server, upload, 10**6, **tus, **{"x-http-method-override": "PATCH"}))["status"] == 408
    # What has arrived stays.
    assert int(http_client.call(server, "HEAD", upload, headers={"tus-resumable": "1.0.0"}).headers["upload-offset"]) > 0


def test_an_upload_that_arrives_byte_by_byte_is_paused(start):
    server = start("--idle-upload", "1s", "--min-upload-rate", "1KB", "--max-open", "1")
    session_id = server.stub.CreateSession(api.CreateSessionRequest()).session.session_id
    song, paused = wav(music(2)), threading.Event()

    def send():
        at = 0
        while not paused.wait(0.2):
            with contextlib.suppress(grpc.RpcError):
                server.stub.UploadChunk(api.UploadChunkRequest(session_id=session_id, offset=at, data=song[at : at + 1]))
            at += 1

    dripping = threading.Thread(target=send)
    dripping.start()
    # It is paused each time, and the other session gets its slot.
    assert separate(server.stub, song).error is None
    paused.set()
    dripping.join()


def test_half_messages_share_a_limit_of_memory_and_give_way(start):
    server = start("--receive-memory", "4MiB")
    before = server.rss()
    held = [Call(server, f"{SERVICE}/UploadChunk", 1 << 20) for _ in range(60)]

    def send(call):
        with contextlib.suppress(OSError):
            call.send(message((1 << 20) - 5, sent=1_000_000))

    sending = [threading.Thread(target=send, args=(call,)) for call in held]
    for thread in sending:
        thread.start()
    # Four of them fit. An honest call waits until they have been waited for long enough.
    session_id = server.stub.CreateSession(api.CreateSessionRequest()).session.session_id
    chunk = api.UploadChunkRequest(session_id=session_id, data=bytes(900_000))

    def is_taken():
        try:
            return server.stub.UploadChunk(chunk).committed_bytes == 900_000
        except grpc.RpcError as error:
            assert reason(error)[:2] == ("RESOURCE_EXHAUSTED", "SERVER_BUSY")
            return False

    wait_for(is_taken)
    assert server.rss() - before < 60 * 1_000_000 / 2
    for call in held:
        call.connection.close()
    for thread in sending:
        thread.join()


def test_a_client_has_at_most_half_of_the_calls(start):
    server = start("--max-calls", "4", "--head-time", "5m")

    def half_call():
        return Call(server, f"{SERVICE}/GetSession", 10).send(b"\0")

    def health():
        return http_client.exchange(server, "GET", "/health", None, {}, 30)

    def is_full():
        # A half call that came beside a question of health is refused itself.
        answered = select.select([call.connection.sock for call in held], [], [], 0)[0]
        for index, call in enumerate(held):
            if call.connection.sock in answered:
                call.connection.close()
                held[index] = half_call()
        return not answered and health().status == 503

    held = [half_call() for _ in range(2)]
    wait_for(is_full)
    assert health().problem() == (503, "RESOURCE_EXHAUSTED", "SERVER_BUSY")
    with pytest.raises(grpc.RpcError) as error:
        server.stub.Health(api.HealthRequest())
    assert reason(error.value)[:2] == ("RESOURCE_EXHAUSTED", "SERVER_BUSY")
    held.pop().connection.close()
    wait_for(lambda: health().status == 200)
    held.pop().connection.close()


def unread_channel(server):
    """A channel that takes 64 KiB of an answer, and more only as it is read."""
    return grpc.insecure_channel(server.address, [
        ("grpc.use_local_subchannel_pool", 1), ("grpc.http2.bdp_probe", 0), ("grpc.http2.lookahead_bytes", 65_535)])


def test_answers_that_are_not_read_end_and_leave_memory_to_others(start, song):
    server = start("--send-memory", "8MiB", "--unread-answer", "1h")
    session_id = separate(server.stub, song).done.session_id
    whole = get_stem(server.stub, session_id, "vocals")
    request = api.GetStemRequest(session_id=session_id, stem="vocals")
    with unread_channel(server) as channel:
        unread = [service.SeparationServiceStub(channel).GetStem(request) for _ in range(80)]
        # One after the other is cut while a client waits that reads.
        assert get_stem(server.stub, session_id, "vocals") == whole
        assert get_stem(server.stub, session_id, "drums")
        for call in unread:
            call.cancel()


def test_a_call_ends_whose_answer_is_not_read(start, song):
    server = start("--unread-answer", "1s")
    session_id = separate(server.stub, song).done.session_id
    with unread_channel(server) as channel:
        unread = service.SeparationServiceStub(channel).GetStem(api.GetStemRequest(session_id=session_id, stem="vocals"))
        wait_for(lambda: "READER_TOO_SLOW" in server.log_text())
        with pytest.raises(grpc.RpcError) as error:
            for _ in unread:
                pass
        assert reason(error.value)[:2] == ("ABORTED", "READER_TOO_SLOW")
        # One that is read slowly continues.
        slow, got = service.SeparationServiceStub(channel).GetStem(api.GetStemRequest(session_id=session_id, stem="vocals")), 0
        for response in slow:
            got += len(response.chunk.pcm)
            time.sleep(0.2)
        assert got == len(get_stem(server.stub, session_id, "vocals"))


def test_an_answer_that_is_not_read_does_not_keep_its_session(start):
    server = start("--unread-answer", "1s", "--max-stored", "32MiB")
    session_id = separate(server.stub, wav(music(12))).done.session_id
    with unread_channel(server) as channel:
        unread = service.SeparationServiceStub(channel).GetStem(api.GetStemRequest(session_id=session_id, stem="vocals"))
        assert next(unread).chunk.pcm
        # It finds no space until the other is removed.
        assert separate(server.stub, wav(music(12))).error is None
        with pytest.raises(grpc.RpcError) as error:
            server.get(session_id)
        assert reason(error.value)[:2] == ("NOT_FOUND", "SESSION_NOT_FOUND")
        unread.cancel()


def test_readers_hold_no_open_files(start):
    server = start()
    session_id = server.stub.CreateSession(api.CreateSessionRequest()).session.session_id
    song = wav(music(30))
    for at in range(0, 4 << 20, 1 << 20):
        server.stub.UploadChunk(api.UploadChunkRequest(session_id=session_id, offset=at, data=song[at : at + (1 << 20)]))
    wait_for(lambda: server.get(session_id).progress.finished_frames)
    before = psutil.Process(server.process.pid).num_fds()
    watching = [server.stub.WatchSession(api.WatchSessionRequest(session_id=session_id)) for _ in range(50)]
    for watched in watching:
        assert any(message.WhichOneof("message") == "stem" for message in watched)
    assert psutil.Process(server.process.pid).num_fds() < before + 20
    for watched in watching:
        watched.cancel()
