# Generated from aio/_connection.py by generate_sync.py. Do not edit.
# ruff: noqa: I001, UP028
"""A connection to one server: unary calls, streams, and the repetition of both after failures."""
from __future__ import annotations

from collections.abc import Generator, Callable
from contextlib import closing
from pathlib import Path
from typing import Any, TypeVar

import grpc

from . import _download, errors
from ._channel import Authority, address
from ._deadline import Deadline
from ._receiver import Receiver
from ._upload import Upload
from .retry import Backoff, Retry
from .v1 import separation_service_pb2_grpc as service
from . import _io

T = TypeVar("T")
NEVER = Deadline()


class Connection:
    """A channel with its address, credentials, time limit and retry policy."""

    def __init__(self, server: str | None, token: str | None, ca: Authority | None, retry: Retry, timeout: float):
        self._address = address(server, token, ca)
        self._retry, self._timeout = retry, timeout
        self._channel = _io.open_channel(self._address)
        self._stub: Any = service.SeparationServiceStub(self._channel)
        self._answered = False

    def call(self, method: str, request: Any) -> Any:
        """A unary call, repeated after failures; all methods of the service are idempotent."""
        backoff = Backoff(self._retry)
        while True:
            try:
                return self.call_once(method, request)
            except errors.StemwireError as error:
                pause = backoff.pause(error, (0, 0), self._answered)
                if pause is None:
                    raise
            _io.sleep(pause)

    def call_once(self, method: str, request: Any, deadline: Deadline = NEVER) -> Any:
        """A unary call."""
        call = getattr(self._stub, method)
        try:
            answer = call(request, timeout=deadline.limit(self._timeout), metadata=self._address.metadata)
        except grpc.RpcError as error:
            failure = self._convert(error)
            if failure.code == "DEADLINE_EXCEEDED" and not failure.reason and deadline.left() != 0:
                # The limit of this call, and not of the caller: the server may be stopped or cut off.
                failure = errors.unreachable(self._address.url, f"no answer within {self._timeout:g} s", failure.code)
            raise failure from None
        self._answered = True
        return answer

    def download(self, route: str, target: Path) -> None:
        """Writes a file of plain HTTP, from its beginning again after failures."""
        backoff = Backoff(self._retry)
        while True:
            transfer = _download.Transfer(self._address, route, target, self._timeout)
            try:
                return _io.run_blocking(transfer.run)
            except errors.StemwireError as error:
                self._answered = self._answered or transfer.answered
                pause = backoff.pause(error, (0, 0), self._answered)
                if pause is None:
                    raise
            finally:
                transfer.stop()
            _io.sleep(pause)

    def stream(self, method: str, request: Any, deadline: Deadline = NEVER) -> Generator[Any, None]:
        """The answers of a streaming call, which is cancelled with this generator."""
        call = getattr(self._stub, method)(request, timeout=deadline.left(), metadata=self._address.metadata)
        try:
            for answer in call:
                self._answered = True
                yield answer
        finally:
            call.cancel()

    def repeat(
        self,
        attempt: Callable[[], Generator[T, None]],
        position: Callable[[], tuple[int, int]],
        receiver: Receiver | None = None,
        upload: Upload | None = None,
        deadline: Deadline = NEVER,
    ) -> Generator[T, None]:
        """The items of `attempt`, started again after failures; a growing `position` means progress."""
        backoff = Backoff(self._retry)
        while True:
            try:
                with closing(attempt()) as items:
                    for item in items:
                        yield item
                return
            except (grpc.RpcError, errors.StemwireError) as failure:
                # An upload that cannot be read fails its call, too: the read error is the cause.
                if upload and upload.failure:
                    raise upload.failure from None
                error = self._convert(failure)
            pause = backoff.pause(error, position(), self._answered)
            if pause is None:
                raise error
            if receiver:
                receiver.report_reconnect(error, pause)
            # A call that begins at the deadline ends with the error of it.
            _io.sleep(deadline.limit(pause))

    def close(self) -> None:
        """Ends all calls and closes the channel."""
        self._channel.close()

    def _convert(self, failure: grpc.RpcError | errors.StemwireError) -> errors.StemwireError:
        if isinstance(failure, errors.StemwireError):
            error = failure
        else:
            error = errors.from_rpc_error(failure, self._address.url)
        self._answered = self._answered or bool(error.reason)
        return error
