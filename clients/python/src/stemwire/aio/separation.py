"""A separation in progress."""
from __future__ import annotations

import os
from collections.abc import AsyncGenerator, AsyncIterator
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from .._receiver import Receiver
from .._results import Saved, SessionView, StemCollector
from .._wav import WavFolder
from ..audio import Chunk, Stem
from ..types import Session
from . import _io

if TYPE_CHECKING:
    from .client import Client


class Separation(SessionView, AsyncIterator[Chunk]):
    """A session that is followed: iterate over its chunks as they arrive, or take `stems`, or `save` them.

    Chunks are fetched as fast as they are consumed; a slow consumer delays nothing else and needs no memory. After a
    broken connection the stems continue at the next frame. Closing it before the end (`close`, or leaving `with`)
    leaves the session to its `on_disconnect` option.
    """

    def __init__(self, client: Client, receiver: Receiver, events: AsyncGenerator[Chunk | None, None]):
        super().__init__(receiver)
        self._client, self._events = client, events
        self._stems: dict[str, Stem] | None = None

    @classmethod
    async def _start(
        cls, client: Client, receiver: Receiver, events: AsyncGenerator[Chunk | None, None]
    ) -> Separation:
        # The first message is the session. Waiting for it raises a refusal here, not at the first chunk.
        while not receiver.session_id:
            await anext(events)
        return cls(client, receiver, events)

    def __aiter__(self) -> Separation:
        return self

    async def __anext__(self) -> Chunk:
        self._consumed = True
        async for chunk in self._events:
            if chunk is not None:
                return chunk
        raise StopAsyncIteration

    async def stems(self) -> dict[str, Stem]:
        """Waits for the end and returns all stems as arrays. Cannot be combined with iteration."""
        if self._stems is None:
            self._consume("stems")
            collector = StemCollector(self._receiver)
            async for chunk in self:
                collector.add(chunk)
            self._stems = collector.stems()
        return self._stems

    async def save(self, directory: str | os.PathLike[str]) -> Saved:
        """Writes all stems to `directory`/STEM.wav as they arrive, in the requested encoding."""
        self._consume("save")
        with WavFolder(Path(directory), self._receiver.encoding) as folder:
            async for chunk in self:
                await _io.run_blocking(folder.write, chunk)
            return self._saved(folder.finish())

    async def wait(self) -> Session:
        """Waits for the end, discards the chunks and returns the session in its final state."""
        async for _ in self:
            pass
        return self.session

    async def cancel(self) -> None:
        """Cancels the session; iteration then raises `SessionCancelled`."""
        await self._client.cancel(self.session_id)

    async def close(self) -> None:
        """Stops following the session. If it is still running, the server applies `on_disconnect`."""
        await self._events.aclose()

    async def __aenter__(self) -> Separation:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()
