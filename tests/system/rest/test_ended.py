"""Plain HTTP: the frames that a session finished before it was cancelled or failed can be downloaded."""
import io
import zipfile

import grpc
import numpy as np
import pytest
import soundfile

from ..audio import music, wav
from ..common import INSTANT_MODEL, wait_for
from ..http_client import call, get, separate
from ..stemwire_client import api
from .files import ffmpeg, open_session, pcm, samples

MODELS = INSTANT_MODEL
STEMS = ("vocals", "other", "accompaniment")


def cancelled(server, session_id: str) -> None:
    assert call(server, "POST", f"/api/sessions/{session_id}/cancel").json()["state"] == "CANCELLED"


def failed(server, session_id: str) -> None:
    """By more bytes than `--max-upload` allows."""
    sent = server.get(session_id).committed_bytes
    with pytest.raises(grpc.RpcError):
        server.stub.UploadChunk(api.UploadChunkRequest(session_id=session_id, offset=sent, data=bytes(1 << 20)))
    assert get(server, f"/api/sessions/{session_id}").json()["state"] == "FAILED"


@pytest.mark.parametrize("end", [cancelled, failed])
def test_what_was_finished_can_be_downloaded_in_every_form(start, end):
    server, song = start("--max-upload", "2MB"), wav(music(11))
    session_id = open_session(server, song, len(song) - 100_000, STEMS)
    wait_for(lambda: server.get(session_id).progress.finished_frames > 0)
    end(server, session_id)
    frames = server.get(session_id).progress.finished_frames
    url = f"/download/{session_id}"
    for stem in STEMS:
        whole = get(server, f"{url}/{stem}?format=wav-f32")
        assert soundfile.info(io.BytesIO(whole.body)).frames == frames
        assert np.array_equal(samples(whole.body), pcm(server, session_id, stem, frame_count=frames))
        part = get(server, f"{url}/{stem}?format=wav-f32", range="bytes=90-70000")
        assert (part.status, part.body) == (206, whole.body[90:70_001])
        assert part.headers["content-range"] == f"bytes 90-70000/{len(whole.body)}"
        assert get(server, f"{url}/{stem}?format=wav-f32", if_none_match=whole.headers["etag"]).status == 304
    decoded = [ffmpeg("-i", "-", "-f", "s24le", "-", stdin=get(server, f"{url}/vocals?format={form}").body) for form in ("wav-s24", "flac")]
    assert decoded[0] == decoded[1] and len(decoded[0]) == frames * 6
    with zipfile.ZipFile(io.BytesIO(get(server, f"{url}.zip").body)) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == [f"{stem}.wav" for stem in STEMS]
        assert all(archive.read(f"{stem}.wav") == get(server, f"{url}/{stem}").body for stem in STEMS)
    peaks = get(server, f"/api/sessions/{session_id}/peaks/vocals").json()
    assert peaks["complete"] and len(peaks["peaks"]) == -(-frames // 1024)
    server.kill()
    server.restart()
    assert get(server, f"{url}/accompaniment?format=wav-f32").body == whole.body


def test_a_session_that_finished_nothing_has_its_error_instead(server):
    session_id = separate(server, b"no music " * 9_999).json()["metadata"]["session_id"]
    for path in (f"/download/{session_id}/vocals", f"/download/{session_id}.zip"):
        assert get(server, path).problem() == (400, "INVALID_ARGUMENT", "FORMAT_UNKNOWN")
