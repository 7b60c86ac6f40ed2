"""What goes wrong, as exceptions."""
from __future__ import annotations

from typing import Any, Optional

import grpc
from google.rpc import error_details_pb2, status_pb2

#: Reasons that lie in the song, by how they begin.
_SONG = ("UPLOAD_EMPTY", "UPLOAD_TOO_LARGE", "UPLOAD_HASH", "FORMAT_", "CODEC_", "SAMPLE_RATE_", "CHANNELS_",
         "PCM_LENGTH_", "NOTHING_DECODED", "DECODER_", "TRACK_TOO_LONG")

#: Codes with which a call ends whose connection breaks or cannot be made.
_BROKEN = ("UNAVAILABLE", "UNKNOWN", "INTERNAL", "CANCELLED")


class StemwireError(Exception):
    """A call went wrong. All other errors of this package are kinds of it."""

    def __init__(self, code: str, reason: str, message: str, metadata: Optional[dict[str, str]] = None,
                 retry_after: Optional[float] = None, remedy: str = "", request_id: str = ""):
        # The server's words end with the remedy.
        cause, _, told = ("", "", "") if remedy else message.rpartition("; ")
        #: The gRPC code's name, such as "INVALID_ARGUMENT".
        self.code = code
        #: The reason, such as "CODEC_UNSUPPORTED"; all are in the proto. Empty where no server has spoken.
        self.reason = reason
        #: The cause, in words.
        self.message = cause or message
        #: What helps, in words.
        self.remedy = remedy or (told if cause else "see the server's log, or try again later")
        #: The numbers behind it.
        self.metadata = metadata or {}
        #: When the server says it is worth trying again, in seconds.
        self.retry_after = retry_after
        #: The id under which the server's log has the call. Empty where no server has spoken.
        self.request_id = request_id
        super().__init__(f"{self.message}; {self.remedy}")


class Unreachable(StemwireError):
    """Nobody answers at that address, or the connection broke."""


class SongError(StemwireError):
    """The song cannot be separated, here or on any other day: it is no audio, too long, empty, …"""


class SessionNotFound(StemwireError):
    """There is no such session, or no longer."""


class SessionCancelled(StemwireError):
    """The session was cancelled; what is done of its stems stays readable."""


class EngineChangeWarning(UserWarning):
    """Another engine took a session over, and nobody asked to be told."""


def of_rpc(error: grpc.RpcError, server: str) -> StemwireError:
    """The exception that stands for an error of gRPC."""
    call: Any = error
    code, text = call.code().name, call.details() or ""
    info, retry_after, request_id = _details(b"")
    for key, value in call.trailing_metadata() or ():
        if key == "grpc-status-details-bin":
            info, retry_after, request_id = _details(value)
    reason = info.reason
    if not reason and code in _BROKEN:
        remedy = "start it with `stemwire serve`, or see that its address is right: https:// where it speaks TLS"
        return Unreachable(code, "", f"{server} does not answer: {text}", remedy=remedy)
    kind = StemwireError
    if reason.startswith(_SONG):
        kind = SongError
    elif reason == "SESSION_NOT_FOUND":
        kind = SessionNotFound
    elif reason == "SESSION_CANCELLED":
        kind = SessionCancelled
    return kind(code, reason, text, dict(info.metadata), retry_after, request_id=request_id)


def nonsense(problem: str) -> StemwireError:
    """The server's answer makes no sense, or is not what was sent."""
    text = f"the server's answer is not understood: {problem}"
    return StemwireError("DATA_LOSS", "ANSWER_INVALID", text, remedy="see that both sides are of one version")


def _details(value: bytes) -> tuple[error_details_pb2.ErrorInfo, Optional[float], str]:
    info, retry, request = error_details_pb2.ErrorInfo(), error_details_pb2.RetryInfo(), error_details_pb2.RequestInfo()
    for detail in status_pb2.Status.FromString(value).details:
        for known in (info, retry, request):
            if detail.Is(known.DESCRIPTOR):
                detail.Unpack(known)
    seconds = retry.retry_delay.ToTimedelta().total_seconds() if retry.HasField("retry_delay") else None
    return info, seconds, request.request_id
