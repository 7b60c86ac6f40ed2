"""What a server reports of itself and of its cluster."""
from __future__ import annotations

from dataclasses import dataclass

from ..v1 import separation_service_pb2 as api
from .engine import Engine, Model


@dataclass(frozen=True)
class Worker:
    """A process that computes segments for the gateways of a cluster."""

    name: str
    version: str
    #: Segments that it computes at a time.
    lanes: int
    #: One for each model.
    engines: tuple[Engine, ...]

    @classmethod
    def _of(cls, message: api.Worker) -> Worker:
        return cls(
            name=message.name, version=message.version, lanes=message.lanes,
            engines=tuple(map(Engine._of, message.engines)),
        )


@dataclass(frozen=True)
class Cluster:
    """The workers of a cluster, and what they have to do."""

    #: One that was lost is removed after 30 s.
    workers: tuple[Worker, ...]
    #: Segments of all gateways in the queue, those that are being computed included.
    queued_segments: int
    #: Segments of this gateway that wait for room in the queue.
    waiting_segments: int

    @classmethod
    def _of(cls, message: api.Cluster) -> Cluster:
        return cls(
            workers=tuple(map(Worker._of, message.workers)), queued_segments=message.queued_segments,
            waiting_segments=message.waiting_segments,
        )


@dataclass(frozen=True)
class Health:
    """Whether a server accepts sessions, and its load."""

    serving: bool
    #: Why it does not serve; empty while it serves.
    message: str
    #: The remedy; empty while it serves.
    remedy: str
    version: str
    #: The inference library, such as "onnxruntime 1.31.1"; empty if none is loaded.
    runtime: str
    #: The fallback chain: the models in the order in which they are tried.
    engines: tuple[Model, ...]
    open_sessions: int
    queued_sessions: int
    #: Sessions without a slot that wait for more of their upload.
    parked_sessions: int
    max_open_sessions: int
    max_queued_sessions: int
    max_parked_sessions: int
    stored_bytes: int
    free_disk_bytes: int
    #: How far the processes that decode uploads are confined: "full", "partial", "none"; empty from an older server.
    decoder_sandbox: str
    #: Stored sessions that cannot be read because their files are damaged.
    unreadable_sessions: int
    #: What computes, if that is the workers of a cluster; None if it is the server.
    cluster: Cluster | None

    @classmethod
    def _of(cls, message: api.HealthResponse) -> Health:
        return cls(
            serving=message.status == api.SERVING_STATUS_SERVING, message=message.message, remedy=message.remedy,
            version=message.version, runtime=message.runtime.name, engines=tuple(map(Model._of, message.engines)),
            open_sessions=message.open_sessions, queued_sessions=message.queued_sessions,
            parked_sessions=message.parked_sessions, max_parked_sessions=message.max_parked_sessions,
            max_open_sessions=message.max_open_sessions, max_queued_sessions=message.max_queued_sessions,
            stored_bytes=message.stored_bytes, free_disk_bytes=message.free_disk_bytes,
            decoder_sandbox=_DECODER_SANDBOX.get(message.decoder_sandbox, ""),
            unreadable_sessions=message.unreadable_sessions,
            cluster=Cluster._of(message.cluster) if message.HasField("cluster") else None,
        )


_DECODER_SANDBOX = {
    api.DECODER_SANDBOX_FULL: "full", api.DECODER_SANDBOX_PARTIAL: "partial", api.DECODER_SANDBOX_NONE: "none",
}
