"""The blocking counterpart of `aio/_io.py`: everything that the generated modules do differently."""
from __future__ import annotations

import time
from collections.abc import Callable
from typing import ParamSpec, TypeVar

import grpc

from . import _upload
from ._channel import OPTIONS, Address

P = ParamSpec("P")
R = TypeVar("R")

AudioInput = _upload.AudioInput
open_upload = _upload.open_upload
sleep = time.sleep


def open_channel(address: Address) -> grpc.Channel:
    """Opens a channel, which connects on its first call."""
    if address.credentials:
        return grpc.secure_channel(address.target, address.credentials, OPTIONS)
    return grpc.insecure_channel(address.target, OPTIONS)


def read(upload: _upload.Upload, offset: int) -> bytes:
    """Up to `CHUNK_BYTES` from `offset`; empty at the end."""
    return upload.read(offset)


def run_blocking(function: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
    """Calls a function that may block."""
    return function(*args, **kwargs)
