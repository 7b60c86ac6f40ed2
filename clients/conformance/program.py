"""Runs the program of a client."""
import contextlib
import json
import os
import subprocess
import threading
from pathlib import Path


def run(command: list, task, stdin: Path | None = None, beside=lambda: None, ends: bool = True):
    """The answer of a client's program. A pipe is written in pieces, as a recording is, and may have no end."""
    process = subprocess.Popen(
        [*command, json.dumps(task)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=os.environ
    )

    def write() -> None:
        with contextlib.suppress(OSError), process.stdin as pipe:
            content = stdin.read_bytes() if stdin else b""
            for start in range(0, len(content), 100_000):
                pipe.write(content[start : start + 100_000])
            if not ends:
                pipe.flush()
                process.wait(180)

    writer = threading.Thread(target=write, daemon=True)
    writer.start()
    beside()
    out, err = process.stdout.read(), process.stderr.read()
    assert process.wait(180) == 0, err.decode()
    writer.join(30)
    return json.loads(out)
