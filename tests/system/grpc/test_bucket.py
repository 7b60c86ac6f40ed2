"""A bucket as the object store: credentials, requests that fail, a server that is slow or away."""
import re

import grpc
import pytest

from ..audio import music, wav
from ..common import INSTANT_MODEL, finish, lose, upload, wait_for
from ..http_client import get
from ..s3 import Bucket, GoogleBucket
from ..stemwire_client import api, collect, get_stem, reason, separate

MODELS = INSTANT_MODEL
PREFIX = "some/prefix"


@pytest.fixture
def bucket(request):
    """One of S3, or of another service by a test's parameter."""
    bucket = getattr(request, "param", Bucket)()
    yield bucket
    bucket.stop()


@pytest.fixture
def replicated(bucket, start):
    """replicated(*options) starts a server with its sessions in the bucket."""
    return lambda *options: start("--store", f"{bucket.url}/{PREFIX}", *options, variables=bucket.variables)


def metric(server, name: str) -> float:
    """The sum of a metric over its labels."""
    found = re.findall(rf"^stemwire_{name}(?:{{[^}}]*}})? (\S+)$", get(server, "/metrics").body.decode(), re.MULTILINE)
    assert found, name
    return sum(map(float, found))


@pytest.mark.parametrize("bucket", [Bucket, GoogleBucket], indirect=True)
def test_sessions_survive_the_loss_of_the_machine(replicated, bucket):
    song = wav(music(6))
    server = replicated()
    whole = separate(server.stub, song)
    session_id = upload(server, song[: len(song) // 2])
    lose(server)
    assert server.get(session_id).committed_bytes == len(song) // 2
    rest = api.UploadChunkRequest(session_id=session_id, offset=len(song) // 2, data=song[len(song) // 2 :])
    server.stub.UploadChunk(rest)
    finish(server, session_id, song)
    watched = collect(server.stub.WatchSession(api.WatchSessionRequest(session_id=session_id)))
    assert watched.digests() == whole.digests()
    for name, pcm in whole.stems.items():
        assert get_stem(server.stub, whole.done.session_id, name) == bytes(pcm)
    assert all(key.startswith(f"{PREFIX}/") for key in bucket.objects)
    server.stub.DeleteSession(api.DeleteSessionRequest(session_id=session_id))
    assert not [key for key in bucket.objects if session_id in key]


def test_requests_that_fail_are_repeated(replicated, bucket):
    song = wav(music(4))
    server = replicated()
    whole = separate(server.stub, song).digests()
    assert metric(server, "store_failed_requests_total") == 0
    for fault in ("failures", "unanswered"):
        failed = metric(server, "store_failed_requests_total")
        setattr(bucket, fault, 2)
        result = separate(server.stub, song)
        assert result.error is None and result.digests() == whole
        assert metric(server, "store_failed_requests_total") == failed + 2
    wait_for(lambda: metric(server, "store_away") == 0)
    assert metric(server, "store_written_bytes_total") > 3 * len(song)


def test_a_store_that_is_away_or_slow_stalls_sessions_and_loses_nothing(replicated, bucket):
    song = wav(music(8))
    server = replicated()
    whole = separate(server.stub, song).digests()
    session_id = upload(server, song[: len(song) // 2])
    bucket.stop()
    rest = api.UploadChunkRequest(session_id=session_id, offset=len(song) // 2, data=song[len(song) // 2 :])
    with pytest.raises(grpc.RpcError) as refused:
        server.stub.UploadChunk(rest)
    assert reason(refused.value)[:2] == ("UNAVAILABLE", "STORE_UNAVAILABLE")
    assert metric(server, "store_away") == 1 and metric(server, "store_errors_total") > 0
    assert server.get(session_id).committed_bytes == len(song) // 2
    bucket.delay_s = 0.2
    bucket.start()
    wait_for(lambda: metric(server, "store_away") == 0)
    assert server.stub.UploadChunk(rest).committed_bytes == len(song)
    finish(server, session_id, song)
    watched = collect(server.stub.WatchSession(api.WatchSessionRequest(session_id=session_id)))
    assert watched.digests() == whole


def test_a_server_stops_within_its_drain_time_while_the_store_is_away(replicated, bucket):
    song = wav(music(2))
    server = replicated("--drain", "1s")
    session_id = upload(server, song[: len(song) // 2])
    bucket.stop()
    # Fails after half a minute.
    assert server.terminate() == 0
    bucket.start()
    server.restart()
    assert server.get(session_id).committed_bytes == len(song) // 2


def test_a_proxy_without_its_server_is_not_an_empty_bucket(replicated, bucket):
    song = wav(music(2))
    server = replicated()
    session_id = upload(server, song[: len(song) // 2])
    bucket.is_gone = True
    rest = api.UploadChunkRequest(session_id=session_id, offset=len(song) // 2, data=song[len(song) // 2 :])
    with pytest.raises(grpc.RpcError) as refused:
        server.stub.UploadChunk(rest)
    assert reason(refused.value)[:2] == ("UNAVAILABLE", "STORE_UNAVAILABLE")
    bucket.is_gone = False
    wait_for(lambda: metric(server, "store_away") == 0)
    assert server.stub.UploadChunk(rest).committed_bytes == len(song)
    lose(server)
    assert server.get(session_id).committed_bytes == len(song)


@pytest.mark.parametrize("bucket", [Bucket, GoogleBucket], indirect=True)
def test_a_check_shows_what_a_bucket_does(cli, bucket):
    checked = cli("cluster", "check", "--store", bucket.url, **bucket.variables).out.decode()
    assert checked.count("good  ") == 3 and "one of 32 concurrent creations" in checked
    assert not bucket.objects, "it leaves nothing"
    secret = list(bucket.variables)[-1]
    wrong, others = bucket.variables | {secret: "another"}, bucket.url.replace("songs", "others")
    for url, variables, cause in [(bucket.url, wrong, "SignatureDoesNotMatch"), (others, bucket.variables, "NoSuchBucket")]:
        refused = cli("cluster", "check", "--store", url, code=1, **variables)
        assert cause in refused.out.decode() and "credentials" in refused.out.decode()
