from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Encoding(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ENCODING_UNSPECIFIED: _ClassVar[Encoding]
    ENCODING_F32LE: _ClassVar[Encoding]
    ENCODING_S16LE: _ClassVar[Encoding]
    ENCODING_S24LE: _ClassVar[Encoding]

class OutputChannels(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    OUTPUT_CHANNELS_UNSPECIFIED: _ClassVar[OutputChannels]
    OUTPUT_CHANNELS_STEREO: _ClassVar[OutputChannels]
    OUTPUT_CHANNELS_SOURCE: _ClassVar[OutputChannels]

class OutputRate(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    OUTPUT_RATE_UNSPECIFIED: _ClassVar[OutputRate]
    OUTPUT_RATE_MODEL: _ClassVar[OutputRate]
    OUTPUT_RATE_SOURCE: _ClassVar[OutputRate]

class Quality(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    QUALITY_UNSPECIFIED: _ClassVar[Quality]
    QUALITY_FAST: _ClassVar[Quality]
    QUALITY_BALANCED: _ClassVar[Quality]
    QUALITY_BEST: _ClassVar[Quality]

class Normalization(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    NORMALIZATION_UNSPECIFIED: _ClassVar[Normalization]
    NORMALIZATION_STREAMING: _ClassVar[Normalization]
    NORMALIZATION_EXACT: _ClassVar[Normalization]

class MaskExtension(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    MASK_EXTENSION_UNSPECIFIED: _ClassVar[MaskExtension]
    MASK_EXTENSION_AVERAGE: _ClassVar[MaskExtension]
    MASK_EXTENSION_ZEROS: _ClassVar[MaskExtension]

class Accompaniment(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ACCOMPANIMENT_UNSPECIFIED: _ClassVar[Accompaniment]
    ACCOMPANIMENT_SUM: _ClassVar[Accompaniment]
    ACCOMPANIMENT_MINUS: _ClassVar[Accompaniment]

class OnDisconnect(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ON_DISCONNECT_UNSPECIFIED: _ClassVar[OnDisconnect]
    ON_DISCONNECT_PAUSE: _ClassVar[OnDisconnect]
    ON_DISCONNECT_CONTINUE: _ClassVar[OnDisconnect]
    ON_DISCONNECT_CANCEL: _ClassVar[OnDisconnect]
ENCODING_UNSPECIFIED: Encoding
ENCODING_F32LE: Encoding
ENCODING_S16LE: Encoding
ENCODING_S24LE: Encoding
OUTPUT_CHANNELS_UNSPECIFIED: OutputChannels
OUTPUT_CHANNELS_STEREO: OutputChannels
OUTPUT_CHANNELS_SOURCE: OutputChannels
OUTPUT_RATE_UNSPECIFIED: OutputRate
OUTPUT_RATE_MODEL: OutputRate
OUTPUT_RATE_SOURCE: OutputRate
QUALITY_UNSPECIFIED: Quality
QUALITY_FAST: Quality
QUALITY_BALANCED: Quality
QUALITY_BEST: Quality
NORMALIZATION_UNSPECIFIED: Normalization
NORMALIZATION_STREAMING: Normalization
NORMALIZATION_EXACT: Normalization
MASK_EXTENSION_UNSPECIFIED: MaskExtension
MASK_EXTENSION_AVERAGE: MaskExtension
MASK_EXTENSION_ZEROS: MaskExtension
ACCOMPANIMENT_UNSPECIFIED: Accompaniment
ACCOMPANIMENT_SUM: Accompaniment
ACCOMPANIMENT_MINUS: Accompaniment
ON_DISCONNECT_UNSPECIFIED: OnDisconnect
ON_DISCONNECT_PAUSE: OnDisconnect
ON_DISCONNECT_CONTINUE: OnDisconnect
ON_DISCONNECT_CANCEL: OnDisconnect

class SeparationConfig(_message.Message):
    __slots__ = ("model", "stems", "input", "output", "normalization", "allow_fallback", "overlap", "request_id", "upload_offset", "file_name", "on_disconnect", "start_frame", "mask_extension", "accompaniment", "start_s", "end_s", "track", "quality", "ensemble", "attempt")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    STEMS_FIELD_NUMBER: _ClassVar[int]
    INPUT_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_FIELD_NUMBER: _ClassVar[int]
    NORMALIZATION_FIELD_NUMBER: _ClassVar[int]
    ALLOW_FALLBACK_FIELD_NUMBER: _ClassVar[int]
    OVERLAP_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    UPLOAD_OFFSET_FIELD_NUMBER: _ClassVar[int]
    FILE_NAME_FIELD_NUMBER: _ClassVar[int]
    ON_DISCONNECT_FIELD_NUMBER: _ClassVar[int]
    START_FRAME_FIELD_NUMBER: _ClassVar[int]
    MASK_EXTENSION_FIELD_NUMBER: _ClassVar[int]
    ACCOMPANIMENT_FIELD_NUMBER: _ClassVar[int]
    START_S_FIELD_NUMBER: _ClassVar[int]
    END_S_FIELD_NUMBER: _ClassVar[int]
    TRACK_FIELD_NUMBER: _ClassVar[int]
    QUALITY_FIELD_NUMBER: _ClassVar[int]
    ENSEMBLE_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    model: str
    stems: _containers.RepeatedScalarFieldContainer[str]
    input: RawPcm
    output: OutputFormat
    normalization: Normalization
    allow_fallback: bool
    overlap: float
    request_id: str
    upload_offset: int
    file_name: str
    on_disconnect: OnDisconnect
    start_frame: int
    mask_extension: MaskExtension
    accompaniment: Accompaniment
    start_s: float
    end_s: float
    track: int
    quality: Quality
    ensemble: str
    attempt: CallAttempt
    def __init__(self, model: _Optional[str] = ..., stems: _Optional[_Iterable[str]] = ..., input: _Optional[_Union[RawPcm, _Mapping]] = ..., output: _Optional[_Union[OutputFormat, _Mapping]] = ..., normalization: _Optional[_Union[Normalization, str]] = ..., allow_fallback: bool = ..., overlap: _Optional[float] = ..., request_id: _Optional[str] = ..., upload_offset: _Optional[int] = ..., file_name: _Optional[str] = ..., on_disconnect: _Optional[_Union[OnDisconnect, str]] = ..., start_frame: _Optional[int] = ..., mask_extension: _Optional[_Union[MaskExtension, str]] = ..., accompaniment: _Optional[_Union[Accompaniment, str]] = ..., start_s: _Optional[float] = ..., end_s: _Optional[float] = ..., track: _Optional[int] = ..., quality: _Optional[_Union[Quality, str]] = ..., ensemble: _Optional[str] = ..., attempt: _Optional[_Union[CallAttempt, _Mapping]] = ...) -> None: ...

class CallAttempt(_message.Message):
    __slots__ = ("caller", "number")
    CALLER_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    caller: str
    number: int
    def __init__(self, caller: _Optional[str] = ..., number: _Optional[int] = ...) -> None: ...

class RawPcm(_message.Message):
    __slots__ = ("encoding", "sample_rate", "channels")
    ENCODING_FIELD_NUMBER: _ClassVar[int]
    SAMPLE_RATE_FIELD_NUMBER: _ClassVar[int]
    CHANNELS_FIELD_NUMBER: _ClassVar[int]
    encoding: Encoding
    sample_rate: int
    channels: int
    def __init__(self, encoding: _Optional[_Union[Encoding, str]] = ..., sample_rate: _Optional[int] = ..., channels: _Optional[int] = ...) -> None: ...

class OutputFormat(_message.Message):
    __slots__ = ("encoding", "rate", "gain", "channels")
    ENCODING_FIELD_NUMBER: _ClassVar[int]
    RATE_FIELD_NUMBER: _ClassVar[int]
    GAIN_FIELD_NUMBER: _ClassVar[int]
    CHANNELS_FIELD_NUMBER: _ClassVar[int]
    encoding: Encoding
    rate: OutputRate
    gain: float
    channels: OutputChannels
    def __init__(self, encoding: _Optional[_Union[Encoding, str]] = ..., rate: _Optional[_Union[OutputRate, str]] = ..., gain: _Optional[float] = ..., channels: _Optional[_Union[OutputChannels, str]] = ...) -> None: ...
