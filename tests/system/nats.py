"""A NATS server, which gateways of a cluster share."""
import shutil
import signal
import subprocess
import sys
from pathlib import Path

from .common import wait_for
from .server import free_address, is_listening


class NatsServer:
    """A NATS server with its data in a folder. It can be killed and started again."""

    def __init__(self, folder: Path, *options: str):
        self.folder, self.address, self.options = folder, free_address(), options
        self.start()

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
        shutil.rmtree(self.folder)
        self.start()
