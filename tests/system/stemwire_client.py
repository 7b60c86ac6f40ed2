"""A client generated from the proto alone, as in any language."""
import hashlib
import threading
import time
import uuid
from dataclasses import dataclass, field
from typing import TypeAlias

import grpc
from google.rpc import error_details_pb2, status_pb2
from stemwire.v1 import config_pb2, separation_service_pb2 as api, separation_service_pb2_grpc as service, session_pb2  # noqa: F401

Config: TypeAlias = config_pb2.SeparationConfig
CHUNK = 64 * 1024


@dataclass
class Result:
    """The messages of a streaming call."""

    session: session_pb2.Session = None  # the first message
    done: session_pb2.Session = None  # the last message
    stems: dict = field(default_factory=dict)  # name -> bytes of PCM
    starts: dict = field(default_factory=dict)  # name -> first frame of every chunk
    progress: list = field(default_factory=list)
    changes: list = field(default_factory=list)
    clipped: int = 0
    first_stem_at: float | None = None  # time.monotonic()
    error: grpc.RpcError | None = None

    def take(self, message) -> None:
        kind = message.WhichOneof("message")
        if kind == "session":
            self.session = message.session
        elif kind == "progress":
            self.progress.append(message.progress)
        elif kind == "engine_change":
            self.changes.append(message.engine_change)
        elif kind == "done":
            self.done = message.done
        elif kind == "stem":
            if self.first_stem_at is None:
                self.first_stem_at = time.monotonic()
            self.stems.setdefault(message.stem.stem, bytearray()).extend(message.stem.pcm)
            self.starts.setdefault(message.stem.stem, []).append((message.stem.start_frame, len(message.stem.pcm)))
            self.clipped += message.stem.clipped_samples

    def digests(self) -> dict:
        return {name: hashlib.sha256(pcm).hexdigest() for name, pcm in self.stems.items()}


def connect(address: str) -> grpc.Channel:
    options = [("grpc.max_receive_message_length", 4 << 20), ("grpc.use_local_subchannel_pool", 1)]
    return grpc.insecure_channel(address, options)


def chunks(song: bytes, size: int = CHUNK, offset: int = 0):
    for start in range(offset, len(song), size):
        yield song[start : start + size]


def requests(song: bytes, config: Config = None, size: int = CHUNK, finish: bool = True, pause=None, sent=None):
    """The request stream of `Separate`; `pause(bytes_so_far)` is called before each chunk, `sent` gets the moment
    at which `finish` is handed out."""
    config = config or Config()
    yield api.SeparateRequest(config=config)
    so_far = config.upload_offset
    for chunk in chunks(song, size, config.upload_offset):
        if pause:
            pause(so_far)
        so_far += len(chunk)
        yield api.SeparateRequest(chunk=chunk)
    if finish:
        if sent is not None:
            sent.append(time.monotonic())
        yield api.SeparateRequest(finish=api.Finish(total_bytes=len(song), sha256=hashlib.sha256(song).digest()))


def collect(stream) -> Result:
    """Reads a response stream to its end or error."""
    result = Result()
    try:
        for message in stream:
            result.take(message)
    except grpc.RpcError as error:
        result.error = error
    return result


def separate(stub, song: bytes, config: Config = None, **options) -> Result:
    return collect(stub.Separate(requests(song, config, **options)))


def get_stem(stub, session_id: str, stem: str, **options) -> bytes:
    request = api.GetStemRequest(session_id=session_id, stem=stem, **options)
    return b"".join(response.chunk.pcm for response in stub.GetStem(request))


def reason(error: grpc.RpcError) -> tuple:
    """(code's name, reason, metadata) of an error; the reason is empty where there is no ErrorInfo."""
    for key, value in error.trailing_metadata() or ():
        if key == "grpc-status-details-bin":
            status = status_pb2.Status.FromString(value)
            for detail in status.details:
                info = error_details_pb2.ErrorInfo()
                if detail.Is(info.DESCRIPTOR):
                    detail.Unpack(info)
                    return error.code().name, info.reason, dict(info.metadata)
    return error.code().name, "", {}


def request_id() -> str:
    return str(uuid.uuid4())


class Background(threading.Thread):
    """Runs a call beside the test; `result()` waits for it."""

    def __init__(self, work):
        super().__init__(daemon=True)
        self.work, self.value, self.failure = work, None, None
        self.start()

    def run(self):
        try:
            self.value = self.work()
        except BaseException as error:  # raised where the result is used
            self.failure = error

    def result(self, timeout: float = 120):
        self.join(timeout)
        assert not self.is_alive(), f"still running after {timeout} s"
        if self.failure:
            raise self.failure
        return self.value
