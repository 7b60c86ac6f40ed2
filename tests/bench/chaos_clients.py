"""The clients of chaos.py: each has one session, and does the next step of it while a server runs."""
from __future__ import annotations

import enum
import hashlib
import random

import grpc

from system.audio import encode, music, wav
from system.stemwire_client import Config, api, request_id, session_pb2

CHUNK = 256 * 1024


class Role(enum.Enum):
    """What a client does with its session."""

    COMPLETE = "complete upload"
    PARTIAL = "upload completed after the last kill"
    CANCELLED = "cancelled amid"
    DELETED = "deleted amid"


class Ending(enum.Enum):
    """The end of a session, as the server has answered."""

    NONE = "none"
    DONE = "done"
    CANCELLED = "cancelled"
    DELETED = "deleted"


def songs() -> dict[str, bytes]:
    """Songs of several lengths, formats and rates."""
    return {
        "4 s of WAV": wav(music(4, seed=1)),
        "12 s of WAV": wav(music(12, seed=2)),
        "20 s of FLAC": encode(music(20, seed=3), container="flac"),
        "9 s of MP3": encode(music(9, seed=4), "-b:a", "192k"),
        "7 s of WAV at 32 kHz": wav(music(7, seed=5)[: 7 * 32_000], rate=32_000),
    }


class Client:
    """A client with one session."""

    def __init__(self, songs: dict[str, bytes], draw: random.Random):
        self.song = draw.choice(list(songs))
        self.bytes = songs[self.song]
        self.role = draw.choices(list(Role), weights=[60, 20, 10, 10])[0]
        self.may_be_cancelled = self.role in (Role.CANCELLED, Role.DELETED)
        self.resumed = False
        # Bytes after which the upload stops, or the session is cancelled or deleted.
        self.stop = int(len(self.bytes) * (1 if self.role == Role.COMPLETE else draw.uniform(0.05, 1)))
        self.request = request_id()
        self.id = ""
        self.stored = 0
        self.frames = 0
        self.complete = False
        self.ending = Ending.NONE

    def __str__(self) -> str:
        return f"{self.id or 'no session'} ({self.role.value}, {self.song})"

    def step(self, stub) -> str:
        """Does the next step. Returns what is wrong with the session, or nothing."""
        if self.ending != Ending.NONE:
            return ""
        if not self.id:
            config = Config(request_id=self.request)
            self.id = stub.CreateSession(api.CreateSessionRequest(config=config)).session.session_id
            return ""
        try:
            session = stub.GetSession(api.GetSessionRequest(session_id=self.id)).session
        except grpc.RpcError as error:
            # By a call whose answer was lost.
            if self.role == Role.DELETED and error.code() == grpc.StatusCode.NOT_FOUND:
                self.ending = Ending.DELETED
                return ""
            raise
        if session.committed_bytes < self.stored:
            return f"{self}: {self.stored} bytes were stored, {session.committed_bytes} are left"
        if session.progress.finished_frames < self.frames:
            return f"{self}: {self.frames} frames were finished, {session.progress.finished_frames} are left"
        self.stored, self.frames = session.committed_bytes, session.progress.finished_frames
        if session.state == session_pb2.SESSION_STATE_DONE:
            self.ending = Ending.DONE
        elif session.state == session_pb2.SESSION_STATE_FAILED:
            self.ending = Ending.DONE
            return f"{self}: {session.error.reason} {session.error.message}"
        elif session.state == session_pb2.SESSION_STATE_CANCELLED and self.may_be_cancelled:
            self.ending = Ending.CANCELLED
        elif self.stored < self.stop:
            data = self.bytes[self.stored : min(self.stored + CHUNK, self.stop)]
            chunk = api.UploadChunkRequest(session_id=self.id, offset=self.stored, data=data)
            self.stored = stub.UploadChunk(chunk).committed_bytes
        elif self.may_be_cancelled and not self.resumed:
            self.end_early(stub)
        elif self.stored == len(self.bytes) and not self.complete:
            total = api.Finish(total_bytes=self.stored, sha256=hashlib.sha256(self.bytes).digest())
            stub.FinishUpload(api.FinishUploadRequest(session_id=self.id, finish=total))
            self.complete = True
        return ""

    def end_early(self, stub) -> None:
        if self.role == Role.CANCELLED:
            stub.CancelSession(api.CancelSessionRequest(session_id=self.id))
            self.ending = Ending.CANCELLED
        else:
            stub.DeleteSession(api.DeleteSessionRequest(session_id=self.id))
            self.ending = Ending.DELETED

    def resume(self, stub) -> str:
        """After the last kill: completes the upload. Returns what is wrong with the session, or nothing."""
        self.stop, self.resumed = len(self.bytes), True
        finding = ""
        while not finding and not self.complete and self.ending == Ending.NONE:
            finding = self.step(stub)
        return finding
