"""Sessions in a bucket of a real S3 server."""
import threading

from system.audio import music, wav
from system.common import INSTANT_FOUR_STEMS, finish, lose, upload, wait_for
from system.stemwire_client import api, collect, get_stem, separate, session_pb2

MODELS = INSTANT_FOUR_STEMS


def test_of_concurrent_creations_of_a_key_one_succeeds(cli, s3):
    for _ in range(20):
        checked = cli("cluster", "check", "--store", "s3://songs", **s3.variables).out.decode()
        assert checked.count("good  ") == 3, checked


def test_sessions_survive_the_loss_of_the_machine_and_of_the_store(replicated, s3):
    song = wav(music(10))
    server = replicated("--max-cache", "1B")
    whole = separate(server.stub, song)
    assert whole.error is None
    ended = whole.done.session_id
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
    s3.kill()
    rest = api.UploadChunkRequest(session_id=session_id, offset=len(song) // 2, data=song[len(song) // 2 :])
    wait_for(lambda: server.stub.Health(api.HealthRequest()).message)
    s3.start()
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
    assert not [path for path in s3.folder.rglob("*") if session_id in str(path) and path.is_file()]
