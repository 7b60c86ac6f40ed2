"""What code in a decoder can do besides decoding, tried from inside a real one: nothing."""
import os
import re
import shutil
import signal
import socket
import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest

from ..audio import encode, music
from .decoder import decode, kernel_has_all

pytestmark = pytest.mark.skipif(
    not kernel_has_all() or shutil.which("cc") is None, reason="needs Landlock, seccomp and a C compiler")

# Outside the sandbox, any process can do this.
ORDINARY = {
    "read a file", "write a file", "create a file", "truncate a file", "delete a file", "rename a file",
    "make a directory", "make a link", "see the size of a file", "change a mode", "change its folder",
    "read the environment of a process", "connect", "open a UDP socket", "open a Unix socket", "fork", "spawn a program",
    "start a thread", "signal a process", "signal a thread of a process", "open a process", "signal by a descriptor",
    "map executable memory", "make memory executable", "create a file in memory", "duplicate a descriptor",
}


@pytest.fixture(scope="module")
def compiled(tmp_path_factory):
    """The powers as a library for decoders, and as a program."""
    source, folder = Path(__file__).with_name("powers.c"), tmp_path_factory.mktemp("powers")
    built = SimpleNamespace(library=folder / "powers.so", program=folder / "powers")
    for options, path in ((["-shared", "-fPIC"], built.library), (["-DALONE"], built.program)):
        subprocess.run(["cc", "-O1", "-Wall", "-pthread", *options, "-o", path, source], check=True)
    return built


@pytest.fixture
def attempt(tmp_path):
    """The variables of attempts on a folder, a port and a process; afterwards all three are as they were."""
    (tmp_path / "file").write_text("of another session")
    mode = (tmp_path / "file").stat().st_mode
    victim = subprocess.Popen(["sleep", "600"])
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield {"FOLDER": str(tmp_path), "PORT": str(server.getsockname()[1]), "VICTIM": str(victim.pid)}
    assert victim.poll() is None and os.getpriority(os.PRIO_PROCESS, victim.pid) == os.getpriority(os.PRIO_PROCESS, 0)
    victim.kill()
    victim.wait()
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert ((tmp_path / "file").read_text(), (tmp_path / "file").stat().st_mode) == ("of another session", mode)


@pytest.fixture(scope="module")
def song(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("song") / "song.flac"
    path.write_bytes(encode(music(1), container="flac"))
    return path


def test_a_decoder_can_do_nothing_but_decode(binary, compiled, attempt, song):
    powers = subprocess.run([compiled.program, "list"], capture_output=True, text=True, check=True).stdout.splitlines()
    assert set(powers) >= ORDINARY
    for power in powers:
        ended = decode(binary, song, {**attempt, "POWER": power, "LD_PRELOAD": compiled.library})
        # Where the kernel has no 32-bit programs, their calls are faults.
        killed = ended.code in (-signal.SIGSYS, -signal.SIGSEGV) and ended.err == ""
        refused = ended.code == 0 and re.fullmatch(r"refused: (Operation not permitted|Bad file descriptor)\n", ended.err)
        assert killed or refused, f"{power}: ended with {ended.code}: {ended.err}"
        print(f"| {power} | {'ends the process' if killed else ended.err.strip()} |")


def test_the_same_attempts_succeed_outside_the_sandbox(compiled, attempt, tmp_path):
    """Otherwise the test above would show nothing."""
    for power in sorted(ORDINARY):
        folder = tmp_path / "outside"
        folder.mkdir()
        (folder / "file").touch()
        variables = {**attempt, "POWER": power, "FOLDER": str(folder)}
        ended = subprocess.run([compiled.program], env=variables, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        assert ended.stderr == "did\n", f"{power}: {ended.stderr}"
        shutil.rmtree(folder)


@pytest.mark.parametrize("fault, code, message", [
    ("claim too much", 101, r"panicked at .*\nrange end index \d+ out of range"),
    ("eat memory", -signal.SIGABRT, r"^memory allocation of \d+ bytes failed"),
    ("overflow the stack", -signal.SIGABRT, r"has overflowed its stack"),
])
def test_a_faulty_decoder_reports_its_fault_from_inside_the_sandbox(binary, compiled, attempt, song, fault, code, message):
    ended = decode(binary, song, {**attempt, "POWER": fault, "LD_PRELOAD": compiled.library})
    assert ended.code == code and re.search(message, ended.err), f"ended with {ended.code}: {ended.err}"


def test_the_library_alone_changes_nothing(binary, compiled, attempt, song):
    ended = decode(binary, song, {**attempt, "LD_PRELOAD": compiled.library})
    assert (ended.code, ended.err, ended.frames) == (0, "", 44_100)
