"""What to do with a song, as keyword arguments and as the message that they make."""
from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, Optional, TypedDict

from .audio import Raw
from .errors import StemwireError
from .types import EngineChange, Progress
from .v1 import config_pb2

ENCODINGS = {"f32": config_pb2.ENCODING_F32LE, "s16": config_pb2.ENCODING_S16LE, "s24": config_pb2.ENCODING_S24LE}
_NORMALIZATIONS = {"streaming": config_pb2.NORMALIZATION_STREAMING, "exact": config_pb2.NORMALIZATION_EXACT}
_RATES = {"model": config_pb2.OUTPUT_RATE_MODEL, "source": config_pb2.OUTPUT_RATE_SOURCE}
_ACCOMPANIMENTS = {"sum": config_pb2.ACCOMPANIMENT_SUM, "minus": config_pb2.ACCOMPANIMENT_MINUS}
_EXTENSIONS = {"average": config_pb2.MASK_EXTENSION_AVERAGE, "zeros": config_pb2.MASK_EXTENSION_ZEROS}
_DISCONNECTS = {
    "pause": config_pb2.ON_DISCONNECT_PAUSE,
    "continue": config_pb2.ON_DISCONNECT_CONTINUE,
    "cancel": config_pb2.ON_DISCONNECT_CANCEL,
}


class Options(TypedDict, total=False):
    """What to do with a song. All may be left out."""

    #: The model's name; by default the server chooses.
    model: str
    #: The stems wanted, such as ["vocals", "accompaniment"]; by default all that the model has.
    stems: Sequence[str]
    #: "exact" waits for the whole upload and computes as the reference does; "streaming" starts at once.
    normalization: Literal["streaming", "exact"]
    #: Whether another engine may go on where one fails; True by default, and told each time it happens.
    allow_fallback: bool
    #: How much of a segment overlaps the next, 0 to 0.9.
    overlap: float
    #: What "accompaniment" is: the sum of the other stems, or the mixture minus the vocals.
    accompaniment: Literal["sum", "minus"]
    #: What masks of Spleeter's kind are worth above 11 kHz.
    mask_extension: Literal["average", "zeros"]
    #: How samples are sent: "f32" by default; the others are smaller and may clip.
    encoding: Literal["f32", "s16", "s24"]
    #: Whether stems have the model's sample rate or the song's.
    rate: Literal["model", "source"]
    #: Multiplies every sample, the same for all stems.
    gain: float
    #: The form of an upload without a header. An array needs `sample_rate` instead.
    raw: Raw
    #: Frames per second of a song that is an array.
    sample_rate: int
    #: The song's name, to be shown to people.
    file_name: str
    #: A UUID that names the session, so that a later call with it and the same options goes on with it.
    request_id: str
    #: What becomes of the session when this client goes away: "pause" by default.
    on_disconnect: Literal["pause", "continue", "cancel"]


class Callbacks(TypedDict, total=False):
    """Who is told what happens. They are called where the stems are read, between two chunks."""

    #: Called with each `Progress`, at least every five seconds.
    on_progress: Callable[[Progress], object]
    #: Called when another engine takes over; without it that is a warning.
    on_engine_change: Callable[[EngineChange], object]
    #: Called with the error and the seconds until the next try when a connection broke.
    on_reconnect: Callable[[StemwireError, float], object]


class SeparateOptions(Options, Callbacks, total=False):
    """All keyword arguments of a separation."""


def split(arguments: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """(options, callbacks) of keyword arguments."""
    unknown = arguments.keys() - SeparateOptions.__annotations__.keys()
    if unknown:
        raise TypeError(f"there is no option {', '.join(sorted(unknown))}; see stemwire.Options")
    callbacks = {name: value for name, value in arguments.items() if name in Callbacks.__annotations__}
    return {name: value for name, value in arguments.items() if name not in callbacks}, callbacks


def callbacks(arguments: dict[str, Any]) -> dict[str, Any]:
    """Callbacks, where nothing else may be given."""
    given, callbacks = split(arguments)
    if given:
        raise TypeError(f"{', '.join(sorted(given))} cannot be chosen for a session that is there already")
    return callbacks


def config(options: dict[str, Any], label: str = "", raw: Optional[Raw] = None) -> config_pb2.SeparationConfig:
    """The message that options make; `label` and `raw` are what the song itself says."""
    raw = options.get("raw") or raw
    made = config_pb2.SeparationConfig(
        model=options.get("model", ""),
        stems=_names(options.get("stems", ())),
        normalization=_choice(_NORMALIZATIONS, options, "normalization", "streaming"),
        accompaniment=_choice(_ACCOMPANIMENTS, options, "accompaniment", "sum"),
        mask_extension=_choice(_EXTENSIONS, options, "mask_extension", "average"),
        on_disconnect=_choice(_DISCONNECTS, options, "on_disconnect", "pause"),
        allow_fallback=options.get("allow_fallback", True),
        request_id=options.get("request_id") or str(uuid.uuid4()),
        file_name=options.get("file_name", label),
        output=config_pb2.OutputFormat(
            encoding=_choice(ENCODINGS, options, "encoding", "f32"),
            rate=_choice(_RATES, options, "rate", "model"),
            gain=options.get("gain", 1.0),
        ),
    )
    if "overlap" in options:
        made.overlap = options["overlap"]
    if raw is not None:
        encoding = _choice(ENCODINGS, {"raw.encoding": raw.encoding}, "raw.encoding", "")
        form = config_pb2.RawPcm(encoding=encoding, sample_rate=raw.sample_rate, channels=raw.channels)
        made.input.CopyFrom(form)
    return made


def _names(stems: Any) -> list[str]:
    # A string is a sequence of strings, too.
    return [stems] if isinstance(stems, str) else list(stems)


def _choice(table: Mapping[str, Any], options: dict[str, Any], name: str, default: str) -> Any:
    value = options.get(name, default)
    if value not in table:
        raise ValueError(f"{name} is {value!r}; it must be one of {', '.join(table)}")
    return table[value]
