"""A worker process."""
import os
import re
import subprocess
import tempfile

from .server import free_address, set_variables

SECRET = "0123456789abcdef0123456789abcdef"


class Worker:
    """A worker process."""

    def __init__(self, binary: str, cluster: str, variables: dict):
        self.log = tempfile.TemporaryFile("w+")
        self.address = free_address()
        command = [binary, "worker", "--cluster", cluster, "--metrics-listen", self.address, "--offline"]
        environment = set_variables(os.environ, {"STEMWIRE_CLUSTER_SECRET": SECRET, **variables})
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=self.log, text=True, env=environment)
        line = self.process.stdout.readline()
        assert re.match(r"worker \S+ computes 1 segments? at a time", line), (line, self.log_text())

    def log_text(self) -> str:
        self.log.seek(0)
        return self.log.read()

    def end(self) -> int:
        self.process.terminate()
        return self.process.wait(30)
