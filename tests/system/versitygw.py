"""A real S3 server, which `make cluster` builds."""
import os
import signal
import subprocess
from pathlib import Path

from .common import wait_for
from .server import free_address, is_listening


class S3Server:
    """versitygw with a bucket `songs`, in a folder. It can be stopped and started again."""

    def __init__(self, folder: Path):
        self.folder, self.address = folder, free_address()
        (folder / "songs").mkdir(parents=True)
        self.variables = {
            "AWS_ENDPOINT_URL": f"http://{self.address}", "AWS_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "stemwire", "AWS_SECRET_ACCESS_KEY": "a secret of the test",
        }
        self.start()

    def start(self) -> None:
        keys = {"ROOT_ACCESS_KEY": "stemwire", "ROOT_SECRET_KEY": "a secret of the test"}
        command = [os.environ["STEMWIRE_VERSITYGW"], "--port", self.address, "--quiet", "posix", str(self.folder)]
        self.process = subprocess.Popen(command, env=os.environ | keys, stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT)
        wait_for(lambda: is_listening(self.address), 30)

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(30)
