"""The client for programs that wait: `with Client(…) as client: client.separate("song.mp3")`."""
from __future__ import annotations

import os
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Optional, TypeVar

import grpc

from . import _song, errors, options as _options
from ._channel import OPTIONS, Address, Authority, address
from ._reception import Reception
from .audio import Chunk
from .retry import Patience, Retry
from .separation import Saved, Separation
from .types import Health, Model, Session
from .v1 import separation_service_pb2 as api, separation_service_pb2_grpc as service

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from .options import Callbacks, Options, SeparateOptions

T = TypeVar("T")


class Client:
    """A connection to one server, made when it is first needed. Any number of threads may use it.

    `server` is http://HOST:PORT or https://HOST:PORT, by default the variable STEMWIRE_SERVER or
    http://127.0.0.1:8000; `token` (STEMWIRE_TOKEN) is sent as bearer token; `ca` (STEMWIRE_TLS_CA) is the
    authority that has signed the server's certificate, a path or PEM as bytes. `timeout` is how many seconds one
    short call may take; streams have no limit.
    """

    def __init__(self, server: Optional[str] = None, *, token: Optional[str] = None, ca: Optional[Authority] = None,
                 retry: Retry = Retry(), timeout: float = 30.0):
        self._address: Address = address(server, token, ca)
        self._retry, self._timeout = retry, timeout
        target, credentials = self._address.target, self._address.credentials
        self._channel = (grpc.secure_channel(target, credentials, OPTIONS) if credentials
                         else grpc.insecure_channel(target, OPTIONS))
        self._stub: Any = service.SeparationServiceStub(self._channel)
        self._answered = False

    def separate(self, song: _song.Song, **arguments: "Unpack[SeparateOptions]") -> Separation:
        """Sends a song, and answers once the server has taken it.

        A song is a path, bytes, a file, an iterator of bytes, or an array of samples with `sample_rate`. The stems
        come while the song is still being sent: iterate over what this answers, or take `.stems`, or `.save(…)`.
        """
        given, callbacks = _options.split(dict(arguments))
        source = _song.source(song, given.get("sample_rate"))
        try:
            config = _options.config(given, source.label, source.raw)
            encoding, gain = given.get("encoding", "f32"), given.get("gain", 1.0)
            reception = Reception(encoding, gain=gain, callbacks=callbacks)
            # Only who chose the name may have used it before.
            known = "request_id" in given
            return Separation(self, reception, self._separate(config, source, reception, known))
        except BaseException:
            source.close()
            raise

    def separate_to(self, song: _song.Song, directory: "os.PathLike[str] | str",
                    **arguments: "Unpack[SeparateOptions]") -> Saved:
        """Separates a song into `directory`/STEM.wav, however long it is, with little memory.

        The files appear when all are whole; those of the same names are replaced.
        """
        with self.separate(song, **arguments) as separation:
            return separation.save(directory)

    def watch(self, session_id: str, *, stems: Sequence[str] = (), start_frame: int = 0,
              encoding: Literal["f32", "s16", "s24"] = "f32", gain: float = 1.0,
              **callbacks: "Unpack[Callbacks]") -> Separation:
        """Follows a session that is there already: its stems from `start_frame` on, and its progress.

        A session that rests goes on if its upload is complete; else it waits for the rest (see `upload`).
        """
        told = _options.callbacks(dict(callbacks))
        reception = Reception(encoding, stems=stems, start_frame=start_frame, gain=gain, callbacks=told)
        return Separation(self, reception, self._watch(session_id, reception, gain))

    def stem(self, session_id: str, name: str, *, start_frame: int = 0, frame_count: int = 0,
             encoding: Literal["f32", "s16", "s24"] = "f32", gain: float = 1.0) -> Iterator[Chunk]:
        """Reads one stem from any frame on, waiting for frames that are not done yet.

        `frame_count` 0 reads to the end. A session that failed ends this with its error, after what it has.
        """
        rate = self._sample_rate(session_id)
        position, end = start_frame, start_frame + frame_count

        def attempt() -> Iterator[Chunk]:
            nonlocal position, rate
            if frame_count and position >= end:
                return
            left = end - position if frame_count else 0
            request = api.GetStemRequest(session_id=session_id, stem=name, start_frame=position, frame_count=left,
                                         encoding=_options.ENCODINGS[encoding], gain=gain)
            for answer in self._stream(self._stub.GetStem, request):
                # Nothing is decoded where nothing is known of the rate, so it is known by now.
                rate = rate or self._sample_rate(session_id)
                said = answer.chunk
                chunk = Chunk(name, said.start_frame, rate, said.pcm, encoding, said.clipped_samples)
                position = said.start_frame + chunk.frames
                yield chunk

        return self._persist(attempt, lambda: (0, position))

    def session(self, session_id: str) -> Session:
        """A session as it is now."""
        return Session._of(self._call("GetSession", api.GetSessionRequest(session_id=session_id)).session)

    def sessions(self, page_size: int = 50) -> Iterator[Session]:
        """All sessions, newest first."""
        token = ""
        while True:
            page = self._call("ListSessions", api.ListSessionsRequest(page_size=page_size, page_token=token))
            yield from map(Session._of, page.sessions)
            token = page.next_page_token
            if not token:
                return

    def cancel(self, session_id: str) -> Session:
        """Ends a session; what is done of its stems stays readable."""
        return Session._of(self._call("CancelSession", api.CancelSessionRequest(session_id=session_id)).session)

    def delete(self, session_id: str) -> None:
        """Removes a session and its files; a running one is cancelled first."""
        self._call("DeleteSession", api.DeleteSessionRequest(session_id=session_id))

    def models(self) -> list[Model]:
        """The models that a session may name, those that the server takes by itself first."""
        return [Model._of(model) for model in self._call("ListModels", api.ListModelsRequest()).models]

    def health(self) -> Health:
        """Whether the server takes work, and how much of it there is."""
        return Health._of(self._call("Health", api.HealthRequest()))

    def create_session(self, **options: "Unpack[Options]") -> Session:
        """Opens a session that is to be filled with `upload` and followed with `watch`."""
        given, _ = _options.split(dict(options))
        request = api.CreateSessionRequest(config=_options.config(given))
        return Session._of(self._call("CreateSession", request).session)

    def upload(self, session_id: str, song: _song.Song, *, sample_rate: Optional[int] = None) -> Session:
        """Sends what a session lacks of its song, in steps, and says that it is complete.

        The same song may be sent again after anything that went wrong, by any process: what the server holds is
        not sent twice. Answers when all is sent; `watch` may run meanwhile, in another thread.
        """
        source = _song.source(song, sample_rate)
        try:
            offset = self.session(session_id).committed_bytes
            while piece := source.read(offset):
                offset = self.upload_chunk(session_id, offset, piece)
            finish = api.Finish(total_bytes=offset, sha256=source.sha256(offset))
            request = api.FinishUploadRequest(session_id=session_id, finish=finish)
            return Session._of(self._call("FinishUpload", request).session)
        finally:
            source.close()

    def upload_chunk(self, session_id: str, offset: int, data: bytes) -> int:
        """Adds bytes to an upload, 1 MiB at most; answers how many it has now."""
        request = api.UploadChunkRequest(session_id=session_id, offset=offset, data=data)
        return int(self._call("UploadChunk", request).committed_bytes)

    def close(self) -> None:
        """Ends all calls and the connection."""
        self._channel.close()

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, kind: Optional[type], error: Optional[BaseException], trace: Optional[TracebackType]) -> None:
        self.close()

    def _separate(self, config: Any, source: _song.Source, reception: Reception,
                  known: bool) -> Generator[Optional[Chunk], None, None]:
        """What `Separate` brings, from one call or several."""

        def attempt() -> Iterator[Optional[Chunk]]:
            if known or reception.session_id:
                held = self._once("CreateSession", api.CreateSessionRequest(config=config)).session
                reception.take_session(held)
                config.upload_offset, config.start_frame = held.committed_bytes, reception.frames
            call = self._stream(self._stub.Separate, _requests(config, source))
            yield from self._receive(call, reception)

        try:
            yield from self._persist(attempt, lambda: reception.mark, reception, source)
        finally:
            source.close()

    def _watch(self, session_id: str, reception: Reception, gain: float) -> Generator[Optional[Chunk], None, None]:
        """What `WatchSession` brings, from one call or several."""

        def attempt() -> Iterator[Optional[Chunk]]:
            if not reception.stems:
                reception.take_session(self._once("GetSession", api.GetSessionRequest(session_id=session_id)).session)
            cursors = [api.StemCursor(stem=name, start_frame=reception.held(name)) for name in reception.stems]
            request = api.WatchSessionRequest(session_id=session_id, stems=cursors, gain=gain,
                                              encoding=_options.ENCODINGS[reception.encoding])
            yield from self._receive(self._stream(self._stub.WatchSession, request), reception)

        return self._persist(attempt, lambda: reception.mark, reception)

    def _receive(self, call: Iterator[Any], reception: Reception) -> Iterator[Optional[Chunk]]:
        """The chunks of a call, and None where it says something else."""
        for message in call:
            said = reception.take(message)
            if said is None:
                yield None
                continue
            if not reception.sample_rate:
                # It was not known when the session was told; it is since something was decoded.
                request = api.GetSessionRequest(session_id=reception.session_id)
                reception.take_session(self._once("GetSession", request).session)
            yield reception.chunk(said)
        if not reception.is_done:
            raise errors.nonsense("it ends without a result")

    def _stream(self, method: Callable[..., Any], request: Any) -> Iterator[Any]:
        """The answers of a streaming call, which ends with this iterator."""
        call = method(request, metadata=self._address.metadata)
        try:
            for answer in call:
                self._answered = True
                yield answer
        finally:
            call.cancel()

    def _persist(self, attempt: Callable[[], Iterator[T]], mark: Callable[[], tuple[int, int]],
                 reception: Optional[Reception] = None, source: Optional[_song.Source] = None) -> Generator[T, None, None]:
        """Attempts again what broke, as long as `mark` advances or patience lasts."""
        patience = Patience(self._retry)
        while True:
            try:
                yield from attempt()
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
            time.sleep(pause)

    def _call(self, method: str, request: Any) -> Any:
        """A short call, again where it broke: all of them may be repeated."""
        patience = Patience(self._retry)
        while True:
            try:
                return self._once(method, request)
            except errors.StemwireError as error:
                pause = patience.pause(error, (0, 0), self._answered)
                if pause is None:
                    raise
            time.sleep(pause)

    def _once(self, method: str, request: Any) -> Any:
        try:
            answer = getattr(self._stub, method)(request, timeout=self._timeout, metadata=self._address.metadata)
        except grpc.RpcError as broken:
            raise self._error(broken) from None
        self._answered = True
        return answer

    def _error(self, broken: Exception) -> errors.StemwireError:
        error = errors.of_rpc(broken, self._address.url) if isinstance(broken, grpc.RpcError) else broken
        assert isinstance(error, errors.StemwireError), "these two are all that is caught"
        self._answered = self._answered or bool(error.reason)
        return error

    def _sample_rate(self, session_id: str) -> int:
        source = self.session(session_id).source
        return source.output_sample_rate if source else 0


def _requests(config: Any, source: _song.Source) -> Iterator[Any]:
    """The request stream of `Separate`, from the byte that its config names."""
    offset = config.upload_offset
    yield api.SeparateRequest(config=config)
    try:
        while piece := source.read(offset):
            offset += len(piece)
            yield api.SeparateRequest(chunk=piece)
    except Exception:
        # The upload counts as broken off, and `source.failure` says why to whoever waits for its stems.
        return
    if not source.closed:
        yield api.SeparateRequest(finish=api.Finish(total_bytes=offset, sha256=source.sha256(offset)))
