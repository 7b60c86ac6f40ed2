"""An earlier build and the present one in one cluster, as during an upgrade. STEMWIRE_OLD names the earlier one:
`make cluster OLD=FILE`."""
import contextlib
import os

import grpc
import pytest

from system.audio import music, wav
from system.common import QUICK_MODEL, finish, upload, wait_for
from system.grpc.test_workers import watch
from system.nats import NatsServer
from system.server import Server
from system.stemwire_client import api, collect, get_stem, reason, separate, session_pb2
from system.worker import SECRET, Worker

MODELS = QUICK_MODEL
VARIABLES = {"STEMWIRE_CLUSTER_SECRET": SECRET, "STEMWIRE_THREADS": "1"}
# A lease lasts 15 s. It is missed after two looks, 5 s apart.
TAKEN_OVER = 90

pytestmark = pytest.mark.skipif("STEMWIRE_OLD" not in os.environ, reason="STEMWIRE_OLD names no earlier build")


@pytest.fixture
def cluster(binary, chosen_models, tmp_path):
    """cluster(*versions) starts a gateway of each, and a worker of each; a version is `old` or `new`."""
    with contextlib.ExitStack() as stack:

        def begin(*versions: str) -> list[Server]:
            nats = NatsServer(tmp_path / "nats", "--jetstream")
            stack.callback(nats.kill)
            shared = ("--store", f"file://{tmp_path}/store", "--cluster", nats.url, "--compute", "workers")
            gateways = []
            for number, version in enumerate(versions):
                program = os.environ["STEMWIRE_OLD"] if version == "old" else binary
                gateways.append(Server(program, tmp_path / f"{version}-{number}", *shared, variables=VARIABLES))
                stack.callback(gateways[-1].close)
                worker = Worker(program, nats.url, VARIABLES | {"STEMWIRE_WORKER_NAME": f"{version}-{number}"})
                stack.callback(worker.end)
            return gateways

        yield begin


def is_done(server, session_id: str) -> bool:
    """Whether a gateway has the session, and it is done."""
    try:
        return server.get(session_id).state == session_pb2.SESSION_STATE_DONE
    except grpc.RpcError as error:
        assert reason(error)[1] in ("SESSION_ELSEWHERE", "CLUSTER_UNAVAILABLE")
        return False


def complete(server, session_id: str, song: bytes) -> None:
    """Sends the second half of a song."""
    for offset in range(len(song) // 2, len(song), 1 << 20):
        chunk = api.UploadChunkRequest(session_id=session_id, offset=offset, data=song[offset : offset + (1 << 20)])
        assert server.stub.UploadChunk(chunk).committed_bytes == min(offset + (1 << 20), len(song))
    finish(server, session_id, song)


@pytest.mark.parametrize("versions", [("old", "new"), ("new", "old")])
def test_what_one_version_has_begun_the_other_one_finishes(cluster, start, versions):
    song = wav(music(60))
    expected = separate(start("--threads", "1").stub, song).digests()
    first, second = cluster(*versions)
    ended = separate(first.stub, song)
    assert ended.digests() == expected
    half = upload(first, song[: len(song) // 2])
    running = upload(first, song)
    finish(first, running, song)
    wait_for(lambda: first.get(running).progress.finished_frames > 0)
    first.kill()
    wait_for(lambda: is_done(second, running), TAKEN_OVER)
    assert watch(second, running).digests() == expected
    assert second.get(half).committed_bytes == len(song) // 2
    complete(second, half, song)
    assert watch(second, half).digests() == expected
    for name, pcm in ended.stems.items():
        assert get_stem(second.stub, ended.done.session_id, name) == bytes(pcm)


def test_calls_are_forwarded_between_versions_and_both_list_all_sessions(cluster, start):
    song = wav(music(10))
    expected = separate(start("--threads", "1").stub, song).digests()
    gateways = cluster("old", "new")
    ids = []
    for here, there in [gateways, reversed(gateways)]:
        session_id = upload(here, song[: len(song) // 2])
        complete(there, session_id, song)
        assert collect(there.stub.WatchSession(api.WatchSessionRequest(session_id=session_id))).digests() == expected
        ids.append(session_id)
    listed = lambda server: {session.session_id for session in server.stub.ListSessions(api.ListSessionsRequest()).sessions}
    for gateway in gateways:
        wait_for(lambda: listed(gateway) == set(ids))
