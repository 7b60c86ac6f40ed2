"""Downloads have the tags and the cover of the song, as mutagen reads them, and the samples that they have without."""
import io
import struct
import zipfile

import imageio_ffmpeg
import numpy as np
import pytest
import soundfile
from mutagen.mp4 import MP4, MP4Cover

from ..audio import music, wav
from ..common import INSTANT_FOUR_STEMS
from ..http_client import call, get, separate
from ..repository import ROOT
from ..server import Server
from ..tags import expected, picture, read, tagged_song
from .files import ffmpeg

MODELS = INSTANT_FOUR_STEMS
EXACT = ["wav-f32", "wav-s24", "wav-s16", "flac", "flac-s16", "aiff", "aiff-s16"]
OTHERS = ["opus", "mp3", "m4a-alac", "m4a-alac-s16", "m4a-aac"]


@pytest.fixture(scope="module")
def cover() -> bytes:
    return picture()


@pytest.fixture(scope="module")
def song(cover) -> bytes:
    return tagged_song(0.7, cover)


@pytest.fixture(scope="module")
def server(binary, chosen_models, tmp_path_factory):
    server = Server(binary, tmp_path_factory.mktemp("data"), "--ffmpeg", imageio_ffmpeg.get_ffmpeg_exe())
    yield server
    server.close()
    assert "panicked" not in server.log_text()


@pytest.mark.parametrize("form_name", EXACT + OTHERS)
def test_a_stem_has_the_tags_of_the_song(server, links, cover, form_name):
    url = f"{links['vocals_url']}?format={form_name}"
    tagged, plain = get(server, url), get(server, f"{url}&tags=false")
    assert read(tagged.body, form_name) == (expected("vocals"), cover)
    tags, no_cover = read(plain.body, form_name)
    assert (tags, no_cover) == ({}, None) and tagged.headers["etag"] != plain.headers["etag"]
    if form_name in EXACT:
        samples = [soundfile.read(io.BytesIO(answer.body), dtype="float32")[0] for answer in (tagged, plain)]
    else:
        decode = lambda body: np.frombuffer(ffmpeg("-i", "-", "-map", "0:a", "-f", "f32le", "-", stdin=body), "<f4")
        samples = [decode(answer.body) for answer in (tagged, plain)] if "m4a" not in form_name else [np.ones(1)] * 2
    assert len(samples[0]) and np.array_equal(*samples)


@pytest.mark.parametrize("form_name", ["wav-s16", "aiff", "flac"])
def test_every_range_of_a_file_with_tags_is_that_part_of_the_whole(server, links, form_name):
    url = f"/download/{links['session_id']}/drums?format={form_name}"
    whole = get(server, url).body
    size = len(whole)
    assert int(call(server, "HEAD", url).headers.get("content-length", size)) == size
    with_cover = size - len(get(server, f"{url}&tags=false").body)
    for first, last in ((0, 99), (size - 1, size - 1), (size - with_cover - 5, size - with_cover + 5), (size - 700, size - 3)):
        assert get(server, url, range=f"bytes={first}-{last}").body == whole[first : last + 1], (first, last)
    if form_name == "wav-s16":
        assert struct.unpack("<I", whole[4:8]) == (size - 8,)
        # The frames are where they are without tags.
        assert whole[8:94] == get(server, f"{url}&tags=false").body[8:94]


def test_mixes_archives_and_ni_stems_have_them_too(server, links, cover):
    session_id = links["session_id"]
    mix = get(server, f"/download/{session_id}/mix?gains=vocals:-inf&format=flac")
    assert read(mix.body, "mix") == (expected("no vocals"), cover)
    assert read(get(server, f"/download/{session_id}/mix?tags=false").body, "mix") == ({}, None)
    archive = zipfile.ZipFile(io.BytesIO(get(server, f"/download/{session_id}.zip?format=mp3").body))
    for name in archive.namelist():
        assert read(archive.read(name), name) == (expected(name.removesuffix(".mp3")), cover)
    plain = zipfile.ZipFile(io.BytesIO(get(server, f"/download/{session_id}.zip?tags=false").body))
    assert all(read(plain.read(name), name) == ({}, None) for name in plain.namelist())
    for codec in ("aac", "alac"):
        stems = get(server, f"/download/{session_id}.stem.mp4?codec={codec}").body
        assert read(stems, "stems") == (expected(None), cover)
        shown = ffmpeg("-i", "-", "-f", "ffmetadata", "-", stdin=stems).decode()
        assert "artist=Édith" in shown
    assert b"tmpo" not in get(server, f"/download/{session_id}.stem.mp4?codec=alac&tags=false").body
    assert get(server, f"/download/{session_id}/mix?tags=maybe").problem()[0] == 400


def test_tags_and_cover_survive_a_restart_and_end_with_the_session(binary, chosen_models, song, cover, tmp_path):
    server = Server(binary, tmp_path)
    links = separate(server, song, "tagged.mp3", stems="vocals").json()
    folder = tmp_path / "sessions" / links["session_id"]
    assert (folder / "cover").read_bytes() == cover
    before = get(server, f"{links['vocals_url']}?format=flac")
    server.close()
    server = Server(binary, tmp_path)
    after = get(server, f"{links['vocals_url']}?format=flac")
    assert (after.body, after.headers["etag"]) == (before.body, before.headers["etag"])
    # Without its file, the rest is as good.
    (folder / "cover").unlink()
    assert read(get(server, f"{links['vocals_url']}?format=mp3").body, "mp3") == (expected("vocals"), None)
    assert call(server, "DELETE", f"/api/sessions/{links['session_id']}").status in (200, 204)
    assert not folder.exists()
    server.close()


def test_a_cover_that_is_too_large_has_a_note(server):
    large = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * (5 << 12)
    links = separate(server, tagged_song(0.3, large), "large.mp3", stems="vocals").json()
    notes = get(server, f"/api/sessions/{links['session_id']}").json()["source"]["notes"]
    assert {"kind": "COVER_LEFT_OUT", "count": 1} in notes
    assert read(get(server, f"{links['vocals_url']}?format=opus").body, "opus") == (expected("vocals"), None)


def he_aac(cover: bytes) -> bytes:
    file = io.BytesIO((ROOT / "tests" / "golden" / "he_aac" / "v1.m4a").read_bytes())
    song = MP4(file)
    song["\xa9nam"], song["\xa9ART"], song["trkn"] = "Ça ira", "Édith", [(3, 12)]
    song["covr"] = [MP4Cover(cover, MP4Cover.FORMAT_PNG)]
    song.save(file)
    return file.getvalue()


def encoded(form_name: str, *arguments: str) -> bytes:
    tags = ["-metadata", "title=Ça ira", "-metadata", "artist=Édith", "-metadata", "track=3/12"]
    return ffmpeg("-f", "lavfi", "-i", "sine=d=0.5", *arguments, *tags, "-f", form_name, "-")


@pytest.mark.parametrize("name, with_cover, make", [
    ("he_aac.m4a", True, he_aac),
    ("ac3.mkv", False, lambda _: encoded("matroska", "-c:a", "ac3")),
    ("song.wma", False, lambda _: encoded("asf", "-c:a", "wmav2")),
    ("song.avi", False, lambda _: encoded("avi", "-c:a", "libmp3lame")),
])
def test_songs_that_ffmpeg_decodes_keep_their_tags(server, cover, name, with_cover, make):
    links = separate(server, make(cover), name, stems="vocals").json()
    source = get(server, f"/api/sessions/{links['session_id']}").json()["source"]
    assert "ffmpeg" in source["decoder"]
    assert {"title": "Ça ira", "artist": "Édith", "track_number": 3}.items() <= source["tags"].items()
    tags, found = read(get(server, f"{links['vocals_url']}?format=mp3").body, name)
    assert {"title": "Ça ira (vocals)", "artist": "Édith", "track_number": 3}.items() <= tags.items()
    assert found == (cover if with_cover else None)


def test_a_song_without_tags_gives_its_name(server):
    links = separate(server, wav(music(0.3)), "Ann - What?.live.wav", stems="vocals").json()
    assert read(get(server, f"{links['vocals_url']}?format=mp3").body, "mp3") == ({"title": "Ann - What?.live (vocals)"}, None)
