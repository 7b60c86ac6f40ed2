"""The sandbox of a decoder, inspected from outside, and what a server reports of it."""
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import imageio_ffmpeg
import psutil
import pytest

from ..audio import RATE, encode, music, wav
from ..common import INSTANT_MODEL, QUICK_MODEL, check_refused, wait_for
from ..http_client import get
from ..server import set_variables
from ..stemwire_client import Config, api, separate
from .decoder import decode, kernel_has_all

MODELS = INSTANT_MODEL
# The doctor checks all models, and of those for tests one is wrong.
SOUND_MODELS = {**QUICK_MODEL, "STEMWIRE_MODELS_DIR": None}

pytestmark = pytest.mark.skipif(not kernel_has_all(), reason="this kernel has no Landlock or no seccomp")

TOKEN = "correct-horse-battery-0123456789"
WITHOUT = [sys.executable, str(Path(__file__).with_name("without.py"))]


def begin(server, song, metadata=()):
    """A session with all but the end of its upload, and its decoder."""
    session = server.stub.CreateSession(api.CreateSessionRequest(config=Config()), metadata=metadata).session
    server.stub.UploadChunk(api.UploadChunkRequest(session_id=session.session_id, data=song), metadata=metadata)
    parent = psutil.Process(server.process.pid)
    wait_for(lambda: any("decode" in child.cmdline() for child in parent.children()))
    decoder, = (child for child in parent.children() if "decode" in child.cmdline())
    # It has confined itself before it sends anything.
    wait_for(lambda: server.stub.GetSession(
        api.GetSessionRequest(session_id=session.session_id), metadata=metadata).session.progress.decoded_frames > 0)
    return session.session_id, decoder


def test_a_live_decoder_has_its_upload_and_nothing_else(start):
    server = start(variables={"STEMWIRE_TOKEN": TOKEN, "SECRET_OF_THE_HOST": "42"})
    session_id, decoder = begin(server, wav(music(2)), [("authorization", f"Bearer {TOKEN}")])
    of = Path(f"/proc/{decoder.pid}")
    status = dict(re.findall(r"^(\w+):\s*(.*)$", (of / "status").read_text(), re.MULTILINE))
    assert (status["NoNewPrivs"], status["Seccomp"], status["Threads"]) == ("1", "2", "1")
    assert {status[name] for name in ("CapInh", "CapPrm", "CapEff", "CapAmb")} == {"0" * 16}
    assert (of / "environ").read_bytes() == b""
    assert str((of / "cwd").readlink()) == "/"
    assert session_id not in " ".join(decoder.cmdline())
    upload = str(server.directory(session_id) / "upload")
    opened = {re.sub(r":\[\d+\]", "", str(file.readlink())) for file in (of / "fd").iterdir()}
    assert opened == {upload, "socket", "pipe"}
    for file in (of / "fd").iterdir():
        if str(file.readlink()) == upload:
            flags, = re.findall(r"^flags:\s*(\d+)$", (of / "fdinfo" / file.name).read_text(), re.MULTILINE)
            assert int(flags, 8) & os.O_ACCMODE == os.O_RDONLY
    limits = (of / "limits").read_text()
    for name, soft in {"file size": 0, "core file size": 0, "processes": 0, "open files": 16, "address space": 1 << 30}.items():
        assert re.search(rf"^Max {name} +{soft} +{soft} ", limits, re.MULTILINE), limits


def test_a_decoder_that_its_sandbox_stops_is_not_blamed_on_the_file(start):
    server = start()
    session_id, decoder = begin(server, wav(music(2)))
    decoder.send_signal(signal.SIGSYS)
    wait_for(lambda: server.get(session_id).error.reason)
    error = server.get(session_id).error
    assert error.reason == "DECODER_SANDBOX" and "sandbox" in error.message and "operator" in error.remedy
    wait_for(lambda: re.search(f"ERROR.*{session_id}|ERROR.*sandbox.*session={session_id}", server.log_text()))


def test_health_and_the_doctor_report_the_sandbox(server, cli):
    assert server.stub.Health(api.HealthRequest()).decoder_sandbox == api.DECODER_SANDBOX_FULL
    assert get(server, "/health").json()["decoder_sandbox"] == "full"
    assert "sandbox" not in server.log_text()
    ffmpeg = imageio_ffmpeg.get_ffmpeg_exe()
    report = cli("doctor", "--listen", "127.0.0.1:0", "--ffmpeg", ffmpeg, **SOUND_MODELS).out.decode()
    assert "good  the decoder works, confined by Landlock and seccomp\n" in report
    assert re.search("good  ffmpeg .+ decodes what Stemwire does not read\n", report)


@pytest.mark.parametrize("parts, level, missing", [
    ("landlock", "partial", "no Landlock"),
    ("seccomp", "partial", "no seccomp filters"),
    ("landlock,seccomp", "none", "no Landlock and seccomp filters"),
])
def test_a_kernel_without_a_part_of_it_is_reported_and_decodes(start, parts, level, missing):
    server = start(wrapper=[*WITHOUT, parts])
    assert f"warning: this system has {missing}" in server.log_text()
    value = server.stub.Health(api.HealthRequest()).decoder_sandbox
    assert api.DecoderSandbox.Name(value) == f"DECODER_SANDBOX_{level.upper()}"
    assert get(server, "/health").json()["decoder_sandbox"] == level
    assert separate(server.stub, encode(music(1), container="flac")).error is None


def test_a_required_sandbox_that_the_kernel_lacks_is_an_error(binary, start, tmp_path):
    def run(*arguments, **variables):
        command = [*WITHOUT, "landlock", binary, *arguments, "--listen", "127.0.0.1:0", "--data-dir", str(tmp_path / "data")]
        environment = set_variables(os.environ, {"STEMWIRE_OFFLINE": "1", **SOUND_MODELS, **variables})
        return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=120, check=False)

    refused = run("serve", "--require-sandbox")
    assert refused.returncode == 1
    check_refused(refused.stderr, "this system has no Landlock", "--require-sandbox")
    reported = run("doctor")
    assert reported.returncode == 0
    assert "good  the decoder works, its sandbox is partial: this system has no Landlock\n" in reported.stdout
    reported = run("doctor", STEMWIRE_REQUIRE_SANDBOX="1")
    assert reported.returncode == 1
    assert re.search(r"BAD   the decoder works, its sandbox is partial.*\n +remedy: ", reported.stdout)
    # Where there is one, nothing changes.
    server = start("--require-sandbox")
    assert separate(server.stub, wav(music(1))).error is None


@pytest.mark.parametrize("container, options", [
    ("wav", []), ("w64", []), ("aiff", []), ("flac", []), ("mp3", []), ("ogg", ["-c:a", "libvorbis"]), ("ogg", ["-c:a", "flac"]),
    ("m4a", ["-c:a", "aac"]), ("m4a", ["-c:a", "alac"]), ("mp4", ["-c:a", "flac"]), ("mov", ["-c:a", "aac"]),
    ("mp4", ["-c:a", "aac", "-movflags", "+frag_keyframe+empty_moov"]),
])
def test_each_container_and_codec_is_decoded_in_the_sandbox(binary, tmp_path, container, options):
    """How they sound is checked elsewhere; here that the sandbox has all that their decoders need."""
    song = tmp_path / "song"
    song.write_bytes(encode(music(2), *options, container=container))
    ended = decode(binary, song)
    assert (ended.code, ended.err) == (0, "")
    assert ended.messages["C"] == {"landlock": True, "seccomp": True}
    assert "E" in ended.messages and ended.frames == pytest.approx(2 * RATE, abs=5_000)
