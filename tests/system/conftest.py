"""Fixtures of the system tests: servers that are stopped with their tests, the command line, songs.

The binary under test is named by STEMWIRE_BIN; `make test` sets it. Each folder's conftest.py has fixtures of its own.
"""
import contextlib
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from .audio import encode, music, wav
from .repository import ROOT, generate_stubs

# One provider, whatever is installed on this machine. test_provider.py and test_autotune.py in cli use others.
os.environ["STEMWIRE_PROVIDER"] = "cpu"

# As on a machine without FFmpeg, also where there is one. test_ffmpeg.py in sandbox uses it.
os.environ["STEMWIRE_FFMPEG"] = "never"

# Several servers run at a time. With more threads than free cores each would spin while it waits for the others.
os.environ["STEMWIRE_THREADS"] = "1"

sys.path.insert(0, generate_stubs())

from .browser import browse, chromium  # noqa: F401  (fixtures)
from .server import Server, set_variables
from .shared_folder import shared_folder


@pytest.fixture(scope="session")
def binary() -> str:
    path = os.environ.get("STEMWIRE_BIN", str(ROOT / "target" / "debug" / "stemwire"))
    assert Path(path).is_file(), f"{path} is not there: build it, or name another with STEMWIRE_BIN"
    return path


@pytest.fixture(scope="module", autouse=True)
def chosen_models(request):
    """Sets a file's `MODELS`, variables that choose the models of its servers and commands. Without it they are the embedded
    ones, `mini` first."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in getattr(request.module, "MODELS", {}).items():
            patch.setenv(name, value)
        yield


@pytest.fixture
def start(binary, chosen_models, tmp_path):
    """start(*options) starts a server with a data directory of its own; all are stopped with the test."""
    with contextlib.ExitStack() as stack:

        def start(*options: str, data: Path | None = None, **more) -> Server:
            data = data or tmp_path / f"data-{len(list(tmp_path.iterdir()))}"
            server = Server(binary, data, *options, **more)
            stack.callback(server.close)
            return server

        yield start


@pytest.fixture(scope="module")
def server(binary, chosen_models, tmp_path_factory):
    """A server shared by all tests of a file that do not stop it."""
    server = Server(binary, tmp_path_factory.mktemp("data"))
    yield server
    server.close()
    assert "panicked" not in server.log_text()


@pytest.fixture(scope="module")
def slow_server(binary, chosen_models, tmp_path_factory):
    """A server with one thread, for which a minute of music takes seconds on any machine."""
    server = Server(binary, tmp_path_factory.mktemp("slow"), "--threads", "1")
    yield server
    server.close()
    assert "panicked" not in server.log_text()


@pytest.fixture
def cli(binary, tmp_path):
    """cli(*arguments) runs a command to its end in a folder of its own, offline; it must end with `code`.

    Returns its output: `out` as bytes, `err` as text. Variables are set by name, or unset with None.
    """

    def cli(*arguments, code: int = 0, stdin: bytes = b"", **variables: str) -> SimpleNamespace:
        environment = set_variables(os.environ, {"STEMWIRE_OFFLINE": "1"} | variables)
        command = [binary, *map(str, arguments)]
        ended = subprocess.run(command, input=stdin, capture_output=True, cwd=tmp_path, env=environment, timeout=120, check=False)
        out, err = ended.stdout, ended.stderr.decode()
        assert ended.returncode == code, f"ended with {ended.returncode}: {err}"
        return SimpleNamespace(out=out, err=err)

    return cli


@pytest.fixture(scope="session")
def python(tmp_path_factory) -> Path:
    """The Python of a virtual environment with the package `stemwire` and its dependencies only."""
    def install(folder: Path) -> None:
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
        pip: list = [sys.executable, "-m", "pip", "--python", folder / "bin" / "python", "--quiet", "--disable-pip-version-check"]
        # Compiled where it is imported, which is a small part of numpy.
        subprocess.run([*pip, "install", "--no-compile", ROOT / "clients" / "python"], check=True)

    return shared_folder(tmp_path_factory, "python", install) / "bin" / "python"


@pytest.fixture(scope="session")
def song() -> bytes:
    """Ten seconds as WAV: four segments of the built-in model."""
    return wav(music(10))


@pytest.fixture(scope="session")
def mp3() -> bytes:
    return encode(music(14), "-b:a", "192k")
