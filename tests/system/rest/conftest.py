"""Songs and answers of the tests of plain HTTP, and other programs that read them."""

import pytest

from ..audio import music, wav
from ..http_client import separate


@pytest.fixture(scope="module")
def song() -> bytes:
    return wav(music(9))


@pytest.fixture(scope="module")
def links(server, song) -> dict:
    """A session that is done, opened with everything left out that can be."""
    answer = separate(server, song, "my song.wav")
    assert answer.status == 200, answer
    return answer.json()
