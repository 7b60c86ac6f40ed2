"""How long a download takes to start, in every format, with the tags and the cover of the song."""
from __future__ import annotations

import http.client
import json
import random
import time

from measure import Spread
from results import Result, Row
from rows.serving import Company, client, serving

WITHIN_MS = 300
COVER_BYTES = 1 << 20


def tagged(song: bytes) -> bytes:
    """An MP3 with a title and a cover of a mebibyte, in ID3v2.3."""
    def frame(name: bytes, content: bytes) -> bytes:
        return name + len(content).to_bytes(4, "big") + b"\0\0" + content

    cover = b"\x89PNG\r\n\x1a\n" + random.Random(1).randbytes(COVER_BYTES)
    frames = frame(b"TIT2", b"\0Song") + frame(b"APIC", b"\0image/png\0\x03\0" + cover)
    size = bytes(len(frames) >> shift & 0x7F for shift in (21, 14, 7, 0))
    return b"ID3\x03\0\0" + size + frames + song


def first_byte_ms(address: str, path: str) -> float:
    """From the request to the first byte of the body. The rest is taken, so that nothing is encoded beside the next one."""
    connection = http.client.HTTPConnection(address, timeout=60)
    connection.connect()
    start = time.monotonic()
    connection.request("GET", path)
    answer = connection.getresponse()
    first = answer.read(1)
    elapsed = time.monotonic() - start
    while answer.read(1 << 20):
        pass
    connection.close()
    if answer.status != 200 or len(first) != 1:
        raise SystemExit(f"{path}: {answer.status}")
    return 1e3 * elapsed


def starts(bench) -> tuple[Result, str | None]:
    """The start of the download of a stem, a mix and the ZIP file in each format, and of both kinds of NI stem files."""
    song = tagged(bench.music(bench.seconds, "mp3").read_bytes())
    with serving(bench, "--engines", "mini-spleeter") as server:
        session = client.separate(server.stub, song).done.session_id
        connection = http.client.HTTPConnection(server.address, timeout=60)
        connection.request("GET", "/health")
        formats = [name for name in json.load(connection.getresponse())["download_formats"] if name != "ni-stems"]
        stem, mix, archive = (f"/download/{session}{rest}" for rest in ("/vocals", "/mix?gains=vocals:-inf", ".zip"))
        paths = {
            name: [f"{stem}?format={name}", f"{mix}&format={name}", f"{archive}?format={name}"] for name in formats
        }
        paths["ni-stems"] = [f"/download/{session}.stem.mp4?codec={codec}" for codec in ("aac", "alac")]
        company, rows = Company(bench, server), []
        for name, ways in paths.items():
            rounds = [[first_byte_ms(server.address, path) for path in ways] for _ in range(2 * bench.pairs)]
            slowest = Spread.of([max(times) for times in rounds])
            rows.append(Row.of(f"{name}: start of a download", slowest, unit="ms", target=WITHIN_MS, more_is_better=False))
            bench.say(f"  {name}: {slowest.median:.1f} ms")
        what = f"the slowest of stem, mix and ZIP file of a song of {bench.seconds:g} s with a cover of 1 MiB, from request to first byte"
        return Result(rows, company.note(f"{what}; {2 * bench.pairs} rounds")), None
