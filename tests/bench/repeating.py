"""Calls that are repeated while a cluster cannot answer them."""
from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

import grpc

Answer = TypeVar("Answer")

# All errors of the service with RetryInfo that these calls can get.
RETRIED = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED)


def repeated(
    call: Callable[[], Answer],
    patience_s: float,
    codes: tuple[grpc.StatusCode, ...] = RETRIED,
    on_retry: Callable[[grpc.RpcError], None] = lambda _: None,
) -> Answer:
    """The answer of a call, which is repeated for so long while its error has one of these codes."""
    end = time.monotonic() + patience_s
    while True:
        try:
            return call()
        except grpc.RpcError as error:
            if error.code() not in codes or time.monotonic() > end:
                raise
            on_retry(error)
            time.sleep(0.5)
