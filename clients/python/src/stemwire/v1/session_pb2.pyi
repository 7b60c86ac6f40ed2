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

class SourceNoteKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SOURCE_NOTE_KIND_UNSPECIFIED: _ClassVar[SourceNoteKind]
    SOURCE_NOTE_KIND_RESAMPLED: _ClassVar[SourceNoteKind]
    SOURCE_NOTE_KIND_BAND_LOST: _ClassVar[SourceNoteKind]
    SOURCE_NOTE_KIND_MONO_COPIED: _ClassVar[SourceNoteKind]
    SOURCE_NOTE_KIND_DOWNMIXED: _ClassVar[SourceNoteKind]
    SOURCE_NOTE_KIND_FRAMES_SILENCED: _ClassVar[SourceNoteKind]
    SOURCE_NOTE_KIND_PACKETS_DAMAGED: _ClassVar[SourceNoteKind]
    SOURCE_NOTE_KIND_GAPS_FILLED: _ClassVar[SourceNoteKind]
    SOURCE_NOTE_KIND_SAMPLES_INVALID: _ClassVar[SourceNoteKind]
    SOURCE_NOTE_KIND_BYTES_SKIPPED: _ClassVar[SourceNoteKind]
    SOURCE_NOTE_KIND_STREAMS_SKIPPED: _ClassVar[SourceNoteKind]
    SOURCE_NOTE_KIND_FRAMES_MISSING: _ClassVar[SourceNoteKind]
    SOURCE_NOTE_KIND_TRACK_CHOSEN: _ClassVar[SourceNoteKind]
    SOURCE_NOTE_KIND_LIVE_CUT: _ClassVar[SourceNoteKind]
    SOURCE_NOTE_KIND_COVER_LEFT_OUT: _ClassVar[SourceNoteKind]
SESSION_STATE_UNSPECIFIED: SessionState
SESSION_STATE_UPLOADING: SessionState
SESSION_STATE_RUNNING: SessionState
SESSION_STATE_PAUSED: SessionState
SESSION_STATE_DONE: SessionState
SESSION_STATE_FAILED: SessionState
SESSION_STATE_CANCELLED: SessionState
SOURCE_NOTE_KIND_UNSPECIFIED: SourceNoteKind
SOURCE_NOTE_KIND_RESAMPLED: SourceNoteKind
SOURCE_NOTE_KIND_BAND_LOST: SourceNoteKind
SOURCE_NOTE_KIND_MONO_COPIED: SourceNoteKind
SOURCE_NOTE_KIND_DOWNMIXED: SourceNoteKind
SOURCE_NOTE_KIND_FRAMES_SILENCED: SourceNoteKind
SOURCE_NOTE_KIND_PACKETS_DAMAGED: SourceNoteKind
SOURCE_NOTE_KIND_GAPS_FILLED: SourceNoteKind
SOURCE_NOTE_KIND_SAMPLES_INVALID: SourceNoteKind
SOURCE_NOTE_KIND_BYTES_SKIPPED: SourceNoteKind
SOURCE_NOTE_KIND_STREAMS_SKIPPED: SourceNoteKind
SOURCE_NOTE_KIND_FRAMES_MISSING: SourceNoteKind
SOURCE_NOTE_KIND_TRACK_CHOSEN: SourceNoteKind
SOURCE_NOTE_KIND_LIVE_CUT: SourceNoteKind
SOURCE_NOTE_KIND_COVER_LEFT_OUT: SourceNoteKind

class Session(_message.Message):
    __slots__ = ("session_id", "state", "config", "engine", "engine_changes", "committed_bytes", "upload_complete", "source", "progress", "stems", "error", "notices", "create_time", "update_time", "delay", "windows", "model_choice")
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
    WINDOWS_FIELD_NUMBER: _ClassVar[int]
    MODEL_CHOICE_FIELD_NUMBER: _ClassVar[int]
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
    windows: Windows
    model_choice: str
    def __init__(self, session_id: _Optional[str] = ..., state: _Optional[_Union[SessionState, str]] = ..., config: _Optional[_Union[_config_pb2.SeparationConfig, _Mapping]] = ..., engine: _Optional[_Union[_engine_pb2.Engine, _Mapping]] = ..., engine_changes: _Optional[_Iterable[_Union[_engine_pb2.EngineChange, _Mapping]]] = ..., committed_bytes: _Optional[int] = ..., upload_complete: bool = ..., source: _Optional[_Union[Source, _Mapping]] = ..., progress: _Optional[_Union[Progress, _Mapping]] = ..., stems: _Optional[_Iterable[_Union[Stem, _Mapping]]] = ..., error: _Optional[_Union[SessionError, _Mapping]] = ..., notices: _Optional[_Iterable[str]] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., update_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., delay: _Optional[_Union[SessionError, _Mapping]] = ..., windows: _Optional[_Union[Windows, _Mapping]] = ..., model_choice: _Optional[str] = ...) -> None: ...

class Windows(_message.Message):
    __slots__ = ("shape", "overlap", "segment_frames")
    SHAPE_FIELD_NUMBER: _ClassVar[int]
    OVERLAP_FIELD_NUMBER: _ClassVar[int]
    SEGMENT_FRAMES_FIELD_NUMBER: _ClassVar[int]
    shape: str
    overlap: float
    segment_frames: int
    def __init__(self, shape: _Optional[str] = ..., overlap: _Optional[float] = ..., segment_frames: _Optional[int] = ...) -> None: ...

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
    __slots__ = ("container", "codec", "sample_rate", "channels", "frames", "damaged_frames", "output_sample_rate", "duration_seconds", "notes", "tags", "decoder")
    CONTAINER_FIELD_NUMBER: _ClassVar[int]
    CODEC_FIELD_NUMBER: _ClassVar[int]
    SAMPLE_RATE_FIELD_NUMBER: _ClassVar[int]
    CHANNELS_FIELD_NUMBER: _ClassVar[int]
    FRAMES_FIELD_NUMBER: _ClassVar[int]
    DAMAGED_FRAMES_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_SAMPLE_RATE_FIELD_NUMBER: _ClassVar[int]
    DURATION_SECONDS_FIELD_NUMBER: _ClassVar[int]
    NOTES_FIELD_NUMBER: _ClassVar[int]
    TAGS_FIELD_NUMBER: _ClassVar[int]
    DECODER_FIELD_NUMBER: _ClassVar[int]
    container: str
    codec: str
    sample_rate: int
    channels: int
    frames: int
    damaged_frames: int
    output_sample_rate: int
    duration_seconds: float
    notes: _containers.RepeatedCompositeFieldContainer[SourceNote]
    tags: SourceTags
    decoder: str
    def __init__(self, container: _Optional[str] = ..., codec: _Optional[str] = ..., sample_rate: _Optional[int] = ..., channels: _Optional[int] = ..., frames: _Optional[int] = ..., damaged_frames: _Optional[int] = ..., output_sample_rate: _Optional[int] = ..., duration_seconds: _Optional[float] = ..., notes: _Optional[_Iterable[_Union[SourceNote, _Mapping]]] = ..., tags: _Optional[_Union[SourceTags, _Mapping]] = ..., decoder: _Optional[str] = ...) -> None: ...

class SourceNote(_message.Message):
    __slots__ = ("kind", "to", "count", "method")
    KIND_FIELD_NUMBER: _ClassVar[int]
    FROM_FIELD_NUMBER: _ClassVar[int]
    TO_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    METHOD_FIELD_NUMBER: _ClassVar[int]
    kind: SourceNoteKind
    to: int
    count: int
    method: str
    def __init__(self, kind: _Optional[_Union[SourceNoteKind, str]] = ..., to: _Optional[int] = ..., count: _Optional[int] = ..., method: _Optional[str] = ..., **kwargs) -> None: ...

class SourceTags(_message.Message):
    __slots__ = ("title", "artist", "album", "track_number", "date", "genre", "album_artist", "bpm", "key", "comment")
    TITLE_FIELD_NUMBER: _ClassVar[int]
    ARTIST_FIELD_NUMBER: _ClassVar[int]
    ALBUM_FIELD_NUMBER: _ClassVar[int]
    TRACK_NUMBER_FIELD_NUMBER: _ClassVar[int]
    DATE_FIELD_NUMBER: _ClassVar[int]
    GENRE_FIELD_NUMBER: _ClassVar[int]
    ALBUM_ARTIST_FIELD_NUMBER: _ClassVar[int]
    BPM_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    COMMENT_FIELD_NUMBER: _ClassVar[int]
    title: str
    artist: str
    album: str
    track_number: int
    date: str
    genre: str
    album_artist: str
    bpm: float
    key: str
    comment: str
    def __init__(self, title: _Optional[str] = ..., artist: _Optional[str] = ..., album: _Optional[str] = ..., track_number: _Optional[int] = ..., date: _Optional[str] = ..., genre: _Optional[str] = ..., album_artist: _Optional[str] = ..., bpm: _Optional[float] = ..., key: _Optional[str] = ..., comment: _Optional[str] = ...) -> None: ...

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
