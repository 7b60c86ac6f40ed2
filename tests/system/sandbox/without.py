"""Runs a program on a kernel that seems to lack parts of the sandbox: without.py landlock,seccomp PROGRAM ARGUMENT…

A seccomp filter answers ENOSYS to the system calls of these parts, as a kernel does that was built without them.
"""
import ctypes
import errno
import os
import platform
import struct
import sys

CALLS = {"landlock": {"x86_64": 444, "aarch64": 444}, "seccomp": {"x86_64": 317, "aarch64": 277}}
PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 38, 22, 2
LOAD, EQUAL, RETURN = 0x20, 0x15, 0x06
ALLOW, ERRNO = 0x7FFF0000, 0x00050000


def instruction(code: int, value: int, unequal: int = 0) -> bytes:
    return struct.pack("<HBBI", code, 0, unequal, value)


def deny(numbers: list[int]) -> None:
    program = instruction(LOAD, 0)
    for number in numbers:
        program += instruction(EQUAL, number, unequal=1) + instruction(RETURN, ERRNO | errno.ENOSYS)
    program += instruction(RETURN, ALLOW)
    code = ctypes.create_string_buffer(program, len(program))
    described = ctypes.create_string_buffer(struct.pack("@HP", len(program) // 8, ctypes.addressof(code)))
    libc = ctypes.CDLL(None, use_errno=True)
    for option, values in ((PR_SET_NO_NEW_PRIVS, (1, 0)), (PR_SET_SECCOMP, (SECCOMP_MODE_FILTER, described))):
        if libc.prctl(option, *values, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), f"prctl {option}")


if __name__ == "__main__":
    deny([CALLS[part][platform.machine()] for part in sys.argv[1].split(",")])
    os.execvp(sys.argv[2], sys.argv[2:])
