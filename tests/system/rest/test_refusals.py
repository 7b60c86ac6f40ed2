"""Files, forms and routes that are refused: the errors name the fault, and nothing is left."""
import pytest

from ..audio import music, wav
from ..common import INSTANT_FOUR_STEMS, wait_for
from ..http_client import call, form, get
from .files import sessions

MODELS = INSTANT_FOUR_STEMS


def refused(server, *fields, query: str = "", headers: dict | None = None) -> tuple:
    body, usual = form(*fields)
    return call(server, "POST", f"/api/separate{query}", body, usual | (headers or {})).problem()


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
