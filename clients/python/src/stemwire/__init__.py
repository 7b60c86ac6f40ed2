"""Music source separation with a Stemwire server: stems arrive while the song is still being uploaded.

    for chunk in stemwire.separate("song.mp3"):
        print(chunk.stem, chunk.time, chunk.samples.shape)

`Client` connects to a chosen server and has all other calls; `stemwire.aio.Client` is its asyncio counterpart.
"""
from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

from ._io import AudioInput
from ._results import Saved
from .audio import Chunk, Raw, Stem
from .client import Client
from .errors import EngineChangeWarning, SessionCancelled, SessionNotFound, SongError, StemwireError, Unreachable
from .options import Callbacks, FileOptions, FollowOptions, Options, SeparateOptions
from .retry import Retry
from .separation import Separation
from .types import (
    Cluster,
    Engine,
    EngineChange,
    Execution,
    Failure,
    Health,
    Model,
    Progress,
    Session,
    Source,
    SourceNote,
    SourceNoteKind,
    SourceTags,
    State,
    StemInfo,
    Trial,
    Worker,
)

if TYPE_CHECKING:
    from typing_extensions import Unpack

__all__ = [
    "AudioInput", "Callbacks", "Chunk", "Client", "Cluster", "Engine", "EngineChange", "EngineChangeWarning",
    "Execution", "Failure", "FileOptions", "FollowOptions", "Health", "Model", "Options", "Progress", "Raw", "Retry",
    "Saved", "SeparateOptions", "Separation", "Session", "SessionCancelled", "SessionNotFound", "SongError", "Source",
    "SourceNote", "SourceNoteKind", "SourceTags", "State", "Stem", "StemInfo", "StemwireError", "Trial",
    "Unreachable", "Worker", "separate", "separate_to",
]

_clients: dict[tuple[int, str], Client] = {}
_lock = threading.Lock()


def separate(song: AudioInput, *, server: str | None = None, **options: Unpack[SeparateOptions]) -> Separation:
    """Separates a song on `server`; the default is STEMWIRE_SERVER, then http://127.0.0.1:8000.

    Iterate over the result to get chunks as they arrive, or read its `stems`; see `Client.separate`.
    """
    return _client(server).separate(song, **options)


def separate_to(
    song: AudioInput,
    directory: str | os.PathLike[str],
    *,
    server: str | None = None,
    **options: Unpack[SeparateOptions],
) -> Saved:
    """Separates a song into `directory`/STEM.wav; see `Client.separate_to`."""
    return _client(server).separate_to(song, directory, **options)


def _client(server: str | None) -> Client:
    """The shared client of a server. It is per process, because a gRPC channel does not survive a fork."""
    key = (os.getpid(), server or os.environ.get("STEMWIRE_SERVER", ""))
    with _lock:
        if key not in _clients:
            _clients[key] = Client(server)
        return _clients[key]
