"""Sessions written by earlier versions, and the server that opens them.

Shared by the test, which opens them with this version, and by tests/compat/make_sessions.py, which writes them with an
earlier one.
"""
import hashlib
import json
import platform
import shutil
import tarfile
from dataclasses import dataclass
from pathlib import Path

from google.protobuf import json_format

from ..repository import ROOT
from ..server import Server
from ..stemwire_client import Config, Result, api, collect

COMPAT = ROOT / "tests" / "compat"
VERSIONS = sorted(path.parent.name for path in COMPAT.glob("*/sessions.json"))
# Frozen models beside the embedded ones. Those of `portable` sessions give the same bits on every processor.
MODELS = {"waveform": "plain/waveform", "spleeter-tiny-2stems": "spleeter-tiny-2stems"}
# One thread, as an engine's identity has their number. The sessions grow old: nothing may expire.
OPTIONS = (
    "--threads", "1", "--workers", "1", "--provider", "cpu", "--engines", "waveform,mini,mini-spleeter",
    "--keep", "100years", "--resume-window", "100years",
)


@dataclass
class Kept:
    """A session in `tests/compat/<version>/sessions/<name>`."""

    folder: Path
    about: dict  # its entry in sessions.json

    @property
    def id(self) -> str:
        return self.about["session_id"]

    @property
    def config(self) -> Config:
        return json_format.ParseDict(self.about["config"], Config())

    @property
    def manifest(self) -> dict:
        return json.loads((self.folder / "session.json").read_text())

    def unpack(self, data: Path) -> Path:
        """Copies the session into a data directory."""
        target = data / "sessions" / self.id
        target.mkdir(parents=True)
        shutil.copy(self.folder / "session.json", target)
        with tarfile.open(self.folder / "files.tar.xz") as files:
            files.extractall(target, filter="data")
        return target


def load(version: str) -> tuple:
    """The sessions by name, and the other entries of `sessions.json`."""
    folder = COMPAT / version
    index = json.loads((folder / "sessions.json").read_text())
    kept = {name: Kept(folder / "sessions" / name, about) for name, about in index.pop("sessions").items()}
    return index, kept


def song(version: str) -> bytes:
    """The song of sessions with an unfinished upload."""
    return (COMPAT / version / "song.wav").read_bytes()


def models(folder: Path) -> Path:
    for name, path in MODELS.items():
        shutil.copytree(ROOT / "tests" / "golden" / path, folder / name)
    return folder


def serve(binary: str, data: Path, models: Path) -> Server:
    return Server(binary, data, "--models-dir", str(models), *OPTIONS)


def upload(server, session_id: str, song: bytes, start: int = 0, end: int | None = None) -> None:
    """Sends a part of the song; finishes the upload if no `end` is given."""
    server.stub.UploadChunk(api.UploadChunkRequest(session_id=session_id, offset=start, data=song[start:end]))
    if end is None:
        finish = api.Finish(total_bytes=len(song), sha256=hashlib.sha256(song).digest())
        server.stub.FinishUpload(api.FinishUploadRequest(session_id=session_id, finish=finish))


def resume(server, session_id: str, song: bytes) -> Result:
    """Completes the session and watches it to its end; returns its stems and its final state."""
    session = server.get(session_id)
    if not session.upload_complete:
        upload(server, session_id, song, session.committed_bytes)
    return collect(server.stub.WatchSession(api.WatchSessionRequest(session_id=session_id)))


def as_json(message) -> dict:
    return json_format.MessageToDict(message, preserving_proto_field_name=True)


def processor() -> list:
    """The features by which the runtime selects kernels: results are bit-identical only on equal processors."""
    known = Path("/proc/cpuinfo")
    words = set(known.read_text().split()) if known.exists() else set()
    kernels = ("avx", "fma", "f16c", "amx", "asimd", "sve", "bf16", "i8mm")
    return [platform.machine(), *sorted(word for word in words if word.startswith(kernels))]
