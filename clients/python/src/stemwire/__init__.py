"""Stemwire from Python: songs in, stems out, while the song is still being sent.

    for chunk in stemwire.separate("song.mp3"):
        print(chunk.stem, chunk.time, chunk.samples.shape)

`Client` does the same with a server of your choice, and everything else; `stemwire.aio.Client` does it in asyncio.
"""
from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, Optional

from . import _song
from .audio import Chunk, Raw, Stem
from .client import Client
from .errors import EngineChangeWarning, SessionCancelled, SessionNotFound, SongError, StemwireError, Unreachable
from .options import Callbacks, Options, SeparateOptions
from .retry import Retry
from .separation import Saved, Separation
from .types import (
    Engine, EngineChange, Execution, Failure, Health, Model, Progress, Session, Source, State, StemInfo, Trial,
)

if TYPE_CHECKING:
    from typing_extensions import Unpack

__all__ = [
    "Callbacks", "Chunk", "Client", "Engine", "EngineChange", "EngineChangeWarning", "Execution", "Failure", "Health",
    "Model", "Options", "Progress", "Raw", "Retry", "Saved", "SeparateOptions", "Separation", "Session", "SessionCancelled",
    "SessionNotFound", "SongError", "Source", "State", "Stem", "StemInfo", "StemwireError", "Trial", "Unreachable", "separate",
    "separate_to",
]

_clients: "dict[tuple[int, str], Client]" = {}
_lock = threading.Lock()


def separate(song: _song.Song, *, server: Optional[str] = None, **options: "Unpack[SeparateOptions]") -> Separation:
    """Sends a song to `server`, by default the variable STEMWIRE_SERVER or http://127.0.0.1:8000.

    Iterate over what this answers to get chunks as they come, or take its `.stems`; see `Client.separate`.
    """
    return _client(server).separate(song, **options)


def separate_to(song: _song.Song, directory: "os.PathLike[str] | str", *, server: Optional[str] = None,
                **options: "Unpack[SeparateOptions]") -> Saved:
    """Separates a song into `directory`/STEM.wav; see `Client.separate_to`."""
    return _client(server).separate_to(song, directory, **options)


def _client(server: Optional[str]) -> Client:
    """One connection to each server; a process that was forked off makes its own."""
    key = (os.getpid(), server or os.environ.get("STEMWIRE_SERVER", ""))
    with _lock:
        if key not in _clients:
            _clients[key] = Client(server)
        return _clients[key]
