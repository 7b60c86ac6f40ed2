"""The exceptions of this package."""
from __future__ import annotations

from typing import Any

import grpc
from google.rpc import error_details_pb2, status_pb2

from ._reasons import REASONS
from .v1 import error_reason_pb2

#: The `domain` of the server's own errors; those of a proxy have another.
_DOMAIN = "stemwire"

#: Codes of calls whose connection broke or was never established.
_BROKEN = ("UNAVAILABLE", "UNKNOWN", "INTERNAL", "CANCELLED")


class StemwireError(Exception):
    """A call failed. The base of all exceptions of this package."""

    def __init__(
        self,
        code: str,
        reason: str,
        message: str,
        metadata: dict[str, str] | None = None,
        retry_after: float | None = None,
        remedy: str = "",
        request_id: str = "",
    ):
        #: The name of the gRPC code, such as "INVALID_ARGUMENT".
        self.code = code
        #: The reason, such as "CODEC_UNSUPPORTED"; the proto lists all. Empty if no server answered.
        self.reason = reason
        #: The cause, for people.
        self.message = message
        #: The remedy, one imperative sentence.
        self.remedy = remedy or (REASONS[reason].remedy if reason in REASONS else "See the server log.")
        #: The values and limits behind the message.
        self.metadata = metadata or {}
        #: Seconds after which the same call can succeed; None if a retry cannot help.
        self.retry_after = retry_after
        #: The id of the call in the server's log. Empty if no server answered.
        self.request_id = request_id
        super().__init__(f"{self.message}. {self.remedy}")


class Unreachable(StemwireError):
    """The server does not answer, or the connection broke."""


class SongError(StemwireError):
    """The song cannot be separated, now or later: it is not audio, too long, empty, …"""


class SessionNotFound(StemwireError):
    """The session does not exist, or no longer exists."""


class SessionCancelled(StemwireError):
    """The session was cancelled; the finished part of its stems stays readable."""


class EngineChangeWarning(UserWarning):
    """Another engine continued a session, and no `on_engine_change` was given."""


def from_rpc_error(error: grpc.RpcError, server: str) -> StemwireError:
    """Converts an error of gRPC."""
    call: Any = error
    code, text = call.code().name, call.details() or ""
    info, retry_after, request_id = _parse_details(b"")
    for key, value in call.trailing_metadata() or ():
        if key == "grpc-status-details-bin":
            info, retry_after, request_id = _parse_details(value)
    reason, metadata = info.reason, dict(info.metadata)
    if not reason and code in _BROKEN:
        return unreachable(server, text, code)
    remedy = metadata.pop("remedy", "")
    return _kind(reason)(code, reason, text, metadata, retry_after, remedy, request_id)


def from_http_error(status: int, headers: Any, problem: dict[str, Any]) -> StemwireError:
    """Converts an error of plain HTTP; `problem` is empty where another program than the server answered."""
    reason, seconds = str(problem.get("reason", "")), str(headers.get("retry-after", ""))
    if not reason:
        return StemwireError("UNKNOWN", "", f"HTTP status {status}", remedy="Check the address of the server.")
    return _kind(reason)(
        str(problem.get("code", "UNKNOWN")),
        reason,
        str(problem.get("message", "")),
        {str(name): str(value) for name, value in dict(problem.get("metadata", {})).items()},
        float(seconds) if seconds.isdecimal() else None,
        str(problem.get("remedy", "")),
        str(problem.get("request_id", "")),
    )


def unreachable(server: str, problem: str, code: str = "UNAVAILABLE") -> Unreachable:
    """The error of a server that does not answer, or whose connection broke."""
    remedy = "Start it with `stemwire serve`, or check its address: https:// with TLS."
    return Unreachable(code, "", f"{server} does not answer: {problem}", remedy=remedy)


def _kind(reason: str) -> type[StemwireError]:
    if reason == "SESSION_NOT_FOUND":
        return SessionNotFound
    if reason == "SESSION_CANCELLED":
        return SessionCancelled
    is_input = reason in REASONS and REASONS[reason].category == error_reason_pb2.ErrorOptions.CATEGORY_INPUT
    return SongError if is_input else StemwireError


def invalid_answer(problem: str) -> StemwireError:
    """The error for an answer that contradicts the protocol or an earlier answer."""
    text = f"the server's answer is invalid: {problem}"
    return StemwireError("DATA_LOSS", "ANSWER_INVALID", text, remedy="Use the same version of client and server.")


def _parse_details(value: bytes) -> tuple[error_details_pb2.ErrorInfo, float | None, str]:
    info, retry, request = error_details_pb2.ErrorInfo(), error_details_pb2.RetryInfo(), error_details_pb2.RequestInfo()
    for detail in status_pb2.Status.FromString(value).details:
        for known in (info, retry, request):
            if detail.Is(known.DESCRIPTOR):
                detail.Unpack(known)
    if info.domain != _DOMAIN:
        return error_details_pb2.ErrorInfo(), None, request.request_id
    seconds = retry.retry_delay.ToTimedelta().total_seconds() if retry.HasField("retry_delay") else None
    return info, seconds, request.request_id
