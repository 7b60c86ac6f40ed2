"""Every reason of the protocol and what it means for callers, read from the options in error_reason.proto."""
from __future__ import annotations

from collections.abc import Mapping

from .v1 import error_reason_pb2

_PREFIX = "ERROR_REASON_"

#: By the name on the wire: gRPC code, HTTP status, seconds to wait before a retry, category, remedy.
REASONS: Mapping[str, error_reason_pb2.ErrorOptions] = {
    value.name[len(_PREFIX):]: value.GetOptions().Extensions[error_reason_pb2.error]
    for value in error_reason_pb2.ErrorReason.DESCRIPTOR.values if value.number
}
