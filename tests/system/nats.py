"""NATS servers, which gateways of a cluster share."""
import contextlib
import json
import shutil
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

from .common import wait_for
from .server import free_address, is_listening


class NatsServer:
    """A NATS server with its data in a folder. It can be killed and started again."""

    def __init__(self, folder: Path, *options: str):
        self.folder, self.address, self.options = folder, free_address(), options
        # Of its monitoring, if it has one.
        self.monitor = ""
        self.start()

    def __str__(self) -> str:
        return self.folder.name

    @property
    def url(self) -> str:
        return f"nats://{self.address}"

    def start(self) -> None:
        host, port = self.address.split(":")
        # Installed beside the Python that runs the tests.
        binary = Path(sys.executable).parent / "nats-server"
        command = [str(binary), "--addr", host, "--port", port, "--store_dir", str(self.folder), *self.options]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT)
        wait_for(lambda: is_listening(self.address), 30)

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(30)

    def wipe(self) -> None:
        """Loses its data, and starts again."""
        self.kill()
        self.wipe_folder()
        self.start()

    def wipe_folder(self) -> None:
        """Loses its data while it does not run."""
        shutil.rmtree(self.folder)


class NatsCluster:
    """NATS servers with JetStream that are one cluster. `advertised(number, address)` is where the others reach a server."""

    def __init__(self, folder: Path, count: int, advertised=lambda number, address: address):
        routes = [free_address() for _ in range(count)]
        reached = [advertised(number, route) for number, route in enumerate(routes)]
        self.servers = []
        for number, route in enumerate(routes):
            monitor = free_address()
            others = ",".join(f"nats://{address}" for address in reached if address != reached[number])
            self.servers.append(NatsServer(
                folder / f"nats-{number}", "--jetstream", "--server_name", f"nats-{number}", "--cluster_name", "stemwire",
                "--cluster", f"nats://{route}", "--cluster_advertise", reached[number], "--routes", others, "--no_advertise",
                "--http_port", monitor.split(":")[1],
            ))
            self.servers[-1].monitor = monitor
        self.wait()

    @property
    def url(self) -> str:
        return ",".join(server.url for server in self.servers)

    def is_healthy(self) -> bool:
        """Whether all servers have all their data."""
        for server in self.servers:
            with contextlib.suppress(OSError), urllib.request.urlopen(f"http://{server.monitor}/healthz", timeout=2) as answer:
                if answer.status == 200:
                    continue
            return False
        return True

    def wait(self, patience: float = 60) -> None:
        wait_for(self.is_healthy, patience)

    def copies(self) -> dict[str, int]:
        """The copies of each stream, by its name."""
        found: dict[str, int] = {}
        for server in self.servers:
            # Each has the streams of which it has a copy.
            with urllib.request.urlopen(f"http://{server.monitor}/jsz?streams=true&config=true") as answer:
                accounts = json.load(answer).get("account_details", [])
            streams = [stream for account in accounts for stream in account.get("stream_detail", [])]
            found |= {stream["name"]: stream["config"]["num_replicas"] for stream in streams}
        return found

    def kill(self) -> None:
        for server in self.servers:
            if server.process.poll() is None:
                server.kill()
