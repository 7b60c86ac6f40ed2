"""Sessions over plain HTTP: listed, read while they run, and what becomes of them when their client leaves."""
import re
import socket
from pathlib import Path

import numpy as np
import pytest

from .. import stemwire_client as client
from ..audio import RATE, music, wav
from ..common import QUICK_MODEL, wait_for
from ..http_client import call, form, get, wait_done
from ..repository import ROOT
from ..stemwire_client import api
from .files import open_session, pcm, sessions

# With a second engine, which `/health` lists.
MODELS = {**QUICK_MODEL, "STEMWIRE_ENGINES": "mini-spleeter,mini"}


def test_health_lists_the_engines_and_their_execution(server):
    reported = get(server, "/health").json()
    assert reported["status"] == "ok" and reported["version"]
    assert [engine["state"] for engine in reported["engines"]] == ["working"] * len(reported["engines"])
    assert "mini" in [engine["model"] for engine in reported["engines"]]
    # The tests request the CPU by name, so nothing is measured.
    for engine in reported["engines"]:
        assert engine["execution"] == {"execution_provider": "cpu", "precision": "f32", "reason": "requested", "trials": []}


def long_wav(size: int):
    """A form with a song of this many bytes, in chunks."""
    head = wav(np.zeros((0, 2), np.float32))
    # Sizes of 0xFFFFFFFF mean: read to the end.
    head = head[:4] + b"\xff" * 4 + head[8:40] + b"\xff" * 4
    body, headers = form(("file", "long.wav", head + b"SONG"))
    before, after = body.split(b"SONG")

    def pieces():
        piece = wav(music(2))[44 : 44 + (1 << 18)]
        yield before
        for _ in range(size // len(piece)):
            yield piece
        yield after

    return pieces(), headers


def memory(server, what: str) -> int:
    """A field of /proc/PID/status, such as VmHWM (peak memory), in KiB."""
    return int(Path(f"/proc/{server.process.pid}/status").read_text().split(f"{what}:")[1].split()[0])


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc")
def test_memory_does_not_grow_with_the_upload(start):
    """Its session is queued, so that only the upload is measured."""
    server = start("--max-open", "1", "--threads", "1")
    # Five minutes by the slower model.
    song = wav(np.tile(music(10), (30, 1)))
    computing = server.stub.Separate(client.requests(song, client.Config(model="mini")))
    first = next(computing).session.session_id
    wait_for(lambda: server.get(first).progress.finished_frames > 0)
    upload = lambda size: call(server, "POST", "/api/separate?async=true", *long_wav(size)).json()["session_id"]
    upload(8 << 20)
    before = memory(server, "VmHWM")
    session_id = upload(256 << 20)
    assert memory(server, "VmHWM") - before < 24 << 10
    session = get(server, f"/api/sessions/{session_id}").json()
    assert session["upload_complete"] and session["uploaded_bytes"] > 255 << 20
    assert session["queue_position"] > 0
    assert call(server, "DELETE", f"/api/sessions/{session_id}").status == 204


def test_a_disconnect_during_the_upload_removes_the_session(server, song):
    before = {session["session_id"] for session in sessions(server)}
    body, headers = form(("file", "half.wav", song))
    with socket.create_connection(server.address.split(":")) as connection:
        head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        start = f"POST /api/separate HTTP/1.1\r\nHost: {server.address}\r\n{head}Content-Length: {len(body)}\r\n\r\n"
        connection.sendall(start.encode() + body[: len(body) // 2])
        wait_for(lambda: len(sessions(server)) == len(before) + 1, 10)
    wait_for(lambda: {session["session_id"] for session in sessions(server)} == before, 20)


def test_a_disconnect_while_stems_are_computed_applies_on_disconnect(start):
    long = wav(music(30))
    server = start("--threads", "1")
    for wish, state in (("pause", "PAUSED"), ("continue", "DONE"), ("cancel", "CANCELLED")):
        body, headers = form(("on_disconnect", wish), ("stems", "vocals"), ("file", "long.wav", long))
        with socket.create_connection(server.address.split(":")) as connection:
            head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
            start_line = f"POST /api/separate HTTP/1.1\r\nHost: {server.address}\r\n{head}Content-Length: {len(body)}\r\n\r\n"
            connection.sendall(start_line.encode() + body)
            wait_for(lambda: sessions(server) and sessions(server)[0]["state"] == "RUNNING", 20)
        wait_for(lambda: sessions(server)[0]["state"] == state, 120)


def test_the_openapi_document_has_every_documented_route(server):
    paths = get(server, "/openapi.json").json()["paths"]
    named = {f"{method.upper()} {path}" for path, methods in paths.items() for method in methods}
    table = (ROOT / "docs" / "API.md").read_text().split("| route | |")[1].split("##")[0]
    routes = re.findall(r"`((?:GET|HEAD|POST|PATCH|DELETE|OPTIONS) /\S*)`", table)
    assert len(routes) > 8 and set(routes) <= named, set(routes) - named


def envelope(audio: np.ndarray, count: int) -> np.ndarray:
    blocks = [audio[at : at + 1024] for at in range(0, count * 1024, 1024)]
    return np.array([[block.min(), block.max()] for block in blocks[:count]], np.float32)


def test_peaks_grow_with_the_session_and_are_those_of_the_samples(server):
    song = wav(music(20))
    session_id = open_session(server, song, len(song) * 3 // 4)
    path = f"/api/sessions/{session_id}/peaks/vocals"
    wait_for(lambda: len(get(server, path).json()["peaks"]) > 200, 60)
    early = get(server, path).json()
    assert (early["frames_per_peak"], early["first"], early["complete"]) == (1024, 0, False)
    unfinished = get(server, f"/download/{session_id}/vocals")
    assert unfinished.problem() == (409, "FAILED_PRECONDITION", "SESSION_NOT_DONE")
    assert int(unfinished.json()["metadata"]["finished_frames"]) > 0
    server.stub.UploadChunk(api.UploadChunkRequest(session_id=session_id, offset=len(song) * 3 // 4, data=song[len(song) * 3 // 4 :]))
    server.stub.FinishUpload(api.FinishUploadRequest(session_id=session_id, finish=api.Finish(total_bytes=len(song))))
    assert wait_done(server, session_id)["state"] == "DONE"
    whole = get(server, path).json()
    assert whole["complete"]
    expected = envelope(pcm(server, session_id, "vocals"), -(-20 * RATE // 1024))
    assert np.array_equal(np.array(whole["peaks"], np.float32), expected)
    assert early["peaks"] == whole["peaks"][: len(early["peaks"])]
    rest = get(server, f"{path}?from=100").json()
    assert rest["first"] == 100 and rest["peaks"] == whole["peaks"][100:] and rest["complete"]


def test_sessions_are_listed_in_pages_cancelled_and_deleted(start):
    server = start()
    ids = [open_session(server, b"", 0) for _ in range(5)]
    listed, token = [], ""
    while token is not None:
        page = get(server, f"/api/sessions?page_size=2&page_token={token}").json()
        assert len(page["sessions"]) <= 2
        listed += [session["session_id"] for session in page["sessions"]]
        token = page["next_page_token"]
    assert listed == ids[::-1]
    assert call(server, "POST", f"/api/sessions/{ids[0]}/cancel").json()["state"] == "CANCELLED"
    gone = get(server, f"/download/{ids[0]}/vocals")
    assert gone.problem() == (409, "CANCELLED", "SESSION_CANCELLED")
    assert call(server, "DELETE", f"/api/sessions/{ids[0]}").status == 204
    assert get(server, f"/api/sessions/{ids[0]}").problem() == (404, "NOT_FOUND", "SESSION_NOT_FOUND")
    assert not server.directory(ids[0]).exists()
