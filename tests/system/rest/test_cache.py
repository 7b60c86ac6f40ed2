"""With an object store, the data folder is a cache: files of ended sessions are removed from it and read from the store."""
import contextlib
import io
import os
import zipfile
from pathlib import Path

import pytest

from ..audio import music, wav
from ..common import INSTANT_FOUR_STEMS, lose, wait_for
from ..http_client import get
from ..stemwire_client import get_stem, separate, session_pb2

MODELS = INSTANT_FOUR_STEMS
# More than one piece, and not a whole number of blocks.
SECONDS = 9.3


@pytest.fixture
def replicated(start, tmp_path):
    return lambda *options: start("--store", f"file://{tmp_path}/store", *options)


def files(server, session_id: str) -> dict:
    """The files of a session with the bytes that they take on the disk."""
    folder = server.directory(session_id)
    found = {}
    # The server removes some meanwhile.
    for where, _, names in os.walk(folder):
        for path in (Path(where) / name for name in names):
            with contextlib.suppress(FileNotFoundError):
                found[str(path.relative_to(folder))] = path.stat().st_blocks * 512
    return found


def read(server, session_id: str) -> list:
    """Everything that can be read of an ended session. A zip has its time in it, so its files are compared."""
    url = f"/download/{session_id}"
    paths = [f"{url}/vocals", f"{url}/bass?format=wav-s16", f"{url}/drums?format=flac", f"{url}/mix?gains=drums:-3,bass:-inf"]
    answers = [get(server, path) for path in paths]
    answers += [get(server, f"{url}/other", Range="bytes=1000000-1400000"), get(server, f"{url}/bass?format=flac", Range="bytes=9000-9999")]
    assert [answer.status for answer in answers] == [200] * 4 + [206] * 2
    with zipfile.ZipFile(io.BytesIO(get(server, f"{url}.zip").body)) as archive:
        packed = {name: archive.read(name) for name in archive.namelist()}
    peaks = get(server, f"/api/sessions/{session_id}/peaks/vocals").json()
    stems = [get_stem(server.stub, session_id, name) for name in ("vocals", "drums", "bass", "other")]
    return [*(answer.body for answer in answers), packed, peaks, stems]


def test_ended_sessions_are_read_from_the_store(replicated):
    server = replicated()
    session_id = separate(server.stub, wav(music(SECONDS))).done.session_id
    expected = read(server, session_id)
    assert files(server, session_id)["stems/vocals.wav"] > 0
    server.terminate()
    server.command += ["--max-cache", "1B"]
    server.restart()
    wait_for(lambda: sum(files(server, session_id).values()) <= 64 << 10, 20)
    for _ in range(2):
        assert read(server, session_id) == expected
        assert not [name for name in files(server, session_id) if name.endswith(".wav")], "no stem is fetched"
        # What was made from the stems is removed, too. What takes less may stay, such as peaks that were made after the rest was removed.
        wait_for(lambda: sum(files(server, session_id).values()) <= 64 << 10, 20)
        # On another machine, without what stayed in the folder.
        lose(server)


def test_what_is_damaged_in_the_store_is_computed_again(replicated, tmp_path):
    server = replicated("--max-cache", "1B")
    session_id = separate(server.stub, wav(music(2))).done.session_id
    wait_for(lambda: "stems/vocals.wav" not in files(server, session_id), 20)
    stem = get_stem(server.stub, session_id, "vocals")
    folder = tmp_path / "store" / "sessions" / session_id / "stems"
    # Without those that are being written, which have a number behind `#`.
    pieces = lambda: [path for path in folder.iterdir() if "#" not in path.name]
    before = pieces()
    for piece in before:
        piece.write_bytes(bytes(byte ^ 1 for byte in piece.read_bytes()))
    # The reader waits for it.
    assert get_stem(server.stub, session_id, "vocals") == stem
    wait_for(lambda: len(pieces()) > len(before))
    wait_for(lambda: server.get(session_id).state == session_pb2.SESSION_STATE_DONE)
    wait_for(lambda: "stems/vocals.wav" not in files(server, session_id), 20)
    assert get_stem(server.stub, session_id, "vocals") == stem
