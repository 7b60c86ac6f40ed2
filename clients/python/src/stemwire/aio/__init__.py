"""The asyncio client: `async with Client(…) as client: separation = await client.separate("song.mp3")`.

It has the methods of `stemwire.Client`; those that wait are awaited.
"""
from .client import Client
from .separation import Separation

__all__ = ["Client", "Separation"]
