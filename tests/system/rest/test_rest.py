"""Plain HTTP: a form with a song yields links, sessions are listed, errors name the fault."""
import json
import re
import socket
import subprocess
from pathlib import Path

import numpy as np
import pytest
import soundfile

from .. import stemwire_client as client
from ..audio import RATE, music, wav
from ..common import QUICK_MODEL, wait_for
from ..http_client import call, environment, form, get, separate, wait_done
from ..repository import ROOT
from ..server import Server
from ..stemwire_client import api
from .files import open_session, pcm, samples

# With a second engine, which `/health` lists.
MODELS = {**QUICK_MODEL, "STEMWIRE_ENGINES": "mini-spleeter,mini"}


def test_the_three_documented_curl_commands_work(binary, tmp_path, song):
    readme = (ROOT / "README.md").read_text()
    upload, *downloads = re.findall(r"^curl (?:-F|-O) .*$", readme, re.MULTILINE)[:3]
    assert upload == 'curl -F "file=@your_audio.mp3" http://127.0.0.1:8000/api/separate'
    assert [line.rsplit("/", 1)[1] for line in downloads] == ["vocals", "accompaniment"]
    (tmp_path / "your_audio.mp3").write_bytes(song)
    try:
        server = Server(binary, tmp_path / "data", listen="127.0.0.1:8000")
    except AssertionError as error:
        if "cannot listen" in str(error):
            pytest.skip("port 8000 is in use")
        raise
    try:
        run = lambda line: subprocess.run(line, shell=True, capture_output=True, check=True, cwd=tmp_path, env=environment()).stdout
        answer = json.loads(run(upload))
        assert list(answer)[:3] == ["session_id", "vocals_url", "accompaniment_url"]
        assert answer["vocals_url"] == f"/download/{answer['session_id']}/vocals"
        assert answer["accompaniment_url"] == f"/download/{answer['session_id']}/accompaniment"
        for line, stem in zip(downloads, ("vocals", "accompaniment")):
            run(re.sub(r"/download/[^/]+/", f"/download/{answer['session_id']}/", line))
            with soundfile.SoundFile(tmp_path / stem) as file:
                assert (file.format, file.subtype, file.channels, file.frames) == ("WAV", "PCM_16", 2, 9 * RATE)
    finally:
        server.close()


def test_the_response_has_every_stem_and_the_session_every_field(server, links):
    assert set(links) == {"session_id", "vocals_url", "accompaniment_url", "stems"}
    assert set(links["stems"]) == {"drums", "bass", "other", "vocals", "accompaniment"}
    session = get(server, f"/api/sessions/{links['session_id']}").json()
    assert (session["state"], session["file_name"], session["error"]) == ("DONE", "my song.wav", None)
    assert session["finished_frames"] == session["total_frames"] == 9 * RATE
    assert {stem["name"]: stem["url"] for stem in session["stems"]} == links["stems"]


def test_the_accompaniment_is_everything_but_the_vocals(server, links):
    audio = {stem: samples(get(server, f"{url}?format=wav-f32").body) for stem, url in links["stems"].items()}
    others = audio["drums"] + audio["bass"] + audio["other"]
    assert np.allclose(audio["accompaniment"], others, atol=1e-6)
    assert np.abs(audio["vocals"]).max() > 0


def test_everything_but_any_stem_is_a_stem(server, song, links):
    """Compared with the session of all stems."""
    answer = separate(server, song, query="?stems=drums,no_drums,no_vocals").json()
    assert list(answer["stems"]) == ["drums", "no_drums", "no_vocals"]
    whole = {stem: samples(get(server, f"{url}?format=wav-f32").body) for stem, url in links["stems"].items()}
    found = {stem: samples(get(server, f"{url}?format=wav-f32").body) for stem, url in answer["stems"].items()}
    assert np.allclose(found["no_drums"], whole["bass"] + whole["other"] + whole["vocals"], atol=1e-6)
    assert np.array_equal(found["no_vocals"], whole["accompaniment"])
    refused = separate(server, song, query="?stems=drums,no_kazoo")
    assert refused.status == 400
    assert all(part in refused.json()["message"] for part in ("no_kazoo", "drums, bass, other, vocals", "no_STEM"))


def test_async_answers_at_once_with_where_to_look(server, song):
    answer = separate(server, song, query="?async=true")
    assert answer.status == 202
    reported = answer.json()
    assert answer.headers["location"] == reported["status_url"] == f"/api/sessions/{reported['session_id']}"
    assert wait_done(server, reported["session_id"])["state"] == "DONE"
    assert get(server, reported["vocals_url"]).status == 200


def test_options_are_form_fields_or_in_the_query(server, song):
    named = separate(server, song, query="?stems=drums", model="mini", overlap="0.5", normalization="exact").json()
    assert set(named["stems"]) == {"drums"}
    config = server.get(named["session_id"]).config
    assert (list(config.stems), config.overlap, config.normalization) == (["drums"], 0.5, 2)


def test_health_lists_the_engines_and_their_execution(server):
    reported = get(server, "/health").json()
    assert reported["status"] == "ok" and reported["version"]
    assert [engine["state"] for engine in reported["engines"]] == ["working"] * len(reported["engines"])
    assert "mini" in [engine["model"] for engine in reported["engines"]]
    # The tests request the CPU by name, so nothing is measured.
    for engine in reported["engines"]:
        assert engine["execution"] == {"execution_provider": "cpu", "precision": "f32", "reason": "requested", "trials": []}


def refused(server, *fields, query: str = "", headers: dict | None = None) -> tuple:
    body, usual = form(*fields)
    return call(server, "POST", f"/api/separate{query}", body, usual | (headers or {})).problem()


def sessions(server) -> list:
    return get(server, "/api/sessions?page_size=500").json()["sessions"]


@pytest.mark.parametrize("name, content, expected", [
    ("text", b"no music " * 9_999, (400, "INVALID_ARGUMENT", "FORMAT_UNKNOWN")),
    ("nothing", b"", (400, "INVALID_ARGUMENT", "UPLOAD_EMPTY")),
    ("opus", b"OggS\0\x02" + bytes(20) + b"\1\x13OpusHead\1\2" + bytes(400), None),
])
def test_broken_files_are_refused_with_code_reason_and_session(server, name, content, expected):
    body, headers = form(("file", "broken.mp3", content))
    answer = call(server, "POST", "/api/separate", body, headers)
    problem = answer.problem()
    assert problem == expected or (expected is None and problem[0] == 400)
    if "session_id" in answer.json()["metadata"]:
        session = get(server, f"/api/sessions/{answer.json()['metadata']['session_id']}").json()
        assert session["state"] == "FAILED"
        assert session["error"]["reason"] == problem[2] and session["error"]["remedy"]


def test_a_song_that_is_none_names_its_session_also_where_that_is_found_out_while_it_comes(server):
    body, headers = form(("file", "early.mp3", b"no music " * 99_999))
    failed = lambda: [session for session in sessions(server) if (session["file_name"], session["state"]) == ("early.mp3", "FAILED")]

    def pieces():
        yield body[:300_000]
        wait_for(failed)
        yield body[300_000:]

    answer = call(server, "POST", "/api/separate", pieces(), headers)
    assert answer.problem() == (400, "INVALID_ARGUMENT", "FORMAT_UNKNOWN")
    assert [answer.json()["metadata"]["session_id"]] == [session["session_id"] for session in failed()]


def test_forms_that_are_wrong_leave_no_session(server):
    before = len(sessions(server))
    brief = ("file", "a.wav", wav(music(1)))
    invalid = lambda reason: (400, "INVALID_ARGUMENT", reason)
    assert refused(server, ("model", "mini")) == invalid("FILE_MISSING")
    assert refused(server, ("modle", "mini"), brief) == invalid("FIELD_UNKNOWN")
    assert refused(server, brief, query="?modle=mini") == invalid("FIELD_UNKNOWN")
    assert refused(server, brief, ("model", "mini")) == invalid("FIELD_LATE")
    assert refused(server, brief, brief) == invalid("FIELD_REPEATED")
    assert refused(server, ("model", "none"), brief) == invalid("MODEL_UNKNOWN")
    assert refused(server, ("overlap", "much"), brief) == invalid("CONFIG_INVALID")
    assert refused(server, ("model", "x" * 5000), brief) == invalid("FIELD_TOO_LONG")
    assert refused(server, brief, headers={"Content-Type": "text/plain"}) == (415, "INVALID_ARGUMENT", "MULTIPART_MISSING")
    endless = b"--x\r\n" + b"A: b\r\n" * 800_000
    answer = call(server, "POST", "/api/separate", endless, {"Content-Type": "multipart/form-data; boundary=x"})
    assert answer.problem() == invalid("MULTIPART_MALFORMED")
    assert len(sessions(server)) == before, "the session of a refused form is removed before the response"


def test_too_large_an_upload_is_refused_before_and_while_it_comes(start):
    server = start("--max-upload", "1MB")
    expected = (413, "RESOURCE_EXHAUSTED", "UPLOAD_TOO_LARGE")
    body, headers = form(("file", "a.wav", wav(music(30))))
    assert call(server, "POST", "/api/separate", body, headers).problem() == expected
    assert sessions(server) == []
    body, headers = form(("file", "a.wav", wav(music(8))))
    pieces = (body[at : at + 65_536] for at in range(0, len(body), 65_536))
    assert call(server, "POST", "/api/separate", pieces, headers).problem() == expected


def test_unknown_routes_and_methods_are_refused_in_json(server, links):
    assert get(server, "/api/nothing").problem() == (404, "NOT_FOUND", "ROUTE_UNKNOWN")
    answer = call(server, "PUT", "/api/sessions")
    assert answer.problem() == (405, "UNIMPLEMENTED", "METHOD_UNSUPPORTED")
    assert "GET" in answer.headers["allow"]
    session = f"/api/sessions/{links['session_id']}"
    assert get(server, "/api/sessions/none").problem() == (400, "INVALID_ARGUMENT", "SESSION_ID_INVALID")
    absent = "67e55044-10b1-426f-9247-bb680e5fe0c8"
    assert get(server, f"/download/{absent}/vocals").problem() == (404, "NOT_FOUND", "SESSION_NOT_FOUND")
    download = f"/download/{links['session_id']}"
    assert get(server, f"{download}/piano").problem() == (404, "NOT_FOUND", "STEM_UNKNOWN")
    assert get(server, f"{download}/..%2Fsession.json").problem() == (400, "INVALID_ARGUMENT", "STEM_NAME_INVALID")
    assert get(server, f"{download}/vocals?format=ogg").problem() == (400, "INVALID_ARGUMENT", "CONFIG_INVALID")
    assert get(server, f"{download}/vocals?fromat=flac").problem() == (400, "INVALID_ARGUMENT", "FIELD_UNKNOWN")
    assert get(server, f"{session}/peaks/vocals?from=-1").problem() == (400, "INVALID_ARGUMENT", "CONFIG_INVALID")
    assert get(server, "/api/sessions?page_token=x").problem() == (400, "INVALID_ARGUMENT", "PAGE_TOKEN_INVALID")


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


def test_the_guard_covers_every_route(start, song):
    server = start("--token", "a-token-of-some-length", "--allow-origin", "https://page.example")
    token = {"Authorization": "Bearer a-token-of-some-length"}
    for path in ("/api/sessions", "/download/x/vocals", "/api/nothing"):
        answer = get(server, path)
        assert answer.problem() == (401, "UNAUTHENTICATED", "TOKEN_MISSING")
        assert answer.headers["www-authenticate"] == "Bearer"
        assert call(server, "GET", path, headers=token).status != 401
    assert get(server, "/health").status == 200
    evil = token | {"Origin": "https://evil.example"}
    assert call(server, "GET", "/api/sessions", headers=evil).problem() == (403, "PERMISSION_DENIED", "ORIGIN_FORBIDDEN")
    named = token | {"Host": "evil.example"}
    assert call(server, "GET", "/api/sessions", headers=named).problem() == (403, "PERMISSION_DENIED", "HOST_FORBIDDEN")
    page = token | {"Origin": "https://page.example"}
    answer = call(server, "GET", "/api/sessions", headers=page)
    assert answer.headers["access-control-allow-origin"] == "https://page.example"
    asked = {"Origin": "https://page.example", "Access-Control-Request-Method": "DELETE",
             "Access-Control-Request-Headers": "authorization,range"}
    preflight = call(server, "OPTIONS", "/api/sessions/x", headers=asked)
    assert "DELETE" in preflight.headers["access-control-allow-methods"]


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
