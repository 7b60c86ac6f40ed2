"""Plain values for sessions, progress, engines, models and health.

Each class mirrors the message of the same name in the proto, which documents every field.
"""
from .engine import Engine, EngineChange, Execution, Model, Trial
from .health import Cluster, Health, Worker
from .session import Failure, Progress, Session, State, StemInfo
from .source import Source, SourceNote, SourceNoteKind, SourceTags

__all__ = [
    "Cluster", "Engine", "EngineChange", "Execution", "Failure", "Health", "Model", "Progress", "Session", "Source",
    "SourceNote", "SourceNoteKind", "SourceTags", "State", "StemInfo", "Trial", "Worker",
]
