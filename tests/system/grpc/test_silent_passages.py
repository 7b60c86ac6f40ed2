"""Where the song is digital zero for 50 ms or longer, so are the stems; the bytes around are those of the engine."""
import json

import numpy as np
import pytest

from ..audio import RATE, encode, music
from ..common import INSTANT_MODEL, finish, wait_for
from ..stemwire_client import Config, api, get_stem, separate, session_pb2

# Servers load `mini` for the sessions that name it, and not at each start.
MODELS = INSTANT_MODEL
SECONDS = 7
FADE = RATE // 100
# Per channel, in frames: in front, across two segments, within one, and to the end.
SILENT = [[(0, 30_000), (120_000, 230_000)], [(150_000, 153_000), (280_000, SECONDS * RATE)]]
# 45 ms.
TOO_SHORT = slice(90_000, 91_984)
CONFIG = Config(model="mini", stems=["vocals", "accompaniment"])


@pytest.fixture(scope="module")
def audio():
    song = music(SECONDS).copy()
    for channel, passages in enumerate(SILENT):
        for start, end in passages:
            song[start:end, channel] = 0
    song[TOO_SHORT] = 0
    return song


def gains(frames: int) -> np.ndarray:
    """The gain of each frame and channel: straight fades of 10 ms within the passages, except at the track's ends."""
    fall = (1 - np.arange(1, FADE + 1, dtype=np.float32) / np.float32(FADE + 1)).astype(np.float32)
    found = np.ones((frames, 2), np.float32)
    for channel, passages in enumerate(SILENT):
        for start, end in passages:
            found[start:end, channel] = 0
            if start > 0:
                found[start : start + FADE, channel] = fall
            if end < frames:
                found[end - FADE : end, channel] = fall[::-1]
    return found


def create(server) -> str:
    return server.stub.CreateSession(api.CreateSessionRequest(config=CONFIG)).session.session_id


def upload(server, session_id: str, song: bytes, start: int, end: int) -> None:
    for offset in range(start, end, 100_000):
        data = song[offset : min(offset + 100_000, end)]
        server.stub.UploadChunk(api.UploadChunkRequest(session_id=session_id, offset=offset, data=data))


def stems_of(server, session_id: str) -> dict:
    wait_for(lambda: server.get(session_id).state == session_pb2.SESSION_STATE_DONE)
    stems = [stem.name for stem in server.get(session_id).stems]
    return {name: np.frombuffer(get_stem(server.stub, session_id, name), "<f4").reshape(-1, 2) for name in stems}


def begin_without(server) -> str:
    """A new session as earlier versions began it, without silent passages. Restarts the server."""
    session_id = create(server)
    server.kill()
    path = server.directory(session_id) / "session.json"
    manifest = json.loads(path.read_text())
    assert manifest["plan"].pop("silent_passages") is True
    path.write_text(json.dumps(manifest))
    server.restart()
    return session_id


@pytest.fixture(scope="module")
def song(audio):
    return encode(audio, "-c:a", "pcm_f32le", container="wav")


@pytest.fixture(scope="module")
def whole(server, song):
    """The stems of an undisturbed session, and their peaks."""
    done = separate(server.stub, song, CONFIG).done
    assert not list(server.data.glob("sessions/*/silence"))
    return stems_of(server, done.session_id), {stem.name: stem.peak for stem in done.stems}


def test_stems_are_zero_where_the_song_is_and_unchanged_elsewhere(start, song, whole):
    server = start()
    session_id = begin_without(server)
    upload(server, session_id, song, 0, len(song))
    finish(server, session_id, song)
    stems, peaks = whole
    without = stems_of(server, session_id)
    assert without.keys() == stems.keys()
    for name, stem in without.items():
        expected = stem * gains(len(stem))
        assert np.array_equal(stems[name], expected), name
        assert peaks[name] == np.abs(expected).max()
        # The engine adds something to silence, also to a pause that is too short.
        assert stem[150_000:230_000, 0].any() and expected[TOO_SHORT].any()


def test_kills_within_silent_passages_change_no_byte(start, song, whole):
    server = start()
    session_id = create(server)
    sent = 0
    # `mini` takes four seconds of the song at once, one every three seconds. The second kill interrupts a segment.
    for frames, finished in [(200_000, 3 * RATE - 1), (SECONDS * RATE, 3 * RATE)]:
        end = len(song) - (SECONDS * RATE - frames) * 8
        upload(server, session_id, song, sent, end)
        sent = end
        if end == len(song):
            finish(server, session_id, song)
        wait_for(lambda least=finished: server.get(session_id).progress.finished_frames >= least)
        server.kill()
        server.restart()
    found = stems_of(server, session_id)
    for name, stem in whole[0].items():
        assert found[name].tobytes() == stem.tobytes(), name
