# Generated from aio/_follow.py by generate_sync.py. Do not edit.
# ruff: noqa: I001, UP028
"""Follows a session over any number of calls, as a stream of chunks with None for every other message."""
from __future__ import annotations

import uuid
from collections.abc import Generator, Iterator
from contextlib import closing
from typing import Any

from . import errors
from ._deadline import Deadline
from ._receiver import Receiver
from ._upload import Upload
from .audio import Chunk
from .options import CHANNELS, ENCODINGS
from .v1 import config_pb2
from .v1 import separation_service_pb2 as api
from . import _io
from ._connection import Connection


def separate(
    connection: Connection,
    config: config_pb2.SeparationConfig,
    upload: Upload,
    receiver: Receiver,
    may_exist: bool,
    deadline: Deadline,
) -> Generator[Chunk | None, None]:
    """Uploads a song and receives its stems; closes `upload` at the end."""
    config.attempt.caller = str(uuid.uuid4())

    def attempt() -> Generator[Chunk | None, None]:
        # One that is delayed on its way must not take the session from a later one.
        config.attempt.number += 1
        if may_exist or receiver.session_id:
            # Idempotent by `request_id`: returns the session, with the number of bytes that it holds.
            answer = connection.call_once("CreateSession", api.CreateSessionRequest(config=config), deadline)
            receiver.update(answer.session)
            config.upload_offset, config.start_frame = answer.session.committed_bytes, receiver.resume_frame
        call = connection.stream("Separate", _requests(config, upload), deadline)
        with closing(_receive(connection, call, receiver, deadline)) as chunks:
            for chunk in chunks:
                yield chunk

    try:
        events = connection.repeat(attempt, lambda: receiver.position, receiver, upload, deadline)
        with closing(events) as chunks:
            for chunk in chunks:
                yield chunk
    finally:
        upload.close()


def watch(
    connection: Connection, session_id: str, receiver: Receiver, gain: float, channels: str, deadline: Deadline
) -> Generator[Chunk | None, None]:
    """Receives the stems of an existing session."""

    def attempt() -> Generator[Chunk | None, None]:
        if not receiver.stems:
            _update(connection, session_id, receiver, deadline)
        cursors = [api.StemCursor(stem=name, start_frame=receiver.next_frame(name)) for name in receiver.stems]
        request = api.WatchSessionRequest(
            session_id=session_id, stems=cursors, gain=gain, encoding=ENCODINGS[receiver.encoding],
            channels=CHANNELS[channels],
        )
        call = connection.stream("WatchSession", request, deadline)
        with closing(_receive(connection, call, receiver, deadline)) as chunks:
            for chunk in chunks:
                yield chunk

    return connection.repeat(attempt, lambda: receiver.position, receiver, deadline=deadline)


def _receive(
    connection: Connection, call: Generator[Any, None], receiver: Receiver, deadline: Deadline
) -> Generator[Chunk | None, None]:
    with closing(call) as messages:
        for message in messages:
            stem_chunk = receiver.handle(message)
            if stem_chunk is None:
                yield None
                continue
            if not receiver.sample_rate:
                # The session was received before its upload was decoded; by now the rate is known.
                _update(connection, receiver.session_id, receiver, deadline)
            yield receiver.new_frames(stem_chunk)
    if not receiver.is_done:
        raise errors.invalid_answer("the stream ended without a final state")


def _update(connection: Connection, session_id: str, receiver: Receiver, deadline: Deadline) -> None:
    answer = connection.call_once("GetSession", api.GetSessionRequest(session_id=session_id), deadline)
    receiver.update(answer.session)


def _requests(config: config_pb2.SeparationConfig, upload: Upload) -> Iterator[api.SeparateRequest]:
    """The request stream of `Separate`, from `config.upload_offset` on."""
    offset = config.upload_offset
    yield api.SeparateRequest(config=config)
    try:
        while piece := _io.read(upload, offset):
            offset += len(piece)
            yield api.SeparateRequest(chunk=piece)
    except Exception:
        # Without `finish` the server treats the upload as interrupted; `upload.failure` is raised to the caller.
        return
    if not upload.closed:
        yield api.SeparateRequest(finish=api.Finish(total_bytes=offset, sha256=upload.sha256(offset)))
