"""A cluster as a whole."""
from __future__ import annotations

import contextlib
import signal
from pathlib import Path

import grpc

from system import stemwire_client as client
from system.common import wait_for
from system.nats import NatsCluster

from .network import Network
from .parts import BucketStore, ChaosWorker, FolderStore, Gateway

# A client that is not answered for this long calls again.
CALL_S = 30


def is_answering(stub) -> bool:
    with contextlib.suppress(grpc.RpcError):
        return bool(stub.Health(client.api.HealthRequest(), timeout=10).status)
    return False


class Cluster:
    """Three NATS servers, a store, gateways and workers, and how clients reach them."""

    def __init__(self, binary: str, folder: Path, gateways: int, workers: int, with_bucket: bool):
        self.network = Network()
        reached = lambda number, address: self.network.link("nats", f"nats-{number}", address).address
        self.nats = NatsCluster(folder, 3, reached)
        self.store = BucketStore(folder / "s3", self.network) if with_bucket else FolderStore(folder / "store")
        self.gateways = [Gateway(f"gateway-{n}", binary, folder, self.network, self.nats, self.store) for n in range(gateways)]
        self.workers = [ChaosWorker(f"worker-{n}", binary, self.network, self.nats) for n in range(workers)]
        for part in [*self.gateways, *self.workers]:
            part.start()
        self.fronts = [self.network.link("clients", part.name, part.listen) for part in self.gateways]
        self.balancer = self.network.link("clients", "balancer", *[part.listen for part in self.gateways])
        self.channels = [client.connect(front.address) for front in self.fronts]
        self.stubs = [client.service.SeparationServiceStub(channel) for channel in self.channels]

    def owned(self, gateway: Gateway) -> dict[str, int]:
        """Finished frames of the sessions that a gateway runs: what others have of them is older."""
        others = [other.sessions() for other in self.gateways if other is not gateway]
        mine = gateway.sessions()
        newer = {name for name, (_, at) in mine.items() if any(found[name][1] > at for found in others if name in found)}
        return {name: frames for name, (frames, _) in mine.items() if name not in newer}

    def spent_s(self) -> float:
        """Seconds of processor that all workers have had."""
        return sum(worker.spent_s() for worker in self.workers)

    def calm(self) -> None:
        """Heals what is left, and waits until all parts answer."""
        for link in self.network.links:
            link.heal()
        self.nats.wait(120)
        for stub in self.stubs:
            wait_for(lambda: is_answering(stub), 60)

    def save_logs(self, folder: Path) -> None:
        """The logs of all processes that have ended."""
        for part in [*self.gateways, *self.workers]:
            (folder / f"{part}.log").write_text("\n--- started again ---\n".join(part.logs))

    def kill(self) -> None:
        """Ends what still runs, after a failure."""
        for part in [*self.gateways, *self.workers]:
            if part.is_up:
                part.end(signal.SIGKILL)
        self.nats.kill()
        self.store.close()

    def close(self) -> list[str]:
        """Ends all; returns what is wrong with how parts ended."""
        findings = [part.end(signal.SIGTERM) for part in [*self.gateways, *self.workers]]
        for channel in self.channels:
            with contextlib.suppress(Exception):
                channel.close()
        self.nats.kill()
        self.store.close()
        return [finding for finding in findings if finding]
