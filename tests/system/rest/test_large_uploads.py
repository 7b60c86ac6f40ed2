"""Large uploads, by a form and by the page: they are spooled to disk, and the server's memory does not grow."""
import json
import struct
import subprocess
from pathlib import Path

import pytest

from ..audio import RATE, music
from ..common import INSTANT_FOUR_STEMS, peak
from ..http_client import environment

MODELS = INSTANT_FOUR_STEMS
# Additional memory allowed for an upload ten times as large, in KiB: less than half of its size.
MARGIN = 24 * 1024
# Bytes of a frame.
FRAME = 16


@pytest.fixture(scope="module")
def songs(tmp_path_factory) -> dict:
    """Two seconds of music and then silence, which no engine computes: 6 and 60 MB of WAV, most of it a hole in the file. In 64
    bits a sample, as many bytes are a quarter of the frames."""
    folder = tmp_path_factory.mktemp("songs")
    sound = music(2).astype("<f8").tobytes()
    made = {}
    for megabytes in (6, 60):
        size = 44 + megabytes * 1_000_000
        form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 3, 2, RATE, FRAME * RATE, FRAME, 64)
        head = struct.pack("<4sI4s", b"RIFF", size - 8, b"WAVE") + form + struct.pack("<4sI", b"data", size - 44)
        made[megabytes] = folder / f"{megabytes}.wav"
        with made[megabytes].open("wb") as file:
            file.write(head + sound)
            file.truncate(size)
    return made


def by_form(server, song: Path, browse) -> str:
    command = ["curl", "-sS", "-F", f"file=@{song}", f"http://{server.address}/api/separate"]
    return json.loads(subprocess.run(command, capture_output=True, check=True, env=environment()).stdout)["session_id"]


def by_page(server, song: Path, browse) -> str:
    page = browse(server).visit()
    page.choose(song)
    page.wait_done()
    return page.session_id()


@pytest.mark.parametrize("send", [by_form, by_page])
def test_a_large_upload_takes_the_memory_of_a_small_one(start, songs, browse, send):
    server, peaks = start(), {}
    for megabytes, song in songs.items():
        session = server.get(send(server, song, browse))
        assert session.committed_bytes == song.stat().st_size
        assert session.progress.finished_frames == megabytes * 1_000_000 // FRAME
        peaks[megabytes] = peak(server)
    print(f"peak RSS in KiB by megabytes of the upload: {peaks}")
    assert peaks[60] < peaks[6] + MARGIN, peaks
