"""Reads the boxes of MP4 files (ISO/IEC 14496-12)."""
import struct

CONTAINERS = {b"moov", b"trak", b"mdia", b"minf", b"stbl", b"edts", b"udta"}


def boxes(content: bytes) -> list[tuple[bytes, bytes]]:
    """The boxes in a file or a box: type and content."""
    found, at = [], 0
    while at < len(content):
        size, kind = struct.unpack_from(">I4s", content, at)
        assert size >= 8 and at + size <= len(content), (kind, size)
        found.append((kind, content[at + 8 : at + size]))
        at += size
    return found


def descend(content: bytes, *path: bytes) -> list[bytes]:
    """The contents of all boxes on a path."""
    if not path:
        return [content]
    return [last for kind, inner in boxes(content) if kind == path[0] for last in descend(inner, *path[1:])]


def enabled(file: bytes) -> list[bool]:
    """Whether players play each track."""
    return [bool(header[3] & 1) for header in descend(file, b"moov", b"trak", b"tkhd")]


def lengths(file: bytes) -> list[tuple[int, int]]:
    """Delay and length of each track in frames, by its edit list and its packets; the unit of time must be a frame."""
    found = []
    for track in descend(file, b"moov", b"trak"):
        durations = descend(track, b"mdia", b"minf", b"stbl", b"stts")[0]
        entries = struct.iter_unpack(">II", durations[8:])
        media = sum(count * frames for count, frames in entries)
        edits = descend(track, b"edts", b"elst")
        length, start = struct.unpack_from(">II", edits[0], 8) if edits else (media, 0)
        assert start + length == media
        found.append((start, length))
    return found
