import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from stemwire.v1 import config_pb2 as _config_pb2
from stemwire.v1 import engine_pb2 as _engine_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class SessionState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SESSION_STATE_UNSPECIFIED: _ClassVar[SessionState]
    SESSION_STATE_UPLOADING: _ClassVar[SessionState]
    SESSION_STATE_RUNNING: _ClassVar[SessionState]
    SESSION_STATE_PAUSED: _ClassVar[SessionState]
    SESSION_STATE_DONE: _ClassVar[SessionState]
    SESSION_STATE_FAILED: _ClassVar[SessionState]
    SESSION_STATE_CANCELLED: _ClassVar[SessionState]
SESSION_STATE_UNSPECIFIED: SessionState
SESSION_STATE_UPLOADING: SessionState
SESSION_STATE_RUNNING: SessionState
SESSION_STATE_PAUSED: SessionState
SESSION_STATE_DONE: SessionState
SESSION_STATE_FAILED: SessionState
SESSION_STATE_CANCELLED: SessionState

class Session(_message.Message):
    __slots__ = ("session_id", "state", "config", "engine", "engine_changes", "committed_bytes", "upload_complete", "source", "progress", "stems", "error", "notices", "create_time", "update_time", "delay")
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    CONFIG_FIELD_NUMBER: _ClassVar[int]
    ENGINE_FIELD_NUMBER: _ClassVar[int]
    ENGINE_CHANGES_FIELD_NUMBER: _ClassVar[int]
    COMMITTED_BYTES_FIELD_NUMBER: _ClassVar[int]
    UPLOAD_COMPLETE_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    STEMS_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    NOTICES_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    UPDATE_TIME_FIELD_NUMBER: _ClassVar[int]
    DELAY_FIELD_NUMBER: _ClassVar[int]
    session_id: str
    state: SessionState
    config: _config_pb2.SeparationConfig
    engine: _engine_pb2.Engine
    engine_changes: _containers.RepeatedCompositeFieldContainer[_engine_pb2.EngineChange]
    committed_bytes: int
    upload_complete: bool
    source: Source
    progress: Progress
    stems: _containers.RepeatedCompositeFieldContainer[Stem]
    error: SessionError
    notices: _containers.RepeatedScalarFieldContainer[str]
    create_time: _timestamp_pb2.Timestamp
    update_time: _timestamp_pb2.Timestamp
    delay: SessionError
    def __init__(self, session_id: _Optional[str] = ..., state: _Optional[_Union[SessionState, str]] = ..., config: _Optional[_Union[_config_pb2.SeparationConfig, _Mapping]] = ..., engine: _Optional[_Union[_engine_pb2.Engine, _Mapping]] = ..., engine_changes: _Optional[_Iterable[_Union[_engine_pb2.EngineChange, _Mapping]]] = ..., committed_bytes: _Optional[int] = ..., upload_complete: bool = ..., source: _Optional[_Union[Source, _Mapping]] = ..., progress: _Optional[_Union[Progress, _Mapping]] = ..., stems: _Optional[_Iterable[_Union[Stem, _Mapping]]] = ..., error: _Optional[_Union[SessionError, _Mapping]] = ..., notices: _Optional[_Iterable[str]] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., update_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., delay: _Optional[_Union[SessionError, _Mapping]] = ...) -> None: ...

class Progress(_message.Message):
    __slots__ = ("finished_frames", "total_frames", "decoded_frames", "state", "queue_position")
    FINISHED_FRAMES_FIELD_NUMBER: _ClassVar[int]
    TOTAL_FRAMES_FIELD_NUMBER: _ClassVar[int]
    DECODED_FRAMES_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    QUEUE_POSITION_FIELD_NUMBER: _ClassVar[int]
    finished_frames: int
    total_frames: int
    decoded_frames: int
    state: SessionState
    queue_position: int
    def __init__(self, finished_frames: _Optional[int] = ..., total_frames: _Optional[int] = ..., decoded_frames: _Optional[int] = ..., state: _Optional[_Union[SessionState, str]] = ..., queue_position: _Optional[int] = ...) -> None: ...

class Stem(_message.Message):
    __slots__ = ("name", "frames", "peak", "sha256")
    NAME_FIELD_NUMBER: _ClassVar[int]
    FRAMES_FIELD_NUMBER: _ClassVar[int]
    PEAK_FIELD_NUMBER: _ClassVar[int]
    SHA256_FIELD_NUMBER: _ClassVar[int]
    name: str
    frames: int
    peak: float
    sha256: bytes
    def __init__(self, name: _Optional[str] = ..., frames: _Optional[int] = ..., peak: _Optional[float] = ..., sha256: _Optional[bytes] = ...) -> None: ...

class Source(_message.Message):
    __slots__ = ("container", "codec", "sample_rate", "channels", "frames", "damaged_frames", "output_sample_rate", "decoder")
    CONTAINER_FIELD_NUMBER: _ClassVar[int]
    CODEC_FIELD_NUMBER: _ClassVar[int]
    SAMPLE_RATE_FIELD_NUMBER: _ClassVar[int]
    CHANNELS_FIELD_NUMBER: _ClassVar[int]
    FRAMES_FIELD_NUMBER: _ClassVar[int]
    DAMAGED_FRAMES_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_SAMPLE_RATE_FIELD_NUMBER: _ClassVar[int]
    DECODER_FIELD_NUMBER: _ClassVar[int]
    container: str
    codec: str
    sample_rate: int
    channels: int
    frames: int
    damaged_frames: int
    output_sample_rate: int
    decoder: str
    def __init__(self, container: _Optional[str] = ..., codec: _Optional[str] = ..., sample_rate: _Optional[int] = ..., channels: _Optional[int] = ..., frames: _Optional[int] = ..., damaged_frames: _Optional[int] = ..., output_sample_rate: _Optional[int] = ..., decoder: _Optional[str] = ...) -> None: ...

class SessionError(_message.Message):
    __slots__ = ("code", "reason", "message", "metadata", "remedy")
    class MetadataEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    CODE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    REMEDY_FIELD_NUMBER: _ClassVar[int]
    code: int
    reason: str
    message: str
    metadata: _containers.ScalarMap[str, str]
    remedy: str
    def __init__(self, code: _Optional[int] = ..., reason: _Optional[str] = ..., message: _Optional[str] = ..., metadata: _Optional[_Mapping[str, str]] = ..., remedy: _Optional[str] = ...) -> None: ...
