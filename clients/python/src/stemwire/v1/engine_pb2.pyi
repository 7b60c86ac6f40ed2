import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class EngineState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ENGINE_STATE_UNSPECIFIED: _ClassVar[EngineState]
    ENGINE_STATE_WORKING: _ClassVar[EngineState]
    ENGINE_STATE_FAILED: _ClassVar[EngineState]
    ENGINE_STATE_PROBED: _ClassVar[EngineState]

class ModelState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    MODEL_STATE_UNSPECIFIED: _ClassVar[ModelState]
    MODEL_STATE_AVAILABLE: _ClassVar[ModelState]
    MODEL_STATE_LOADED: _ClassVar[ModelState]
    MODEL_STATE_BROKEN: _ClassVar[ModelState]
ENGINE_STATE_UNSPECIFIED: EngineState
ENGINE_STATE_WORKING: EngineState
ENGINE_STATE_FAILED: EngineState
ENGINE_STATE_PROBED: EngineState
MODEL_STATE_UNSPECIFIED: ModelState
MODEL_STATE_AVAILABLE: ModelState
MODEL_STATE_LOADED: ModelState
MODEL_STATE_BROKEN: ModelState

class Engine(_message.Message):
    __slots__ = ("model", "weights_sha256", "execution_provider", "runtime", "threads", "precision", "verified", "members")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    WEIGHTS_SHA256_FIELD_NUMBER: _ClassVar[int]
    EXECUTION_PROVIDER_FIELD_NUMBER: _ClassVar[int]
    RUNTIME_FIELD_NUMBER: _ClassVar[int]
    THREADS_FIELD_NUMBER: _ClassVar[int]
    PRECISION_FIELD_NUMBER: _ClassVar[int]
    VERIFIED_FIELD_NUMBER: _ClassVar[int]
    MEMBERS_FIELD_NUMBER: _ClassVar[int]
    model: str
    weights_sha256: bytes
    execution_provider: str
    runtime: str
    threads: int
    precision: str
    verified: bool
    members: _containers.RepeatedCompositeFieldContainer[EnsembleMember]
    def __init__(self, model: _Optional[str] = ..., weights_sha256: _Optional[bytes] = ..., execution_provider: _Optional[str] = ..., runtime: _Optional[str] = ..., threads: _Optional[int] = ..., precision: _Optional[str] = ..., verified: bool = ..., members: _Optional[_Iterable[_Union[EnsembleMember, _Mapping]]] = ...) -> None: ...

class EnsembleMember(_message.Message):
    __slots__ = ("model", "weights_sha256", "verified", "execution_provider", "precision")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    WEIGHTS_SHA256_FIELD_NUMBER: _ClassVar[int]
    VERIFIED_FIELD_NUMBER: _ClassVar[int]
    EXECUTION_PROVIDER_FIELD_NUMBER: _ClassVar[int]
    PRECISION_FIELD_NUMBER: _ClassVar[int]
    model: str
    weights_sha256: bytes
    verified: bool
    execution_provider: str
    precision: str
    def __init__(self, model: _Optional[str] = ..., weights_sha256: _Optional[bytes] = ..., verified: bool = ..., execution_provider: _Optional[str] = ..., precision: _Optional[str] = ...) -> None: ...

class EngineChange(_message.Message):
    __slots__ = ("to", "frame", "reason", "message")
    FROM_FIELD_NUMBER: _ClassVar[int]
    TO_FIELD_NUMBER: _ClassVar[int]
    FRAME_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    to: Engine
    frame: int
    reason: str
    message: str
    def __init__(self, to: _Optional[_Union[Engine, _Mapping]] = ..., frame: _Optional[int] = ..., reason: _Optional[str] = ..., message: _Optional[str] = ..., **kwargs) -> None: ...

class Runtime(_message.Message):
    __slots__ = ("name", "path")
    NAME_FIELD_NUMBER: _ClassVar[int]
    PATH_FIELD_NUMBER: _ClassVar[int]
    name: str
    path: str
    def __init__(self, name: _Optional[str] = ..., path: _Optional[str] = ...) -> None: ...

class Model(_message.Message):
    __slots__ = ("name", "title", "stems", "sample_rate", "segment_frames", "weights_sha256", "licence", "state", "message", "verified", "health", "execution", "quality", "commercial_use", "stored_bytes", "speed", "worker_lanes")
    NAME_FIELD_NUMBER: _ClassVar[int]
    TITLE_FIELD_NUMBER: _ClassVar[int]
    STEMS_FIELD_NUMBER: _ClassVar[int]
    SAMPLE_RATE_FIELD_NUMBER: _ClassVar[int]
    SEGMENT_FRAMES_FIELD_NUMBER: _ClassVar[int]
    WEIGHTS_SHA256_FIELD_NUMBER: _ClassVar[int]
    LICENCE_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    VERIFIED_FIELD_NUMBER: _ClassVar[int]
    HEALTH_FIELD_NUMBER: _ClassVar[int]
    EXECUTION_FIELD_NUMBER: _ClassVar[int]
    QUALITY_FIELD_NUMBER: _ClassVar[int]
    COMMERCIAL_USE_FIELD_NUMBER: _ClassVar[int]
    STORED_BYTES_FIELD_NUMBER: _ClassVar[int]
    SPEED_FIELD_NUMBER: _ClassVar[int]
    WORKER_LANES_FIELD_NUMBER: _ClassVar[int]
    name: str
    title: str
    stems: _containers.RepeatedScalarFieldContainer[str]
    sample_rate: int
    segment_frames: int
    weights_sha256: bytes
    licence: str
    state: ModelState
    message: str
    verified: bool
    health: EngineHealth
    execution: Execution
    quality: _containers.RepeatedCompositeFieldContainer[PublishedQuality]
    commercial_use: bool
    stored_bytes: int
    speed: Speed
    worker_lanes: int
    def __init__(self, name: _Optional[str] = ..., title: _Optional[str] = ..., stems: _Optional[_Iterable[str]] = ..., sample_rate: _Optional[int] = ..., segment_frames: _Optional[int] = ..., weights_sha256: _Optional[bytes] = ..., licence: _Optional[str] = ..., state: _Optional[_Union[ModelState, str]] = ..., message: _Optional[str] = ..., verified: bool = ..., health: _Optional[_Union[EngineHealth, _Mapping]] = ..., execution: _Optional[_Union[Execution, _Mapping]] = ..., quality: _Optional[_Iterable[_Union[PublishedQuality, _Mapping]]] = ..., commercial_use: bool = ..., stored_bytes: _Optional[int] = ..., speed: _Optional[_Union[Speed, _Mapping]] = ..., worker_lanes: _Optional[int] = ...) -> None: ...

class PublishedQuality(_message.Message):
    __slots__ = ("data", "source", "sdr_db")
    class SdrDbEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: float
        def __init__(self, key: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...
    DATA_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    SDR_DB_FIELD_NUMBER: _ClassVar[int]
    data: str
    source: str
    sdr_db: _containers.ScalarMap[str, float]
    def __init__(self, data: _Optional[str] = ..., source: _Optional[str] = ..., sdr_db: _Optional[_Mapping[str, float]] = ...) -> None: ...

class Speed(_message.Message):
    __slots__ = ("real_time_factor", "slower_than_real_time", "execution")
    REAL_TIME_FACTOR_FIELD_NUMBER: _ClassVar[int]
    SLOWER_THAN_REAL_TIME_FIELD_NUMBER: _ClassVar[int]
    EXECUTION_FIELD_NUMBER: _ClassVar[int]
    real_time_factor: float
    slower_than_real_time: bool
    execution: str
    def __init__(self, real_time_factor: _Optional[float] = ..., slower_than_real_time: bool = ..., execution: _Optional[str] = ...) -> None: ...

class Execution(_message.Message):
    __slots__ = ("execution_provider", "precision", "reason", "trials")
    EXECUTION_PROVIDER_FIELD_NUMBER: _ClassVar[int]
    PRECISION_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    TRIALS_FIELD_NUMBER: _ClassVar[int]
    execution_provider: str
    precision: str
    reason: str
    trials: _containers.RepeatedCompositeFieldContainer[Trial]
    def __init__(self, execution_provider: _Optional[str] = ..., precision: _Optional[str] = ..., reason: _Optional[str] = ..., trials: _Optional[_Iterable[_Union[Trial, _Mapping]]] = ...) -> None: ...

class Trial(_message.Message):
    __slots__ = ("execution_provider", "precision", "speed", "snr_db", "message")
    EXECUTION_PROVIDER_FIELD_NUMBER: _ClassVar[int]
    PRECISION_FIELD_NUMBER: _ClassVar[int]
    SPEED_FIELD_NUMBER: _ClassVar[int]
    SNR_DB_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    execution_provider: str
    precision: str
    speed: float
    snr_db: float
    message: str
    def __init__(self, execution_provider: _Optional[str] = ..., precision: _Optional[str] = ..., speed: _Optional[float] = ..., snr_db: _Optional[float] = ..., message: _Optional[str] = ...) -> None: ...

class EngineHealth(_message.Message):
    __slots__ = ("state", "failures", "since", "reason", "message")
    STATE_FIELD_NUMBER: _ClassVar[int]
    FAILURES_FIELD_NUMBER: _ClassVar[int]
    SINCE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    state: EngineState
    failures: int
    since: _timestamp_pb2.Timestamp
    reason: str
    message: str
    def __init__(self, state: _Optional[_Union[EngineState, str]] = ..., failures: _Optional[int] = ..., since: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., reason: _Optional[str] = ..., message: _Optional[str] = ...) -> None: ...
