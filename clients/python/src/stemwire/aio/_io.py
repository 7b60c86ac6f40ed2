"""The asyncio side of what cannot be translated; `../_io.py` is its blocking counterpart."""
from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable

import grpc
import grpc.aio

from .. import _upload
from .._channel import OPTIONS, Address

AudioInput = _upload.AudioInput | AsyncIterable[bytes]
run_blocking = asyncio.to_thread
sleep = asyncio.sleep


class AsyncStreamUpload(_upload.StreamUpload):
    """The pieces of an asynchronous iterable, which can be read once."""

    def __init__(self, pieces: AsyncIterable[bytes]):
        super().__init__(())
        self._async_pieces = aiter(pieces)
        self._pending: asyncio.Future[bytes | None] | None = None

    async def aread(self, offset: int) -> bytes:
        """The asynchronous `read`."""
        try:
            while offset >= self._end:
                pending = self._pending = self._pending or asyncio.ensure_future(anext(self._async_pieces, None))
                # A cancelled call must not cancel the iterator: the next call needs the same piece.
                piece = await asyncio.shield(pending)
                if piece is None:
                    return b""
                # An earlier call may have waited for this piece, too, and kept it already.
                if self._pending is pending:
                    self._pending = None
                    self._keep(piece)
            piece = self._replay(offset)
            self._update_hash(offset, piece)
            return piece
        except Exception as error:
            self.failure = error
            raise


def open_channel(address: Address) -> grpc.aio.Channel:
    """Opens a channel, which connects on its first call."""
    if address.credentials:
        return grpc.aio.secure_channel(address.target, address.credentials, OPTIONS)
    return grpc.aio.insecure_channel(address.target, OPTIONS)


def open_upload(song: AudioInput, sample_rate: int | None = None) -> _upload.Upload:
    """Opens whatever the blocking client takes, or an asynchronous iterable of bytes."""
    return AsyncStreamUpload(song) if isinstance(song, AsyncIterable) else _upload.open_upload(song, sample_rate)


async def read(upload: _upload.Upload, offset: int) -> bytes:
    """Up to `CHUNK_BYTES` from `offset`; empty at the end."""
    if isinstance(upload, AsyncStreamUpload):
        return await upload.aread(offset)
    # Reading a disk or a pipe must not block the event loop.
    return await asyncio.to_thread(upload.read, offset)
