"""Fixtures of workers, the NATS server by which they get segments, and a gateway that has them compute.

The conftest.py of a folder imports them."""
import contextlib
import urllib.request

import pytest

from .nats import NatsServer
from .server import free_address
from .stemwire_client import api, collect
from .worker import SECRET, Worker


@pytest.fixture
def nats(tmp_path):
    monitor = free_address()
    server = NatsServer(tmp_path / "nats", "--jetstream", "--http_port", monitor.split(":")[1])
    server.monitor = monitor
    yield server
    server.kill()


@pytest.fixture
def gateway(start, nats):
    # It needs neither ONNX Runtime nor the threads of its workers.
    variables = {"STEMWIRE_CLUSTER_SECRET": SECRET, "STEMWIRE_RUNTIME": "/nowhere", "STEMWIRE_THREADS": "7"}
    return start("--cluster", nats.url, "--compute", "workers", variables=variables)


@pytest.fixture
def worker(binary, chosen_models, nats):
    """worker(**variables) starts a worker; all are ended with the test."""
    with contextlib.ExitStack() as stack:

        def begin(**variables) -> Worker:
            process = Worker(binary, nats.url, variables)
            stack.callback(lambda: process.process.poll() is None and process.end())
            return process

        yield begin


def watch(server, session_id: str):
    return collect(server.stub.WatchSession(api.WatchSessionRequest(session_id=session_id)))


def numbers(address: str) -> dict:
    """The metrics of a gateway or a worker."""
    with urllib.request.urlopen(f"http://{address}/metrics") as answer:
        lines = [line.rsplit(" ", 1) for line in answer.read().decode().splitlines() if not line.startswith("#")]
    return {name: float(value) for name, value in lines}


def missing(server) -> list:
    """The models that each worker of a gateway lacks."""
    return [list(worker.missing_models) for worker in workers(server)]


def workers(server) -> list:
    """The workers of a gateway, by name."""
    return list(server.stub.Health(api.HealthRequest()).cluster.workers)
