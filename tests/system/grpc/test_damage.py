"""Torn and rotten files of a session are found before a client gets a byte of them: healed from the upload, or DATA_LOSS."""
import functools
import hashlib
import http.client
import json
import os
import shutil
from pathlib import Path

import grpc
import pytest

from ..audio import music, wav
from ..common import QUICK_MODEL, wait_for
from ..http_client import get
from ..server import Server
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
def undisturbed(server, song):
    """What a client receives when nothing goes wrong."""
    return separate(server.stub, song)


@pytest.fixture(scope="module")
def whole(undisturbed):
    """The stems when nothing goes wrong."""
    return undisturbed.digests()


@pytest.fixture
def finished(start, server, undisturbed, tmp_path):
    """A server with a copy of a session that is done."""
    session_id, data = undisturbed.done.session_id, tmp_path / "data"
    shutil.copytree(server.directory(session_id), data / "sessions" / session_id)
    begun = start(data=data)
    return begun, session_id, begun.directory(session_id)


def interrupted(server, song: bytes, complete: bool) -> str:
    """A session whose server is killed amid it: at once after a complete upload, the last part of which is not computed then."""
    session_id = server.stub.CreateSession(api.CreateSessionRequest()).session.session_id
    most = len(song) * 3 // 4
    send(server, session_id, song, 0, most)
    wait_for(lambda: server.get(session_id).progress.finished_frames > 200_000)
    if complete:
        send(server, session_id, song, most, len(song))
        finish_upload(server, session_id, song)
    server.kill()
    return session_id


@pytest.fixture(scope="module")
def killed(binary, chosen_models, tmp_path_factory, song):
    """killed(complete) is a data folder of a killed server and its session, with a complete upload or a part of it."""

    @functools.cache
    def killed(complete: bool) -> tuple[Path, str]:
        server = Server(binary, tmp_path_factory.mktemp("killed"))
        return server.data, interrupted(server, song, complete)

    return killed


@pytest.fixture
def amid(killed, tmp_path):
    """amid(complete) is a copy of such a folder: the folder, the session, the session's folder."""

    def amid(complete: bool = True) -> tuple[Path, str, Path]:
        data, session_id = killed(complete)
        copy = shutil.copytree(data, tmp_path / "data")
        return copy, session_id, copy / "sessions" / session_id

    return amid


def send(server, session_id: str, song: bytes, start: int, end: int) -> None:
    for at in range(start, end, 1 << 20):
        data = song[at : min(at + (1 << 20), end)]
        server.stub.UploadChunk(api.UploadChunkRequest(session_id=session_id, offset=at, data=data))


def finish_upload(server, session_id: str, song: bytes) -> None:
    server.stub.FinishUpload(api.FinishUploadRequest(session_id=session_id, finish=api.Finish(total_bytes=len(song))))


def digests(server, session_id, names):
    return {name: hashlib.sha256(get_stem(server.stub, session_id, name)).hexdigest() for name in names}


def overlap_state(folder: Path) -> Path:
    """The one of the last commit: a server that is killed may leave another."""
    commit = json.loads((folder / "session.json").read_text())["commit"]
    return folder / f"carry.{commit['segments']}"


DAMAGE = {
    "a flipped byte of a stem": lambda folder: flip(folder / f"stems/{STEM}.wav.part", 200_000),
    "a stem cut by half": lambda folder: cut(folder / f"stems/{STEM}.wav.part"),
    "a stem that is gone": lambda folder: (folder / f"stems/{STEM}.wav.part").unlink(),
    "a flipped byte of the track": lambda folder: flip(folder / "track.f32"),
    "a track cut by half": lambda folder: cut(folder / "track.f32"),
    "a flipped byte of the overlap state": lambda folder: flip(overlap_state(folder)),
    "an overlap state cut by half": lambda folder: cut(overlap_state(folder)),
    "an overlap state that is gone": lambda folder: overlap_state(folder).unlink(),
    "a flipped byte of the checksums": lambda folder: flip(folder / "stems/checksums"),
    "checksums that are gone": lambda folder: (folder / "stems/checksums").unlink(),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_running_session_recomputes_what_is_damaged_to_the_same_bytes(start, amid, whole, damage):
    data, session_id, folder = amid()
    DAMAGE[damage](folder)
    server = start(data=data)
    watched = collect(server.stub.WatchSession(api.WatchSessionRequest(session_id=session_id)))
    assert watched.error is None and watched.digests() == whole
    assert {stem.name: stem.sha256.hex() for stem in watched.done.stems} == whole


@pytest.mark.parametrize("damage", [flip, cut, os.unlink], ids=["flipped", "cut", "gone"])
def test_a_damaged_upload_ends_an_unfinished_session_with_data_loss(start, amid, damage):
    data, session_id, folder = amid()
    damage(folder / "upload")
    server = start(data=data)
    wait_for(lambda: server.get(session_id).state == State.SESSION_STATE_FAILED)
    assert server.get(session_id).error.reason == "STORED_DATA_DAMAGED"
    with pytest.raises(grpc.RpcError) as error:
        get_stem(server.stub, session_id, STEM)
    assert reason(error.value)[:2] == ("DATA_LOSS", "STORED_DATA_DAMAGED")


def test_a_paused_upload_with_damaged_stems_continues_to_the_same_bytes(start, amid, song, whole):
    data, session_id, folder = amid(complete=False)
    flip(folder / f"stems/{STEM}.wav.part", 200_000)
    server = start(data=data)
    with pytest.raises(grpc.RpcError) as error:
        get_stem(server.stub, session_id, STEM)
    assert reason(error.value)[:2] == ("DATA_LOSS", "STORED_DATA_DAMAGED")
    result = continue_upload(server, session_id, song)
    assert result.error is None and result.digests() == whole


def test_a_damaged_upload_accepts_no_more_bytes(start, amid, song):
    data, session_id, folder = amid(complete=False)
    flip(folder / "upload", 100_000)
    server = start(data=data)
    with pytest.raises(grpc.RpcError) as error:
        continue_upload(server, session_id, song)
    assert reason(error.value)[:2] == ("DATA_LOSS", "STORED_DATA_DAMAGED")


def continue_upload(server, session_id, song):
    send(server, session_id, song, server.get(session_id).committed_bytes, len(song))
    finish_upload(server, session_id, song)
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


def test_a_session_without_checksums_is_read_and_continued_as_before(start, amid, whole):
    """What 0.1.0 wrote has none."""
    data, session_id, folder = amid()
    manifest = json.loads((folder / "session.json").read_text())
    for key in ("checksums", "carry_crc32c", "track_crc32c"):
        assert manifest["commit"].pop(key) is not None
    assert manifest["upload"].pop("stored")
    manifest.pop("recomputed")
    (folder / "session.json").write_text(json.dumps(manifest))
    (folder / "stems/checksums").unlink()
    server = start(data=data)
    watched = collect(server.stub.WatchSession(api.WatchSessionRequest(session_id=session_id)))
    assert watched.digests() == whole
    assert json.loads((folder / "session.json").read_text())["commit"]["checksums"]
