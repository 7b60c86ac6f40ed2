"""Requests of the tus protocol, as its specification has them."""
from ..audio import music, wav
from ..http_client import call

VERSION = {"Tus-Resumable": "1.0.0"}
BYTES = {"Content-Type": "application/offset+octet-stream"}
# Refused as soon as its header has arrived.
TOO_SLOW = wav(music(9), rate=4000)


def hashes(session: dict) -> dict:
    assert session["state"] == "DONE", session
    return {stem["name"]: stem["sha256"] for stem in session["stems"]}


def create(server, length: int | None, query: str = "", body: bytes | None = None, **headers: str):
    size = {"Upload-Defer-Length": "1"} if length is None else {"Upload-Length": str(length)}
    more = {name.replace("_", "-"): value for name, value in headers.items()}
    return call(server, "POST", f"/api/uploads{query}", body, VERSION | size | (BYTES if body is not None else {}) | more)


def created(server, length: int | None, query: str = "", body: bytes | None = None) -> str:
    answer = create(server, length, query, body)
    assert answer.status == 201, answer
    assert answer.headers["location"] == f"/api/uploads/{answer.json()['session_id']}"
    return answer.json()["session_id"]


def patch(server, session_id: str, offset: int, body, **headers: str):
    more = {name.replace("_", "-"): value for name, value in headers.items()}
    return call(server, "PATCH", f"/api/uploads/{session_id}", body, VERSION | BYTES | {"Upload-Offset": str(offset)} | more)


def head(server, session_id: str):
    return call(server, "HEAD", f"/api/uploads/{session_id}", headers=VERSION)
