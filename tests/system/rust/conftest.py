"""Examples of the Rust client, which `cargo test` builds beside the server."""
from pathlib import Path

import pytest

from ..audio import RATE, music, wav
from ..server import Server, free_address
from ..stemwire_client import separate


@pytest.fixture(scope="module")
def example(binary):
    """example(name) is the program of an example."""
    return lambda name: str(Path(binary).parent / "examples" / name)


@pytest.fixture(scope="module")
def server(binary, chosen_models, tmp_path_factory):
    server = Server(binary, tmp_path_factory.mktemp("data"), listen=free_address())
    yield server
    server.close()


@pytest.fixture(scope="module")
def song() -> bytes:
    """Eight seconds, 2.8 MB."""
    return wav(music(8), subtype="FLOAT")


@pytest.fixture(scope="module")
def whole(server, song) -> dict:
    """The stems that another client receives."""
    stems = separate(server.stub, song).stems
    assert {len(pcm) for pcm in stems.values()} == {8 * RATE * 8}
    return {name: bytes(pcm) for name, pcm in stems.items()}
