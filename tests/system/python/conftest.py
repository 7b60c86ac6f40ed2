"""Servers and songs of the tests of the Python client, and programs that use it."""
import contextlib

import pytest

from ..audio import music, wav
from ..server import Server, free_address
from ..stemwire_client import separate
from .programs import Program


@pytest.fixture(scope="module")
def server(binary, tmp_path_factory):
    """A server whose default is the faster model."""
    server = Server(binary, tmp_path_factory.mktemp("data"), "--engines", "mini-spleeter")
    yield server
    server.close()


@pytest.fixture(scope="module")
def short() -> bytes:
    """Two seconds."""
    return wav(music(2))


@pytest.fixture(scope="module")
def whole(server, short) -> dict:
    """The stems that another client receives."""
    return separate(server.stub, short).digests()


@pytest.fixture
def lasting(binary, tmp_path):
    """A server that keeps its address over restarts, and a song of several segments with its digests."""
    server = Server(binary, tmp_path / "data", "--engines", "mini-spleeter", listen=free_address())
    server.song = tmp_path / "lasting.wav"
    server.song.write_bytes(wav(music(13)))
    server.whole = separate(server.stub, server.song.read_bytes()).digests()
    yield server
    server.close()


@pytest.fixture
def program(python, tmp_path):
    """program(code, server, …) runs code that uses the Python client; all programs are stopped with the test."""
    with contextlib.ExitStack() as stack:

        def program(code: str, *arguments, **variables: str) -> Program:
            started = Program(python, tmp_path, code, *arguments, **variables)
            stack.callback(started.kill)
            return started

        yield program
