from stemwire.v1 import config_pb2 as _config_pb2
from stemwire.v1 import engine_pb2 as _engine_pb2
from stemwire.v1 import session_pb2 as _session_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class DecoderSandbox(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DECODER_SANDBOX_UNSPECIFIED: _ClassVar[DecoderSandbox]
    DECODER_SANDBOX_FULL: _ClassVar[DecoderSandbox]
    DECODER_SANDBOX_PARTIAL: _ClassVar[DecoderSandbox]
    DECODER_SANDBOX_NONE: _ClassVar[DecoderSandbox]

class ServingStatus(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SERVING_STATUS_UNSPECIFIED: _ClassVar[ServingStatus]
    SERVING_STATUS_SERVING: _ClassVar[ServingStatus]
    SERVING_STATUS_NOT_SERVING: _ClassVar[ServingStatus]
DECODER_SANDBOX_UNSPECIFIED: DecoderSandbox
DECODER_SANDBOX_FULL: DecoderSandbox
DECODER_SANDBOX_PARTIAL: DecoderSandbox
DECODER_SANDBOX_NONE: DecoderSandbox
SERVING_STATUS_UNSPECIFIED: ServingStatus
SERVING_STATUS_SERVING: ServingStatus
SERVING_STATUS_NOT_SERVING: ServingStatus

class SeparateRequest(_message.Message):
    __slots__ = ("config", "chunk", "finish")
    CONFIG_FIELD_NUMBER: _ClassVar[int]
    CHUNK_FIELD_NUMBER: _ClassVar[int]
    FINISH_FIELD_NUMBER: _ClassVar[int]
    config: _config_pb2.SeparationConfig
    chunk: bytes
    finish: Finish
    def __init__(self, config: _Optional[_Union[_config_pb2.SeparationConfig, _Mapping]] = ..., chunk: _Optional[bytes] = ..., finish: _Optional[_Union[Finish, _Mapping]] = ...) -> None: ...

class Finish(_message.Message):
    __slots__ = ("total_bytes", "sha256")
    TOTAL_BYTES_FIELD_NUMBER: _ClassVar[int]
    SHA256_FIELD_NUMBER: _ClassVar[int]
    total_bytes: int
    sha256: bytes
    def __init__(self, total_bytes: _Optional[int] = ..., sha256: _Optional[bytes] = ...) -> None: ...

class SeparateResponse(_message.Message):
    __slots__ = ("session", "progress", "stem", "engine_change", "done")
    SESSION_FIELD_NUMBER: _ClassVar[int]
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    STEM_FIELD_NUMBER: _ClassVar[int]
    ENGINE_CHANGE_FIELD_NUMBER: _ClassVar[int]
    DONE_FIELD_NUMBER: _ClassVar[int]
    session: _session_pb2.Session
    progress: _session_pb2.Progress
    stem: StemChunk
    engine_change: _engine_pb2.EngineChange
    done: _session_pb2.Session
    def __init__(self, session: _Optional[_Union[_session_pb2.Session, _Mapping]] = ..., progress: _Optional[_Union[_session_pb2.Progress, _Mapping]] = ..., stem: _Optional[_Union[StemChunk, _Mapping]] = ..., engine_change: _Optional[_Union[_engine_pb2.EngineChange, _Mapping]] = ..., done: _Optional[_Union[_session_pb2.Session, _Mapping]] = ...) -> None: ...

class StemChunk(_message.Message):
    __slots__ = ("stem", "start_frame", "pcm", "clipped_samples", "channels")
    STEM_FIELD_NUMBER: _ClassVar[int]
    START_FRAME_FIELD_NUMBER: _ClassVar[int]
    PCM_FIELD_NUMBER: _ClassVar[int]
    CLIPPED_SAMPLES_FIELD_NUMBER: _ClassVar[int]
    CHANNELS_FIELD_NUMBER: _ClassVar[int]
    stem: str
    start_frame: int
    pcm: bytes
    clipped_samples: int
    channels: int
    def __init__(self, stem: _Optional[str] = ..., start_frame: _Optional[int] = ..., pcm: _Optional[bytes] = ..., clipped_samples: _Optional[int] = ..., channels: _Optional[int] = ...) -> None: ...

class GetStemRequest(_message.Message):
    __slots__ = ("session_id", "stem", "start_frame", "frame_count", "encoding", "gain", "channels")
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    STEM_FIELD_NUMBER: _ClassVar[int]
    START_FRAME_FIELD_NUMBER: _ClassVar[int]
    FRAME_COUNT_FIELD_NUMBER: _ClassVar[int]
    ENCODING_FIELD_NUMBER: _ClassVar[int]
    GAIN_FIELD_NUMBER: _ClassVar[int]
    CHANNELS_FIELD_NUMBER: _ClassVar[int]
    session_id: str
    stem: str
    start_frame: int
    frame_count: int
    encoding: _config_pb2.Encoding
    gain: float
    channels: _config_pb2.OutputChannels
    def __init__(self, session_id: _Optional[str] = ..., stem: _Optional[str] = ..., start_frame: _Optional[int] = ..., frame_count: _Optional[int] = ..., encoding: _Optional[_Union[_config_pb2.Encoding, str]] = ..., gain: _Optional[float] = ..., channels: _Optional[_Union[_config_pb2.OutputChannels, str]] = ...) -> None: ...

class GetStemResponse(_message.Message):
    __slots__ = ("chunk",)
    CHUNK_FIELD_NUMBER: _ClassVar[int]
    chunk: StemChunk
    def __init__(self, chunk: _Optional[_Union[StemChunk, _Mapping]] = ...) -> None: ...

class HealthRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class HealthResponse(_message.Message):
    __slots__ = ("status", "version", "runtime", "engines", "open_sessions", "queued_sessions", "max_open_sessions", "max_queued_sessions", "stored_bytes", "free_disk_bytes", "message", "remedy", "decoder_sandbox", "parked_sessions", "max_parked_sessions", "unreadable_sessions", "download_formats", "cluster")
    STATUS_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    RUNTIME_FIELD_NUMBER: _ClassVar[int]
    ENGINES_FIELD_NUMBER: _ClassVar[int]
    OPEN_SESSIONS_FIELD_NUMBER: _ClassVar[int]
    QUEUED_SESSIONS_FIELD_NUMBER: _ClassVar[int]
    MAX_OPEN_SESSIONS_FIELD_NUMBER: _ClassVar[int]
    MAX_QUEUED_SESSIONS_FIELD_NUMBER: _ClassVar[int]
    STORED_BYTES_FIELD_NUMBER: _ClassVar[int]
    FREE_DISK_BYTES_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    REMEDY_FIELD_NUMBER: _ClassVar[int]
    DECODER_SANDBOX_FIELD_NUMBER: _ClassVar[int]
    PARKED_SESSIONS_FIELD_NUMBER: _ClassVar[int]
    MAX_PARKED_SESSIONS_FIELD_NUMBER: _ClassVar[int]
    UNREADABLE_SESSIONS_FIELD_NUMBER: _ClassVar[int]
    DOWNLOAD_FORMATS_FIELD_NUMBER: _ClassVar[int]
    CLUSTER_FIELD_NUMBER: _ClassVar[int]
    status: ServingStatus
    version: str
    runtime: _engine_pb2.Runtime
    engines: _containers.RepeatedCompositeFieldContainer[_engine_pb2.Model]
    open_sessions: int
    queued_sessions: int
    max_open_sessions: int
    max_queued_sessions: int
    stored_bytes: int
    free_disk_bytes: int
    message: str
    remedy: str
    decoder_sandbox: DecoderSandbox
    parked_sessions: int
    max_parked_sessions: int
    unreadable_sessions: int
    download_formats: _containers.RepeatedScalarFieldContainer[str]
    cluster: Cluster
    def __init__(self, status: _Optional[_Union[ServingStatus, str]] = ..., version: _Optional[str] = ..., runtime: _Optional[_Union[_engine_pb2.Runtime, _Mapping]] = ..., engines: _Optional[_Iterable[_Union[_engine_pb2.Model, _Mapping]]] = ..., open_sessions: _Optional[int] = ..., queued_sessions: _Optional[int] = ..., max_open_sessions: _Optional[int] = ..., max_queued_sessions: _Optional[int] = ..., stored_bytes: _Optional[int] = ..., free_disk_bytes: _Optional[int] = ..., message: _Optional[str] = ..., remedy: _Optional[str] = ..., decoder_sandbox: _Optional[_Union[DecoderSandbox, str]] = ..., parked_sessions: _Optional[int] = ..., max_parked_sessions: _Optional[int] = ..., unreadable_sessions: _Optional[int] = ..., download_formats: _Optional[_Iterable[str]] = ..., cluster: _Optional[_Union[Cluster, _Mapping]] = ...) -> None: ...

class Cluster(_message.Message):
    __slots__ = ("workers", "queued_segments", "waiting_segments")
    WORKERS_FIELD_NUMBER: _ClassVar[int]
    QUEUED_SEGMENTS_FIELD_NUMBER: _ClassVar[int]
    WAITING_SEGMENTS_FIELD_NUMBER: _ClassVar[int]
    workers: _containers.RepeatedCompositeFieldContainer[Worker]
    queued_segments: int
    waiting_segments: int
    def __init__(self, workers: _Optional[_Iterable[_Union[Worker, _Mapping]]] = ..., queued_segments: _Optional[int] = ..., waiting_segments: _Optional[int] = ...) -> None: ...

class Worker(_message.Message):
    __slots__ = ("name", "version", "lanes", "engines", "faults", "missing_models")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    LANES_FIELD_NUMBER: _ClassVar[int]
    ENGINES_FIELD_NUMBER: _ClassVar[int]
    FAULTS_FIELD_NUMBER: _ClassVar[int]
    MISSING_MODELS_FIELD_NUMBER: _ClassVar[int]
    name: str
    version: str
    lanes: int
    engines: _containers.RepeatedCompositeFieldContainer[_engine_pb2.Engine]
    faults: _containers.RepeatedCompositeFieldContainer[WorkerFault]
    missing_models: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, name: _Optional[str] = ..., version: _Optional[str] = ..., lanes: _Optional[int] = ..., engines: _Optional[_Iterable[_Union[_engine_pb2.Engine, _Mapping]]] = ..., faults: _Optional[_Iterable[_Union[WorkerFault, _Mapping]]] = ..., missing_models: _Optional[_Iterable[str]] = ...) -> None: ...

class WorkerFault(_message.Message):
    __slots__ = ("model", "health")
    MODEL_FIELD_NUMBER: _ClassVar[int]
    HEALTH_FIELD_NUMBER: _ClassVar[int]
    model: str
    health: _engine_pb2.EngineHealth
    def __init__(self, model: _Optional[str] = ..., health: _Optional[_Union[_engine_pb2.EngineHealth, _Mapping]] = ...) -> None: ...

class CreateSessionRequest(_message.Message):
    __slots__ = ("config",)
    CONFIG_FIELD_NUMBER: _ClassVar[int]
    config: _config_pb2.SeparationConfig
    def __init__(self, config: _Optional[_Union[_config_pb2.SeparationConfig, _Mapping]] = ...) -> None: ...

class CreateSessionResponse(_message.Message):
    __slots__ = ("session",)
    SESSION_FIELD_NUMBER: _ClassVar[int]
    session: _session_pb2.Session
    def __init__(self, session: _Optional[_Union[_session_pb2.Session, _Mapping]] = ...) -> None: ...

class UploadChunkRequest(_message.Message):
    __slots__ = ("session_id", "offset", "data")
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    session_id: str
    offset: int
    data: bytes
    def __init__(self, session_id: _Optional[str] = ..., offset: _Optional[int] = ..., data: _Optional[bytes] = ...) -> None: ...

class UploadChunkResponse(_message.Message):
    __slots__ = ("committed_bytes",)
    COMMITTED_BYTES_FIELD_NUMBER: _ClassVar[int]
    committed_bytes: int
    def __init__(self, committed_bytes: _Optional[int] = ...) -> None: ...

class FinishUploadRequest(_message.Message):
    __slots__ = ("session_id", "finish")
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    FINISH_FIELD_NUMBER: _ClassVar[int]
    session_id: str
    finish: Finish
    def __init__(self, session_id: _Optional[str] = ..., finish: _Optional[_Union[Finish, _Mapping]] = ...) -> None: ...

class FinishUploadResponse(_message.Message):
    __slots__ = ("session",)
    SESSION_FIELD_NUMBER: _ClassVar[int]
    session: _session_pb2.Session
    def __init__(self, session: _Optional[_Union[_session_pb2.Session, _Mapping]] = ...) -> None: ...

class WatchSessionRequest(_message.Message):
    __slots__ = ("session_id", "stems", "progress_only", "encoding", "gain", "channels")
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    STEMS_FIELD_NUMBER: _ClassVar[int]
    PROGRESS_ONLY_FIELD_NUMBER: _ClassVar[int]
    ENCODING_FIELD_NUMBER: _ClassVar[int]
    GAIN_FIELD_NUMBER: _ClassVar[int]
    CHANNELS_FIELD_NUMBER: _ClassVar[int]
    session_id: str
    stems: _containers.RepeatedCompositeFieldContainer[StemCursor]
    progress_only: bool
    encoding: _config_pb2.Encoding
    gain: float
    channels: _config_pb2.OutputChannels
    def __init__(self, session_id: _Optional[str] = ..., stems: _Optional[_Iterable[_Union[StemCursor, _Mapping]]] = ..., progress_only: bool = ..., encoding: _Optional[_Union[_config_pb2.Encoding, str]] = ..., gain: _Optional[float] = ..., channels: _Optional[_Union[_config_pb2.OutputChannels, str]] = ...) -> None: ...

class StemCursor(_message.Message):
    __slots__ = ("stem", "start_frame")
    STEM_FIELD_NUMBER: _ClassVar[int]
    START_FRAME_FIELD_NUMBER: _ClassVar[int]
    stem: str
    start_frame: int
    def __init__(self, stem: _Optional[str] = ..., start_frame: _Optional[int] = ...) -> None: ...

class WatchSessionResponse(_message.Message):
    __slots__ = ("session", "progress", "stem", "engine_change", "done")
    SESSION_FIELD_NUMBER: _ClassVar[int]
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    STEM_FIELD_NUMBER: _ClassVar[int]
    ENGINE_CHANGE_FIELD_NUMBER: _ClassVar[int]
    DONE_FIELD_NUMBER: _ClassVar[int]
    session: _session_pb2.Session
    progress: _session_pb2.Progress
    stem: StemChunk
    engine_change: _engine_pb2.EngineChange
    done: _session_pb2.Session
    def __init__(self, session: _Optional[_Union[_session_pb2.Session, _Mapping]] = ..., progress: _Optional[_Union[_session_pb2.Progress, _Mapping]] = ..., stem: _Optional[_Union[StemChunk, _Mapping]] = ..., engine_change: _Optional[_Union[_engine_pb2.EngineChange, _Mapping]] = ..., done: _Optional[_Union[_session_pb2.Session, _Mapping]] = ...) -> None: ...

class GetSessionRequest(_message.Message):
    __slots__ = ("session_id",)
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    session_id: str
    def __init__(self, session_id: _Optional[str] = ...) -> None: ...

class GetSessionResponse(_message.Message):
    __slots__ = ("session",)
    SESSION_FIELD_NUMBER: _ClassVar[int]
    session: _session_pb2.Session
    def __init__(self, session: _Optional[_Union[_session_pb2.Session, _Mapping]] = ...) -> None: ...

class ListSessionsRequest(_message.Message):
    __slots__ = ("page_size", "page_token")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListSessionsResponse(_message.Message):
    __slots__ = ("sessions", "next_page_token")
    SESSIONS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    sessions: _containers.RepeatedCompositeFieldContainer[_session_pb2.Session]
    next_page_token: str
    def __init__(self, sessions: _Optional[_Iterable[_Union[_session_pb2.Session, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class CancelSessionRequest(_message.Message):
    __slots__ = ("session_id",)
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    session_id: str
    def __init__(self, session_id: _Optional[str] = ...) -> None: ...

class CancelSessionResponse(_message.Message):
    __slots__ = ("session",)
    SESSION_FIELD_NUMBER: _ClassVar[int]
    session: _session_pb2.Session
    def __init__(self, session: _Optional[_Union[_session_pb2.Session, _Mapping]] = ...) -> None: ...

class DeleteSessionRequest(_message.Message):
    __slots__ = ("session_id",)
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    session_id: str
    def __init__(self, session_id: _Optional[str] = ...) -> None: ...

class DeleteSessionResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListModelsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListModelsResponse(_message.Message):
    __slots__ = ("models",)
    MODELS_FIELD_NUMBER: _ClassVar[int]
    models: _containers.RepeatedCompositeFieldContainer[_engine_pb2.Model]
    def __init__(self, models: _Optional[_Iterable[_Union[_engine_pb2.Model, _Mapping]]] = ...) -> None: ...
