"""Songs with tags and a cover, and the tags of files, written and read by mutagen."""
import base64
import io
import subprocess
from pathlib import Path
from typing import Any

import imageio_ffmpeg
import mutagen
from mutagen import id3
from mutagen.flac import Picture
from mutagen.mp3 import MP3
from mutagen.mp4 import MP4

from .audio import encode, music

TAGS = {
    "title": "Ça ira", "artist": "Édith", "album": "Best of", "album_artist": "Various", "track_number": 3,
    "date": "1954-05-01", "genre": "Chanson", "bpm": 127.5, "key": "Am", "comment": "live",
}

# Frames of ID3, names of Vorbis comments, and of MP4.
NAMES = {
    "title": ("TIT2", "title", "\xa9nam"), "artist": ("TPE1", "artist", "\xa9ART"), "album": ("TALB", "album", "\xa9alb"),
    "album_artist": ("TPE2", "albumartist", "aART"), "track_number": ("TRCK", "tracknumber", "trkn"),
    "date": ("TDRC", "date", "\xa9day"), "genre": ("TCON", "genre", "\xa9gen"),
    "bpm": ("TBPM", "bpm", "----:com.apple.iTunes:BPM"), "key": ("TKEY", "initialkey", "----:com.apple.iTunes:initialkey"),
    "comment": ("COMM::XXX", "comment", "\xa9cmt"),
}


def picture() -> bytes:
    """A small PNG."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-f", "lavfi", "-i", "color=c=red:s=32x32", "-frames:v", "1"]
    return subprocess.run([*command, "-c:v", "png", "-f", "image2pipe", "-"], capture_output=True, check=True).stdout


def tagged_song(seconds: float, cover: bytes | None) -> bytes:
    """An MP3 with all tags."""
    file = io.BytesIO(encode(music(seconds), "-map_metadata", "-1"))
    song = MP3(file)
    if song.tags is None:
        song.add_tags()
    for name, value in TAGS.items():
        frame = getattr(id3, NAMES[name][0].split(":")[0])
        lang = {"lang": "eng"} if name == "comment" else {}
        song.tags.add(frame(encoding=3, text=str(value), **lang))
    # What players of Apple keep there is no comment.
    song.tags.add(id3.COMM(encoding=0, lang="eng", desc="iTunSMPB", text=" 00000000 00000210 00000726"))
    if cover:
        song.tags.add(id3.APIC(encoding=3, mime="image/png", type=3, desc="", data=cover))
    song.save(file)
    return file.getvalue()


def read(content: bytes, name: str) -> tuple[dict, bytes | None]:
    """The tags and the cover of a file."""
    file: Any = mutagen.File(io.BytesIO(content) if isinstance(content, bytes) else content, None)
    assert file is not None, name
    tags = file.tags
    if tags is None:
        return {}, None
    kind = 2 if isinstance(file, MP4) else 0 if isinstance(tags, id3.ID3) else 1
    found: dict = {}
    for field, names in NAMES.items():
        value = tags.get(names[kind])
        if value is None:
            continue
        value = value.text[0] if kind == 0 else value[0]
        value = value[0] if isinstance(value, tuple) else value.decode() if isinstance(value, bytes) else value
        found[field] = int(value) if field == "track_number" else float(value) if field == "bpm" else str(value)
    if kind == 2:
        # Beside the exact number, a whole one.
        assert tags.get("tmpo") == ([round(found["bpm"])] if found else None)
        covers = [bytes(cover) for cover in tags.get("covr", [])]
    elif kind == 0:
        covers = [cover.data for cover in tags.getall("APIC")]
    elif hasattr(file, "pictures"):
        covers = [cover.data for cover in file.pictures]
    else:
        covers = [Picture(base64.b64decode(cover)).data for cover in tags.get("metadata_block_picture", [])]
    assert len(covers) <= 1
    return found, covers[0] if covers else None


def read_file(path: Path) -> tuple[dict, bytes | None]:
    """The same of a file on disk."""
    return read(path.read_bytes(), path.name)


def expected(part: str | None) -> dict:
    """The tags of a file with this part of the song."""
    return TAGS | {"title": f"{TAGS['title']} ({part})" if part else TAGS["title"]}
