# Generated from aio/client.py by generate_sync.py. Do not edit.
# ruff: noqa: I001, UP028
"""The client: `with Client(…) as client: separation = client.separate("song.mp3")`."""
from __future__ import annotations

import os
from collections.abc import Generator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Literal

from . import _download
from . import options as _options
from ._channel import Authority
from ._deadline import Deadline
from ._receiver import Receiver
from ._results import Saved
from .audio import Chunk
from .retry import Retry
from .types import Health, Model, Session
from .v1 import separation_service_pb2 as api
from . import _follow, _io
from ._connection import Connection
from .separation import Separation

if TYPE_CHECKING:
    from typing_extensions import Unpack


class Client:
    """A connection to one server, opened by the first call. Any number of threads may use a client.

    `server` is http://HOST:PORT or https://HOST:PORT; the default is STEMWIRE_SERVER, then http://127.0.0.1:8000.
    `token` (STEMWIRE_TOKEN) is sent as a bearer token. `ca` (STEMWIRE_TLS_CA) is the certificate authority of the
    server, as a path or as PEM in bytes. `timeout` limits unary calls, in seconds; streams have
    no limit but the `time_limit` of a separation.
    """

    def __init__(
        self,
        server: str | None = None,
        *,
        token: str | None = None,
        ca: Authority | None = None,
        retry: Retry | None = None,
        timeout: float = 30.0,
    ):
        self._connection = Connection(server, token, ca, retry or Retry(), timeout)

    def separate(self, song: _io.AudioInput, **arguments: Unpack[_options.SeparateOptions]) -> Separation:
        """Uploads a song, and returns once the server has accepted it.

        `song` is a path, bytes, a file, an array of samples with `sample_rate`, or an iterable
        of bytes. Stems arrive while the song is still being uploaded.
        """
        options, callbacks = _options.split_arguments(arguments)
        deadline = Deadline(callbacks.pop("time_limit", None))
        upload = _io.open_upload(song, options.get("sample_rate"))
        try:
            config = _options.build_config(options, upload.file_name, upload.raw)
            encoding, gain = options.get("encoding", "f32"), options.get("gain", 1.0)
            receiver = Receiver(encoding, gain=gain, callbacks=callbacks)
            # Only a session with the caller's own `request_id` can exist already.
            may_exist = "request_id" in options
            events = _follow.separate(self._connection, config, upload, receiver, may_exist, deadline)
            return Separation._start(self, receiver, events)
        except BaseException:
            upload.close()
            raise

    def separate_to(
        self, song: _io.AudioInput, directory: str | os.PathLike[str], **arguments: Unpack[_options.SeparateOptions]
    ) -> Saved:
        """Separates a song of any length into `directory`/STEM.wav; memory does not grow with the length.

        The files appear once all stems are complete, and replace files of the same names.
        """
        with self.separate(song, **arguments) as separation:
            return separation.save(directory)

    def watch(
        self,
        session_id: str,
        *,
        stems: Sequence[str] = (),
        start_frame: int = 0,
        encoding: Literal["f32", "s16", "s24"] = "f32",
        gain: float = 1.0,
        channels: Literal["stereo", "source"] = "stereo",
        **following: Unpack[_options.FollowOptions],
    ) -> Separation:
        """Follows an existing session: the stems from `start_frame` on, and its progress.

        A paused session is resumed if its upload is complete; otherwise it waits for the rest of it (see `upload`).
        """
        callbacks = _options.follow_options_only(following)
        deadline = Deadline(callbacks.pop("time_limit", None))
        receiver = Receiver(encoding, stems=stems, start_frame=start_frame, gain=gain, callbacks=callbacks)
        events = _follow.watch(self._connection, session_id, receiver, gain, channels, deadline)
        return Separation._start(self, receiver, events)

    def stem(
        self,
        session_id: str,
        name: str,
        *,
        start_frame: int = 0,
        frame_count: int = 0,
        encoding: Literal["f32", "s16", "s24"] = "f32",
        gain: float = 1.0,
        channels: Literal["stereo", "source"] = "stereo",
    ) -> Generator[Chunk, None]:
        """Reads one stem from any frame on, and waits for frames that are not finished yet.

        `frame_count` 0 reads to the end. If the session failed, its error is raised after its last finished frame.
        """
        rate = self._sample_rate(session_id)
        position, end = start_frame, start_frame + frame_count

        def attempt() -> Generator[Chunk, None]:
            nonlocal position, rate
            if frame_count and position >= end:
                return
            request = api.GetStemRequest(
                session_id=session_id,
                stem=name,
                start_frame=position,
                frame_count=end - position if frame_count else 0,
                encoding=_options.ENCODINGS[encoding],
                gain=gain,
                channels=_options.CHANNELS[channels],
            )
            with closing(self._connection.stream("GetStem", request)) as answers:
                for answer in answers:
                    # There is a chunk, so the upload is decoded by now and the rate is known.
                    rate = rate or self._sample_rate(session_id)
                    message = answer.chunk
                    clipped, count = message.clipped_samples, message.channels or 2
                    chunk = Chunk(name, message.start_frame, rate, message.pcm, encoding, clipped, count)
                    position = chunk.start_frame + chunk.frames
                    yield chunk

        with closing(self._connection.repeat(attempt, lambda: (0, position))) as chunks:
            for chunk in chunks:
                yield chunk

    def download(
        self,
        session_id: str,
        stem: str,
        to: str | os.PathLike[str],
        **options: Unpack[_options.FileOptions],
    ) -> Path:
        """Writes a stem as a file of any format. The session must have ended; an existing file is replaced."""
        return self._download(_download.route(session_id, f"/{stem}", options), to)

    def download_zip(
        self, session_id: str, to: str | os.PathLike[str], **options: Unpack[_options.FileOptions]
    ) -> Path:
        """Writes one ZIP file with all stems. The session must have ended; an existing file is replaced."""
        return self._download(_download.route(session_id, ".zip", options), to)

    def download_mix(
        self,
        session_id: str,
        gains: Mapping[str, float],
        to: str | os.PathLike[str],
        **options: Unpack[_options.FileOptions],
    ) -> Path:
        """Writes a mix of the stems. The session must have ended; an existing file is replaced.

        `gains` are in dB, -60 to 12 or `-math.inf`, such as {"vocals": -math.inf, "drums": -3}; other stems have 0.
        """
        return self._download(_download.route(session_id, "/mix", options, gains), to)

    def session(self, session_id: str) -> Session:
        """The current state of a session."""
        answer = self._connection.call("GetSession", api.GetSessionRequest(session_id=session_id))
        return Session._of(answer.session)

    def sessions(self, page_size: int = 50) -> Generator[Session, None]:
        """All sessions, newest first."""
        token = ""
        while True:
            request = api.ListSessionsRequest(page_size=page_size, page_token=token)
            page = self._connection.call("ListSessions", request)
            for session in page.sessions:
                yield Session._of(session)
            token = page.next_page_token
            if not token:
                return

    def cancel(self, session_id: str) -> Session:
        """Cancels a session; the finished part of its stems stays readable."""
        answer = self._connection.call("CancelSession", api.CancelSessionRequest(session_id=session_id))
        return Session._of(answer.session)

    def delete(self, session_id: str) -> None:
        """Deletes a session and its files; a running session is cancelled first."""
        self._connection.call("DeleteSession", api.DeleteSessionRequest(session_id=session_id))

    def models(self) -> list[Model]:
        """The models of the server, those of its fallback chain first."""
        answer = self._connection.call("ListModels", api.ListModelsRequest())
        return [Model._of(model) for model in answer.models]

    def health(self) -> Health:
        """Whether the server accepts sessions, and its load."""
        return Health._of(self._connection.call("Health", api.HealthRequest()))

    def create_session(self, **options: Unpack[_options.Options]) -> Session:
        """Creates a session, to be filled with `upload` and followed with `watch`."""
        accepted, _ = _options.split_arguments(options)
        request = api.CreateSessionRequest(config=_options.build_config(accepted))
        answer = self._connection.call("CreateSession", request)
        return Session._of(answer.session)

    def upload(self, session_id: str, song: _io.AudioInput, *, sample_rate: int | None = None) -> Session:
        """Uploads the part of a song that the session lacks, and completes the upload.

        After an interruption any process may upload the same song again: only the missing bytes are sent. Returns
        when the upload is complete; `watch` may run at the same time.
        """
        upload = _io.open_upload(song, sample_rate)
        try:
            session = self.session(session_id)
            offset = session.committed_bytes
            while piece := _io.read(upload, offset):
                offset = self.upload_chunk(session_id, offset, piece)
            finish = api.Finish(total_bytes=offset, sha256=upload.sha256(offset))
            request = api.FinishUploadRequest(session_id=session_id, finish=finish)
            answer = self._connection.call("FinishUpload", request)
            return Session._of(answer.session)
        finally:
            upload.close()

    def upload_chunk(self, session_id: str, offset: int, data: bytes) -> int:
        """Adds at most 1 MiB to an upload; returns the length of the upload so far."""
        request = api.UploadChunkRequest(session_id=session_id, offset=offset, data=data)
        answer = self._connection.call("UploadChunk", request)
        return int(answer.committed_bytes)

    def close(self) -> None:
        """Ends all calls and closes the connection."""
        self._connection.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _download(self, route: str, to: str | os.PathLike[str]) -> Path:
        path = Path(to)
        self._connection.download(route, path)
        return path

    def _sample_rate(self, session_id: str) -> int:
        session = self.session(session_id)
        return session.source.output_sample_rate if session.source else 0
