"""The song of a session, as the server found it."""
from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass

from ..v1 import session_pb2


class SourceNoteKind(enum.IntEnum):
    """Kinds of `SourceNote`. `Session` leaves out kinds of later servers."""

    #: Resampled from the song's rate to the model's, in Hz.
    RESAMPLED = 1
    #: What lies between the frequencies `after` and `before`, in Hz, is lost: half the rates of model and song.
    BAND_LOST = 2
    #: The one channel was copied to both sides.
    MONO_COPIED = 3
    #: More than two channels were mixed by the matrix of ITU-R BS.775, without low frequency effects.
    DOWNMIXED = 4
    #: Frames that damage or gaps replaced by silence.
    FRAMES_SILENCED = 5
    #: Packets that could not be decoded.
    PACKETS_DAMAGED = 6
    #: Positions at which packets are missing.
    GAPS_FILLED = 7
    #: Samples that were not finite and became silence.
    SAMPLES_INVALID = 8
    #: Bytes that are neither audio nor a known tag.
    BYTES_SKIPPED = 9
    #: Concatenated streams that were skipped because their header is broken.
    STREAMS_SKIPPED = 10
    #: Frames that headers state but the song does not hold.
    FRAMES_MISSING = 11
    #: The song's file has `count` audio tracks, of which that of the number `after` is separated.
    TRACK_CHOSEN = 12
    #: A live source was cut after so many seconds, at the limit of the server.
    LIVE_CUT = 13
    #: The cover picture is in no file: it is too large, broken, or neither JPEG nor PNG.
    COVER_LEFT_OUT = 14


@dataclass(frozen=True)
class SourceNote:
    """One way in which the audio that is separated differs from the song."""

    kind: SourceNoteKind
    #: The value in the song, in Hz or channels; 0 where the kind has none.
    before: int
    #: The value in what is separated; 0 where the kind has none.
    after: int
    #: How many, where the kind is counted.
    count: int
    #: How it was done, where the kind can be done in several ways: "ITU-R BS.775" for `DOWNMIXED`; else empty.
    method: str

    @classmethod
    def _of_all(cls, messages: Iterable[session_pb2.SourceNote]) -> tuple[SourceNote, ...]:
        known = {int(kind) for kind in SourceNoteKind}
        return tuple(
            cls(SourceNoteKind(message.kind), getattr(message, "from"), message.to, message.count, message.method)
            for message in messages if int(message.kind) in known
        )


@dataclass(frozen=True)
class SourceTags:
    """The tags of a song: texts of at most 256 characters without control characters, empty where there is none."""

    title: str
    artist: str
    album: str
    #: 0 where there is none.
    track_number: int
    #: As tagged, usually a year or YYYY-MM-DD.
    date: str
    genre: str
    album_artist: str = ""
    #: Beats per minute; 0 where there is none.
    bpm: float = 0.0
    #: As tagged, such as "Am" or "8A".
    key: str = ""
    comment: str = ""

    @classmethod
    def _of(cls, message: session_pb2.SourceTags) -> SourceTags:
        return cls(
            message.title,
            message.artist,
            message.album,
            message.track_number,
            message.date,
            message.genre,
            message.album_artist,
            message.bpm,
            message.key,
            message.comment,
        )


@dataclass(frozen=True)
class Source:
    """The detected format of an upload, its tags, and what was converted or lost."""

    #: Such as "mp3", "flac", "raw".
    container: str
    #: Such as "mp3", "aac", "pcm_s16le".
    codec: str
    sample_rate: int
    channels: int
    #: Frames at `sample_rate`; 0 until known.
    frames: int
    #: Frames that could not be decoded and were replaced by silence.
    damaged_frames: int
    #: The frames per second of the stems.
    output_sample_rate: int
    #: The program that decoded it, with its version, such as "ffmpeg 7.0.2"; empty if the server did.
    decoder: str
    #: The length of the song; 0 until known.
    duration_seconds: float
    #: What was converted, downmixed or lost; complete once the song is decoded.
    notes: tuple[SourceNote, ...]
    #: Tags; those at the end of a file once the song is decoded.
    tags: SourceTags

    @classmethod
    def _of(cls, message: session_pb2.Source) -> Source:
        return cls(
            container=message.container, codec=message.codec, sample_rate=message.sample_rate,
            channels=message.channels, frames=message.frames, damaged_frames=message.damaged_frames,
            output_sample_rate=message.output_sample_rate, decoder=message.decoder,
            duration_seconds=message.duration_seconds, notes=SourceNote._of_all(message.notes),
            tags=SourceTags._of(message.tags),
        )
