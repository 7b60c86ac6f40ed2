"""A session written by a later version is refused by name and not changed."""
import json

import grpc
import pytest

from ..common import INSTANT_MODEL, wait_for
from ..http_client import call
from ..stemwire_client import api, reason
from . import sessions

MODELS = INSTANT_MODEL

LATEST = sessions.load(sessions.VERSIONS[-1])[1]


def files(folder) -> dict:
    """Every file by path, with its bytes and modification time."""
    found = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): (path.read_bytes(), path.stat().st_mtime_ns) for path in found}


def check_refused(server, session_id: str) -> None:
    """Every call on the session fails with both versions and the remedy."""
    stub = server.stub
    for refused in (
        lambda: stub.GetSession(api.GetSessionRequest(session_id=session_id)),
        lambda: stub.UploadChunk(api.UploadChunkRequest(session_id=session_id, data=b"more")),
        lambda: stub.CancelSession(api.CancelSessionRequest(session_id=session_id)),
        lambda: stub.DeleteSession(api.DeleteSessionRequest(session_id=session_id)),
        lambda: list(stub.GetStem(api.GetStemRequest(session_id=session_id, stem="vocals"))),
        lambda: list(stub.WatchSession(api.WatchSessionRequest(session_id=session_id))),
    ):
        with pytest.raises(grpc.RpcError) as error:
            refused()
        code, name, metadata = reason(error.value)
        assert (code, name) == ("FAILED_PRECONDITION", "SESSION_VERSION_UNSUPPORTED")
        assert (metadata["version"], metadata["supported_version"]) == ("2", "1")
        assert "Start the server version that wrote the session" in metadata["remedy"]
    for method, path in (("GET", "/api/sessions/{}"), ("DELETE", "/api/sessions/{}"), ("GET", "/download/{}/vocals")):
        answer = call(server, method, path.format(session_id))
        assert answer.problem() == (409, "FAILED_PRECONDITION", "SESSION_VERSION_UNSUPPORTED")


def test_a_session_of_a_later_version_outlives_start_retention_and_shutdown(start, cli, tmp_path):
    data = tmp_path / "data"
    ended, torn = LATEST["cancelled"].unpack(data), LATEST["failed"].unpack(data)
    # Not of a later version, but damaged: counted, and removed by retention.
    (torn / "session.json").write_bytes((torn / "session.json").read_bytes()[:-9])
    newer = [LATEST[name].unpack(data) for name in ("done", "paused", "uploading", "running")]
    for folder in newer:
        manifest = json.loads((folder / "session.json").read_text()) | {"format": 2}
        # Other differences of a later version must not matter.
        manifest["state"] = {"kind": manifest["state"]}
        manifest.pop("plan")
        (folder / "session.json").write_text(json.dumps(manifest))
    before = [files(folder) for folder in newer]
    report = cli("doctor", "--data-dir", data, "--listen", "127.0.0.1:0", code=1, STEMWIRE_RUNTIME="/no/library.so").out.decode()
    assert f"BAD   1 stored session has an unreadable manifest: {torn.name}\n" in report

    server = start("--keep", "0s", "--resume-window", "0s", data=data)
    wait_for(lambda: all(folder.name in server.log_text() for folder in [*newer, torn]))
    wait_for(lambda: server.stub.Health(api.HealthRequest()).unreadable_sessions == 1)
    assert "stemwire_unreadable_sessions 1\n" in call(server, "GET", "/metrics").body.decode()
    log = server.log_text().splitlines()
    for folder in newer:
        (line,) = (line for line in log if folder.name in line)
        assert "has version 2" in line and "up to version 1" in line and "Start the server version that wrote" in line
    assert not [session for session in server.stub.ListSessions(api.ListSessionsRequest()).sessions if session.session_id != ended.name]
    for folder in newer:
        check_refused(server, folder.name)
    config = LATEST["paused"].config
    config.model = ""
    made = server.stub.CreateSession(api.CreateSessionRequest(config=config)).session.session_id
    assert made not in [folder.name for folder in newer]
    wait_for(lambda: not ended.exists() and not torn.exists())
    # A folder is counted until its removal has ended, a moment after it has left the disk.
    wait_for(lambda: server.stub.Health(api.HealthRequest()).unreadable_sessions == 0)
    assert server.terminate() == 0
    assert [files(folder) for folder in newer] == before
