"""Every reason of the protocol and what it means for callers, read from the options in error_reason.proto."""
from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .v1 import error_reason_pb2

_PREFIX = "ERROR_REASON_"
# protoc declares an extension as a plain FieldDescriptor, which type checkers do not accept as a key.
_OPTION: Any = error_reason_pb2.error

#: By the name on the wire: gRPC code, HTTP status, seconds to wait before a retry, category, remedy.
REASONS: Mapping[str, error_reason_pb2.ErrorOptions] = {
    value.name[len(_PREFIX):]: value.GetOptions().Extensions[_OPTION]
    for value in error_reason_pb2.ErrorReason.DESCRIPTOR.values if value.number
}
