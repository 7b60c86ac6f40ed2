"""A server and a shell for the examples of the documentation."""
import os
import shutil
import subprocess
import sys

import imageio_ffmpeg
import pytest

from ..audio import music, wav
from ..server import Server

# Used where there is no grpcurl: translates its commands for buf, which calls the same server by the same reflection.
GRPCURL = """#!{python}
import os, sys
words, options = sys.argv[1:], []
assert words.pop(0) == "-plaintext"
if words[0] == "-d":
    options = ["-d", {{"@": "@-"}}.get(words[1], words[1])]
    words = words[2:]
address, *call = words
url = f"http://{{address}}"
if call[0] == "list":
    options, call = ["--list-services"], []
elif call[0] == "describe":
    # buf has no such command.
    options, call = ["--list-methods"], []
buf = [{buf!r}, "curl", "--http2-prior-knowledge", "--protocol", "grpc", *options, "/".join([url, *call])]
os.execv(buf[0], buf)
"""


@pytest.fixture(scope="module")
def server(binary, tmp_path_factory):
    """A server whose default is the faster model."""
    server = Server(binary, tmp_path_factory.mktemp("data"), "--engines", "mini-spleeter,mini")
    yield server
    server.close()


@pytest.fixture
def shell(python, server, tmp_path):
    """shell(commands) runs them in bash with the tools and songs that examples name, and returns what they print."""
    tools = tmp_path / "tools"
    tools.mkdir()
    buf = os.environ.get("STEMWIRE_BUF") or shutil.which("buf")
    grpcurl = os.environ.get("STEMWIRE_GRPCURL") or shutil.which("grpcurl")
    (tools / "buf").symlink_to(buf)
    (tools / "ffmpeg").symlink_to(imageio_ffmpeg.get_ffmpeg_exe())
    (tools / "python").symlink_to(python)
    (tools / "curl.exe").symlink_to(shutil.which("curl"))
    if grpcurl:
        (tools / "grpcurl").symlink_to(grpcurl)
    else:
        (tools / "grpcurl").write_text(GRPCURL.format(python=sys.executable, buf=str(buf)))
        (tools / "grpcurl").chmod(0o755)
    for name in ("song.mp3", "your_audio.mp3"):
        # Longer than one chunk may be.
        (tmp_path / name).write_bytes(wav(music(7)))

    def shell(commands: str) -> str:
        commands = "set -euo pipefail\n" + commands.replace("127.0.0.1:8000", server.address)
        environment = os.environ | {"PATH": f"{tools}:{os.environ['PATH']}", "STEMWIRE_SERVER": server.address}
        command = ["bash", "-c", commands]
        ended = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=240, check=False)
        assert ended.returncode == 0, f"{commands}\n{ended.stderr}"
        return ended.stdout

    return shell
