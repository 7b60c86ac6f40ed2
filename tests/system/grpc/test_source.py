"""What the upload is: its format, its tags, and what was converted or lost."""
import json
import struct

import pytest

from ..audio import RATE, encode, music, wav
from ..common import INSTANT_MODEL, wait_for
from ..http_client import get
from ..stemwire_client import Config, api, request_id, separate, session_pb2

MODELS = INSTANT_MODEL

TAGS = {"title": "Ça ira", "artist": "Édith", "album": "Best of", "track": "3/12", "date": "1954-05-01", "genre": "Chanson"}
SURROUND = ["-ac", "6", "-ar", "96000", *(part for tag in TAGS.items() for part in ("-metadata", "=".join(tag)))]
NOTES = [("RESAMPLED", 96_000, RATE, 0), ("BAND_LOST", 48_000, RATE // 2, 0), ("DOWNMIXED", 6, 2, 0)]

IN_JSON = [{"kind": kind, "from": before, "to": after} | ({"method": "ITU-R BS.775"} if kind == "DOWNMIXED" else {})
           for kind, before, after, _ in NOTES]

MISSING = "1000 frames that the header announces are missing: the file was cut or is incomplete"


@pytest.fixture(scope="module")
def surround() -> bytes:
    """One second of 5.1 at 96 kHz, with tags."""
    return encode(music(1), *SURROUND, container="flac")


@pytest.fixture(scope="module")
def mp3() -> bytes:
    """One second without tags."""
    return encode(music(1), "-map_metadata", "-1", "-id3v2_version", "0", "-write_xing", "0", "-fflags", "+bitexact")


def notes(source) -> list[tuple[str, int, int, int]]:
    name = session_pb2.SourceNoteKind.Name
    return [(name(note.kind).removeprefix("SOURCE_NOTE_KIND_"), getattr(note, "from"), note.to, note.count) for note in source.notes]


def tag(*frames: tuple[str, bytes], size: int | None = None) -> bytes:
    """An ID3v2.4 tag of text frames in UTF-8."""
    syncsafe = lambda number: bytes(number >> shift & 0x7F for shift in (21, 14, 7, 0))
    body = b"".join(name.encode() + syncsafe(len(text) + 1) + b"\0\0\3" + text for name, text in frames)
    return b"ID3\4\0\0" + syncsafe(len(body) if size is None else size) + body


def test_a_session_has_it_over_grpc_and_http(server, surround):
    source = separate(server.stub, surround).done.source
    assert (source.sample_rate, source.channels, source.frames, source.duration_seconds) == (96_000, 6, 96_000, 1.0)
    assert notes(source) == NOTES
    assert source.tags == session_pb2.SourceTags(
        title="Ça ira", artist="Édith", album="Best of", track_number=3, date="1954-05-01", genre="Chanson")
    [session] = server.stub.ListSessions(api.ListSessionsRequest(page_size=1)).sessions
    assert get(server, f"/api/sessions/{session.session_id}").json()["source"] == {
        "container": "FLAC", "codec": "FLAC", "sample_rate": 96_000, "channels": 6, "frames": 96_000, "duration_seconds": 1.0,
        "decoder": None,
        "tags": {"title": "Ça ira", "artist": "Édith", "album": "Best of",
                 "track_number": 3, "date": "1954-05-01", "genre": "Chanson",
                 "album_artist": None, "bpm": None, "key": None, "comment": None},
        "notes": IN_JSON,
    }
    assert [note.method for note in source.notes] == ["", "", "ITU-R BS.775"]


@pytest.mark.parametrize("remote", [False, True])
def test_the_command_line_has_it(cli, server, surround, tmp_path, remote):
    (tmp_path / "song.flac").write_bytes(surround)
    options = ["--server", f"http://{server.address}"] if remote else []
    said = cli("separate", "song.flac", "-o", "text", *options).err
    line = "song.flac: source: FLAC, 96 kHz, 6 channels, 0:01, resampled from 96 to 44.1 kHz, nothing above 22.05 kHz is kept, " \
           "downmixed from 6 channels to 2 by ITU-R BS.775, “Édith – Ça ira”\n"
    assert line in said
    # The second run finds the result of the first.
    for _ in range(2):
        lines = cli("separate", "song.flac", "-o", "json", "--json", *options).out.splitlines()
        [done] = [event for event in map(json.loads, lines) if event["event"] == "done"]
        source = done["source"]
        assert (source["container"], source["frames"], source["duration_seconds"]) == ("FLAC", 96_000, 1.0)
        assert source["tags"]["track_number"] == 3 and source["tags"]["date"] == "1954-05-01"
        assert source["notes"] == IN_JSON


@pytest.mark.parametrize("remote", [False, True])
def test_the_command_line_prints_what_is_lost_once(cli, server, tmp_path, remote):
    song = wav(music(2))
    (tmp_path / "cut.wav").write_bytes(song[: len(song) - 4000])
    options = ["--server", f"http://{server.address}"] if remote else []
    ended = cli("separate", "cut.wav", "--json", *options)
    assert ended.err.count("1000 frames") == 1 and f"cut.wav: note: {MISSING}\n" in ended.err
    [done] = [event for event in map(json.loads, ended.out.splitlines()) if event["event"] == "done"]
    assert done["source"]["notes"] == [{"kind": "FRAMES_MISSING", "count": 1000}]
    assert all("not verified" in notice for notice in done["notices"])


def test_what_is_lost_is_counted(server, mp3):
    song = wav(music(2)[:, :1])
    cut = separate(server.stub, song[: len(song) - 2000]).done
    assert notes(cut.source) == [("MONO_COPIED", 1, 2, 0), ("FRAMES_MISSING", 0, 0, 1000)]
    assert MISSING in cut.notices
    assert cut.source.duration_seconds == pytest.approx(2 - 1000 / RATE) and not cut.source.HasField("tags")
    spoiled = separate(server.stub, mp3 + b"not audio" * 1000).done
    assert notes(spoiled.source) == [("BYTES_SKIPPED", 0, 0, 9000)]


def test_tags_in_front_are_known_before_the_upload_ends(server, mp3):
    # ID3v1 at the end.
    last = b"TAG" + b"Front".ljust(30, b"\0") + bytes(30) + b"Behind".ljust(30, b"\0") + bytes(34) + b"\xff"
    song = tag(("TIT2", b"Front")) + mp3 + last
    session_id = server.stub.CreateSession(api.CreateSessionRequest(config=Config(request_id=request_id()))).session.session_id
    half = len(song) // 2
    server.stub.UploadChunk(api.UploadChunkRequest(session_id=session_id, data=song[:half]))
    wait_for(lambda: server.get(session_id).HasField("source"))
    source = server.get(session_id).source
    assert (source.tags.title, source.tags.album, source.duration_seconds) == ("Front", "", 0)
    server.stub.UploadChunk(api.UploadChunkRequest(session_id=session_id, offset=half, data=song[half:]))
    server.stub.FinishUpload(api.FinishUploadRequest(session_id=session_id, finish=api.Finish(total_bytes=len(song))))
    wait_for(lambda: server.get(session_id).state == session_pb2.SESSION_STATE_DONE)
    assert (server.get(session_id).source.tags.title, server.get(session_id).source.tags.album) == ("Front", "Behind")


def test_hostile_tags_change_nothing_and_are_bounded(server, mp3):
    plain = separate(server.stub, mp3)
    controls = "\x1b\u202e\x7f\r\n".encode()
    long = tag(("TIT2", controls + b"a" * 100_000), ("TPE1", controls), ("TRCK", b"99999999999"))
    # Sizes beyond the tag, in its frames and of text in UTF-16 without an end.
    wrong = tag(("TIT2", b"x"))
    wrong = wrong[:14] + b"\x7f\x7f\x7f\x7f" + wrong[18:]
    halves = tag(("TIT2", b"x" * 41)).replace(b"\0\0\3x", b"\0\0\1x")
    many = tag(*[("TXXX", b"key\0value")] * 20_000)
    for hostile in (long, wrong, halves, many):
        result = separate(server.stub, hostile + mp3)
        assert result.done.state == session_pb2.SESSION_STATE_DONE and result.digests() == plain.digests()
        tags = result.done.source.tags
        assert all(character.isprintable() for character in tags.title + tags.artist), tags
        assert len(tags.title) <= 256 and tags.artist == "" and tags.track_number == 0


def test_hostile_comments_of_flac_change_nothing(server):
    song = encode(music(1), container="flac")
    plain = separate(server.stub, song)
    vendor = struct.pack("<I", 4) + b"evil"
    bodies = [
        struct.pack("<I", 0xFFFF_FFFF), vendor + struct.pack("<I", 0xFFFF_FFFF),
        vendor + struct.pack("<II", 1, 0x7FFF_FFFF) + b"TITLE=x", vendor + struct.pack("<II", 1, 6) + b"TITLE=",
    ]
    for body in bodies:
        block = b"\4" + len(body).to_bytes(3, "big") + body
        # Behind STREAMINFO, in front of the others.
        result = separate(server.stub, song[:42] + block + song[42:])
        assert result.done.state == session_pb2.SESSION_STATE_DONE and result.digests() == plain.digests()
