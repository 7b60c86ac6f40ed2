"""Torn and rotten files of a session are found before a client gets a byte of them: healed from the upload, or DATA_LOSS."""
import hashlib
import http.client
import os

import grpc
import pytest

from ..audio import music, wav
from ..common import QUICK_MODEL, wait_for
from ..http_client import get
from ..stemwire_client import api, collect, get_stem, reason, separate, session_pb2

MODELS = QUICK_MODEL
State = session_pb2
STEM = "vocals"


def flip(path, at=None):
    content = bytearray(path.read_bytes())
    content[len(content) // 2 if at is None else at] ^= 0xFF
    path.write_bytes(content)


def cut(path):
    os.truncate(path, path.stat().st_size // 2)


@pytest.fixture(scope="module")
def song():
    return wav(music(14))


@pytest.fixture(scope="module")
def whole(server, song):
    """The stems when nothing goes wrong."""
    return separate(server.stub, song).digests()


@pytest.fixture
def finished(start, song, whole):
    """A server with a session that is done."""
    server = start()
    result = separate(server.stub, song)
    assert result.digests() == whole
    return server, result.done.session_id, server.directory(result.done.session_id)


def interrupted(server, song, finish=True):
    """A session whose server was killed amid it."""
    sent = song if finish else song[: len(song) * 3 // 4]
    session_id = server.stub.CreateSession(api.CreateSessionRequest()).session.session_id
    for at in range(0, len(sent), 1 << 20):
        server.stub.UploadChunk(api.UploadChunkRequest(session_id=session_id, offset=at, data=sent[at : at + (1 << 20)]))
    if finish:
        server.stub.FinishUpload(api.FinishUploadRequest(session_id=session_id, finish=api.Finish(total_bytes=len(song))))
    wait_for(lambda: server.get(session_id).progress.finished_frames > 200_000)
    server.kill()
    return session_id


def digests(server, session_id, names):
    return {name: hashlib.sha256(get_stem(server.stub, session_id, name)).hexdigest() for name in names}


DAMAGE = {
    "a flipped byte of a stem": lambda folder: flip(folder / f"stems/{STEM}.wav.part", 200_000),
    "a stem cut by half": lambda folder: cut(folder / f"stems/{STEM}.wav.part"),
    "a stem that is gone": lambda folder: (folder / f"stems/{STEM}.wav.part").unlink(),
    "a flipped byte of the track": lambda folder: flip(folder / "track.f32"),
    "a track cut by half": lambda folder: cut(folder / "track.f32"),
    "a flipped byte of the overlap state": lambda folder: flip(next(folder.glob("carry.*"))),
    "an overlap state cut by half": lambda folder: cut(next(folder.glob("carry.*"))),
    "an overlap state that is gone": lambda folder: next(folder.glob("carry.*")).unlink(),
    "a flipped byte of the checksums": lambda folder: flip(folder / "stems/checksums"),
    "checksums that are gone": lambda folder: (folder / "stems/checksums").unlink(),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_running_session_recomputes_what_is_damaged_to_the_same_bytes(start, song, whole, damage):
    server = start()
    session_id = interrupted(server, song)
    DAMAGE[damage](server.directory(session_id))
    server.restart()
    watched = collect(server.stub.WatchSession(api.WatchSessionRequest(session_id=session_id)))
    assert watched.error is None and watched.digests() == whole
    assert {stem.name: stem.sha256.hex() for stem in watched.done.stems} == whole


@pytest.mark.parametrize("damage", [flip, cut, os.unlink], ids=["flipped", "cut", "gone"])
def test_a_damaged_upload_ends_an_unfinished_session_with_data_loss(start, song, damage):
    server = start()
    session_id = interrupted(server, song)
    damage(server.directory(session_id) / "upload")
    server.restart()
    wait_for(lambda: server.get(session_id).state == State.SESSION_STATE_FAILED)
    assert server.get(session_id).error.reason == "STORED_DATA_DAMAGED"
    with pytest.raises(grpc.RpcError) as error:
        get_stem(server.stub, session_id, STEM)
    assert reason(error.value)[:2] == ("DATA_LOSS", "STORED_DATA_DAMAGED")


def test_a_paused_upload_with_damaged_stems_continues_to_the_same_bytes(start, song, whole):
    server = start()
    session_id = interrupted(server, song, finish=False)
    flip(server.directory(session_id) / f"stems/{STEM}.wav.part", 200_000)
    server.restart()
    with pytest.raises(grpc.RpcError) as error:
        get_stem(server.stub, session_id, STEM)
    assert reason(error.value)[:2] == ("DATA_LOSS", "STORED_DATA_DAMAGED")
    result = finish_upload(server, session_id, song)
    assert result.error is None and result.digests() == whole


def test_a_damaged_upload_accepts_no_more_bytes(start, song):
    server = start()
    session_id = interrupted(server, song, finish=False)
    flip(server.directory(session_id) / "upload", 100_000)
    server.restart()
    with pytest.raises(grpc.RpcError) as error:
        finish_upload(server, session_id, song)
    assert reason(error.value)[:2] == ("DATA_LOSS", "STORED_DATA_DAMAGED")


def finish_upload(server, session_id, song):
    committed = server.get(session_id).committed_bytes
    for at in range(committed, len(song), 1 << 20):
        server.stub.UploadChunk(api.UploadChunkRequest(session_id=session_id, offset=at, data=song[at : at + (1 << 20)]))
    server.stub.FinishUpload(api.FinishUploadRequest(session_id=session_id, finish=api.Finish(total_bytes=len(song))))
    return collect(server.stub.WatchSession(api.WatchSessionRequest(session_id=session_id)))


@pytest.mark.parametrize("damage", [lambda path: flip(path, 3_000_000), cut, os.unlink], ids=["flipped", "cut", "gone"])
def test_a_stem_that_is_done_is_healed_while_it_is_read(finished, whole, damage):
    server, session_id, folder = finished
    damage(folder / f"stems/{STEM}.wav")
    assert digests(server, session_id, whole) == whole
    session = server.get(session_id)
    assert session.state == State.SESSION_STATE_DONE
    assert {stem.name: stem.sha256.hex() for stem in session.stems} == whole
    assert hashlib.sha256((folder / f"stems/{STEM}.wav").read_bytes()[94:]).hexdigest() == whole[STEM]


def test_watchers_wait_for_frames_that_are_recomputed(finished, whole):
    server, session_id, folder = finished
    flip(folder / f"stems/{STEM}.wav", 3_000_000)
    watched = collect(server.stub.WatchSession(api.WatchSessionRequest(session_id=session_id)))
    assert watched.error is None and watched.digests() == whole


def test_downloads_are_cut_rather_than_wrong_and_then_healed(finished, whole):
    server, session_id, folder = finished
    url = f"/download/{session_id}/{STEM}?format=wav-f32"
    right = get(server, url).body
    flip(folder / f"stems/{STEM}.wav", 3_000_000)
    broken = get_broken(server, url)
    assert len(broken) < len(right) and right.startswith(broken)
    wait_for(lambda: server.get(session_id).state != State.SESSION_STATE_DONE)
    wait_for(lambda: server.get(session_id).state == State.SESSION_STATE_DONE)
    assert get(server, url).body == right


def get_broken(server, url):
    """What arrives of a body that is cut."""
    connection = http.client.HTTPConnection(server.address)
    connection.request("GET", url)
    try:
        return connection.getresponse().read()
    except http.client.IncompleteRead as error:
        return error.partial


@pytest.mark.parametrize("lost", ["upload gone", "upload flipped"])
def test_what_cannot_be_healed_is_data_loss_and_leaves_the_other_stems(finished, whole, lost):
    server, session_id, folder = finished
    upload = folder / "upload"
    upload.unlink() if lost == "upload gone" else flip(upload)
    flip(folder / f"stems/{STEM}.wav", 3_000_000)
    with pytest.raises(grpc.RpcError) as error:
        get_stem(server.stub, session_id, STEM)
    code, name, metadata = reason(error.value)
    assert (code, name) == ("DATA_LOSS", "STORED_DATA_DAMAGED")
    assert metadata["remedy"]
    others = whole.keys() - {STEM}
    assert digests(server, session_id, others) == {name: whole[name] for name in others}
    # Frames of undamaged blocks can be read.
    assert len(get_stem(server.stub, session_id, STEM, start_frame=500_000, frame_count=1_000)) == 8_000
    flac = f"/download/{session_id}/{STEM}?format=flac"
    answer = get(server, flac, Range="bytes=0-")
    assert answer.problem() == (500, "DATA_LOSS", "STORED_DATA_DAMAGED")
    # Encoded while it is sent: the damage is found when much of it has been.
    with pytest.raises(http.client.IncompleteRead):
        get(server, flac)


def test_a_session_without_checksums_is_read_and_continued_as_before(start, song, whole, tmp_path):
    """What 0.1.0 wrote has none."""
    import json

    server = start()
    session_id = interrupted(server, song)
    folder = server.directory(session_id)
    manifest = json.loads((folder / "session.json").read_text())
    for key in ("checksums", "carry_crc32c", "track_crc32c"):
        assert manifest["commit"].pop(key) is not None
    assert manifest["upload"].pop("stored")
    manifest.pop("recomputed")
    (folder / "session.json").write_text(json.dumps(manifest))
    (folder / "stems/checksums").unlink()
    server.restart()
    watched = collect(server.stub.WatchSession(api.WatchSessionRequest(session_id=session_id)))
    assert watched.digests() == whole
    assert json.loads((folder / "session.json").read_text())["commit"]["checksums"]
