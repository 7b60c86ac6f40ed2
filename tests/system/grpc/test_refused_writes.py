"""Writes that the system refuses are errors of the session that meets them, not the end of the server."""
import sys
from pathlib import Path

import psutil
import pytest

from ..audio import music, wav
from ..common import INSTANT_FOUR_STEMS, finish, wait_for
from ..stemwire_client import CHUNK, Config, api, separate, session_pb2

MODELS = INSTANT_FOUR_STEMS

LIMIT_BYTES = 2 << 20
WRAPPER = ["sh", "-c", f'ulimit -S -f {LIMIT_BYTES // 512}; exec "$@"', "sh"]


@pytest.mark.skipif(sys.platform != "linux", reason="raises the limit of a running process")
def test_a_session_that_exceeds_the_file_size_limit_waits_until_it_is_raised(start):
    server = start(wrapper=WRAPPER)
    song = wav(music(10))
    session_id = server.stub.CreateSession(api.CreateSessionRequest(config=Config())).session.session_id
    # The upload fits, its decoded track does not.
    assert len(song) < LIMIT_BYTES < 2 * len(song)
    for offset in range(0, len(song), CHUNK):
        data = song[offset : offset + CHUNK]
        server.stub.UploadChunk(api.UploadChunkRequest(session_id=session_id, offset=offset, data=data))
    finish(server, session_id, song)
    wait_for(lambda: server.get(session_id).delay.reason == "SYSTEM_LIMIT")
    assert server.get(session_id).state == session_pb2.SESSION_STATE_PAUSED
    assert separate(server.stub, wav(music(1))).error is None
    psutil.Process(server.process.pid).rlimit(psutil.RLIMIT_FSIZE, (psutil.RLIM_INFINITY, psutil.RLIM_INFINITY))
    wait_for(lambda: server.get(session_id).state == session_pb2.SESSION_STATE_DONE)
    assert server.process.poll() is None


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_log_that_cannot_be_written_ends_nothing(start):
    server = start(wrapper=["sh", "-c", 'exec "$@" 2>/dev/full', "sh"])
    assert separate(server.stub, wav(music(1))).error is None
