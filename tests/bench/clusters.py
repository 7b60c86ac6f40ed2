"""A cluster on this machine: a NATS server, one gateway, and workers, real ones or such whose engine sleeps."""
from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import material
from measure import busy, on, times
from rows.serving import Server

SLEEP_MS = 200


class Cluster(ExitStack):
    """One gateway whose segments workers compute."""

    def __init__(
        self,
        bench,
        model: str,
        models: Path,
        *options: object,
        gateway_cores: list[int] | None = None,
        cores: list[int] | None = None,
    ):
        super().__init__()
        self.bench, self.model, self.models, self.cores = bench, model, models, cores or bench.cores
        self.workers: list[subprocess.Popen] = []
        # What the NATS server and the workers say.
        self.log = self.enter_context((bench.work / "cluster.log").open("w"))
        try:
            self.nats = self._start_nats()
            options = ("--cluster", self.url, "--compute", "workers", "--engines", model, *options)
            self.gateway = Server(bench, *options, models=models, data="data-of-gateway", cores=gateway_cores or self.cores)
            self.callback(self.gateway.close)
        except BaseException:
            self.close()
            raise

    def _start_nats(self) -> subprocess.Popen:
        folder = self.bench.work / "nats"
        shutil.rmtree(folder, ignore_errors=True)
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        self.url = f"nats://127.0.0.1:{port}"
        # Installed beside the Python that runs this.
        program = Path(sys.executable).parent / "nats-server"
        process = self._start([program, "--addr", "127.0.0.1", "--port", port, "--jetstream", "--store_dir", folder])
        for _ in range(300):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    return process
            time.sleep(0.1)
        raise SystemExit("nats-server did not start")

    def _start(self, command: list, **more) -> subprocess.Popen:
        """Starts a process that is ended with the cluster."""
        process = subprocess.Popen(
            on(self.cores, command),
            stderr=self.log,
            text=True,
            **more,
        )
        self.callback(process.wait)
        self.callback(process.kill)
        return process

    def add_sleeping(self, count: int, lanes: int = 1) -> None:
        """More workers whose engine sleeps, and computes so many segments at a time."""
        program = self.bench.program("sleeping_worker")
        command = [program, self.url, self.model, self.models, lanes, SLEEP_MS]
        started = [self._start(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) for _ in range(count)]
        self._add(started)

    def add_real(self, *options: object) -> None:
        """A worker that computes, on all of the cores."""
        command = [self.bench.stemwire, "worker", "--cluster", self.url, "--offline", "--provider", "cpu", "--models-dir", self.models]
        self._add([self._start([*command, "--threads", len(self.cores), *options], stdout=subprocess.PIPE)])

    def _add(self, started: list[subprocess.Popen]) -> None:
        for process in started:
            assert process.stdout is not None
            if not process.stdout.readline():
                process.wait()
                raise SystemExit(f"a worker did not start:\n{Path(self.log.name).read_text()[-2000:]}")
        self.workers += started
        while self.metric("stemwire_workers") < len(self.workers):
            time.sleep(0.1)

    def metric(self, name: str) -> float:
        """The sum of a metric of the gateway."""
        with urllib.request.urlopen(f"http://{self.gateway.address}/metrics") as answer:
            text = answer.read().decode()
        return sum(float(value) for value in re.findall(rf"^{name}(?:{{[^}}]*}})? (\S+)", text, re.MULTILINE))

    def measure(self, seconds: float) -> Interval:
        """What happens within so many seconds."""
        before = self._state()
        time.sleep(seconds)
        return Interval(*(after - earlier for earlier, after in zip(before, self._state())))

    def _state(self) -> tuple[float, ...]:
        gateway, decoders = times(self.gateway.process.pid)
        workers = sum(sum(times(worker.pid)) for worker in self.workers)
        nats, client = sum(times(self.nats.pid)), sum(times(os.getpid()))
        worked = busy(sorted(os.sched_getaffinity(0)))
        segments = self.metric("stemwire_segments_total")
        return (time.monotonic(), segments, gateway, decoders, workers, nats, client, worked)


@dataclass(frozen=True)
class Interval:
    """Segments that were committed, and the seconds of processor that every part took for them."""

    seconds: float
    segments: float
    gateway: float
    decoders: float
    workers: float
    nats: float
    client: float
    worked: float  # of all processes of these cores

    @property
    def rate(self) -> float:
        """Segments in a second."""
        return self.segments / self.seconds

    @property
    def cost_ms(self) -> float:
        """The gateway's time of a segment, without its decoders."""
        return 1000 * self.gateway / max(1.0, self.segments)

    @property
    def others(self) -> float:
        """What other programs took."""
        return max(0.0, self.worked - self.gateway - self.decoders - self.workers - self.nats - self.client)

    def __str__(self) -> str:
        names = ("gateway", "decoders", "workers", "nats", "client", "others")
        parts = {name: getattr(self, name) for name in names}
        used = ", ".join(f"{name} {seconds / self.seconds:.2f}" for name, seconds in parts.items())
        return f"{self.rate:.1f} segments/s, {self.cost_ms:.1f} ms of the gateway each; cores: {used}"


def sleeping_htdemucs(folder: Path) -> tuple[str, Path]:
    """A folder with a model of HTDemucs' segments and stems that is no more than a card."""
    name, models = "htdemucs-sized", folder / "models-of-sleepers"
    (models / name).mkdir(parents=True, exist_ok=True)
    card = (material.ROOT / "models" / "htdemucs" / "card.toml").read_text()
    (models / name / "card.toml").write_text(card.replace('name = "htdemucs"', f'name = "{name}"', 1))
    return name, models
