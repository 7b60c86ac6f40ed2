"""A cluster of NATS servers: how many of them have the leases and the queue, and what the loss of one does."""
import contextlib
import os
import re
import signal

import pytest

from system.audio import music, wav
from system.common import QUICK_MODEL, finish, upload, wait_for
from system.nats import NatsCluster
from system.stemwire_client import Background, separate
from system.worker import SECRET, Worker
from system.workers import watch

MODELS = QUICK_MODEL

# What NATS keeps: the leases of a store, the models of gateways, workers, and tasks.
STREAMS = ["KV_stemwire_leases", "KV_stemwire_models", "KV_stemwire_workers", "stemwire-tasks"]


@pytest.fixture
def cluster(binary, chosen_models, start, tmp_path):
    """cluster(count) starts NATS servers, a gateway and a worker."""
    with contextlib.ExitStack() as stack:

        def begin(count: int):
            nats = NatsCluster(tmp_path / "nats", count)
            stack.callback(nats.kill)
            variables = {"STEMWIRE_CLUSTER_SECRET": SECRET, "STEMWIRE_THREADS": "1"}
            options = ("--store", f"file://{tmp_path}/store", "--cluster", nats.url, "--compute", "workers")
            gateway = start(*options, variables=variables)
            worker = Worker(binary, nats.url, variables)
            stack.callback(worker.end)
            return nats, gateway

        yield begin


def copies(nats: NatsCluster) -> dict[str, int]:
    """How many servers have each stream, without the name of the store in that of its leases."""
    return {re.sub(r"_[0-9a-f-]{36}$", "", name): count for name, count in nats.copies().items()}


def test_one_of_three_servers_can_lose_its_data_at_any_time(cluster, start):
    song = wav(music(60))
    expected = separate(start("--threads", "1").stub, song).digests()
    nats, gateway = cluster(3)
    wait_for(lambda: copies(nats).keys() == set(STREAMS))
    assert copies(nats) == dict.fromkeys(STREAMS, 3)
    session_id = upload(gateway, song)
    finish(gateway, session_id, song)
    for server in nats.servers:
        wait_for(lambda: gateway.get(session_id).progress.finished_frames > 0)
        server.wipe()
        nats.wait()
    assert watch(gateway, session_id).digests() == expected
    # After all of them have lost their data, one by one.
    assert separate(gateway.stub, song).digests() == expected


def test_a_server_that_is_stopped_keeps_nothing_up(cluster, start):
    song = wav(music(4))
    expected = separate(start("--threads", "1").stub, song).digests()
    nats, gateway = cluster(3)
    for server in nats.servers:
        # As if its machine were gone: connections to it stay.
        os.kill(server.process.pid, signal.SIGSTOP)
        try:
            assert Background(lambda: separate(gateway.stub, song).digests()).result(60) == expected
        finally:
            os.kill(server.process.pid, signal.SIGCONT)
        nats.wait()


def test_two_servers_keep_one_copy_and_a_session_is_separated(cluster, start):
    song = wav(music(4))
    expected = separate(start("--threads", "1").stub, song).digests()
    nats, gateway = cluster(2)
    wait_for(lambda: copies(nats).keys() == set(STREAMS))
    assert copies(nats) == dict.fromkeys(STREAMS, 1)
    assert separate(gateway.stub, song).digests() == expected
