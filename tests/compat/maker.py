"""A server of the version whose sessions are made, and how it is killed at a chosen moment."""
import json
import random
import shutil
import sys
import time
import uuid
from pathlib import Path

import psutil

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
import system.conftest  # noqa: F401  (generates the stubs)
from system.compat.sessions import models, serve
from system.http_client import exchange
from system.stemwire_client import Config, api, session_pb2


class Maker:
    """A server of the version, on data of its own."""

    def __init__(self, binary: str, scratch: Path):
        self.models = models(scratch / "models")
        self.parked = scratch / "parked"
        self.server = serve(binary, scratch / "data", self.models)

    def create(self, config: Config) -> str:
        config.request_id = str(uuid.uuid4())
        return self.server.stub.CreateSession(api.CreateSessionRequest(config=config)).session.session_id

    def manifest(self, session_id: str) -> dict:
        return json.loads((self.server.directory(session_id) / "session.json").read_text())

    def await_state(self, session_id: str, state: str) -> None:
        until(lambda: self.server.get(session_id).state == session_pb2.SessionState.Value(f"SESSION_STATE_{state}"))

    def await_segments(self, session_id: str, segments: int) -> None:
        until(lambda: self.manifest(session_id)["commit"]["segments"] >= segments)

    def kill(self) -> None:
        children = psutil.Process(self.server.process.pid).children()
        self.server.kill()
        psutil.wait_procs(children, 30)

    def kill_amid(self, session_id: str, wanted) -> bool:
        """kill -9 at a moment at which `wanted(manifest, files)` holds; false where none was met."""
        process = psutil.Process(self.server.process.pid)
        while True:
            process.suspend()
            until(lambda: process.status() == psutil.STATUS_STOPPED)
            manifest = self.manifest(session_id)
            if wanted(manifest, self.server.directory(session_id)):
                self.kill()
                return True
            process.resume()
            if manifest["state"] in ("DONE", "FAILED"):
                return False
            time.sleep(random.uniform(0, 0.003))

    def put_aside(self, session_id: str) -> Path:
        """The session's directory as this server leaves it; another server begins."""
        if self.server.process.poll() is None:
            self.server.terminate()
        moved = shutil.move(self.server.directory(session_id), self.parked / session_id)
        self.server.restart()
        return Path(moved)


def until(condition, patience: float = 60) -> None:
    deadline = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.002)


def fetch(server, path: str) -> bytes:
    answer = exchange(server, "GET", path, None, {}, 60)
    assert answer.status == 200, answer
    return answer.body
