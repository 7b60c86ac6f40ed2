"""The parts of a cluster as processes: an object store, gateways and workers."""
from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import threading
import time
from pathlib import Path

from measure import spent
from system.buckets import S3Server
from system.nats import NatsCluster
from system.server import Server, free_address
from system.worker import SECRET, Worker

from .network import Link, Network

# One thread for a segment everywhere: the bytes depend on it.
VARIABLES = {
    "STEMWIRE_CLUSTER_SECRET": SECRET, "STEMWIRE_ENGINES": "mini-spleeter,mini", "STEMWIRE_PROVIDER": "cpu",
    "STEMWIRE_LOG": "stemwire=info", "STEMWIRE_THREADS": "1", "STEMWIRE_WORKERS": "1",
}
# Of a start: NATS may elect a leader meanwhile, and then a gateway refuses to start and is started again.
START_S = 120
# Of an end: a worker delivers what it has computed, as long as its gateway may come back.
END_S = 120
# So that sessions are read from the store, too.
MAX_CACHE = "256MiB"


class FolderStore:
    """A folder as object store. While it is away, a file has its name, so that every call fails."""

    def __init__(self, folder: Path):
        self.folder = folder
        folder.mkdir()
        self.url = f"file://{folder}"
        self.variables: dict[str, str] = {}

    def __str__(self) -> str:
        return "store"

    def refuse(self) -> None:
        self.folder.rename(self.folder.with_suffix(".away"))
        self.folder.touch()

    def serve(self) -> None:
        self.folder.unlink()
        self.folder.with_suffix(".away").rename(self.folder)

    def links(self) -> list[Link]:
        return []

    def close(self) -> None:
        pass


class BucketStore:
    """A bucket of versitygw behind a link, which can be refusing or slow."""

    def __init__(self, folder: Path, network: Network):
        self.server = S3Server(folder)
        self.link = network.link("gateways", "store", self.server.address)
        self.url = "s3://songs/chaos"
        self.variables = self.server.variables | {"AWS_ENDPOINT_URL": f"http://{self.link.address}"}

    def __str__(self) -> str:
        return "store"

    def refuse(self) -> None:
        self.link.is_refusing = True
        self.link.cut()

    def serve(self) -> None:
        self.link.heal()

    def links(self) -> list[Link]:
        return [self.link]

    def close(self) -> None:
        self.server.kill()


class Part:
    """A gateway or worker that is started again whenever it has ended."""

    def __init__(self, name: str):
        self.name = name
        self.is_up = False
        self.refused_starts = 0
        # Logs of processes that have ended.
        self.logs: list[str] = []
        self.process: Server | Worker | None = None
        self.lock = threading.Lock()

    def __str__(self) -> str:
        return self.name

    def begin(self) -> Server | Worker:
        raise NotImplementedError

    def start(self) -> None:
        """Starts it, again if it refuses, as a supervisor does."""
        end = time.monotonic() + START_S
        while True:
            try:
                self.process = self.begin()
                self.is_up = True
                return
            except AssertionError:
                self.refused_starts += 1
                if time.monotonic() > end:
                    raise
                time.sleep(1)

    def running(self) -> Server | Worker:
        assert self.process is not None
        return self.process

    def signal(self, number: int) -> None:
        os.kill(self.running().process.pid, number)

    def end(self, how: int) -> str:
        """Ends it, and returns what is wrong with how it ended, or nothing."""
        self.is_up = False
        ended = self.running()
        before = ended.process.poll()
        if before is None:
            self.signal(signal.SIGCONT)
            self.signal(how)
            before = ended.process.wait(END_S)
            expected = -signal.SIGKILL if how == signal.SIGKILL else 0
            wrong = "" if before == expected else f"{self} ended with {before} after signal {how}"
        else:
            wrong = f"{self} ended with {before} by itself"
        log = ended.log_text()
        self.logs.append(log)
        return f"{self} panicked: {log[-4000:]}" if "panicked" in log else wrong


class Gateway(Part):
    """A gateway, whose peers and workers reach it by a link of their own."""

    def __init__(self, name: str, binary: str, folder: Path, network: Network, nats: NatsCluster, store: FolderStore | BucketStore):
        super().__init__(name)
        self.binary, self.data, self.listen = binary, folder / name, free_address()
        self.peers = network.link("peers", name, self.listen)
        urls = [network.link(name, f"nats-{number}", server.address).address for number, server in enumerate(nats.servers)]
        self.options = [
            "--store", store.url, "--cluster", ",".join(f"nats://{url}" for url in urls), "--compute", "workers",
            "--cluster-address", self.peers.address, "--max-queued", "1000", "--max-cache", MAX_CACHE,
        ]
        self.variables = VARIABLES | store.variables

    def begin(self) -> Server:
        return Server(self.binary, self.data, *self.options, listen=self.listen, variables=self.variables)

    def lose_disk(self) -> None:
        shutil.rmtree(self.data)

    def sessions(self) -> dict[str, tuple[int, float]]:
        """Finished frames of the sessions that it runs, and when its manifest was written."""
        found = {}
        for manifest in (self.data / "sessions").glob("*/session.json"):
            with contextlib.suppress(OSError, ValueError):
                content = json.loads(manifest.read_text())
                if content["state"] not in ("DONE", "FAILED", "CANCELLED"):
                    found[manifest.parent.name] = (content["commit"]["stems"], manifest.stat().st_mtime)
        return found


class ChaosWorker(Part):
    """A worker, and the processor time that it has taken."""

    def __init__(self, name: str, binary: str, network: Network, nats: NatsCluster):
        super().__init__(name)
        self.binary = binary
        urls = [network.link(name, f"nats-{number}", server.address).address for number, server in enumerate(nats.servers)]
        self.cluster = ",".join(f"nats://{url}" for url in urls)
        # Of processes that have ended, from their start on; and of the present one while it loaded its models.
        self.earlier_s = self.loading_s = 0.0

    def begin(self) -> Worker:
        worker = Worker(self.binary, self.cluster, VARIABLES | {"STEMWIRE_WORKER_NAME": f"{self.name}-{time.monotonic_ns()}"})
        self.loading_s = spent(worker.process.pid)
        return worker

    def end(self, how: int) -> str:
        with contextlib.suppress(OSError):
            self.earlier_s += self.present_s()
        return super().end(how)

    def present_s(self) -> float:
        return spent(self.running().process.pid) - self.loading_s

    def spent_s(self) -> float:
        """Seconds of processor for what it has computed."""
        return self.earlier_s + (self.present_s() if self.is_up else 0)

