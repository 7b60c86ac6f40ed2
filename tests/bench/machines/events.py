"""What happens to the parts of a cluster, and how it ends."""
from __future__ import annotations

import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from .network import Link
from .parts import ChaosWorker, Gateway, Part
from .whole import Cluster

# A lease of a session lasts 15 s, and a task is given to another worker after 10 s without a sign of life.
SHORTER_S, LONGER_S = (1.0, 8.0), (20.0, 32.0)
# How long something that was killed stays away: at once, or longer than a lease.
AWAY_S = [(0.0, 2.0), (0.0, 2.0), (20.0, 35.0)]
STORE_S = 20.0
SLOW_S = 0.2


@dataclass
class Death:
    """An owner that was killed, and what its sessions had finished."""

    at: float
    frames: dict[str, int]
    comes_back: bool


@dataclass
class Record:
    """What has happened."""

    counts: Counter[str] = field(default_factory=Counter)
    deaths: list[Death] = field(default_factory=list)
    findings: list[str] = field(default_factory=list)


class Events:
    """Draws events, and lets each run in a thread. At most `most` of the gateways and of the workers are disturbed at a time, one
    NATS server, and the store."""

    def __init__(self, cluster: Cluster, seed: int, mean_s: float):
        self.cluster, self.draw, self.mean_s = cluster, random.Random(seed), mean_s
        self.record = Record()
        self.busy: set[object] = set()
        self.lock = threading.Lock()
        self.running: list[threading.Thread] = []
        self.began = time.monotonic()

    def run(self, count: int) -> None:
        """Lets `count` events happen, and waits until all are over."""
        while sum(self.record.counts.values()) < count:
            time.sleep(self.draw.expovariate(1 / self.mean_s))
            self.one()
        for thread in self.running:
            thread.join()

    def one(self) -> None:
        """Begins an event, if what it was drawn for is not being disturbed."""
        kinds: list[tuple[int, Callable[[random.Random], tuple[str, object, Callable[[], None]]]]] = [
            (4, self.gateway), (4, self.worker), (2, self.nats), (1, self.store), (5, self.link)
        ]
        draw = random.Random(self.draw.random())
        kind = draw.choices([kind for _, kind in kinds], weights=[weight for weight, _ in kinds])[0]
        what, target, work = kind(draw)
        with self.lock:
            if not self._may(target):
                return
            self.busy.add(target)
        self.record.counts[what] += 1
        print(f"{time.monotonic() - self.began:7.1f} s {what}: {target}", flush=True)

        def run() -> None:
            try:
                work()
            except Exception as error:
                self.record.findings.append(f"{what} of {target}: {type(error).__name__}: {error}")
            finally:
                with self.lock:
                    self.busy.discard(target)

        self.running.append(threading.Thread(target=run))
        self.running[-1].start()

    def _may(self, target: object) -> bool:
        """Whether enough of the cluster is left: a gateway, a worker, and two NATS servers that agree."""
        if target in self.busy:
            return False
        same = [other for other in self.busy if type(other) is type(target)]
        if isinstance(target, (Gateway, ChaosWorker)):
            return len(same) < 2
        if isinstance(target, Link):
            return len(same) < 3
        return not same

    def gateway(self, draw: random.Random) -> tuple[str, object, Callable[[], None]]:
        gateway = draw.choice(self.cluster.gateways)
        away = draw.uniform(*draw.choice(AWAY_S))
        kind = draw.choice(["is killed", "is lost with its disk", "is stopped shortly", "is stopped for long", "ends"])
        work: dict[str, Callable[[], None]] = {
            "is killed": lambda: self.kill_gateway(gateway, away, False),
            "is lost with its disk": lambda: self.kill_gateway(gateway, away, True),
            "is stopped shortly": lambda: stop(gateway, draw.uniform(*SHORTER_S)),
            "is stopped for long": lambda: stop(gateway, draw.uniform(*LONGER_S)),
            "ends": lambda: self.restart(gateway, signal.SIGTERM, away),
        }
        return f"gateway {kind}", gateway, work[kind]

    def worker(self, draw: random.Random) -> tuple[str, object, Callable[[], None]]:
        worker = draw.choice(self.cluster.workers)
        away = draw.uniform(*draw.choice(AWAY_S))
        kind = draw.choice(["is killed", "is stopped shortly", "is stopped for long", "ends"])
        work: dict[str, Callable[[], None]] = {
            "is killed": lambda: self.restart(worker, signal.SIGKILL, away),
            "is stopped shortly": lambda: stop(worker, draw.uniform(*SHORTER_S)),
            "is stopped for long": lambda: stop(worker, draw.uniform(*LONGER_S)),
            "ends": lambda: self.restart(worker, signal.SIGTERM, away),
        }
        return f"worker {kind}", worker, work[kind]

    def nats(self, draw: random.Random) -> tuple[str, object, Callable[[], None]]:
        server = draw.choice(self.cluster.nats.servers)
        away = draw.uniform(0, 8)

        def work() -> None:
            server.kill()
            time.sleep(away)
            server.wipe_folder()
            server.start()
            self.cluster.nats.wait(120)

        return "NATS server is lost with its data", server, work

    def store(self, draw: random.Random) -> tuple[str, object, Callable[[], None]]:
        store = self.cluster.store
        is_slow = bool(store.links()) and draw.random() < 0.5

        def work() -> None:
            if is_slow:
                for link in store.links():
                    link.delay_s = SLOW_S
            else:
                store.refuse()
            time.sleep(STORE_S)
            if is_slow:
                for link in store.links():
                    link.heal()
            else:
                store.serve()

        return f"store is {'slow' if is_slow else 'refusing'}", store, work

    def link(self, draw: random.Random) -> tuple[str, object, Callable[[], None]]:
        link = draw.choice(self.cluster.network.links)
        if draw.random() < 0.5:
            return "connections are cut", link, lambda: link.cut(draw.choice([0.5, 1.0]))
        seconds = draw.uniform(*draw.choice([SHORTER_S, LONGER_S]))

        def silence() -> None:
            link.silence()
            time.sleep(seconds)
            link.heal()
            # As a network does that has lost what was on its way for long.
            if seconds > LONGER_S[0]:
                link.cut()

        return "connections are silent", link, silence

    def kill_gateway(self, gateway: Gateway, away: float, with_disk: bool) -> None:
        owned = self.cluster.owned(gateway)
        at = time.monotonic()
        self.note(gateway.end(signal.SIGKILL))
        if with_disk:
            gateway.lose_disk()
        self.record.deaths.append(Death(at, owned, comes_back=away < AWAY_S[0][1] and not with_disk))
        time.sleep(away)
        gateway.start()

    def restart(self, part: Part, how: int, away: float) -> None:
        self.note(part.end(how))
        time.sleep(away)
        part.start()

    def note(self, finding: str) -> None:
        if finding:
            self.record.findings.append(finding)


def stop(part: Part, seconds: float) -> None:
    part.signal(signal.SIGSTOP)
    time.sleep(seconds)
    part.signal(signal.SIGCONT)
