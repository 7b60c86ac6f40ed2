"""The exceptions of this package."""
from __future__ import annotations

from typing import Any

import grpc
from google.rpc import error_details_pb2, status_pb2

#: Prefixes of the reasons that lie in the song.
_SONG = ("UPLOAD_EMPTY", "UPLOAD_TOO_LARGE", "UPLOAD_HASH", "FORMAT_", "CODEC_", "SAMPLE_RATE_", "CHANNELS_",
         "PCM_LENGTH_", "NOTHING_DECODED", "DECODER_", "TRACK_TOO_LONG")

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
        # The server's message ends with the remedy.
        cause, _, told = ("", "", "") if remedy else message.rpartition("; ")
        #: The name of the gRPC code, such as "INVALID_ARGUMENT".
        self.code = code
        #: The reason, such as "CODEC_UNSUPPORTED"; the proto lists all. Empty if no server answered.
        self.reason = reason
        #: The cause, for people.
        self.message = cause or message
        #: What to do about it, for people.
        self.remedy = remedy or (told if cause else "see the server's log, or try again later")
        #: The values and limits behind the message.
        self.metadata = metadata or {}
        #: Seconds after which the server suggests a retry.
        self.retry_after = retry_after
        #: The id of the call in the server's log. Empty if no server answered.
        self.request_id = request_id
        super().__init__(f"{self.message}; {self.remedy}")


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
    reason = info.reason
    if not reason and code in _BROKEN:
        remedy = "start it with `stemwire serve`, or check its address: https:// with TLS"
        return Unreachable(code, "", f"{server} does not answer: {text}", remedy=remedy)
    kind = StemwireError
    if reason.startswith(_SONG):
        kind = SongError
    elif reason == "SESSION_NOT_FOUND":
        kind = SessionNotFound
    elif reason == "SESSION_CANCELLED":
        kind = SessionCancelled
    return kind(code, reason, text, dict(info.metadata), retry_after, request_id=request_id)


def invalid_answer(problem: str) -> StemwireError:
    """The error for an answer that contradicts the protocol or an earlier answer."""
    text = f"the server's answer is invalid: {problem}"
    return StemwireError("DATA_LOSS", "ANSWER_INVALID", text, remedy="use the same version of client and server")


def _parse_details(value: bytes) -> tuple[error_details_pb2.ErrorInfo, float | None, str]:
    info, retry, request = error_details_pb2.ErrorInfo(), error_details_pb2.RetryInfo(), error_details_pb2.RequestInfo()
    for detail in status_pb2.Status.FromString(value).details:
        for known in (info, retry, request):
            if detail.Is(known.DESCRIPTOR):
                detail.Unpack(known)
    seconds = retry.retry_delay.ToTimedelta().total_seconds() if retry.HasField("retry_delay") else None
    return info, seconds, request.request_id
