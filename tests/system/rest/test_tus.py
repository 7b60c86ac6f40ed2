"""The tus protocol, request by request."""
import base64
import re
import socket
import time
from email.utils import parsedate_to_datetime

from ..common import INSTANT_MODEL, wait_for
from ..http_client import call, form, get, wait_done
from ..stemwire_client import Config, api
from .tus import BYTES, TOO_SLOW, VERSION, create, created, hashes, head, patch

MODELS = INSTANT_MODEL
GONE = "67e55044-10b1-426f-9247-bb680e5fe0c8"


def encoded(**pairs: str) -> str:
    return ",".join(f"{key} {base64.b64encode(value.encode()).decode()}" for key, value in pairs.items())


def test_the_server_describes_itself(start):
    server = start("--max-upload", "5MB", "--token", "a-token-of-some-length", "--allow-origin", "https://page.example")
    assert call(server, "OPTIONS", "/api/uploads").problem() == (401, "UNAUTHENTICATED", "TOKEN_MISSING")
    token = {"Authorization": "Bearer a-token-of-some-length"}
    answer = call(server, "OPTIONS", "/api/uploads", headers=token)
    assert (answer.status, answer.headers["tus-version"], answer.headers["tus-max-size"]) == (204, "1.0.0", "5000000")
    extensions = "creation,creation-with-upload,creation-defer-length,expiration,termination"
    assert answer.headers["tus-extension"] == extensions
    page = {"Origin": "https://page.example"}
    asked = page | {"Access-Control-Request-Method": "PATCH", "Access-Control-Request-Headers": "tus-resumable,upload-offset"}
    preflight = call(server, "OPTIONS", "/api/uploads/x", headers=asked)
    assert "PATCH" in preflight.headers["access-control-allow-methods"]
    allowed = set(preflight.headers["access-control-allow-headers"].split(","))
    assert {"tus-resumable", "upload-length", "upload-offset"} <= allowed
    for method, path in (("POST", "/api/uploads"), ("PATCH", "/api/uploads/x"), ("HEAD", "/api/uploads/x"), ("DELETE", "/api/uploads/x")):
        refused = call(server, method, path, headers=VERSION)
        assert (refused.status, refused.headers["tus-resumable"]) == (401, "1.0.0")
    refused = call(server, "HEAD", "/api/uploads/x", headers=VERSION | token | page)
    exposed = set(refused.headers["access-control-expose-headers"].split(","))
    assert {"location", "upload-offset", "upload-length", "tus-resumable"} <= exposed


def test_each_request_follows_the_specification(server, song, stems):
    metadata = encoded(filename='7" single.wav', stems="vocals,other,accompaniment") + ",is_confidential"
    answer = create(server, len(song), Upload_Metadata=metadata)
    session_id = answer.json()["session_id"]
    assert set(answer.json()["stems"]) == set(stems) and answer.headers["tus-resumable"] == "1.0.0"
    at = len(song) // 3
    first = patch(server, session_id, 0, song[:at])
    assert (first.status, first.body, first.headers["upload-offset"]) == (204, b"", str(at))
    state = head(server, session_id)
    assert (state.status, state.headers["upload-offset"], state.headers["upload-length"]) == (200, str(at), str(len(song)))
    assert (state.headers["cache-control"], state.headers["upload-metadata"]) == ("no-store", metadata)
    assert parsedate_to_datetime(state.headers["upload-expires"]).timestamp() > time.time() + 3600
    last = patch(server, session_id, at, (song[piece : piece + 10_000] for piece in range(at, len(song), 10_000)))
    assert last.headers["upload-offset"] == str(len(song)) and "upload-expires" not in last.headers
    session = wait_done(server, session_id)
    assert session["file_name"] == '7" single.wav' and hashes(session) == stems
    assert head(server, session_id).headers["upload-offset"] == str(len(song))
    assert patch(server, session_id, len(song), b"").status == 204
    assert call(server, "DELETE", f"/api/uploads/{session_id}", headers=VERSION).status == 204
    assert head(server, session_id).status == 404


def test_a_deferred_length_is_announced_once(server, song, stems):
    session_id = created(server, None, "?stems=vocals,other,accompaniment")
    assert head(server, session_id).headers["upload-defer-length"] == "1"
    assert patch(server, session_id, 0, song[:1000]).status == 204
    at = f"/api/uploads/{session_id}"
    assert patch(server, session_id, 1000, song[1000:2000], Upload_Length="1500").problem() == (400, "INVALID_ARGUMENT", "CONFIG_INVALID")
    refused = call(server, "PATCH", at, b"", VERSION | BYTES | {"Upload-Offset": "1000", "Upload-Length": "1001"})
    assert refused.status == 400, "the length of the refused request holds"
    assert head(server, session_id).headers["upload-length"] == "1500"
    assert call(server, "DELETE", at, headers=VERSION).status == 204
    session_id = created(server, None, "?stems=vocals,other,accompaniment", song[:5000])
    assert patch(server, session_id, 5000, song[5000:], Upload_Length=str(len(song))).status == 204
    assert hashes(wait_done(server, session_id)) == stems


def test_violations_of_the_protocol_are_refused_and_change_nothing(server, song):
    session_id = created(server, len(song))
    path, here = f"/api/uploads/{session_id}", {"Upload-Offset": "0"}
    version = (412, "FAILED_PRECONDITION", "TUS_VERSION_UNSUPPORTED")
    invalid = (400, "INVALID_ARGUMENT", "CONFIG_INVALID")
    length = {"Upload-Length": "10"}
    for method, at, headers, expected in [
        ("POST", "/api/uploads", length, version),
        ("PATCH", path, here | BYTES, version),
        ("DELETE", path, {}, version),
        ("PATCH", path, here | BYTES | {"Tus-Resumable": "0.2.2"}, version),
        ("POST", "/api/uploads", VERSION, invalid),
        ("POST", "/api/uploads", VERSION | {"Upload-Length": "-1"}, invalid),
        ("POST", "/api/uploads", VERSION | length | {"Upload-Defer-Length": "1"}, invalid),
        ("POST", "/api/uploads", VERSION | length | {"Upload-Metadata": "filename ?"}, invalid),
        ("POST", "/api/uploads?model=none", VERSION | length, (400, "INVALID_ARGUMENT", "MODEL_UNKNOWN")),
        ("POST", "/api/uploads?async=true", VERSION | length, (400, "INVALID_ARGUMENT", "FIELD_UNKNOWN")),
        ("POST", "/api/uploads", VERSION | {"Upload-Length": "0"}, (400, "INVALID_ARGUMENT", "UPLOAD_EMPTY")),
        ("POST", "/api/uploads", VERSION | {"Upload-Length": str(3 << 30)}, (413, "RESOURCE_EXHAUSTED", "UPLOAD_TOO_LARGE")),
        ("PATCH", path, VERSION | BYTES, invalid),
        ("PATCH", path, VERSION | here, (415, "INVALID_ARGUMENT", "UPLOAD_TYPE_UNSUPPORTED")),
        ("PATCH", path, VERSION | BYTES | {"Upload-Offset": "1"}, (409, "OUT_OF_RANGE", "UPLOAD_OFFSET_MISMATCH")),
        ("PATCH", path, VERSION | BYTES | here | {"Upload-Length": "17"}, invalid),
        ("PATCH", "/api/uploads/x", VERSION | BYTES | here, (400, "INVALID_ARGUMENT", "SESSION_ID_INVALID")),
        ("POST", path, VERSION | {"X-HTTP-Method-Override": "PUT"}, (405, "UNIMPLEMENTED", "METHOD_UNSUPPORTED")),
    ]:
        answer = call(server, method, at, b"some bytes" if method == "PATCH" else None, headers)
        assert answer.problem() == expected, (method, at, headers)
        assert answer.headers["tus-resumable"] == "1.0.0"
        assert (answer.headers.get("tus-version") == "1.0.0") == (answer.status == 412)
    plain = VERSION | length | {"Content-Type": "text/plain"}
    assert call(server, "POST", "/api/uploads", b"bytes", plain).problem()[2] == "UPLOAD_TYPE_UNSUPPORTED"
    assert patch(server, session_id, 0, song + b"more").problem() == invalid
    assert head(server, session_id).headers["upload-offset"] == "0"
    assert call(server, "HEAD", path).status == 412
    assert call(server, "POST", path, headers=VERSION | {"X-HTTP-Method-Override": "DELETE"}).status == 204
    assert patch(server, session_id, 0, song).problem() == (404, "NOT_FOUND", "SESSION_NOT_FOUND")


def test_every_answer_on_the_routes_names_the_version(start):
    server = start("--max-upload", "1MB")
    other = {"Host": "rebound.example"}
    for method, path, headers, status in [
        ("HEAD", "/api/uploads/x", VERSION | other, 403), ("POST", "/api/uploads", other, 403), ("PUT", "/api/uploads/x", VERSION, 405),
        ("GET", "/api/uploads", {}, 405), ("PATCH", "/api/uploads/x/y", VERSION, 404), ("HEAD", f"/api/uploads/{GONE}", VERSION, 404),
        ("POST", "/api/uploads", VERSION | {"Upload-Length": "1000001"}, 413),
    ]:
        answer = call(server, method, path, headers=headers)
        assert (answer.status, answer.headers["tus-resumable"]) == (status, "1.0.0"), (method, path)
        assert "tus-version" not in answer.headers
    for path in ("/api/sessions", "/api/uploadsandmore", "/health"):
        assert "tus-resumable" not in call(server, "GET", path).headers


def test_an_upload_whose_session_has_ended_is_gone(server, song):
    cancelled = created(server, len(song))
    call(server, "POST", f"/api/sessions/{cancelled}/cancel")
    failed = created(server, len(TOO_SLOW))
    assert patch(server, failed, 0, TOO_SLOW[:1000]).status == 204
    wait_for(lambda: get(server, f"/api/sessions/{failed}").json()["state"] == "FAILED")
    for session_id, reason in ((cancelled, "SESSION_CANCELLED"), (failed, "SAMPLE_RATE_UNSUPPORTED")):
        answer = patch(server, session_id, 0, song[:10])
        assert answer.problem() == (410, "FAILED_PRECONDITION", "UPLOAD_GONE")
        assert answer.json()["metadata"]["session_reason"] == reason
        state = head(server, session_id)
        assert state.status == 410 and "upload-offset" not in state.headers


def open_patch(server, session_id: str, offset: int, length: int, body: bytes) -> socket.socket:
    """A connection on which a part of a request was sent."""
    head = f"PATCH /api/uploads/{session_id} HTTP/1.1\r\nHost: {server.address}\r\nContent-Length: {length}\r\n"
    head += "".join(f"{name}: {value}\r\n" for name, value in (VERSION | BYTES | {"Upload-Offset": str(offset)}).items())
    host, port = server.address.rsplit(":", 1)
    connection = socket.create_connection((host, int(port)), 30)
    connection.sendall(head.encode() + b"\r\n" + body)
    return connection


def test_what_arrived_before_a_connection_dropped_stays(server, song, stems):
    session_id, half = created(server, len(song)), len(song) // 2
    with open_patch(server, session_id, 0, len(song), song[:half]):
        # A second request may continue while the server has not noticed yet that the first one is gone.
        wait_for(lambda: head(server, session_id).headers["upload-offset"] == str(half))
        assert patch(server, session_id, half, song[half : half + 1000]).status == 204
    assert patch(server, session_id, half, song[half:]).problem()[2] == "UPLOAD_OFFSET_MISMATCH"
    assert patch(server, session_id, half + 1000, song[half + 1000 :]).status == 204
    assert hashes(wait_done(server, session_id)) == stems


def test_a_creation_that_breaks_off_leaves_no_session(server, song):
    count = lambda: len(get(server, "/api/sessions?page_size=500").json()["sessions"])
    before = count()
    head = "".join(f"{name}: {value}\r\n" for name, value in (VERSION | BYTES | {"Upload-Length": str(len(song))}).items())
    host, port = server.address.rsplit(":", 1)
    with socket.create_connection((host, int(port)), 30) as connection:
        start = f"POST /api/uploads HTTP/1.1\r\nHost: {server.address}\r\nContent-Length: {len(song)}\r\n{head}\r\n"
        connection.sendall(start.encode() + song[:1000])
        wait_for(lambda: count() == before + 1)
    wait_for(lambda: count() == before)


def test_sessions_are_those_of_other_calls(server, song, stems):
    config = Config(file_name="grpc.wav", stems=list(stems))
    by_grpc = server.stub.CreateSession(api.CreateSessionRequest(config=config)).session.session_id
    assert head(server, by_grpc).headers["upload-defer-length"] == "1"
    assert patch(server, by_grpc, 0, song, Upload_Length=str(len(song))).status == 204
    assert hashes(wait_done(server, by_grpc)) == stems
    by_tus = created(server, len(song))
    for at in range(0, len(song), 1 << 20):
        server.stub.UploadChunk(api.UploadChunkRequest(session_id=by_tus, offset=at, data=song[at : at + (1 << 20)]))
    # As after a kill of the server between the last byte and its record.
    assert head(server, by_tus).headers["upload-offset"] == str(len(song))
    assert hashes(wait_done(server, by_tus)) == stems


def test_the_limits_of_uploads_hold(start, song):
    server = start("--max-upload", "1MB", "--idle-upload", "1s", "--min-upload-rate", "1KB", "--max-client-sessions", "2")
    too_large = (413, "RESOURCE_EXHAUSTED", "UPLOAD_TOO_LARGE")
    assert create(server, 1_000_001).problem() == too_large
    deferred = created(server, None)
    assert patch(server, deferred, 0, song).problem() == too_large
    assert patch(server, deferred, 0, (song[at : at + 65_536] for at in range(0, len(song), 65_536))).problem() == too_large
    assert head(server, deferred).status == 410
    slow = created(server, 1_000_000)
    with open_patch(server, slow, 0, 1_000_000, song[:1000]) as connection:
        answer = connection.recv(1 << 16).decode()
    assert re.match(r"HTTP/1.1 408 ", answer) and '"UPLOAD_IDLE"' in answer
    wait_for(lambda: get(server, f"/api/sessions/{slow}").json()["state"] == "PAUSED")
    assert head(server, slow).headers["upload-offset"] == "1000"
    body, headers = form(("file", "a.wav", b"RIFF"))
    created(server, 1000)
    # The paused upload gives way once it has been idle for a second.
    wait_for(lambda: create(server, 1000).status == 201)
    assert create(server, 1000).problem() == (429, "RESOURCE_EXHAUSTED", "QUEUE_FULL")
    assert call(server, "POST", "/api/separate", body, headers).problem()[2] == "QUEUE_FULL"
