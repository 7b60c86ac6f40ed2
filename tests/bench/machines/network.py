"""Connections that can be cut, delayed and silenced: a plain TCP proxy for each pair of parts."""
from __future__ import annotations

import asyncio
import contextlib
import random
import threading
from collections.abc import Callable

from system.server import free_address

BLOCK = 64 * 1024
# Of the connection to what is behind the proxy.
CONNECT_S = 2.0


class Link:
    """A listening address, from which connections go to one of `targets`, another one each time."""

    def __init__(self, name: tuple[str, str], targets: list[str], loop: asyncio.AbstractEventLoop):
        self.name, self.targets, self.loop = name, targets, loop
        self.address = free_address()
        self.turn = 0
        self.delay_s = 0.0
        self.is_refusing = False
        self.passes = asyncio.Event()
        self.passes.set()
        self.open: set[tuple[asyncio.StreamWriter, asyncio.StreamWriter]] = set()

    def __str__(self) -> str:
        return " - ".join(self.name)

    async def listen(self) -> None:
        host, port = self.address.split(":")
        self.server = await asyncio.start_server(self._accepted, host, int(port), limit=BLOCK)

    async def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # What a silent link is asked for is answered later, or given up by who asks.
        await self.passes.wait()
        opened = None if self.is_refusing else await self._connect()
        if opened is None:
            writer.transport.abort()
            return
        target_reader, target = opened
        both = (writer, target)
        self.open.add(both)
        ways = [asyncio.ensure_future(self._forward(*way)) for way in [(reader, target), (target_reader, writer)]]
        with contextlib.suppress(OSError):
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        for way in ways:
            way.cancel()
        self.open.discard(both)
        for end in both:
            with contextlib.suppress(OSError, RuntimeError):
                end.close()

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
        for _ in self.targets:
            self.turn += 1
            host, port = self.targets[self.turn % len(self.targets)].split(":")
            with contextlib.suppress(OSError, asyncio.TimeoutError):
                opened = await asyncio.wait_for(asyncio.open_connection(host, int(port), limit=BLOCK), CONNECT_S)
                return opened
        return None

    async def _forward(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await source.read(BLOCK):
                if self.delay_s:
                    await asyncio.sleep(self.delay_s)
                await self.passes.wait()
                sink.write(data)
                await sink.drain()

    def cut(self, share: float = 1.0) -> None:
        """Ends connections without a farewell, each with a probability of `share`."""
        self.loop.call_soon_threadsafe(self._cut, share)

    def _cut(self, share: float) -> None:
        for both in list(self.open):
            if random.random() < share:
                for end in both:
                    end.transport.abort()

    def silence(self) -> None:
        """Nothing passes any more, and no connection ends."""
        self.loop.call_soon_threadsafe(self.passes.clear)

    def heal(self) -> None:
        """Everything passes again."""
        self.delay_s, self.is_refusing = 0.0, False
        self.loop.call_soon_threadsafe(self.passes.set)


class Network:
    """All links, in one thread."""

    def __init__(self) -> None:
        self.links: list[Link] = []
        self.loop = asyncio.new_event_loop()
        threading.Thread(target=self.loop.run_forever, daemon=True, name="network").start()

    def link(self, source: str, sink: str, *targets: str) -> Link:
        """A link, which listens when this returns."""
        made: list[Link] = []

        async def make() -> None:
            link = Link((source, sink), list(targets), self.loop)
            await link.listen()
            made.append(link)

        asyncio.run_coroutine_threadsafe(make(), self.loop).result(10)
        self.links += made
        return made[0]

    def between(self, wanted: Callable[[Link], bool]) -> list[Link]:
        """The links that fit."""
        return [link for link in self.links if wanted(link)]
