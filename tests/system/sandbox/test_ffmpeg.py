"""Formats that only FFmpeg reads, and what a hostile FFmpeg can do: nothing but write audio, up to the limits."""
import errno
import re
import shutil
import socket
import subprocess

import imageio_ffmpeg
import numpy as np
import psutil
import pytest

from ..audio import RATE, encode, music
from ..common import INSTANT_MODEL, check_refused, stems, wait_for
from ..repository import ROOT
from ..server import Server
from ..stemwire_client import Config, api, reason, separate
from .decoder import kernel_has_all

MODELS = INSTANT_MODEL
FFMPEG = imageio_ffmpeg.get_ffmpeg_exe()
USE_IT = ["--ffmpeg", FFMPEG]
# Six channels out of two.
FIVE = ["-af", "pan=5.1|FL=FL|FR=FR|FC=0.5*FL|LFE=0*FL|BL=0.3*FR|BR=0.2*FL"]

# Arguments of ffmpeg, the container, and what the session states: container, codec, channels. `docs/FORMATS.md` has all.
FORMATS = [
    (["-c:a", "wmav2"], "wma", ("ASF", "WMAV2", 2)),
    (["-c:a", "aac", *FIVE], "m4a", ("MP4", "AAC", 6)),
]


def song_of(folder, arguments, container):
    path = folder / f"song.{container}"
    path.write_bytes(encode(music(2), *arguments, container=container))
    return path


# Left and right of FL, FR, FC, LFE, BL, BR by ITU-R BS.775, so that no sum clips.
ITU = np.array([[1, 0], [0, 1], [0.5**0.5] * 2, [0, 0], [0.5**0.5, 0], [0, 0.5**0.5]]) / (1 + 2 * 0.5**0.5)


def reference(path, channels: int = 2) -> np.ndarray:
    """The song as ffmpeg decodes it, mixed to stereo: float32 [frames, 2]."""
    command = [FFMPEG, "-v", "error", "-i", path, "-f", "f32le", "-"]
    decoded = subprocess.run(command, check=True, capture_output=True).stdout
    audio = np.frombuffer(decoded, "<f4").reshape(-1, channels)
    return audio if channels == 2 else (audio @ ITU).astype(np.float32)


def mix(folder) -> np.ndarray:
    return np.sum([audio for audio, _ in stems(folder).values()], axis=0)


def snr_db(actual, expected) -> float:
    assert actual.shape == expected.shape
    error = np.square(actual - expected, dtype=float).sum()
    return np.inf if error == 0 else 10 * np.log10(np.square(expected, dtype=float).sum() / error)


@pytest.mark.parametrize("arguments, container, expected", FORMATS, ids=lambda value: value if isinstance(value, str) else "")
def test_what_only_ffmpeg_reads_is_decoded_as_ffmpeg_does_or_refused(cli, tmp_path, arguments, container, expected):
    song = song_of(tmp_path, arguments, container)
    ended = cli("separate", song, "-o", "out", *USE_IT)
    assert snr_db(mix(tmp_path / "out" / "song"), reference(song, expected[2])) > 60
    assert ended.err.count("decoded by ffmpeg ") == 1 and re.search(r"source: .*, decoded by ffmpeg ", ended.err)
    refused = cli("separate", song, "-o", "refused", "--ffmpeg", "never", code=3).err
    check_refused(refused, "song", "ffmpeg -i INPUT -c:a flac OUTPUT.flac")


@pytest.fixture(scope="module")
def with_ffmpeg(binary, chosen_models, tmp_path_factory):
    server = Server(binary, tmp_path_factory.mktemp("data"), *USE_IT, "--require-sandbox")
    yield server
    server.close()
    assert "panicked" not in server.log_text()


@pytest.mark.skipif(not kernel_has_all(), reason="this kernel has no Landlock or no seccomp")
@pytest.mark.parametrize("arguments, container, expected", FORMATS, ids=lambda value: value if isinstance(value, str) else "")
def test_a_session_names_the_program_that_decoded_it(with_ffmpeg, tmp_path, arguments, container, expected):
    result = separate(with_ffmpeg.stub, song_of(tmp_path, arguments, container).read_bytes())
    assert result.error is None
    session = with_ffmpeg.get(result.session.session_id)
    source = session.source
    assert source.decoder.startswith("ffmpeg ") and f"decoded by {source.decoder}" in session.notices
    assert (source.container, source.codec, source.channels) == expected
    assert source.sample_rate == source.output_sample_rate == RATE and source.frames == pytest.approx(2 * RATE, abs=5000)
    assert source.decoder in with_ffmpeg.log_text()


@pytest.mark.skipif(not kernel_has_all(), reason="this kernel has no Landlock or no seccomp")
def test_other_songs_do_not_need_it(with_ffmpeg):
    session = separate(with_ffmpeg.stub, encode(music(1), container="flac")).session
    source = with_ffmpeg.get(session.session_id).source
    assert (source.container, source.decoder) == ("FLAC", "")


@pytest.mark.skipif(not kernel_has_all(), reason="this kernel has no Landlock or no seccomp")
@pytest.mark.parametrize("upload, expected", [
    (b"Dear server,\nplease sing.\n" * 99, "FORMAT_UNKNOWN"), (b"caff" + bytes(5000), "FORMAT_UNKNOWN"),
    (bytes(100_000), "FORMAT_UNKNOWN"), (b"\x89PNG" + bytes(500), "FORMAT_UNKNOWN"),
])
def test_what_neither_reads_is_refused_as_without_it(with_ffmpeg, upload, expected):
    assert reason(separate(with_ffmpeg.stub, upload).error)[:2] == ("INVALID_ARGUMENT", expected)


def test_a_part_of_such_a_song_is_the_part_of_the_whole(cli, tmp_path):
    song = song_of(tmp_path, ["-c:a", "ac3"], "ac3")
    cli("separate", song, "-o", "out", "--start", "0.5", "--end", "1.25", *USE_IT)
    expected = reference(song)[RATE // 2 : RATE * 5 // 4]
    assert snr_db(mix(tmp_path / "out" / "song"), expected) > 60


def test_another_program_is_reported_by_the_doctor_and_refused_by_serve(cli, tmp_path):
    script = tmp_path / "bin" / "ffmpeg"
    script.parent.mkdir()
    script.write_text("#!/bin/sh\necho ffmpeg version 1 >&2\n")
    script.chmod(0o755)
    variables = {"STEMWIRE_FFMPEG": "auto", "PATH": str(script.parent)}
    found = cli("doctor", "--listen", "127.0.0.1:0", code=1, **variables).out.decode()
    assert f"BAD   ffmpeg does not work: {script} ended" in found
    refused = cli("serve", "--listen", "127.0.0.1:0", "--data-dir", "data", "--ffmpeg", script, code=2).err
    check_refused(refused, "ffmpeg does not work", "--ffmpeg never")
    refused = cli("separate", "no.wav", "--ffmpeg", tmp_path / "gone", code=2).err
    check_refused(refused, "--ffmpeg .*gone", "--ffmpeg never")


confined = pytest.mark.skipif(
    not kernel_has_all() or shutil.which("cc") is None, reason="needs Landlock, seccomp and a C compiler")


@pytest.fixture(scope="module")
def fake(tmp_path_factory):
    """A program that does what the upload asks for."""
    program = tmp_path_factory.mktemp("fake") / "ffmpeg"
    source = ROOT / "tests" / "system" / "sandbox" / "ffmpeg.c"
    subprocess.run(["cc", "-O1", "-Wall", "-pthread", "-o", program, source], check=True)
    return program


@pytest.fixture(scope="module")
def hostile(binary, chosen_models, fake, tmp_path_factory):
    """A server with that program as FFmpeg."""
    server = Server(
        binary, tmp_path_factory.mktemp("data"), "--ffmpeg", str(fake), "--require-sandbox", "--max-track", "20s",
        "--decoder-stall", "3s", "--decoder-time", "4s", "--decoder-memory", "256MiB")
    yield server
    server.close()
    assert "panicked" not in server.log_text()


def ask(server, *words) -> tuple:
    """The reason of the session's error, and the last line of the program."""
    error = separate(server.stub, b".snd" + " ".join(map(str, words)).encode()).error
    if error is None:
        return "DONE", None
    _, why, metadata = reason(error)
    return why, metadata.get("decoder_said")


REFUSED = {f"refused: {errno.EPERM}", f"refused: {errno.EACCES}", f"refused: {errno.EBADF}"}


@confined
@pytest.mark.parametrize("what", [
    "read", "write", "create", "change-upload", "unlink", "mkdir", "list", "run", "fork", "executable-memory",
])
def test_it_can_do_nothing_but_decode(hostile, tmp_path, what):
    file = tmp_path / "file"
    file.write_text("of another session")
    path = {"create": tmp_path / "new", "mkdir": tmp_path / "new", "list": tmp_path, "run": "/bin/true"}.get(what, file)
    why, said = ask(hostile, what, path)
    assert (why, said in REFUSED) == ("FORMAT_UNKNOWN", True), said
    assert [path.name for path in tmp_path.iterdir()] == ["file"] and file.read_text() == "of another session"


@confined
def test_it_opens_its_own_upload_for_reading_only(hostile):
    """As versions before 6 do, which cannot seek in a descriptor."""
    assert ask(hostile, "read", "/dev/fd/0") == ("FORMAT_UNKNOWN", "did")
    assert ask(hostile, "write", "/dev/fd/0")[1] in REFUSED


@confined
def test_it_has_threads_no_variables_and_no_shell(hostile):
    assert ask(hostile, "thread") == ask(hostile, "variables") == ("FORMAT_UNKNOWN", "did")
    assert ask(hostile, "system")[1].startswith("refused")


@confined
def test_a_connection_ends_it(hostile):
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(0.2)
        assert ask(hostile, "connect", listening.getsockname()[1])[0] == "DECODER_SANDBOX"
        with pytest.raises(TimeoutError):
            listening.accept()


@confined
@pytest.mark.parametrize("what, expected", [
    ("hang", "DECODER_LIMIT"), ("spin", "DECODER_LIMIT"), ("flood", "TRACK_TOO_LONG"), ("stop", "DECODER_CRASHED"),
    ("crash", "DECODER_CRASHED"), ("hog", "FORMAT_UNKNOWN"), ("decode", "DONE"),
])
def test_the_limits_hold_for_it(hostile, what, expected):
    assert ask(hostile, what)[0] == expected
    wait_for(lambda: not psutil.Process(hostile.process.pid).children())


@confined
def test_it_begins_with_the_whole_upload_and_ends_with_its_session(hostile):
    session = hostile.stub.CreateSession(api.CreateSessionRequest(config=Config())).session
    of = api.GetSessionRequest(session_id=session.session_id)
    processes = lambda: [child.name() for child in psutil.Process(hostile.process.pid).children()]
    hostile.stub.UploadChunk(api.UploadChunkRequest(session_id=session.session_id, data=b".snd"))
    hostile.stub.UploadChunk(api.UploadChunkRequest(session_id=session.session_id, offset=4, data=b"hang" + bytes(1000)))
    assert not hostile.stub.GetSession(of).session.HasField("error")
    hostile.stub.FinishUpload(api.FinishUploadRequest(session_id=session.session_id, finish=api.Finish(total_bytes=1008)))
    wait_for(lambda: "ffmpeg" in processes())
    hostile.stub.CancelSession(api.CancelSessionRequest(session_id=session.session_id))
    wait_for(lambda: not processes())
