"""One song that is being separated."""
from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, AsyncIterator
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Optional

from .._reception import Reception
from .._wav import WavFolder
from ..audio import Chunk, Stem
from ..separation import Collector, Saved, View
from ..types import Session

if TYPE_CHECKING:
    from .client import Client


class Separation(View, AsyncIterator[Chunk]):
    """A session that is being followed: `async for chunk in separation`, or take the whole."""

    def __init__(self, client: "Client", reception: Reception, events: AsyncGenerator[Optional[Chunk], None]):
        super().__init__(reception)
        self._client, self._events = client, events

    @classmethod
    async def _begun_with(cls, client: "Client", reception: Reception,
                          events: AsyncGenerator[Optional[Chunk], None]) -> "Separation":
        # The session comes first, so that what the server refuses is known at once.
        await anext(events)
        return cls(client, reception, events)

    def __aiter__(self) -> "Separation":
        return self

    async def __anext__(self) -> Chunk:
        self._begun = True
        async for chunk in self._events:
            if chunk is not None:
                return chunk
        raise StopAsyncIteration

    async def stems(self) -> dict[str, Stem]:
        """All stems, whole, as arrays. Cannot be mixed with iterating."""
        self._begin("stems")
        collector = Collector(self._reception)
        async for chunk in self:
            collector.add(chunk)
        return collector.stems()

    async def save(self, directory: "os.PathLike[str] | str") -> Saved:
        """Writes all stems to `directory`/STEM.wav as they come, in the encoding that was asked for."""
        self._begin("save")
        with WavFolder(Path(directory), self._reception.encoding) as folder:
            async for chunk in self:
                await asyncio.to_thread(folder.write, chunk)
            return self._saved(folder.finish())

    async def wait(self) -> Session:
        """Waits for the end without keeping anything; answers the session in its final state."""
        async for _ in self:
            pass
        return self.session

    async def cancel(self) -> None:
        """Ends the session; whoever iterates gets `SessionCancelled`."""
        await self._client.cancel(self.session_id)

    async def close(self) -> None:
        """Leaves the session to what `on_disconnect` says, if it has not ended."""
        await self._events.aclose()

    async def __aenter__(self) -> "Separation":
        return self

    async def __aexit__(self, kind: Optional[type], error: Optional[BaseException],
                        trace: Optional[TracebackType]) -> None:
        await self.close()
