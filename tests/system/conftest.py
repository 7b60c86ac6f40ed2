"""What the system tests share: a real server process, songs, and clients generated from the proto.

The binary under test is named by STEMWIRE_BIN; `make test` sets it.
"""
import contextlib
import io
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace

import grpc_tools.protoc
import imageio_ffmpeg
import numpy as np
import psutil
import pytest
import soundfile

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
RATE = 44_100
# Whatever else is installed on this machine: the numbers are those of one library. test_provider.py and test_trials.py try others.
os.environ["STEMWIRE_PROVIDER"] = "cpu"


def generate_stubs() -> str:
    """Compiles the proto with protoc, as a client in any language would."""
    folder = tempfile.mkdtemp(prefix="stemwire-stubs-")
    include = Path(grpc_tools.__file__).parent / "_proto"
    protos = sorted(str(path) for path in (ROOT / "proto").rglob("*.proto"))
    arguments = ["protoc", f"-I{ROOT / 'proto'}", f"-I{include}", f"--python_out={folder}", f"--grpc_python_out={folder}"]
    assert grpc_tools.protoc.main([*arguments, *protos]) == 0
    return folder


sys.path[:0] = [generate_stubs(), str(HERE)]

import stemwire_client as client  # noqa: E402  (needs the stubs)
from python_client import Program  # noqa: E402


@pytest.fixture(scope="session")
def binary() -> str:
    path = os.environ.get("STEMWIRE_BIN", str(ROOT / "target" / "debug" / "stemwire"))
    assert Path(path).is_file(), f"{path} is not there: build it, or name another with STEMWIRE_BIN"
    return path


def set_variables(environment, variables: dict) -> dict:
    """The environment with these variables set, or unset where they are None."""
    return {name: str(value) for name, value in {**environment, **variables}.items() if value is not None}


def free_address() -> str:
    """An address of this machine for who comes back to it. Nobody gets it by chance meanwhile who wants any port, as
    every connection does for its own end."""
    given = Path("/proc/sys/net/ipv4/ip_local_port_range")
    lowest = int(given.read_text().split()[0]) if given.exists() else 32_768
    for port in random.sample(range(lowest - 12_000, lowest), 100):
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return f"127.0.0.1:{port}"
    raise AssertionError("a hundred ports are all taken")


class Server:
    """A server process. `restart` begins another one on the same data."""

    def __init__(self, binary: str, data: Path, *options: str, wrapper=(), listen="127.0.0.1:0", variables=None):
        self.command = [*wrapper, binary, "serve", "--listen", listen, "--data-dir", str(data), "--offline", *options]
        self.data = data
        self.environment = set_variables(os.environ, variables or {})
        self.start()

    def start(self) -> None:
        self.log = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(self.command, stdout=subprocess.PIPE, stderr=self.log, text=True, env=self.environment)
        line = self.process.stdout.readline()
        found = re.match(r"listening on https?://(\S+)", line)
        assert found, f"the server did not start: {line!r}\n{self.said()}"
        self.address = found.group(1)
        self.channel = client.connect(self.address)
        self.stub = client.service.SeparationServiceStub(self.channel)

    def said(self) -> str:
        self.log.seek(0)
        return self.log.read()

    def kill(self) -> None:
        """kill -9, to the server and its decoders' parent alike: the machine loses power, but for the disk."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(30)
        self.channel.close()

    def terminate(self, patience: float = 30) -> int:
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(patience)
        self.channel.close()
        return code

    def restart(self) -> None:
        self.start()

    def rss(self) -> int:
        return psutil.Process(self.process.pid).memory_info().rss

    def get(self, session_id: str):
        return self.stub.GetSession(client.api.GetSessionRequest(session_id=session_id)).session

    def directory(self, session_id: str) -> Path:
        return self.data / "sessions" / session_id

    def close(self) -> None:
        if self.process.poll() is None:
            self.terminate()


@pytest.fixture
def start(binary, tmp_path):
    """start(*options) begins a server on data of its own; all are ended with the test."""
    with contextlib.ExitStack() as stack:

        def start(*options: str, data: Path = None, **more) -> Server:
            data = data or tmp_path / f"data-{len(list(tmp_path.iterdir()))}"
            server = Server(binary, data, *options, **more)
            stack.callback(server.close)
            return server

        yield start


@pytest.fixture(scope="module")
def server(binary, tmp_path_factory):
    """One server for all tests of a file that do not end it."""
    server = Server(binary, tmp_path_factory.mktemp("data"))
    yield server
    server.close()
    assert "panicked" not in server.said()


@pytest.fixture(scope="module")
def slow_server(binary, tmp_path_factory):
    """A server with one thread, for whom a minute of music lasts seconds on any machine."""
    server = Server(binary, tmp_path_factory.mktemp("slow"), "--threads", "1")
    yield server
    server.close()
    assert "panicked" not in server.said()


@pytest.fixture
def cli(binary, tmp_path):
    """cli(*arguments) runs a command to its end in a folder of its own, offline; it must end with `code`.

    Answers what it wrote: `out` as bytes, `err` as text. More variables are set by name, or unset with None.
    """

    def cli(*arguments, code: int = 0, stdin: bytes = b"", **variables: str) -> SimpleNamespace:
        environment = set_variables(os.environ, {"STEMWIRE_OFFLINE": "1"} | variables)
        command = [binary, *map(str, arguments)]
        ended = subprocess.run(command, input=stdin, capture_output=True, cwd=tmp_path, env=environment, timeout=120)
        out, err = ended.stdout, ended.stderr.decode()
        assert ended.returncode == code, f"ended with {ended.returncode}: {err}"
        return SimpleNamespace(out=out, err=err)

    return cli


@pytest.fixture(scope="session")
def runtimes(binary, tmp_path_factory) -> Path:
    """A cache with OpenVINO's build of ONNX Runtime beside the CPU's."""
    cache = tmp_path_factory.mktemp("cache")
    # None but the one that is asked for may be found.
    environment = os.environ | {"XDG_CACHE_HOME": str(cache)}
    environment.pop("STEMWIRE_RUNTIME", None)
    listed = subprocess.run([binary, "runtime", "list"], env=environment, capture_output=True, text=True, check=True)
    if "openvino" not in listed.stdout:
        pytest.skip("there is no OpenVINO for this machine")
    for name in ("cpu", "openvino"):
        subprocess.run([binary, "runtime", "install", name], env=environment, check=True)
    return cache


@pytest.fixture
def here(runtimes, tmp_path) -> dict:
    """Variables of somebody who has both and has never tried them."""
    cache = tmp_path / "cache"
    shutil.copytree(runtimes, cache, copy_function=os.link)
    (cache / "stemwire" / "trials.toml").unlink(missing_ok=True)
    (tmp_path / "song.wav").write_bytes(wav(music(6)))
    unset = {"STEMWIRE_RUNTIME": None, "STEMWIRE_PROVIDER": None}
    return {"XDG_CACHE_HOME": cache, "STEMWIRE_LOG": "stemwire=info,ort=off", **unset}


@pytest.fixture
def cpu_only(here) -> dict:
    """Variables of somebody who has the CPU's build alone."""
    for folder in library_folders(here, "openvino"):
        shutil.rmtree(folder)
    return here


def library_folders(here: dict, provider: str) -> list:
    """Where `runtimes` has its builds of this provider."""
    return list((here["XDG_CACHE_HOME"] / "stemwire" / "runtimes").glob(f"{provider}-*"))


@pytest.fixture(scope="session")
def python(tmp_path_factory) -> Path:
    """The Python of a virtual environment with nothing in it but the package `stemwire` and what that asks for."""
    folder = tmp_path_factory.mktemp("python")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    python = folder / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, ROOT / "clients" / "python"], check=True)
    return python


@pytest.fixture
def program(python, tmp_path):
    """program(code, server, …) runs code that uses the Python client; all are ended with the test."""
    with contextlib.ExitStack() as stack:

        def program(code: str, *arguments, **variables: str) -> Program:
            started = Program(python, tmp_path, code, *arguments, **variables)
            stack.callback(started.kill)
            return started

        yield program


def music(seconds: float, seed: int = 1) -> np.ndarray:
    """Something that is not silence and never the same: float32 [frames, 2]."""
    draw = np.random.default_rng(seed)
    time = np.arange(int(seconds * RATE)) / RATE
    left, right = np.zeros_like(time), np.zeros_like(time)
    for pitch in draw.uniform(80, 2000, 12):
        tone = np.sin(2 * np.pi * pitch * time) * (0.5 + 0.5 * np.sin(2 * np.pi * draw.uniform(0.1, 3) * time))
        left, right = left + tone * draw.uniform(0, 0.06), right + tone * draw.uniform(0, 0.06)
    beat = np.exp(-20 * (time % 0.5)) * draw.normal(size=len(time)) * 0.1
    return np.stack([left + beat, right + beat], axis=1).astype(np.float32)


def wav(audio: np.ndarray, rate: int = RATE, subtype: str = "PCM_16") -> bytes:
    out = io.BytesIO()
    soundfile.write(out, audio, rate, format="WAV", subtype=subtype)
    return out.getvalue()


def encode(audio: np.ndarray, *options: str, container: str = "mp3") -> bytes:
    """The audio in another format, by ffmpeg."""
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "in.wav", Path(folder) / f"out.{container}"
        source.write_bytes(wav(audio, subtype="FLOAT"))
        command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-i", source, *options, target]
        subprocess.run(command, check=True)
        return target.read_bytes()


@pytest.fixture(scope="session")
def song() -> bytes:
    """Ten seconds as WAV: four segments of the built-in model."""
    return wav(music(10))


@pytest.fixture(scope="session")
def mp3() -> bytes:
    return encode(music(14), "-b:a", "192k")
