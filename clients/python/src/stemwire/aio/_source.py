"""Where a song's bytes come from, without holding up the loop."""
from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator
from typing import Any, Optional, Union

from .. import _song
from ..v1 import separation_service_pb2 as api

Song = Union[_song.Song, AsyncIterable[bytes]]


class AsyncStream(_song.Stream):
    """Bytes that an asynchronous iterator gives once."""

    def __init__(self, pieces: AsyncIterable[bytes]):
        super().__init__(())
        self._coming = aiter(pieces)
        self._next: Optional[asyncio.Future[Any]] = None

    async def aread(self, offset: int) -> bytes:
        """What `read` is for those that do not have to be waited for."""
        try:
            while offset >= self._end:
                coming = self._next = self._next or asyncio.ensure_future(anext(self._coming, None))
                # A call that breaks must not break the iterator; what it gives goes to the next call.
                piece = await asyncio.shield(coming)
                if piece is None:
                    return b""
                # The call before may still wait for the same.
                if self._next is coming:
                    self._next = None
                    self.keep(piece)
            piece = self.kept(offset)
            self._take(offset, piece)
            return piece
        except Exception as error:
            self.failure = error
            raise


def source(song: Song, sample_rate: Optional[int]) -> _song.Source:
    """The source that a song is."""
    return AsyncStream(song) if isinstance(song, AsyncIterable) else _song.source(song, sample_rate)


async def read(source: _song.Source, offset: int) -> bytes:
    """Some bytes from `offset` on; none at the end."""
    # A disk, or whoever fills a pipe, must not hold up the loop.
    return await (source.aread(offset) if isinstance(source, AsyncStream) else asyncio.to_thread(source.read, offset))


async def requests(config: Any, source: _song.Source) -> AsyncIterator[Any]:
    """The request stream of `Separate`, from the byte that its config names."""
    offset = config.upload_offset
    yield api.SeparateRequest(config=config)
    try:
        while piece := await read(source, offset):
            offset += len(piece)
            yield api.SeparateRequest(chunk=piece)
    except Exception:
        # The upload counts as broken off, and `source.failure` says why to whoever waits for its stems.
        return
    if not source.closed:
        yield api.SeparateRequest(finish=api.Finish(total_bytes=offset, sha256=source.sha256(offset)))
