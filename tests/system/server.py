"""A server process, and addresses for it."""
import contextlib
import os
import random
import re
import signal
import socket
import subprocess
import tempfile
from pathlib import Path

import psutil

from . import stemwire_client as client


def set_variables(environment, variables: dict) -> dict:
    """The environment with these variables set, or unset where they are None."""
    return {name: str(value) for name, value in {**environment, **variables}.items() if value is not None}


def free_address() -> str:
    """A free address outside the range of ephemeral ports, so that no other process gets it between two starts."""
    given = Path("/proc/sys/net/ipv4/ip_local_port_range")
    lowest = int(given.read_text().split()[0]) if given.exists() else 32_768
    for port in random.sample(range(lowest - 12_000, lowest), 100):
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return f"127.0.0.1:{port}"
    raise AssertionError("a hundred ports are all taken")


def is_listening(address: str) -> bool:
    """Whether a server accepts connections there."""
    host, port = address.split(":")
    with socket.socket() as probe:
        return probe.connect_ex((host, int(port))) == 0


class Server:
    """A server process. `restart` starts another one with the same data."""

    def __init__(self, binary: str, data: Path, *options: str, wrapper=(), listen="127.0.0.1:0", variables=None):
        self.command = [*wrapper, binary, "serve", "--listen", listen, "--data-dir", str(data), "--offline", *options]
        self.data = data
        self.environment = set_variables(os.environ, variables or {})
        self.start()

    def start(self) -> None:
        self.log = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(self.command, stdout=subprocess.PIPE, stderr=self.log, text=True, env=self.environment)
        line = self.process.stdout.readline()
        found = re.match(r"listening on https?://(\S+)", line)
        assert found, f"the server did not start: {line!r}\n{self.log_text()}"
        self.address = found.group(1)
        self.channel = client.connect(self.address)
        self.stub = client.service.SeparationServiceStub(self.channel)

    def log_text(self) -> str:
        self.log.seek(0)
        return self.log.read()

    def kill(self) -> None:
        """Kills the server with SIGKILL, as if the machine lost power."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(30)
        self.channel.close()

    def terminate(self, patience: float = 30) -> int:
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(patience)
        self.channel.close()
        return code

    def restart(self) -> None:
        self.start()

    def rss(self) -> int:
        return psutil.Process(self.process.pid).memory_info().rss

    def get(self, session_id: str):
        return self.stub.GetSession(client.api.GetSessionRequest(session_id=session_id)).session

    def directory(self, session_id: str) -> Path:
        return self.data / "sessions" / session_id

    def close(self) -> None:
        if self.process.poll() is None:
            self.terminate()
