"""The client for asyncio: `async with Client(…) as client: separation = await client.separate("song.mp3")`.

It is `stemwire.Client` with `await` where that waits; what is said there holds here.
"""
from .client import Client
from .separation import Separation

__all__ = ["Client", "Separation"]
