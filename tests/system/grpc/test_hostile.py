"""Invalid, broken and hostile input: each gets its code and reason, and the server continues.

`table()` at the end prints all attempts and responses (`pytest -s`).
"""
import random
import struct

import grpc
import pytest

from ..audio import RATE, encode, music, wav
from ..common import wait_for
from ..repository import ROOT
from ..stemwire_client import Config, api, collect, config_pb2, get_stem, reason, request_id, separate, session_pb2

# A trivial model: these tests do not depend on inference.
MODELS = {"STEMWIRE_MODELS_DIR": str(ROOT / "tests" / "golden" / "plain"), "STEMWIRE_ENGINES": "waveform"}
ROWS: list[tuple] = []
INPUT_REASONS = {
    "FORMAT_UNKNOWN", "CODEC_UNSUPPORTED", "SAMPLE_RATE_UNSUPPORTED", "CHANNELS_UNSUPPORTED", "NOTHING_DECODED",
    "DECODER_CRASHED", "DECODER_LIMIT",
}
Message = api.SeparateRequest


def row(what: str, error) -> tuple:
    code, why, _ = reason(error) if error else ("OK", "", {})
    ROWS.append((what, code, why))
    return code, why


@pytest.fixture(scope="module", autouse=True)
def table():
    yield
    print()
    for what, code, why in ROWS:
        print(f"| {what} | {code} | {why} |")


@pytest.fixture(autouse=True)
def goes_on(server, request):
    """After every test the server still separates and has no open session."""
    yield
    if "server" in request.fixturenames:
        assert separate(server.stub, wav(music(1))).error is None
        assert server.process.poll() is None
        places = lambda: server.stub.Health(api.HealthRequest())
        wait_for(lambda: places().open_sessions == 0 and places().queued_sessions == 0)


def riff(rate=RATE, channels=2, bits=16, tag=1, data=b"\0" * 4000, riff_size=None, data_size=None) -> bytes:
    block = channels * bits // 8
    form = struct.pack("<HHIIHH", tag, channels, rate, rate * block & 0xFFFFFFFF, block & 0xFFFF, bits)
    data_size = len(data) if data_size is None else data_size
    riff_size = 36 + len(data) if riff_size is None else riff_size
    return (b"RIFF" + struct.pack("<I", riff_size) + b"WAVEfmt " + struct.pack("<I", 16) + form
            + b"data" + struct.pack("<I", data_size) + data)


@pytest.mark.parametrize("what, song, expected", [
    ("empty upload", b"", ("INVALID_ARGUMENT", "UPLOAD_EMPTY")),
    ("text file", b"Dear server,\nplease sing.\n" * 99, ("INVALID_ARGUMENT", "FORMAT_UNKNOWN")),
    ("one byte", b"R", ("INVALID_ARGUMENT", "FORMAT_UNKNOWN")),
    ("zeros", bytes(100_000), ("INVALID_ARGUMENT", "FORMAT_UNKNOWN")),
    ("noise", random.Random(1).randbytes(100_000), ("INVALID_ARGUMENT", None)),
    ("wav of 0 Hz", riff(rate=0), ("INVALID_ARGUMENT", "SAMPLE_RATE_UNSUPPORTED")),
    ("wav of 4 GHz", riff(rate=0xFFFFFFFF), ("INVALID_ARGUMENT", "SAMPLE_RATE_UNSUPPORTED")),
    ("wav of 0 channels", riff(channels=0), ("INVALID_ARGUMENT", None)),
    ("wav of 255 channels", riff(channels=255), ("INVALID_ARGUMENT", "CHANNELS_UNSUPPORTED")),
    ("wav of 65 bits", riff(bits=65), ("INVALID_ARGUMENT", "CODEC_UNSUPPORTED")),
    ("wav of an unknown codec", riff(tag=0x161), ("INVALID_ARGUMENT", "CODEC_UNSUPPORTED")),
    ("wav without data", riff(data=b""), ("INVALID_ARGUMENT", "NOTHING_DECODED")),
    ("a zip archive", b"PK\x03\x04" + bytes(500), ("INVALID_ARGUMENT", "FORMAT_UNKNOWN")),
])
def test_a_file_that_is_not_audio_is_reported(server, what, song, expected):
    result = separate(server.stub, song)
    code, why = row(what, result.error)
    assert code == expected[0]
    assert why == expected[1] if expected[1] else why in INPUT_REASONS
    assert len(result.error.details()) > 10
    session = server.get(result.session.session_id)
    assert session.state == session_pb2.SESSION_STATE_FAILED
    assert session.error.reason == why and session.error.message == result.error.details()
    assert session.error.remedy == reason(result.error)[2]["remedy"] and session.error.remedy.endswith(".")


@pytest.mark.parametrize("what, song", [
    ("wav with a data size of 4 GiB", riff(data_size=0xFFFFFFF0, data=music(2).tobytes())),
    ("wav with sizes that are unknown", riff(riff_size=0xFFFFFFFF, data_size=0xFFFFFFFF, data=music(2).tobytes())),
    ("wav with sizes of zero", riff(riff_size=0, data_size=0, data=music(2).tobytes())),
])
def test_sizes_that_lie_are_not_believed(server, what, song):
    result = separate(server.stub, song)
    assert row(what, result.error)[0] == "OK"
    assert {len(pcm) for pcm in result.stems.values()} == {2 * RATE * 2 * 8}


def formats():
    audio = music(4)
    return {
        "wav": wav(audio),
        "aiff": encode(audio, container="aiff"),
        "flac": encode(audio, container="flac"),
        "mp3": encode(audio, "-b:a", "128k"),
        "ogg": encode(audio, "-c:a", "libvorbis", container="ogg"),
        "m4a (aac)": encode(audio, "-c:a", "aac", "-movflags", "+faststart", container="m4a"),
        "m4a (alac)": encode(audio, "-c:a", "alac", container="m4a"),
    }


def test_truncated_files_yield_their_audio_or_an_error(server):
    for name, song in formats().items():
        for part in (0.02, 0.3, 0.9):
            result = separate(server.stub, song[: int(len(song) * part)])
            code, why = row(f"{name} cut to {part:.0%}", result.error)
            assert code == "OK" or (code == "INVALID_ARGUMENT" and why in INPUT_REASONS)
            if code == "OK":
                lengths = {len(pcm) for pcm in result.stems.values()}
                assert len(lengths) == 1 and lengths.pop() <= 4.2 * RATE * 8


def test_flipped_bits_yield_audio_or_an_error(server):
    draw = random.Random(3)
    for name, song in formats().items():
        for count in (1, 300):
            broken = bytearray(song)
            for _ in range(count):
                broken[draw.randrange(len(broken))] ^= 1 << draw.randrange(8)
            result = separate(server.stub, bytes(broken))
            code, why = row(f"{name} with {count} flipped bits", result.error)
            assert code == "OK" or (code == "INVALID_ARGUMENT" and why in INPUT_REASONS)


@pytest.mark.parametrize("what, messages, expected", [
    ("chunk before config", [Message(chunk=b"x")], ("INVALID_ARGUMENT", "CONFIG_MISSING")),
    ("no message at all", [], ("INVALID_ARGUMENT", "CONFIG_MISSING")),
    ("config twice", [Message(config=Config())] * 2, ("INVALID_ARGUMENT", "CONFIG_REPEATED")),
    ("message without content", [Message(config=Config()), Message()], ("INVALID_ARGUMENT", "MESSAGE_EMPTY")),
    ("no finish", [Message(config=Config()), Message(chunk=b"x" * 99)], ("ABORTED", "UPLOAD_UNFINISHED")),
    ("finish with more bytes than came",
     [Message(config=Config()), Message(chunk=b"x" * 99), Message(finish=api.Finish(total_bytes=100))],
     ("OUT_OF_RANGE", "UPLOAD_INCOMPLETE")),
    ("finish with fewer bytes than came",
     [Message(config=Config()), Message(chunk=b"x" * 99), Message(finish=api.Finish(total_bytes=98))],
     ("INVALID_ARGUMENT", "UPLOAD_SIZE_MISMATCH")),
    ("wrong hash",
     [Message(config=Config()), Message(chunk=b"x" * 99), Message(finish=api.Finish(total_bytes=99, sha256=bytes(32)))],
     ("INVALID_ARGUMENT", "UPLOAD_HASH_MISMATCH")),
    ("half a hash",
     [Message(config=Config()), Message(chunk=b"x" * 99), Message(finish=api.Finish(total_bytes=99, sha256=bytes(16)))],
     ("INVALID_ARGUMENT", "CONFIG_INVALID")),
    ("chunk of more than 1 MiB", [Message(config=Config()), Message(chunk=bytes((1 << 20) + 1))],
     ("INVALID_ARGUMENT", "CHUNK_TOO_LARGE")),
    ("message of 5 MiB", [Message(config=Config()), Message(chunk=bytes(5 << 20))],
     ("OUT_OF_RANGE", "MESSAGE_TOO_LARGE")),
    ("first chunk beyond the beginning", [Message(config=Config(upload_offset=7)), Message(chunk=b"x")],
     ("OUT_OF_RANGE", "UPLOAD_GAP")),
    ("unknown model", [Message(config=Config(model="nosuch"))], ("INVALID_ARGUMENT", "MODEL_UNKNOWN")),
    ("unknown stem", [Message(config=Config(stems=["kazoo"]))], ("INVALID_ARGUMENT", "STEM_UNKNOWN")),
    ("100,000 stems", [Message(config=Config(stems=[f"s{i}" for i in range(100_000)]))],
     ("INVALID_ARGUMENT", "CONFIG_INVALID")),
    ("../ as stem", [Message(config=Config(stems=["../vocals"]))], ("INVALID_ARGUMENT", "CONFIG_INVALID")),
    ("overlap of 1", [Message(config=Config(overlap=1.0))], ("INVALID_ARGUMENT", "CONFIG_INVALID")),
    ("request_id that is no UUID", [Message(config=Config(request_id="mine"))], ("INVALID_ARGUMENT", "CONFIG_INVALID")),
    ("raw PCM of 0 Hz", [Message(config=Config(input=config_pb2.RawPcm(encoding=1, channels=2)))],
     ("INVALID_ARGUMENT", "CONFIG_INVALID")),
    ("raw PCM of 255 channels",
     [Message(config=Config(input=config_pb2.RawPcm(encoding=1, sample_rate=RATE, channels=255)))],
     ("INVALID_ARGUMENT", "CONFIG_INVALID")),
    ("odd PCM length",
     [Message(config=Config(input=config_pb2.RawPcm(encoding=2, sample_rate=RATE, channels=2))),
      Message(chunk=bytes(40_001)), Message(finish=api.Finish(total_bytes=40_001))],
     ("INVALID_ARGUMENT", "PCM_LENGTH_ODD")),
])
def test_violations_of_the_protocol_are_refused_with_their_reason(server, what, messages, expected):
    assert row(what, collect(server.stub.Separate(iter(messages))).error) == expected


def test_a_name_that_leads_elsewhere_is_only_a_label(server, tmp_path):
    result = separate(server.stub, wav(music(1)), Config(file_name="../../../etc/passwd"))
    assert result.done.config.file_name == "../../../etc/passwd"
    found = sorted(path.name for path in server.directory(result.done.session_id).iterdir())
    assert found == ["session.json", "stems", "upload"]


def test_names_of_sessions_and_stems_are_checked(server):
    done = separate(server.stub, wav(music(1))).done
    unknown = request_id()
    for what, call, expected in [
        ("unknown session id", lambda: get_stem(server.stub, unknown, "vocals"), ("NOT_FOUND", "SESSION_NOT_FOUND")),
        ("invalid session id", lambda: get_stem(server.stub, "..", "vocals"), ("INVALID_ARGUMENT", "SESSION_ID_INVALID")),
        ("../ as stem to read", lambda: get_stem(server.stub, done.session_id, "../vocals"),
         ("INVALID_ARGUMENT", "STEM_NAME_INVALID")),
        ("stem that the session lacks", lambda: get_stem(server.stub, done.session_id, "accompaniment"),
         ("NOT_FOUND", "STEM_UNKNOWN")),
        ("frame beyond the end", lambda: get_stem(server.stub, done.session_id, "vocals", start_frame=10**9),
         ("OUT_OF_RANGE", "FRAME_OUT_OF_RANGE")),
        ("stem that is watched twice", lambda: list(server.stub.WatchSession(api.WatchSessionRequest(
            session_id=done.session_id, stems=[api.StemCursor(stem="vocals"), api.StemCursor(stem="vocals", start_frame=5)]))),
         ("INVALID_ARGUMENT", "CONFIG_INVALID")),
        ("unknown session to delete",
         lambda: server.stub.DeleteSession(api.DeleteSessionRequest(session_id=unknown)), ("NOT_FOUND", "SESSION_NOT_FOUND")),
        ("UploadChunk of 5 MiB",
         lambda: server.stub.UploadChunk(api.UploadChunkRequest(session_id=unknown, data=bytes(5 << 20))),
         ("OUT_OF_RANGE", "MESSAGE_TOO_LARGE")),
        ("UploadChunk after the end",
         lambda: server.stub.UploadChunk(api.UploadChunkRequest(session_id=done.session_id, offset=10**6, data=b"x")),
         ("FAILED_PRECONDITION", None)),
    ]:
        with pytest.raises(grpc.RpcError) as refused:
            call()
        code, why = row(what, refused.value)
        assert code == expected[0]
        assert why == expected[1] or (expected[1] is None and why)


def test_uploads_and_tracks_have_their_limits(start):
    server = start("--max-upload", "1MB", "--max-track", "9s")
    for what, song, expected in [
        ("upload beyond its limit", wav(music(8)), ("RESOURCE_EXHAUSTED", "UPLOAD_TOO_LARGE")),
        ("track beyond its limit", encode(music(10), "-b:a", "64k"), ("RESOURCE_EXHAUSTED", "TRACK_TOO_LONG")),
    ]:
        result = separate(server.stub, song)
        assert row(what, result.error) == expected
        assert server.get(result.session.session_id).state == session_pb2.SESSION_STATE_FAILED
    assert separate(server.stub, wav(music(2))).error is None


def test_a_decoder_that_exceeds_its_memory_or_time_ends_only_its_session(start):
    song = encode(music(60), container="flac")
    for what, options in [
        ("decoder beyond its memory", ["--decoder-memory", "1MB"]),
        ("decoder beyond its time", ["--decoder-time", "0s"]),
    ]:
        server = start(*options)
        result = separate(server.stub, song)
        assert row(what, result.error) == ("INVALID_ARGUMENT", "DECODER_LIMIT")
        assert server.process.poll() is None
        assert server.stub.Health(api.HealthRequest()).open_sessions == 0
