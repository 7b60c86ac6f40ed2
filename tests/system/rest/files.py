"""Opens and lists sessions, and reads downloaded stems with other programs."""
import io
import subprocess
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import soundfile

from ..audio import RATE
from ..http_client import environment, get
from ..stemwire_client import Config, api, get_stem


def open_session(server, song: bytes, sent: int, stems=("vocals",)) -> str:
    """A session over gRPC that has `sent` bytes of a song."""
    config = Config(file_name="half.wav", stems=stems)
    session_id = server.stub.CreateSession(api.CreateSessionRequest(config=config)).session.session_id
    for offset in range(0, sent, 1 << 19):
        data = song[offset : min(offset + (1 << 19), sent)]
        server.stub.UploadChunk(api.UploadChunkRequest(session_id=session_id, offset=offset, data=data))
    return session_id


def sessions(server) -> list:
    """All sessions, as plain HTTP lists them."""
    return get(server, "/api/sessions?page_size=500").json()["sessions"]


def samples(content: bytes) -> np.ndarray:
    audio, rate = soundfile.read(io.BytesIO(content), dtype="float32", always_2d=True)
    assert rate == RATE
    return audio


def pcm(server, session_id: str, stem: str, **options) -> np.ndarray:
    """The same stem over gRPC: float32 [frames, 2]."""
    return np.frombuffer(get_stem(server.stub, session_id, stem, **options), "<f4").reshape(-1, 2)


def ffmpeg(*arguments, stdin: bytes | None = None) -> bytes:
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", *map(str, arguments)]
    return subprocess.run(command, input=stdin, capture_output=True, check=True, env=environment()).stdout


def curl(*arguments, cwd: Path) -> bytes:
    return subprocess.run(["curl", "-sS", *map(str, arguments)], capture_output=True, check=True, cwd=cwd, env=environment()).stdout
