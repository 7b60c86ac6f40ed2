"""Digital silence costs no disk space, and hours of it in a few bytes are refused."""
import hashlib
import subprocess

import imageio_ffmpeg
import numpy as np

from ..audio import RATE, music, wav
from ..common import INSTANT_MODEL, finish, upload, wait_for
from ..http_client import get
from ..stemwire_client import get_stem, separate, session_pb2

MODELS = INSTANT_MODEL


def flac_of_silence(minutes: float) -> bytes:
    # A second at a time: FFmpeg's threads hand each piece on.
    command = [
        imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-f", "lavfi", "-i", f"anullsrc=r=44100:cl=mono:d={minutes * 60}:n=44100",
        "-c:a", "flac", "-frame_size", "4608", "-f", "flac", "-",
    ]
    return subprocess.run(command, capture_output=True, check=True).stdout


def allocated(folder) -> int:
    return sum(path.stat().st_blocks * 512 for path in folder.rglob("*") if path.is_file())


def test_passages_of_silence_take_no_space_and_are_read_like_others(start):
    server = start()
    sound = music(3)
    quiet = np.zeros((60 * RATE, 2), sound.dtype)
    song = wav(np.concatenate([sound, quiet, sound]))
    result = separate(server.stub, song)
    frames = len(song) // 4 - 11
    session_id, folder = result.done.session_id, server.directory(result.done.session_id)
    for stem in result.done.stems:
        path = folder / f"stems/{stem.name}.wav"
        content = path.read_bytes()
        assert len(content) == path.stat().st_size == 94 + 8 * frames
        # 30 s around the music remain at most.
        assert path.stat().st_blocks * 512 < 94 + 8 * RATE * 30
        digest = hashlib.sha256(content[94:]).digest()
        assert digest == stem.sha256 == hashlib.sha256(result.stems[stem.name]).digest()
        assert get_stem(server.stub, session_id, stem.name) == content[94:]
        assert get(server, f"/download/{session_id}/{stem.name}?format=wav-f32&tags=false").body[94:] == content[94:]
        middle = np.frombuffer(content[94:], "<f4").reshape(-1, 2)[20 * RATE : 50 * RATE]
        assert not middle.any()
    # The limits count what is allocated.
    (stored,) = [line for line in get(server, "/metrics").body.decode().splitlines() if line.startswith("stemwire_stored_bytes ")]
    assert abs(float(stored.split()[1]) - allocated(folder)) <= 64 * 1024


def test_silence_in_a_few_bytes_is_refused_behind_its_first_hour(start):
    # A model of long segments: each is a commit. A stem of an hour is a gigabyte, which nothing here reads.
    server, song = start("--max-expansion", "100", "--engines", "mini-spleeter"), flac_of_silence(61)
    session_id = upload(server, song, stems=["vocals"])
    finish(server, session_id, song)
    wait_for(lambda: server.get(session_id).state == session_pb2.SESSION_STATE_FAILED, patience=180)
    failed = server.get(session_id)
    assert failed.error.reason == "EXPANSION_TOO_LARGE"
    assert failed.error.metadata["limit_expansion"] == "100"
    assert 3599 * RATE <= failed.progress.decoded_frames <= 3600 * RATE
    assert allocated(server.directory(session_id)) < 16 << 20
