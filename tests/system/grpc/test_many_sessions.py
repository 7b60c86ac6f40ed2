"""Health and new sessions read no session file, and sessions are found before all have been read."""
import json
import shutil
import uuid
from pathlib import Path

import pytest

from ..audio import music, wav
from ..common import INSTANT_MODEL, wait_for
from ..http_client import get
from ..stemwire_client import Config, api, request_id, separate

MODELS = INSTANT_MODEL

COPIES = 300


def stored(server) -> int:
    return server.stub.Health(api.HealthRequest()).stored_bytes


def allocated(folder: Path) -> int:
    return sum(path.lstat().st_blocks * 512 for path in folder.rglob("*") if path.is_file())


@pytest.fixture
def many(start):
    """A stopped server with a finished session and copies of it, each a millisecond older."""
    server = start()
    request = request_id()
    done = separate(server.stub, wav(music(1)), Config(request_id=request)).done
    server.terminate()
    first = server.directory(done.session_id)
    manifest = json.loads((first / "session.json").read_text())
    ids = [done.session_id]
    for age in range(1, COPIES):
        ids.append(str(uuid.uuid4()))
        copy = shutil.copytree(first, server.directory(ids[-1]))
        settings = manifest["settings"] | {"request_id": None}
        other = manifest | {"id": ids[-1], "created": manifest["created"] - age, "settings": settings}
        (copy / "session.json").write_text(json.dumps(other))
    return server, request, ids


def test_health_looks_at_no_session(start):
    server = start()
    done = separate(server.stub, wav(music(1))).done
    counted = stored(server)
    assert counted == allocated(server.data / "sessions")
    directory = server.directory(done.session_id)
    directory.rename(server.data / "elsewhere")
    directory.write_bytes(bytes(1 << 20))
    assert stored(server) == counted
    assert get(server, "/health").json()["status"] == "ok"
    assert f"stemwire_stored_bytes {counted}\n" in get(server, "/metrics").body.decode()


def test_sessions_are_counted_and_listed_after_a_restart(many):
    server, _, ids = many
    server.restart()
    page = server.stub.ListSessions(api.ListSessionsRequest(page_size=500))
    assert [session.session_id for session in page.sessions] == ids
    wait_for(lambda: stored(server) == allocated(server.data / "sessions"))


def test_a_session_is_found_as_soon_as_the_server_listens(many):
    server, request, ids = many
    server.restart()
    assert server.get(ids[-1]).session_id == ids[-1]
    new = server.stub.CreateSession(api.CreateSessionRequest()).session.session_id
    again = server.stub.CreateSession(api.CreateSessionRequest(config=Config(request_id=request))).session.session_id
    assert (again, new in ids) == (ids[0], False)
    server.stub.DeleteSession(api.DeleteSessionRequest(session_id=ids[-1]))
    page = server.stub.ListSessions(api.ListSessionsRequest(page_size=500))
    assert [session.session_id for session in page.sessions] == [new, *ids[:-1]]
