"""Engines, models, and how models are executed."""
from __future__ import annotations

from dataclasses import dataclass

from ..v1 import engine_pb2


@dataclass(frozen=True)
class Engine:
    """A model on an execution provider."""

    model: str
    #: In hexadecimal.
    weights_sha256: str
    #: Such as "cpu", "openvino", "cuda".
    execution_provider: str
    #: The inference library and its version.
    runtime: str
    threads: int
    #: Such as "f32".
    precision: str
    #: Whether the weights are part of the server, or exactly as the model's authors published them.
    verified: bool

    @classmethod
    def _of(cls, message: engine_pb2.Engine) -> Engine:
        return cls(
            model=message.model, weights_sha256=message.weights_sha256.hex(),
            execution_provider=message.execution_provider, runtime=message.runtime, threads=message.threads,
            precision=message.precision, verified=message.verified,
        )


@dataclass(frozen=True)
class EngineChange:
    """Another engine continued a session."""

    before: Engine
    after: Engine
    #: The first frame that `after` contributes to.
    frame: int
    #: Such as "ENGINE_FAILED"; `EngineChange` in the proto lists all.
    reason: str
    #: The cause.
    message: str

    @classmethod
    def _of(cls, message: engine_pb2.EngineChange) -> EngineChange:
        return cls(
            before=Engine._of(getattr(message, "from")), after=Engine._of(message.to), frame=message.frame,
            reason=message.reason, message=message.message,
        )


@dataclass(frozen=True)
class Trial:
    """The benchmark of one candidate provider for a model. The baseline is the CPU in 32-bit floats."""

    execution_provider: str
    precision: str
    #: Speed relative to the baseline; None if rejected.
    speed: float | None
    #: SNR of the worst stem against the baseline, in dB; infinite if all samples are equal, None if rejected.
    snr_db: float | None
    #: Why the candidate was rejected; empty if it was not.
    message: str

    @classmethod
    def _of(cls, message: engine_pb2.Trial) -> Trial:
        speed = message.speed if message.HasField("speed") else None
        snr_db = message.snr_db if message.HasField("snr_db") else None
        return cls(
            execution_provider=message.execution_provider, precision=message.precision, speed=speed, snr_db=snr_db,
            message=message.message,
        )


@dataclass(frozen=True)
class Execution:
    """The execution provider of a model on the server, and why it was selected."""

    #: Such as "cpu", "openvino", "cuda".
    execution_provider: str
    #: Such as "f32".
    precision: str
    #: Why it was selected.
    reason: str
    #: The candidates; empty if there was nothing to compare.
    trials: tuple[Trial, ...]

    @classmethod
    def _of(cls, message: engine_pb2.Execution) -> Execution:
        return cls(
            execution_provider=message.execution_provider, precision=message.precision, reason=message.reason,
            trials=tuple(map(Trial._of, message.trials)),
        )


@dataclass(frozen=True)
class Model:
    """A model of the server."""

    name: str
    title: str
    #: The stems of the model; everything but one of them is available as "no_drums" and so on, or "accompaniment".
    stems: tuple[str, ...]
    sample_rate: int
    #: In hexadecimal.
    weights_sha256: str
    licence: str
    #: Whether it can be used; if not, `message` has the reason.
    usable: bool
    message: str
    verified: bool
    #: None if its card cannot be read, or from an older server.
    execution: Execution | None
    #: Seconds of a song that it computes per second on the server; None until that has been measured.
    real_time_factor: float | None
    #: Segments that the workers of a cluster compute at a time with it; None if the server computes itself.
    worker_lanes: int | None

    @classmethod
    def _of(cls, message: engine_pb2.Model) -> Model:
        execution = Execution._of(message.execution) if message.HasField("execution") else None
        speed = message.speed.real_time_factor if message.HasField("speed") else None
        usable = message.state in (engine_pb2.MODEL_STATE_AVAILABLE, engine_pb2.MODEL_STATE_LOADED)
        return cls(
            name=message.name, title=message.title, stems=tuple(message.stems), sample_rate=message.sample_rate,
            weights_sha256=message.weights_sha256.hex(), licence=message.licence, usable=usable,
            message=message.message, verified=message.verified, execution=execution,
            real_time_factor=speed, worker_lanes=message.worker_lanes if message.HasField("worker_lanes") else None,
        )
