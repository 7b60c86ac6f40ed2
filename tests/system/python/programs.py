"""Programs that use the Python client, each in a process and a clean virtual environment."""
import json
import subprocess
from pathlib import Path
from types import SimpleNamespace

# Prelude of the programs. `say` sends values to the test; `wait` waits for `go`.
PRELUDE = """
import asyncio, hashlib, json, resource, sys, threading, time, warnings
import numpy as np
import stemwire

SERVER, ARGUMENTS = sys.argv[1], sys.argv[2:]

def say(**values):
    print(json.dumps(values, default=str), flush=True)

def wait():
    assert sys.stdin.readline()

def digests(stems):
    return {name: hashlib.sha256(stem.samples.tobytes()).hexdigest() for name, stem in stems.items()}

def rss():
    return int(open("/proc/self/statm").read().split()[1]) * resource.getpagesize()
"""


class Program:
    """A running program. `heard()` returns its next values, `go()` continues it, `end()` returns its last values."""

    def __init__(self, python: Path, folder: Path, program: str, *arguments, **variables: str):
        command: list = [python, "-W", "error::DeprecationWarning", "-c", PRELUDE + program, *map(str, arguments)]
        environment = {"PATH": "/usr/bin:/bin"} | variables
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                        text=True, cwd=folder, env=environment)

    def heard(self) -> SimpleNamespace:
        line = self.process.stdout.readline()
        assert line, f"the program ended: {self.process.communicate()[1]}"
        return SimpleNamespace(**json.loads(line))

    def go(self) -> None:
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def end(self) -> SimpleNamespace:
        out, err = self.process.communicate(timeout=120)
        assert self.process.returncode == 0, err
        return SimpleNamespace(**json.loads(out.splitlines()[-1]), err=err)

    def kill(self) -> None:
        with self.process as process:
            process.kill()
