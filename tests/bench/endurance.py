#!/usr/bin/env python3
"""Runs one server for an hour under mixed load and short sessions, and reports its memory, descriptors and errors.

    endurance.py BINARY [--minutes M] [--short N] [--clients C] [--every S] [--csv FILE]

Every kind of client compares what it receives with its first result. Ends with 1 after any error, or where memory or
descriptors of the last tenth of the time are above those of the second tenth.
"""
from __future__ import annotations

import argparse
import contextlib
import csv
import os
import random
import statistics
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

import grpc
import psutil

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from system.repository import generate_stubs

sys.path.insert(0, generate_stubs())

from system import http_client as http
from system.audio import encode, music, wav
from system.common import INSTANT_MODEL, finish, wait_for
from system.server import Server
from system.stemwire_client import CHUNK, Config, api, collect, get_stem, reason, requests, separate, session_pb2

# More than this above the second tenth is growth.
TOLERANCE = 1.10
ENVIRONMENT = INSTANT_MODEL | {"STEMWIRE_PROVIDER": "cpu", "STEMWIRE_ENGINES": "waveform,mini-spleeter,mini"}
OPTIONS = ("--keep", "60s", "--max-open", "8", "--max-queued", "64")


class Load:
    """Clients of one server, each in a thread of its own, until the time is over."""

    def __init__(self, server: Server, seconds: float, short: int):
        self.server, self.stub, self.short = server, server.stub, short
        self.end = time.monotonic() + seconds
        self.done: Counter = Counter()
        self.errors: list[str] = []
        self.first: dict = {}
        self.lock = threading.Lock()
        self.left = short

    def keep(self, kind: str, work, pause: float) -> None:
        draw = random.Random(kind)
        while time.monotonic() < self.end:
            try:
                work()
                with self.lock:
                    self.done[kind] += 1
            except Exception as error:
                text = repr(reason(error)) + str(error.details()) if isinstance(error, grpc.RpcError) else repr(error)
                with self.lock:
                    self.errors.append(f"{kind}: {text[:300]}")
            time.sleep(draw.uniform(0.5, 1.5) * pause)

    def same(self, kind: str, found) -> None:
        with self.lock:
            expected = self.first.setdefault(kind, found)
        assert found == expected, f"{kind} received other bytes than the first time"

    def delete(self, session_id: str) -> None:
        self.stub.DeleteSession(api.DeleteSessionRequest(session_id=session_id))

    # Kinds of clients.

    def short_sessions(self) -> None:
        """As many as its share of the time allows, up to the number asked for."""
        while time.monotonic() < self.end:
            with self.lock:
                if not self.left:
                    return
                self.left -= 1
            result = separate(self.stub, SHORT, Config(model="waveform"))
            assert result.error is None, reason(result.error)
            self.same("short", result.digests())
            self.delete(result.session.session_id)
            with self.lock:
                self.done["short session"] += 1

    def stream(self) -> None:
        result = separate(self.stub, MP3, Config(model="mini"))
        assert result.error is None, reason(result.error)
        self.same("stream", result.digests())

    def form(self) -> None:
        answer = http.separate(self.server, FLAC, name="song.flac", model="mini-spleeter")
        assert answer.status == 200, answer.body[:300]
        links = answer.json()
        self.same("form", {name: http.get(self.server, url).body for name, url in links["stems"].items()})
        part = http.get(self.server, links["vocals_url"], range="bytes=1000-70000")
        assert part.status == 206 and len(part.body) == 69_001
        flac = http.get(self.server, links["vocals_url"] + "?format=flac")
        assert flac.status == 200 and flac.body[:4] == b"fLaC"

    def resume(self) -> None:
        """An upload in pieces, whose client comes back, watches and reads."""
        session_id = self.stub.CreateSession(api.CreateSessionRequest(config=Config(model="mini-spleeter"))).session.session_id
        half = len(FLAC) // 2
        # The second part begins amid the first.
        for first, end in ((0, half), (half // 2, len(FLAC))):
            for offset in range(first, end, CHUNK):
                data = FLAC[offset : min(end, offset + CHUNK)]
                self.stub.UploadChunk(api.UploadChunkRequest(session_id=session_id, offset=offset, data=data))
            time.sleep(0.2)
        finish(self.server, session_id, FLAC)
        watched = collect(self.stub.WatchSession(api.WatchSessionRequest(session_id=session_id)))
        assert watched.error is None, reason(watched.error)
        session = self.server.get(session_id)
        self.same("resume", {stem.name: get_stem(self.stub, session_id, stem.name) for stem in session.stems})
        self.delete(session_id)

    def leave(self) -> None:
        """Half of a song, and its client leaves; the session is cancelled or deleted by another."""
        call = self.stub.Separate(requests(WAV, Config(model="mini"), finish=False))
        session_id = next(call).session.session_id
        time.sleep(0.3)
        call.cancel()
        self.stub.CancelSession(api.CancelSessionRequest(session_id=session_id))
        wait_for(lambda: self.server.get(session_id).state == session_pb2.SESSION_STATE_CANCELLED)
        self.delete(session_id)

    def broken(self) -> None:
        """Bytes that are no song, and a song with bytes changed."""
        draw = random.Random()
        refused = separate(self.stub, draw.randbytes(20_000), Config(model="waveform"))
        assert reason(refused.error)[0] == "INVALID_ARGUMENT", refused.error
        changed = bytearray(MP3)
        for _ in range(50):
            changed[draw.randrange(len(changed))] ^= 1 << draw.randrange(8)
        answer = http.separate(self.server, bytes(changed), name="changed.mp3", model="waveform")
        assert answer.status in (200, 400, 415, 422), (answer.status, answer.body[:300])

    def look(self) -> None:
        assert http.get(self.server, "/health").status == 200
        assert http.get(self.server, "/metrics").status == 200
        self.stub.ListSessions(api.ListSessionsRequest())
        self.stub.Health(api.HealthRequest())

    def run(self, clients: int) -> list[threading.Thread]:
        kinds = [("short sessions", self.short_sessions, 1.0)] * clients + [
            ("stream", self.stream, 15), ("form", self.form, 10), ("resume", self.resume, 10), ("leave", self.leave, 5),
            ("broken", self.broken, 3), ("look", self.look, 1)]
        threads = [threading.Thread(target=self.keep, args=kind, daemon=True) for kind in kinds]
        for thread in threads:
            thread.start()
        return threads


def sample(server: Server) -> tuple[int, int, int, int]:
    """Resident KiB of the server, its descriptors, threads and child processes."""
    process = psutil.Process(server.process.pid)
    return process.memory_info().rss >> 10, process.num_fds(), process.num_threads(), len(process.children())


def folder_bytes(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        with contextlib.suppress(FileNotFoundError):
            total += path.stat().st_blocks * 512
    return total


def grown(samples: list[tuple], column: int) -> tuple[float, float]:
    """Medians of the second and the last tenth."""
    tenth = max(1, len(samples) // 10)
    values = [row[column] for row in samples]
    return statistics.median(values[tenth : 2 * tenth]), statistics.median(values[-tenth:])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("binary")
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--short", type=int, default=100_000, help="short sessions")
    parser.add_argument("--clients", type=int, default=6, help="clients that separate short songs at the same time")
    parser.add_argument("--every", type=float, default=10, help="seconds between samples")
    parser.add_argument("--csv", type=Path, help="where the samples go")
    options = parser.parse_args()
    os.environ |= ENVIRONMENT
    samples = []
    with tempfile.TemporaryDirectory(prefix="stemwire-endurance-") as data:
        server = Server(options.binary, Path(data), *OPTIONS)
        load = Load(server, options.minutes * 60, options.short)
        threads, began = load.run(options.clients), time.monotonic()
        shown = 0
        while any(thread.is_alive() for thread in threads):
            time.sleep(options.every)
            for error in load.errors[shown:]:
                print(f"error: {error}", flush=True)
            shown = len(load.errors)
            samples.append((round(time.monotonic() - began), *sample(server), load.done["short session"], len(load.errors)))
            print(*samples[-1], dict(load.done) if len(samples) % 30 == 0 else "", flush=True)
        stored = folder_bytes(Path(data))
        code = server.terminate(60)
        panicked = "panicked" in server.log_text()
    if options.csv:
        with options.csv.open("w", newline="") as file:
            csv.writer(file).writerows([("s", "KiB", "descriptors", "threads", "children", "short", "errors"), *samples])
    print(f"sessions and calls: {dict(load.done)}")
    print(f"stored at the end: {stored >> 10} KiB; exit code {code}; panicked: {panicked}")
    growing = False
    for column, name in ((1, "KiB"), (2, "descriptors"), (3, "threads")):
        early, late = grown(samples, column)
        growing |= late > early * TOLERANCE
        print(f"{name}: {early:.0f} -> {late:.0f}, most {max(row[column] for row in samples)}")
    print(f"errors: {len(load.errors)}")
    for text, count in Counter(load.errors).most_common(20):
        print(f"  {count} x {text}")
    return int(bool(load.errors) or growing or panicked or code != 0)


SHORT = wav(music(0.5), subtype="PCM_16")
MP3 = encode(music(30))
FLAC = encode(music(12), container="flac")
WAV = wav(music(20))

if __name__ == "__main__":
    sys.exit(main())
