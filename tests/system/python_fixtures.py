"""Servers and songs of the tests of the Python client."""
import pytest
from common import wait_for
from conftest import Server, free_address, music, wav
from stemwire_client import api, separate


@pytest.fixture(scope="module")
def server(binary, tmp_path_factory):
    """A server whose own choice is the quicker model."""
    server = Server(binary, tmp_path_factory.mktemp("data"), "--engines", "mini-spleeter,mini")
    yield server
    server.close()


@pytest.fixture(scope="module")
def short() -> bytes:
    """Two seconds."""
    return wav(music(2))


@pytest.fixture(scope="module")
def whole(server, short) -> dict:
    """What another client gets for it."""
    return separate(server.stub, short).digests()


@pytest.fixture
def lasting(binary, tmp_path):
    """A server that has one address for all its lives, and a song of several segments with its digests."""
    # One engine: two deaths at one segment would be laid to it, and another would go on.
    server = Server(binary, tmp_path / "data", "--engines", "mini", listen=free_address())
    server.song = tmp_path / "lasting.wav"
    server.song.write_bytes(wav(music(8)))
    server.whole = separate(server.stub, server.song.read_bytes()).digests()
    yield server
    server.close()


def sessions(server) -> list:
    return list(server.stub.ListSessions(api.ListSessionsRequest()).sessions)


def newest(lasting) -> str:
    """The session that a program has begun, beside the one of the fixture."""
    wait_for(lambda: len(sessions(lasting)) == 2)
    return sessions(lasting)[0].session_id


def die(lasting, running) -> str:
    """Kills the server once it holds most of the song that `running` sends, and starts it again; answers the session."""
    session_id = newest(lasting)
    wait_for(lambda: lasting.get(session_id).committed_bytes >= 900_000)
    lasting.kill()
    lasting.restart()
    running.go()
    return session_id
