"""Songs of the tests of the command line, and looks at what it leaves."""
from pathlib import Path

import numpy as np
import pytest
from conftest import music, wav
from stemwire_client import separate

STEMS = {"drums", "bass", "other", "vocals"}


@pytest.fixture(scope="module")
def whole(server):
    """The stems of `short` as the server has them: float32 [frames, 2]."""
    stems = separate(server.stub, wav(music(2))).stems
    return {name: np.frombuffer(pcm, "<f4").reshape(-1, 2) for name, pcm in stems.items()}


@pytest.fixture
def short(tmp_path) -> Path:
    """Two seconds, in a file."""
    path = tmp_path / "short.wav"
    path.write_bytes(wav(music(2)))
    return path


def names(folder: Path) -> list:
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def scratch(out: Path) -> list:
    return [name for name in names(out) if name.startswith(".")]


def stamps(out: Path) -> dict:
    """What tells a file from one that takes its place: also its time, as a file system gives numbers out again."""
    seen = {path: path.stat() for path in out.glob("*/*")}
    return {str(path.relative_to(out)): (found.st_ino, found.st_mtime_ns) for path, found in seen.items()}
