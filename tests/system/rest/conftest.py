"""Songs and sessions for the tests of plain HTTP."""

import pytest

from ..audio import music, wav
from ..http_client import separate


@pytest.fixture(scope="module")
def song() -> bytes:
    return wav(music(9))


@pytest.fixture(scope="module")
def links(server, song) -> dict:
    """A finished session without options."""
    answer = separate(server, song, "my song.wav")
    assert answer.status == 200, answer
    return answer.json()
