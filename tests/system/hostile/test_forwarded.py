"""Headers of proxies name the client and the path before the server's own, where the proxy is trusted."""
import json

import pytest

from ..audio import music, wav
from ..common import INSTANT_MODEL
from ..http_client import call, form, get
from ..server import Server
from ..stemwire_client import api

MODELS = INSTANT_MODEL
TOKEN = "a-token-of-some-length"
RIGHT = {"Authorization": f"Bearer {TOKEN}"}
# What a client has claimed, its address, and that of a second proxy.
FORWARDED = {"X-Forwarded-For": "203.0.113.9, 198.51.100.7, 10.1.2.3", "X-Forwarded-Prefix": "/music"}


@pytest.fixture(scope="module", params=[True, False], ids=["trusted", "untrusted"])
def server(request, binary, chosen_models, tmp_path_factory):
    proxies = "127.0.0.1,10.0.0.0/8" if request.param else "127.0.0.2,10.0.0.0/8"
    options = ["--token", TOKEN, "--max-guesses", "2", "--trusted-proxies", proxies]
    server = Server(binary, tmp_path_factory.mktemp("data"), *options)
    server.is_trusting = request.param
    yield server
    server.close()


def client_of(server, session_id: str) -> str:
    return json.loads((server.directory(session_id) / "session.json").read_text())["client"]


def test_headers_of_proxies_are_read_from_trusted_addresses_only(server):
    client, prefix = ("198.51.100.7", "/music") if server.is_trusting else ("127.0.0.1", "")
    body, headers = form(("file", "song.wav", wav(music(1))))
    answer = call(server, "POST", "/api/separate", body, headers | RIGHT | FORWARDED).json()
    assert client_of(server, answer["session_id"]) == client
    assert answer["stems"]["other"] == f"{prefix}/download/{answer['session_id']}/other"
    shown = call(server, "GET", f"/api/sessions/{answer['session_id']}", headers=RIGHT | FORWARDED).json()
    assert shown["zip_url"] == f"{prefix}/download/{answer['session_id']}.zip"
    tus = {"Tus-Resumable": "1.0.0", "Upload-Length": "4"}
    created = call(server, "POST", "/api/uploads", b"", tus | RIGHT | FORWARDED)
    assert created.headers["location"] == f"{prefix}/api/uploads/{created.json()['session_id']}"
    metadata = [(name.lower(), value) for name, value in (RIGHT | FORWARDED).items()]
    session = server.stub.CreateSession(api.CreateSessionRequest(), metadata=metadata).session
    assert client_of(server, session.session_id) == client


def test_limits_of_clients_are_those_of_the_named_client(server):
    wrong = {"Authorization": "Bearer another-token"}
    statuses = lambda address: [
        call(server, "GET", "/api/sessions", headers=wrong | {"X-Forwarded-For": address}).status for _ in range(3)
    ]
    assert statuses("198.51.100.7") == [401, 401, 429]
    assert statuses("198.51.100.8") == ([401, 401, 429] if server.is_trusting else [429] * 3)
    # Without the header, or with one that names no address, it is the proxy.
    assert get(server, "/api/sessions", **wrong).status == (401 if server.is_trusting else 429)
    named = "client=198.51.100.8" in server.log_text()
    assert named == server.is_trusting
