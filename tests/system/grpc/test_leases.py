"""Several gateways share the sessions of one object store by leases in NATS. What waits for the end of a lease is tested by
`make cluster`."""
import json
import socket
import threading

import grpc
import pytest

from ..audio import music, wav
from ..common import INSTANT_MODEL, check_refused, finish, upload, wait_for
from ..http_client import get
from ..nats import NatsServer
from ..s3 import Bucket
from ..stemwire_client import api, collect, get_stem, reason, separate, session_pb2

State = session_pb2
MODELS = INSTANT_MODEL


@pytest.fixture(scope="module")
def nats(tmp_path_factory):
    server = NatsServer(tmp_path_factory.mktemp("nats"), "--jetstream")
    yield server
    server.kill()


@pytest.fixture
def gateway(start, nats, tmp_path):
    """gateway(*options) starts one of the gateways of a cluster."""
    return lambda *options: start("--store", f"file://{tmp_path}/store", "--cluster", nats.url, *options)


def test_a_session_belongs_to_one_gateway_and_is_continued_by_another(gateway):
    song = wav(music(4))
    first, second = gateway(), gateway()
    whole = separate(second.stub, song)
    # One that has ended is read by any gateway.
    assert first.get(whole.done.session_id).state == State.SESSION_STATE_DONE
    session_id = upload(first, song[: len(song) // 2])
    assert second.get(session_id).committed_bytes == len(song) // 2, "the other gateway answers"
    assert not second.directory(session_id).exists(), "it is read by none but its owner"
    # It ends its leases when it stops, so that nothing waits for their end.
    first.terminate()
    assert second.get(session_id).committed_bytes == len(song) // 2
    rest = api.UploadChunkRequest(session_id=session_id, offset=len(song) // 2, data=song[len(song) // 2 :])
    assert second.stub.UploadChunk(rest).committed_bytes == len(song)
    finish(second, session_id, song)
    watched = collect(second.stub.WatchSession(api.WatchSessionRequest(session_id=session_id)))
    assert watched.digests() == whole.digests()
    first.restart()
    assert first.get(session_id).state == State.SESSION_STATE_DONE


def test_a_session_that_one_gateway_has_deleted_is_gone_at_the_other(gateway):
    first, second = gateway(), gateway()
    ended = separate(first.stub, wav(music(2))).done.session_id
    kept = separate(second.stub, wav(music(2))).done.session_id
    for server in (first, second):
        assert all(server.get(session_id).state == State.SESSION_STATE_DONE for session_id in (ended, kept))
    stem = lambda server: get_stem(server.stub, ended, "vocals")
    assert stem(first) == stem(second)
    first.stub.DeleteSession(api.DeleteSessionRequest(session_id=ended))
    seen = set()

    def is_gone() -> bool:
        error = collect(second.stub.WatchSession(api.WatchSessionRequest(session_id=ended))).error
        seen.add(error and reason(error)[1])
        return "SESSION_NOT_FOUND" in seen

    # An answer of the store counts for a second; the store is listed once a minute.
    wait_for(is_gone, patience=20)
    assert seen <= {None, "CLUSTER_UNAVAILABLE", "SESSION_NOT_FOUND"}, "what is missing is not damaged"
    for call in (lambda: second.get(ended), lambda: stem(second)):
        with pytest.raises(grpc.RpcError) as refused:
            call()
        assert reason(refused.value)[:2] == ("NOT_FOUND", "SESSION_NOT_FOUND")
    for path in (f"/download/{ended}/vocals.wav", f"/download/{ended}.zip", f"/api/sessions/{ended}"):
        assert get(second, path).problem()[::2] == (404, "SESSION_NOT_FOUND")
    assert first.get(kept).state == second.get(kept).state == State.SESSION_STATE_DONE


def test_a_session_of_a_later_version_is_refused_by_name_and_left_alone(gateway, tmp_path):
    song = wav(music(2))
    first = gateway()
    ids = [separate(first.stub, song).done.session_id, upload(first, song[:1000])]
    first.terminate()
    folder = tmp_path / "store" / "sessions"
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    newer = {path: data.replace(b'"format": 1', b'"format": 2') for path, data in before.items() if "manifest" in path.parts and data}
    for path, data in newer.items():
        assert data != before[path]
        path.write_bytes(data)
    older = gateway()
    for session_id in ids:
        get, delete = api.GetSessionRequest(session_id=session_id), api.DeleteSessionRequest(session_id=session_id)
        for call in (lambda: older.stub.GetSession(get), lambda: older.stub.DeleteSession(delete)):
            with pytest.raises(grpc.RpcError) as refused:
                call()
            assert reason(refused.value)[:2] == ("FAILED_PRECONDITION", "SESSION_VERSION_UNSUPPORTED")
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before | newer
    # As a server of that version may have the session at any time, its refusal is not remembered.
    for path in newer:
        path.write_bytes(before[path])
    assert older.get(ids[0]).state == State.SESSION_STATE_DONE and older.get(ids[1]).committed_bytes == 1000


def test_a_gateway_that_has_just_started_lists_what_another_has_read(start, nats):
    bucket = Bucket()
    options = ("--store", "s3://songs", "--cluster", nats.url)
    first = start(*options, variables=bucket.variables)
    ended, running = (first.stub.CreateSession(api.CreateSessionRequest()).session.session_id for _ in range(2))
    first.stub.CancelSession(api.CancelSessionRequest(session_id=ended))
    # What the store has of it is not read before the test ends.
    bucket.held = ended
    second = start(*options, variables=bucket.variables)
    page = second.stub.ListSessions(api.ListSessionsRequest(), timeout=20)
    assert [session.session_id for session in page.sessions] == [running, ended]
    assert [session["session_id"] for session in get(second, "/api/sessions").json()["sessions"]] == [running, ended]
    bucket.held = ""
    wait_for((second.directory(ended) / "session.json").exists)
    bucket.stop()


def test_an_id_that_no_gateway_has_is_not_found(gateway):
    with pytest.raises(grpc.RpcError) as refused:
        gateway().get("67e55044-10b1-426f-9247-bb680e5fe0c8")
    assert reason(refused.value)[:2] == ("NOT_FOUND", "SESSION_NOT_FOUND")


def test_a_check_shows_what_nats_does(cli, nats, tmp_path):
    checked = cli("cluster", "check", "--store", f"file://{tmp_path}/store", "--cluster", nats.url).out.decode()
    assert checked.count("good  ") == 4 and "NATS 2.15" in checked


def serve_once(version: str) -> str:
    """The URL of a server that greets as a NATS server of this version, and answers pings."""
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    info = {"server_id": "old", "version": version, "headers": True, "jetstream": True, "max_payload": 1 << 20, "proto": 1}

    def serve() -> None:
        connection, _ = listener.accept()
        connection.sendall(f"INFO {json.dumps(info)}\r\n".encode())
        while b"PING" not in connection.recv(4096):
            pass
        connection.sendall(b"PONG\r\n")
        connection.recv(4096)
        connection.close()
        listener.close()

    threading.Thread(target=serve, daemon=True).start()
    return f"nats://127.0.0.1:{port}"


def test_nats_that_cannot_be_used_is_refused(cli, tmp_path):
    # Without the line that it is connected.
    log = {"STEMWIRE_LOG": "error"}
    serve = lambda *options, code: cli("serve", "--listen", "127.0.0.1:0", "--data-dir", tmp_path / "data", *options, code=code, **log).err
    cluster = lambda url, *options, code=5: serve("--store", f"file://{tmp_path}/store", "--cluster", url, *options, code=code)
    check_refused(cluster(serve_once("2.9.25")), "version 2.9.25", "Install version 2.10 or later")
    check_refused(cluster("nats://127.0.0.1:1"), "cannot be reached", "Check that the NATS server runs")
    check_refused(cluster("http://127.0.0.1:1", code=2), "scheme", "Give --cluster")
    check_refused(cluster("nats://127.0.0.1:1", "--cluster-address", "here", code=2), "not HOST:PORT", "a host and a port")
    plain = NatsServer(tmp_path / "plain")
    check_refused(cluster(plain.url), "has no JetStream", "--jetstream")
    plain.kill()
    assert "--store" in serve("--cluster", "nats://127.0.0.1:1", code=2)


def test_a_gateway_without_nats_continues_its_sessions(tmp_path, start):
    song = wav(music(2))
    nats = NatsServer(tmp_path / "nats", "--jetstream")
    options = ("--store", f"file://{tmp_path}/store", "--cluster", nats.url)
    first, second = start(*options), start(*options)
    session_id = upload(first, song)
    nats.kill()
    finish(first, session_id, song)
    wait_for(lambda: first.get(session_id).state == State.SESSION_STATE_DONE)
    assert second.get(session_id).state == State.SESSION_STATE_DONE, "it has ended and needs no lease"
    session_id = upload(first, song)
    with pytest.raises(grpc.RpcError) as refused:
        second.get(session_id)
    assert reason(refused.value)[:2] == ("UNAVAILABLE", "CLUSTER_UNAVAILABLE")
    assert not first.stub.Health(api.HealthRequest()).message
    nats.start()

    def is_answered() -> bool:
        try:
            return second.get(session_id).committed_bytes == len(song)
        except grpc.RpcError as error:
            assert reason(error)[1] == "CLUSTER_UNAVAILABLE"
            return False

    wait_for(is_answered)
    nats.kill()
