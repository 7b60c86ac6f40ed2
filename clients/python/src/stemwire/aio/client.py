"""A connection to one server."""
from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Optional, TypeVar

import grpc
import grpc.aio

from .. import _song, errors, options as _options
from .._channel import OPTIONS, Address, Authority, address
from .._reception import Reception
from ..audio import Chunk
from ..retry import Patience, Retry
from ..separation import Saved
from ..types import Health, Model, Session
from ..v1 import separation_service_pb2 as api, separation_service_pb2_grpc as service
from ._source import Song, read, requests, source as source_of
from .separation import Separation

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from ..options import Callbacks, Options, SeparateOptions

T = TypeVar("T")


class Client:
    """A connection to one server, for one event loop; the arguments are those of `stemwire.Client`."""

    def __init__(self, server: Optional[str] = None, *, token: Optional[str] = None, ca: Optional[Authority] = None,
                 retry: Retry = Retry(), timeout: float = 30.0):
        self._address: Address = address(server, token, ca)
        self._retry, self._timeout = retry, timeout
        target, credentials = self._address.target, self._address.credentials
        self._channel = (grpc.aio.secure_channel(target, credentials, OPTIONS) if credentials
                         else grpc.aio.insecure_channel(target, OPTIONS))
        self._stub: Any = service.SeparationServiceStub(self._channel)
        self._answered = False

    async def separate(self, song: Song, **arguments: "Unpack[SeparateOptions]") -> "Separation":
        """Sends a song, which may also be an asynchronous iterator; answers once the server has taken it."""
        given, callbacks = _options.split(dict(arguments))
        source = source_of(song, given.get("sample_rate"))
        try:
            config = _options.config(given, source.label, source.raw)
            encoding, gain = given.get("encoding", "f32"), given.get("gain", 1.0)
            reception = Reception(encoding, gain=gain, callbacks=callbacks)
            events = self._separate(config, source, reception, "request_id" in given)
            return await Separation._begun_with(self, reception, events)
        except BaseException:
            source.close()
            raise

    async def separate_to(self, song: Song, directory: "os.PathLike[str] | str",
                          **arguments: "Unpack[SeparateOptions]") -> Saved:
        """Separates a song into `directory`/STEM.wav, however long it is, with little memory."""
        async with await self.separate(song, **arguments) as separation:
            return await separation.save(directory)

    async def watch(self, session_id: str, *, stems: Sequence[str] = (), start_frame: int = 0,
                    encoding: Literal["f32", "s16", "s24"] = "f32", gain: float = 1.0,
                    **callbacks: "Unpack[Callbacks]") -> "Separation":
        """Follows a session that is there already: its stems from `start_frame` on, and its progress."""
        told = _options.callbacks(dict(callbacks))
        reception = Reception(encoding, stems=stems, start_frame=start_frame, gain=gain, callbacks=told)
        return await Separation._begun_with(self, reception, self._watch(session_id, reception, gain))

    async def stem(self, session_id: str, name: str, *, start_frame: int = 0, frame_count: int = 0,
                   encoding: Literal["f32", "s16", "s24"] = "f32", gain: float = 1.0) -> AsyncIterator[Chunk]:
        """Reads one stem from any frame on, waiting for frames that are not done yet."""
        rate = await self._sample_rate(session_id)
        position, end = start_frame, start_frame + frame_count

        async def attempt() -> AsyncGenerator[Chunk, None]:
            nonlocal position, rate
            if frame_count and position >= end:
                return
            left = end - position if frame_count else 0
            request = api.GetStemRequest(session_id=session_id, stem=name, start_frame=position, frame_count=left,
                                         encoding=_options.ENCODINGS[encoding], gain=gain)
            async with aclosing(self._stream(self._stub.GetStem, request)) as answers:
                async for answer in answers:
                    # Nothing is decoded where nothing is known of the rate, so it is known by now.
                    rate = rate or await self._sample_rate(session_id)
                    said = answer.chunk
                    chunk = Chunk(name, said.start_frame, rate, said.pcm, encoding, said.clipped_samples)
                    position = said.start_frame + chunk.frames
                    yield chunk

        async with aclosing(self._persist(attempt, lambda: (0, position))) as chunks:
            async for chunk in chunks:
                yield chunk

    async def session(self, session_id: str) -> Session:
        """A session as it is now."""
        return Session._of((await self._call("GetSession", api.GetSessionRequest(session_id=session_id))).session)

    async def sessions(self, page_size: int = 50) -> AsyncIterator[Session]:
        """All sessions, newest first."""
        token = ""
        while True:
            page = await self._call("ListSessions", api.ListSessionsRequest(page_size=page_size, page_token=token))
            for session in page.sessions:
                yield Session._of(session)
            token = page.next_page_token
            if not token:
                return

    async def cancel(self, session_id: str) -> Session:
        """Ends a session; what is done of its stems stays readable."""
        return Session._of((await self._call("CancelSession", api.CancelSessionRequest(session_id=session_id))).session)

    async def delete(self, session_id: str) -> None:
        """Removes a session and its files; a running one is cancelled first."""
        await self._call("DeleteSession", api.DeleteSessionRequest(session_id=session_id))

    async def models(self) -> list[Model]:
        """The models that a session may name, those that the server takes by itself first."""
        return [Model._of(model) for model in (await self._call("ListModels", api.ListModelsRequest())).models]

    async def health(self) -> Health:
        """Whether the server takes work, and how much of it there is."""
        return Health._of(await self._call("Health", api.HealthRequest()))

    async def create_session(self, **options: "Unpack[Options]") -> Session:
        """Opens a session that is to be filled with `upload` and followed with `watch`."""
        given, _ = _options.split(dict(options))
        request = api.CreateSessionRequest(config=_options.config(given))
        return Session._of((await self._call("CreateSession", request)).session)

    async def upload(self, session_id: str, song: Song, *, sample_rate: Optional[int] = None) -> Session:
        """Sends what a session lacks of its song, in steps, and says that it is complete."""
        source = source_of(song, sample_rate)
        try:
            offset = (await self.session(session_id)).committed_bytes
            while piece := await read(source, offset):
                offset = await self.upload_chunk(session_id, offset, piece)
            finish = api.Finish(total_bytes=offset, sha256=source.sha256(offset))
            request = api.FinishUploadRequest(session_id=session_id, finish=finish)
            return Session._of((await self._call("FinishUpload", request)).session)
        finally:
            source.close()

    async def upload_chunk(self, session_id: str, offset: int, data: bytes) -> int:
        """Adds bytes to an upload, 1 MiB at most; answers how many it has now."""
        request = api.UploadChunkRequest(session_id=session_id, offset=offset, data=data)
        return int((await self._call("UploadChunk", request)).committed_bytes)

    async def close(self) -> None:
        """Ends all calls and the connection."""
        await self._channel.close()

    async def __aenter__(self) -> "Client":
        return self

    async def __aexit__(self, kind: Optional[type], error: Optional[BaseException],
                        trace: Optional[TracebackType]) -> None:
        await self.close()

    async def _separate(self, config: Any, source: _song.Source, reception: Reception,
                        known: bool) -> AsyncGenerator[Optional[Chunk], None]:
        async def attempt() -> AsyncGenerator[Optional[Chunk], None]:
            if known or reception.session_id:
                held = (await self._once("CreateSession", api.CreateSessionRequest(config=config))).session
                reception.take_session(held)
                config.upload_offset, config.start_frame = held.committed_bytes, reception.frames
            call = self._stream(self._stub.Separate, requests(config, source))
            async with aclosing(self._receive(call, reception)) as chunks:
                async for chunk in chunks:
                    yield chunk

        try:
            async with aclosing(self._persist(attempt, lambda: reception.mark, reception, source)) as chunks:
                async for chunk in chunks:
                    yield chunk
        finally:
            source.close()

    def _watch(self, session_id: str, reception: Reception, gain: float) -> AsyncGenerator[Optional[Chunk], None]:
        async def attempt() -> AsyncGenerator[Optional[Chunk], None]:
            if not reception.stems:
                request = api.GetSessionRequest(session_id=session_id)
                reception.take_session((await self._once("GetSession", request)).session)
            cursors = [api.StemCursor(stem=name, start_frame=reception.held(name)) for name in reception.stems]
            request = api.WatchSessionRequest(session_id=session_id, stems=cursors, gain=gain,
                                              encoding=_options.ENCODINGS[reception.encoding])
            async with aclosing(self._receive(self._stream(self._stub.WatchSession, request), reception)) as chunks:
                async for chunk in chunks:
                    yield chunk

        return self._persist(attempt, lambda: reception.mark, reception)

    async def _receive(self, call: AsyncGenerator[Any, None],
                       reception: Reception) -> AsyncGenerator[Optional[Chunk], None]:
        async with aclosing(call) as messages:
            async for message in messages:
                said = reception.take(message)
                if said is None:
                    yield None
                    continue
                if not reception.sample_rate:
                    # It was not known when the session was told; it is since something was decoded.
                    request = api.GetSessionRequest(session_id=reception.session_id)
                    reception.take_session((await self._once("GetSession", request)).session)
                yield reception.chunk(said)
        if not reception.is_done:
            raise errors.nonsense("it ends without a result")

    async def _stream(self, method: Callable[..., Any], request: Any) -> AsyncGenerator[Any, None]:
        call = method(request, metadata=self._address.metadata)
        try:
            async for answer in call:
                self._answered = True
                yield answer
        finally:
            call.cancel()

    async def _persist(self, attempt: Callable[[], AsyncGenerator[T, None]], mark: Callable[[], tuple[int, int]],
                       reception: Optional[Reception] = None,
                       source: Optional[_song.Source] = None) -> AsyncGenerator[T, None]:
        patience = Patience(self._retry)
        while True:
            try:
                async with aclosing(attempt()) as items:
                    async for item in items:
                        yield item
                return
            except (grpc.RpcError, errors.StemwireError) as broken:
                # A song that cannot be read breaks its upload off: what reading said is the cause.
                if source and source.failure:
                    raise source.failure from None
                error = self._error(broken)
            pause = patience.pause(error, mark(), self._answered)
            if pause is None:
                raise error
            if reception:
                reception.reconnecting(error, pause)
            await asyncio.sleep(pause)

    async def _call(self, method: str, request: Any) -> Any:
        patience = Patience(self._retry)
        while True:
            try:
                return await self._once(method, request)
            except errors.StemwireError as error:
                pause = patience.pause(error, (0, 0), self._answered)
                if pause is None:
                    raise
            await asyncio.sleep(pause)

    async def _once(self, method: str, request: Any) -> Any:
        call = getattr(self._stub, method)
        try:
            answer = await call(request, timeout=self._timeout, metadata=self._address.metadata)
        except grpc.RpcError as broken:
            raise self._error(broken) from None
        self._answered = True
        return answer

    def _error(self, broken: Exception) -> errors.StemwireError:
        error = errors.of_rpc(broken, self._address.url) if isinstance(broken, grpc.RpcError) else broken
        assert isinstance(error, errors.StemwireError), "these two are all that is caught"
        self._answered = self._answered or bool(error.reason)
        return error

    async def _sample_rate(self, session_id: str) -> int:
        source = (await self.session(session_id)).source
        return source.output_sample_rate if source else 0
