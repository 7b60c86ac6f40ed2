"""Songs and sessions for the tests of plain HTTP."""

import pytest

from ..audio import music, wav
from ..http_client import separate, wait_done
from .tus import hashes


@pytest.fixture(scope="module")
def song() -> bytes:
    return wav(music(9))


@pytest.fixture(scope="module")
def links(server, song) -> dict:
    """A finished session without options."""
    answer = separate(server, song, "my song.wav")
    assert answer.status == 200, answer
    return answer.json()


@pytest.fixture(scope="module")
def stems(server, song) -> dict:
    """The stems of the song as an ordinary upload yields them: name -> SHA-256."""
    return hashes(wait_done(server, separate(server, song).json()["session_id"]))
