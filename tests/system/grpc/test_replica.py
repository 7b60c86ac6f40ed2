"""With an object store, a session survives the loss of the server and its data folder."""
import shutil
import threading

import grpc
import pytest

from ..audio import music, wav
from ..common import INSTANT_MODEL, QUICK_MODEL, finish, lose, upload, wait_for
from ..stemwire_client import (
    Background,
    Config,
    api,
    collect,
    config_pb2,
    get_stem,
    reason,
    request_id,
    requests,
    separate,
    session_pb2,
)

State = session_pb2
MODELS = INSTANT_MODEL


@pytest.fixture
def store(tmp_path):
    return tmp_path / "store"


@pytest.fixture
def replicated(start, store):
    """replicated(*options) starts a server with an object store."""
    return lambda *options, **more: start("--store", f"file://{store}", *options, **more)


def objects(store, session_id: str) -> list:
    """The session's objects, without those that are being written, which have a number behind `#`."""
    paths = (store / "sessions" / session_id).rglob("*")
    return sorted(path for path in paths if "#" not in path.name and path.is_file())


@pytest.fixture
def away(store):
    """A store that is away within `with`: its folder is replaced by a file."""
    class Away:
        def __enter__(self):
            store.rename(store.with_name("away"))
            store.write_text("no folder")

        def __exit__(self, *_):
            store.unlink()
            store.with_name("away").rename(store)

    return Away()


def test_an_upload_and_its_stems_survive_the_loss_of_the_machine(replicated, store):
    song = wav(music(10))
    server = replicated(variables=QUICK_MODEL)
    whole = separate(server.stub, song)
    assert whole.error is None
    config = Config(request_id=request_id(), on_disconnect=config_pb2.ON_DISCONNECT_CONTINUE)
    held = threading.Event()
    most = len(song) * 3 // 4
    stalls = lambda so_far: held.wait(60) if so_far >= most else None
    call = Background(lambda: collect(server.stub.Separate(requests(song, config, pause=stalls))))
    find = lambda: server.stub.CreateSession(api.CreateSessionRequest(config=config)).session
    wait_for(lambda: find().progress.finished_frames > 0 and find().committed_bytes >= most, 120)
    before = find()
    assert most <= before.committed_bytes < len(song)
    lose(server)
    held.set()
    broken = call.result()
    assert broken.error is not None
    session_id = before.session_id
    wait_for(lambda: server.get(session_id).state == State.SESSION_STATE_PAUSED)
    after = server.get(session_id)
    assert after.committed_bytes >= before.committed_bytes, "acknowledged bytes are there"
    received = max(len(pcm) for pcm in broken.stems.values()) // 8
    assert after.progress.finished_frames >= received > 0, "delivered frames are there"
    rest = song[after.committed_bytes :]
    server.stub.UploadChunk(api.UploadChunkRequest(session_id=session_id, offset=after.committed_bytes, data=rest))
    finish(server, session_id, song)
    wait_for(lambda: server.get(session_id).progress.finished_frames > after.progress.finished_frames, 120)
    # Once more, with a complete upload: it is finished without its client.
    lose(server)
    wait_for(lambda: server.get(session_id).state == State.SESSION_STATE_DONE, 120)
    assert not server.get(session_id).engine_changes
    watched = collect(server.stub.WatchSession(api.WatchSessionRequest(session_id=session_id)))
    assert watched.digests() == whole.digests()
    for name, pcm in broken.stems.items():
        assert watched.stems[name][: len(pcm)] == pcm
    # The first session, which had ended before, is read from the store.
    for name, pcm in whole.stems.items():
        assert get_stem(server.stub, whole.done.session_id, name) == bytes(pcm)
    # Of all manifests one is not empty, and no overlap state has stayed.
    names = objects(store, session_id)
    assert [path.stat().st_size > 0 for path in names if path.parent.name == "manifest"].count(True) == 1
    assert not [path for path in names if path.parent.name == "carry"]


def test_a_data_folder_that_is_behind_the_store_is_replaced(replicated, tmp_path):
    song = wav(music(4))
    server = replicated()
    session_id = upload(server, song[: len(song) // 2])
    server.terminate()
    old = tmp_path / "old"
    shutil.copytree(server.data, old)
    server.restart()
    rest = api.UploadChunkRequest(session_id=session_id, offset=len(song) // 2, data=song[len(song) // 2 :])
    server.stub.UploadChunk(rest)
    finish(server, session_id, song)
    wait_for(lambda: server.get(session_id).state == State.SESSION_STATE_DONE)
    stems = get_stem(server.stub, session_id, "vocals")
    server.kill()
    shutil.rmtree(server.data)
    old.rename(server.data)
    server.restart()
    assert server.get(session_id).state == State.SESSION_STATE_DONE
    assert get_stem(server.stub, session_id, "vocals") == stems


def test_a_session_is_removed_from_the_store_once(replicated, store):
    song = wav(music(2))
    server = replicated()
    kept, deleted = [separate(server.stub, song).done.session_id for _ in range(2)]
    server.stub.DeleteSession(api.DeleteSessionRequest(session_id=deleted))
    assert objects(store, deleted) == [] and objects(store, kept)
    lose(server)
    listed = server.stub.ListSessions(api.ListSessionsRequest()).sessions
    assert [session.session_id for session in listed] == [kept]


def test_sessions_of_before_are_stored_and_none_without_the_option(start, store, tmp_path):
    song = wav(music(2))
    data = tmp_path / "data"
    server = start(data=data)
    session_id = separate(server.stub, song).done.session_id
    names = sorted(path.name for path in server.directory(session_id).iterdir())
    assert names == ["session.json", "stems", "upload"], "nothing else is stored"
    stems = get_stem(server.stub, session_id, "vocals")
    server.terminate()
    server = start("--store", f"file://{store}", data=data)
    wait_for(lambda: any(path.parent.name == "manifest" for path in objects(store, session_id)))
    lose(server)
    assert get_stem(server.stub, session_id, "vocals") == stems


def test_a_store_that_is_away_stalls_sessions_and_loses_nothing(replicated, away):
    song = wav(music(8))
    server = replicated()
    whole = separate(server.stub, song).digests()
    session_id = upload(server, song[: len(song) // 2])
    health = lambda: server.stub.Health(api.HealthRequest())
    with away:
        rest = api.UploadChunkRequest(session_id=session_id, offset=len(song) // 2, data=song[len(song) // 2 :])
        with pytest.raises(grpc.RpcError) as refused:
            server.stub.UploadChunk(rest)
        assert reason(refused.value)[:2] == ("UNAVAILABLE", "STORE_UNAVAILABLE")
        with pytest.raises(grpc.RpcError) as refused:
            server.stub.CreateSession(api.CreateSessionRequest())
        assert reason(refused.value)[:2] == ("UNAVAILABLE", "STORE_UNAVAILABLE")
        assert "object store" in health().message and health().remedy
        session = server.get(session_id)
        assert session.committed_bytes == len(song) // 2
        assert "store" in session.notices[-1]
    wait_for(lambda: not health().message)
    # The same bytes again, which the server has by now.
    assert server.stub.UploadChunk(rest).committed_bytes == len(song)
    finish(server, session_id, song)
    watched = collect(server.stub.WatchSession(api.WatchSessionRequest(session_id=session_id)))
    assert watched.digests() == whole
    assert not [notice for notice in watched.done.notices if "store" in notice]


def test_a_data_folder_is_the_cache_of_one_store(replicated, store, cli):
    server = replicated()
    session_id = separate(server.stub, wav(music(1))).done.session_id
    server.terminate()
    store.rename(store.with_name("unmounted"))
    refused = cli("serve", "--store", f"file://{store}", "--listen", "127.0.0.1:0", "--data-dir", server.data, code=6)
    assert "another object store" in refused.err
    assert server.directory(session_id).exists(), "nothing was taken for removed"


def test_a_store_that_cannot_be_used_is_refused(cli, tmp_path):
    (tmp_path / "file").write_text("no folder")
    schemes = "none of file://, s3://, gs:// and az://"
    for url, cause, code in [(f"file://{tmp_path}/file", "cannot be opened", 6), ("ftp://host/store", schemes, 2)]:
        refused = cli("serve", "--store", url, "--listen", "127.0.0.1:0", "--data-dir", tmp_path / "data", code=code)
        assert cause in refused.err and "remedy: " in refused.err


def test_a_check_shows_what_a_store_does(cli, tmp_path):
    checked = cli("cluster", "check", "--store", f"file://{tmp_path}/store").out.decode()
    assert checked.count("good  ") == 3 and "one of 32 concurrent creations" in checked
    assert not list((tmp_path / "store").rglob("*")), "it leaves nothing"
    (tmp_path / "file").write_text("no folder")
    refused = cli("cluster", "check", "--store", f"file://{tmp_path}/file", code=1)
    assert "BAD " in refused.out.decode() and "1 check failed" in refused.err
