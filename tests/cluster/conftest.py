"""Fixtures of the tests with a real S3 server, which `make cluster` builds. Servers and the command line are those of the system
tests."""
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from system.repository import generate_stubs  # noqa: E402

sys.path.insert(0, generate_stubs())

from system.common import wait_for  # noqa: E402
from system.conftest import binary, chosen_models, cli, start  # noqa: E402, F401  (fixtures)
from system.server import free_address, is_listening  # noqa: E402


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


@pytest.fixture
def s3(tmp_path):
    server = S3Server(tmp_path / "s3")
    yield server
    server.kill()


@pytest.fixture
def replicated(s3, start):  # noqa: F811
    """replicated(*options) starts a server with its sessions in the bucket."""
    return lambda *options: start("--store", "s3://songs/some/prefix", *options, variables=s3.variables)
