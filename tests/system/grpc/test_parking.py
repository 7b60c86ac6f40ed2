"""Uploads that send little or nothing hold no slot: other sessions are computed as if they were not there."""
import contextlib
import http.client
import threading

import pytest

from ..audio import music, wav
from ..common import QUICK_MODEL, finish, wait_for
from ..http_client import form
from ..stemwire_client import Config, api, reason, requests, separate, session_pb2

MODELS = QUICK_MODEL
State = session_pb2


@contextlib.contextmanager
def idle_calls(server, count: int, config: Config, sent: bytes = b""):
    """`Separate` calls that have sent these bytes and nothing more; yields their sessions."""
    ended = threading.Event()

    def messages():
        yield api.SeparateRequest(config=config)
        if sent:
            yield api.SeparateRequest(chunk=sent)
        ended.wait(60)

    calls = [server.stub.Separate(messages()) for _ in range(count)]
    try:
        yield [next(call).session.session_id for call in calls]
    finally:
        for call in calls:
            call.cancel()
        ended.set()


@pytest.mark.parametrize("sent", [b"", wav(music(1))[:1000]], ids=["nothing", "a header"])
def test_idle_uploads_do_not_delay_a_song(start, song, sent):
    server = start("--max-open", "2", "--max-parked", "100")
    with idle_calls(server, 20, Config(), sent) as idle:
        wait_for(lambda: server.stub.Health(api.HealthRequest()).parked_sessions == 20)
        result = separate(server.stub, song)
        assert result.error is None and result.done.state == State.SESSION_STATE_DONE
        # A queue would have had it wait until the others are paused.
        assert all(progress.queue_position == 0 for progress in result.progress)
        health = server.stub.Health(api.HealthRequest())
        assert (health.open_sessions, health.queued_sessions, health.max_parked_sessions) == (0, 0, 100)
        assert all(server.get(session_id).state == State.SESSION_STATE_UPLOADING for session_id in idle)


def test_the_longest_parked_session_is_paused_and_can_be_completed(start, song):
    server = start("--max-open", "1", "--max-parked", "1")
    first, second = (server.stub.CreateSession(api.CreateSessionRequest()).session.session_id for _ in range(2))
    wait_for(lambda: server.get(first).state == State.SESSION_STATE_PAUSED)
    assert server.get(second).state == State.SESSION_STATE_UPLOADING
    assert separate(server.stub, song).error is None
    for offset in range(0, len(song), 1 << 20):
        chunk = song[offset:offset + (1 << 20)]
        server.stub.UploadChunk(api.UploadChunkRequest(session_id=first, offset=offset, data=chunk))
    finish(server, first, song)
    wait_for(lambda: server.get(first).state == State.SESSION_STATE_DONE)


def test_a_song_that_streams_slowly_is_computed_as_it_arrives(start, song):
    """Between its segments another song has the only slot."""
    server, long, arrived = start("--max-open", "1"), wav(music(15)), threading.Event()
    call = server.stub.Separate(requests(long, pause=lambda so_far: so_far > len(long) // 2 and arrived.wait(60)))
    session_id = next(call).session.session_id
    wait_for(lambda: server.get(session_id).progress.finished_frames > 0)
    assert separate(server.stub, song).error is None
    assert server.get(session_id).state == State.SESSION_STATE_UPLOADING
    arrived.set()
    *_, last = call
    assert last.done.state == State.SESSION_STATE_DONE


def test_a_client_address_has_its_share_of_the_queue(start, song):
    """Whatever protocol it speaks; this machine has more than one address."""
    server = start("--max-client-sessions", "1", "--threads", "1")
    call = server.stub.Separate(requests(wav(music(120))))
    session_id = next(call).session.session_id
    wait_for(lambda: server.get(session_id).progress.finished_frames > 0)
    refused = reason(separate(server.stub, song).error)
    assert refused[:2] == ("RESOURCE_EXHAUSTED", "QUEUE_FULL")

    def post(address: str) -> int:
        connection = http.client.HTTPConnection(server.address, timeout=60, source_address=(address, 0))
        body, headers = form(("file", "song.wav", song))
        connection.request("POST", "/api/separate?async=true", body, headers)
        return connection.getresponse().status

    assert [post("127.0.0.1"), post("127.0.0.2")] == [429, 202]
    call.cancel()
