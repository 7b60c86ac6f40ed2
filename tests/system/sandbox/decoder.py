"""Runs a decoder as the server does, without the server."""
import ctypes
import json
import socket
import struct
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

LANDLOCK_CREATE_RULESET, LANDLOCK_CREATE_RULESET_VERSION = 444, 1


def kernel_has_all() -> bool:
    """Whether this kernel has Landlock and seccomp filters, as it answers itself."""
    if sys.platform != "linux" or not Path("/proc/sys/kernel/seccomp/actions_avail").exists():
        return False
    libc = ctypes.CDLL(None)
    return libc.syscall(LANDLOCK_CREATE_RULESET, None, 0, LANDLOCK_CREATE_RULESET_VERSION) > 0


@dataclass
class Ended:
    """How a decoder ended: its exit code and its standard error; if it did its work, its messages and the frames that it sent."""

    code: int
    err: str
    messages: dict = field(default_factory=dict)
    frames: int = 0


def decode(binary: str, song: Path, variables=None, wrapper=(), options=("--require-sandbox",)) -> Ended:
    """Decodes a file that is complete. The decoder's environment is `variables` alone."""
    ours, theirs = socket.socketpair()
    command = [*wrapper, binary, "decode", "--rate", "44100", "--memory", str(1 << 30), "--processor-time", "60", *options]
    with ours, song.open("rb") as upload:
        with theirs:
            environment = {name: str(value) for name, value in (variables or {}).items()}
            process = subprocess.Popen(command, stdin=upload, stdout=theirs.fileno(), stderr=subprocess.PIPE, env=environment)
        ours.sendall(struct.pack("<Q", song.stat().st_size | 1 << 63))
        sent = b"".join(iter(lambda: ours.recv(1 << 20), b""))
        ended = Ended(0, process.stderr.read().decode())
        ended.code = process.wait(60)
    while ended.code == 0 and len(sent) >= 5:
        kind, (length,) = sent[:1], struct.unpack("<I", sent[1:5])
        body, sent = sent[5 : 5 + length], sent[5 + length :]
        if kind == b"P":
            ended.frames += len(body) // 8
        elif kind != b"W":
            ended.messages[kind.decode(errors="replace")] = json.loads(body)
    return ended
