"""Helpers of several test files."""
import hashlib
import re
import shutil
import time
from pathlib import Path

import soundfile

from .repository import ROOT
from .stemwire_client import Config, api

# `MODELS` of a file for whose tests the model does not matter: it takes a quarter of the time of `mini`, of which loading alone
# takes a second and a half. A server loads `mini` all the same once a request names it.
QUICK_MODEL = {"STEMWIRE_ENGINES": "mini-spleeter", "STEMWIRE_MODEL": "mini-spleeter"}

# A model that takes no time, with short segments and two stems.
INSTANT_MODEL = {
    "STEMWIRE_MODELS_DIR": str(ROOT / "tests" / "golden" / "plain"), "STEMWIRE_ENGINES": "waveform", "STEMWIRE_MODEL": "waveform",
}

# The same with the stems of the built-in models.
INSTANT_FOUR_STEMS = {**INSTANT_MODEL, "STEMWIRE_ENGINES": "four", "STEMWIRE_MODEL": "four"}


def wait_for(condition, patience=60):
    """Waits until a condition holds; fails after a time limit."""
    deadline = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)


def finish(server, session_id, song):
    return server.stub.FinishUpload(api.FinishUploadRequest(
        session_id=session_id, finish=api.Finish(total_bytes=len(song), sha256=hashlib.sha256(song).digest())))


def lose(server) -> None:
    """Kills a server and deletes its data folder, as if its machine were gone, and starts another."""
    server.kill()
    shutil.rmtree(server.data)
    server.restart()


def upload(server, song: bytes, **config) -> str:
    request = api.CreateSessionRequest(config=Config(**config))
    session_id = server.stub.CreateSession(request).session.session_id
    for offset in range(0, len(song), 1 << 20):
        chunk = api.UploadChunkRequest(session_id=session_id, offset=offset, data=song[offset : offset + (1 << 20)])
        assert server.stub.UploadChunk(chunk).committed_bytes == min(offset + (1 << 20), len(song))
    return session_id


def check_refused(err: str, cause: str, remedy: str) -> None:
    """An error is one line of cause and one of remedy."""
    lines = err.splitlines()
    assert [line.split(": ")[0] for line in lines] == ["error", "remedy"], err
    assert re.search(cause, lines[0]) and re.search(remedy, lines[1]), err


def stems(folder: Path) -> dict:
    """The stems in a song's folder, read by soundfile."""
    return {path.stem: soundfile.read(path, dtype="float32") for path in folder.glob("*.wav")}


def installed(folder, name: str, damaged: bool):
    """The built-in model under another name; if `damaged`, with one byte of its weights changed."""
    model = folder / name
    shutil.copytree(ROOT / "models" / "mini", model)
    card = model / "card.toml"
    card.write_text(card.read_text().replace('"mini"', f'"{name}"'))
    weights = model / "weights.safetensors"
    good = weights.read_bytes()
    if damaged:
        weights.write_bytes(good[:-1] + bytes([good[-1] ^ 1]))
    return folder, weights, good


def peak(server) -> int:
    """Peak memory of the process without its decoders, in KiB."""
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0])
