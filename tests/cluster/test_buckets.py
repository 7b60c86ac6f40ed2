"""Sessions in buckets on real servers with the interfaces of S3 and Azure. There is none with the one of Google that is used."""
import threading

import pytest

from system.audio import music, wav
from system.buckets import AzureServer, S3Server
from system.common import INSTANT_FOUR_STEMS, finish, lose, upload, wait_for
from system.stemwire_client import api, collect, get_stem, separate, session_pb2

MODELS = INSTANT_FOUR_STEMS


@pytest.fixture(params=[S3Server, AzureServer])
def bucket(request, tmp_path):
    server = request.param(tmp_path / "buckets")
    yield server
    server.kill()


@pytest.fixture
def replicated(bucket, start):
    """replicated(*options) starts a server with its sessions in the bucket."""
    return lambda *options: start("--store", f"{bucket.url}/some/prefix", *options, variables=bucket.variables)


def test_of_concurrent_creations_of_a_key_one_succeeds(cli, bucket):
    for _ in range(20):
        checked = cli("cluster", "check", "--store", bucket.url, **bucket.variables).out.decode()
        assert checked.count("good  ") == 3, checked


def test_sessions_survive_the_loss_of_the_machine_and_of_the_store(replicated, bucket):
    song = wav(music(10))
    server = replicated("--max-cache", "1B")
    whole = separate(server.stub, song)
    assert whole.error is None
    ended = whole.done.session_id
    assert all(key.startswith("some/prefix/") for key in bucket.object_names())
    # Ended elsewhere, read from the bucket.
    lose(server)
    for name, pcm in whole.stems.items():
        assert get_stem(server.stub, ended, name) == bytes(pcm)
    assert not list(server.directory(ended).rglob("*.wav")), "no stem is fetched"
    # The store is killed while songs are uploaded, and comes back.
    calls, results = [], []
    for _ in range(4):
        calls.append(threading.Thread(target=lambda: results.append(separate(server.stub, song).digests())))
        calls[-1].start()
    session_id = upload(server, song[: len(song) // 2])
    bucket.kill()
    rest = api.UploadChunkRequest(session_id=session_id, offset=len(song) // 2, data=song[len(song) // 2 :])
    wait_for(lambda: server.stub.Health(api.HealthRequest()).message)
    bucket.start()
    wait_for(lambda: not server.stub.Health(api.HealthRequest()).message)
    assert server.stub.UploadChunk(rest).committed_bytes == len(song)
    finish(server, session_id, song)
    watched = collect(server.stub.WatchSession(api.WatchSessionRequest(session_id=session_id)))
    assert watched.digests() == whole.digests()
    for call in calls:
        call.join()
    lose(server)
    wait_for(lambda: server.get(session_id).state == session_pb2.SESSION_STATE_DONE)
    for name, pcm in whole.stems.items():
        assert get_stem(server.stub, session_id, name) == bytes(pcm)
    server.stub.DeleteSession(api.DeleteSessionRequest(session_id=session_id))
    assert not [key for key in bucket.object_names() if session_id in key]
