"""The options of a separation: keyword arguments, and the message made of them."""
from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, TypedDict

from .audio import Raw
from .errors import StemwireError
from .types import EngineChange, Progress
from .v1 import config_pb2

ENCODINGS = {"f32": config_pb2.ENCODING_F32LE, "s16": config_pb2.ENCODING_S16LE, "s24": config_pb2.ENCODING_S24LE}
_NORMALIZATIONS = {"streaming": config_pb2.NORMALIZATION_STREAMING, "exact": config_pb2.NORMALIZATION_EXACT}
CHANNELS = {"stereo": config_pb2.OUTPUT_CHANNELS_STEREO, "source": config_pb2.OUTPUT_CHANNELS_SOURCE}
_RATES = {"model": config_pb2.OUTPUT_RATE_MODEL, "source": config_pb2.OUTPUT_RATE_SOURCE}
_ACCOMPANIMENTS = {"sum": config_pb2.ACCOMPANIMENT_SUM, "minus": config_pb2.ACCOMPANIMENT_MINUS}
_EXTENSIONS = {"average": config_pb2.MASK_EXTENSION_AVERAGE, "zeros": config_pb2.MASK_EXTENSION_ZEROS}
_QUALITIES = {
    "": config_pb2.QUALITY_UNSPECIFIED,
    "fast": config_pb2.QUALITY_FAST,
    "balanced": config_pb2.QUALITY_BALANCED,
    "best": config_pb2.QUALITY_BEST,
}
_DISCONNECTS = {
    "pause": config_pb2.ON_DISCONNECT_PAUSE,
    "continue": config_pb2.ON_DISCONNECT_CONTINUE,
    "cancel": config_pb2.ON_DISCONNECT_CANCEL,
}


class Options(TypedDict, total=False):
    """The options of a session. All are optional."""

    #: The model's name; by default the server chooses.
    model: str
    #: What counts in the choice of the model among those on the server, in place of `model`.
    quality: Literal["fast", "balanced", "best"]
    #: Several models as one, in place of `model`, such as "vocals=melband-kim,rest=scnet-large".
    ensemble: str
    #: The stems to make, such as ["vocals", "accompaniment"] or ["drums", "no_drums"]; by default all of the model.
    stems: Sequence[str]
    #: "streaming" (the default) starts at once; "exact" waits for the whole upload, as the reference does.
    normalization: Literal["streaming", "exact"]
    #: Whether another engine may continue when one fails; True by default. Every change is reported.
    allow_fallback: bool
    #: The overlap of neighbouring segments as a share of a segment, 0 to 0.9; by default the model's.
    overlap: float
    #: What "accompaniment" and "no_drums" are: the sum of the other stems (the default), or the mixture minus the stem.
    accompaniment: Literal["sum", "minus"]
    #: Spleeter's masks above 11 kHz: their average below (the default), or zero.
    mask_extension: Literal["average", "zeros"]
    #: The encoding of samples in transit, "f32" by default; the integer encodings are smaller and may clip.
    encoding: Literal["f32", "s16", "s24"]
    #: Whether stems have the model's sample rate (the default) or the song's.
    rate: Literal["model", "source"]
    #: Whether stems have two channels (the default), or one where the song has one: the mean of both.
    channels: Literal["stereo", "source"]
    #: A factor for every sample, the same for all stems.
    gain: float
    #: Where the part of the song begins that is separated, in seconds; its stems begin there.
    start_s: float
    #: Where that part ends; by default at the end of the song.
    end_s: float
    #: The audio track of a file with several, such as a film, counted from 1; by default the first.
    track: int
    #: The format of an upload without a header. For an array, pass `sample_rate` instead.
    raw: Raw
    #: Frames per second of a song that is an array.
    sample_rate: int
    #: The song's name, for display.
    file_name: str
    #: A UUID that identifies the session: a later call with it and the same options continues the session.
    request_id: str
    #: What the server does with the session when this client disconnects; "pause" by default.
    on_disconnect: Literal["pause", "continue", "cancel"]


class FileOptions(TypedDict, total=False):
    """The options of a file. All are optional."""

    #: Such as "wav-s16" (the default), "wav-f32", "flac", "mp3" or "opus"; docs/API.md lists all.
    format: str
    #: Whether one gain for all stems prevents the format from clipping; False by default.
    fit: bool
    #: The bitrate of lossy formats, in kbit/s.
    bitrate: int
    #: Whether it has the channels of the session (the default), two, or one where the song has one.
    channels: Literal["stereo", "source"]


class Callbacks(TypedDict, total=False):
    """The callbacks of a separation. They run between two chunks, in the code that reads them."""

    #: Called with each `Progress`, at least every five seconds.
    on_progress: Callable[[Progress], object]
    #: Called when another engine continues the session. Without it, that is an `EngineChangeWarning`.
    on_engine_change: Callable[[EngineChange], object]
    #: Called with the error and the seconds until the next attempt, after a call failed.
    on_reconnect: Callable[[StemwireError, float], object]


class FollowOptions(Callbacks, total=False):
    """How a session is followed. All are optional."""

    #: Seconds until the last chunk, from now on; then the error is DEADLINE_EXCEEDED, and `on_disconnect` applies.
    time_limit: float


class SeparateOptions(Options, FollowOptions, total=False):
    """All keyword arguments of a separation."""


def split_arguments(arguments: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Returns the options of a session, and those of following it."""
    unknown = arguments.keys() - SeparateOptions.__annotations__.keys()
    if unknown:
        raise TypeError(f"unknown option {', '.join(sorted(unknown))}. See stemwire.SeparateOptions.")
    following = {name: value for name, value in arguments.items() if name in FollowOptions.__annotations__}
    return {name: value for name, value in arguments.items() if name not in following}, following


def follow_options_only(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The options of following a session that exists already and takes no others."""
    options, following = split_arguments(arguments)
    if options:
        raise TypeError(f"{', '.join(sorted(options))} cannot be changed for an existing session")
    return following


def build_config(
    options: Mapping[str, Any], file_name: str = "", raw: Raw | None = None
) -> config_pb2.SeparationConfig:
    """Converts options to the message; `file_name` and `raw` are those of the upload itself."""
    raw = options.get("raw") or raw
    config = config_pb2.SeparationConfig(
        model=options.get("model", ""),
        quality=_choice(_QUALITIES, options, "quality", ""),
        ensemble=options.get("ensemble", ""),
        stems=_names(options.get("stems", ())),
        normalization=_choice(_NORMALIZATIONS, options, "normalization", "streaming"),
        accompaniment=_choice(_ACCOMPANIMENTS, options, "accompaniment", "sum"),
        mask_extension=_choice(_EXTENSIONS, options, "mask_extension", "average"),
        on_disconnect=_choice(_DISCONNECTS, options, "on_disconnect", "pause"),
        allow_fallback=options.get("allow_fallback", True),
        request_id=options.get("request_id") or str(uuid.uuid4()),
        file_name=options.get("file_name", file_name),
        start_s=options.get("start_s", 0.0),
        end_s=options.get("end_s"),
        track=options.get("track", 0),
        output=config_pb2.OutputFormat(
            encoding=_choice(ENCODINGS, options, "encoding", "f32"),
            rate=_choice(_RATES, options, "rate", "model"),
            gain=options.get("gain", 1.0),
            channels=_choice(CHANNELS, options, "channels", "stereo"),
        ),
    )
    if "overlap" in options:
        config.overlap = options["overlap"]
    if raw is not None:
        encoding = _choice(ENCODINGS, {"raw.encoding": raw.encoding}, "raw.encoding", "")
        pcm = config_pb2.RawPcm(encoding=encoding, sample_rate=raw.sample_rate, channels=raw.channels)
        config.input.CopyFrom(pcm)
    return config


def _names(stems: str | Sequence[str]) -> list[str]:
    # A string is a sequence of strings, too.
    return [stems] if isinstance(stems, str) else list(stems)


def _choice(values: Mapping[str, Any], options: Mapping[str, Any], name: str, default: str) -> Any:
    value = options.get(name, default)
    if value not in values:
        raise ValueError(f"{name} is {value!r}, not one of {', '.join(values)}")
    return values[value]
