#!/usr/bin/env python3
"""Separates songs over several gateways and workers, and checks that every stem is that of one machine.

    gateways.py --stemwire FILE [--sessions N] [--gateways N] [--workers N] [--at-once N] [--songs N] [--seconds N] [--seed N]

Every call of a session goes to another gateway, as a load balancer would send it: a session is created at one, its chunks are
sent to all, it is finished at one, watched at another, and one stem is read at a third. Some sessions are one `Separate` call that
breaks off and is resumed elsewhere with its `request_id`. The gateways share a folder as object store and a NATS server, which is
installed beside Python. Prints figures as JSON; ends with 1 where a stem differs or a session fails.
"""
from __future__ import annotations

import argparse
import collections
import concurrent.futures
import contextlib
import itertools
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from system.repository import generate_stubs

sys.path.insert(0, generate_stubs())

import repeating
from system.audio import music, wav
from system.common import finish
from system.nats import NatsServer
from system.server import Server, set_variables
from system.stemwire_client import Config, api, collect, get_stem, reason, request_id, requests, separate

SECRET = "0123456789abcdef" * 2
# One thread for a segment everywhere: the bytes depend on it.
VARIABLES = {
    "STEMWIRE_CLUSTER_SECRET": SECRET, "STEMWIRE_ENGINES": "mini", "STEMWIRE_PROVIDER": "cpu", "STEMWIRE_LOG": "warn",
    "STEMWIRE_THREADS": "1", "STEMWIRE_WORKERS": "1",
}
CHUNK = 256 * 1024
# Of the calls that a client repeats: with a full queue, or while a session changes hands.
PATIENCE_S = 600
# One session of so many breaks off and is resumed.
BROKEN = 4


class Balancer:
    """The gateways in turn."""

    def __init__(self, gateways):
        self.turns = itertools.cycle(gateways)

    def next(self):
        return next(self.turns)


def repeated(call):
    """The answer of a call; counts why it was repeated."""
    return repeating.repeated(call, PATIENCE_S, on_retry=lambda error: retries.update([reason(error)[1]]))


retries: collections.Counter = collections.Counter()


def in_steps(balancer: Balancer, song: bytes) -> str:
    """A session of single calls; returns its id."""
    created = repeated(lambda: balancer.next().stub.CreateSession(api.CreateSessionRequest(config=Config(request_id=request_id()))))
    session_id = created.session.session_id
    for offset in range(0, len(song), CHUNK):
        chunk = api.UploadChunkRequest(session_id=session_id, offset=offset, data=song[offset : offset + CHUNK])
        repeated(lambda chunk=chunk: balancer.next().stub.UploadChunk(chunk))
    repeated(lambda: finish(balancer.next(), session_id, song))
    return session_id


def broken_off(balancer: Balancer, song: bytes) -> str:
    """A `Separate` call that breaks off after half of the song and is resumed at another gateway; returns the session's id."""
    config = Config(request_id=request_id())
    half = len(song) // 2
    end = time.monotonic() + PATIENCE_S
    for sent, finished in ((song[:half], False), (song, True)):
        while True:
            held = repeated(lambda: balancer.next().stub.CreateSession(api.CreateSessionRequest(config=config))).session
            config.upload_offset = min(held.committed_bytes, len(sent))
            result = collect(balancer.next().stub.Separate(requests(sent, config, finish=finished)))
            config.upload_offset = 0
            if result.error is None or reason(result.error)[1] == "UPLOAD_UNFINISHED":
                break
            assert time.monotonic() < end, result.error
            retries[reason(result.error)[1]] += 1
            time.sleep(0.5)
        assert result.session.session_id == held.session_id, "one request_id is one session"
    return held.session_id


def run(number: int, balancer: Balancer, song: bytes, expected: dict) -> float:
    """Separates a song; returns the seconds that it took."""
    begin = time.monotonic()
    session_id = (broken_off if number % BROKEN == 0 else in_steps)(balancer, song)
    watch = api.WatchSessionRequest(session_id=session_id)
    end = time.monotonic() + PATIENCE_S
    while (watched := collect(balancer.next().stub.WatchSession(watch))).error is not None:
        assert time.monotonic() < end, watched.error
        retries[reason(watched.error)[1]] += 1
        time.sleep(0.5)
    seconds = time.monotonic() - begin
    assert watched.digests() == expected, f"session {session_id}: its stems are not those of one machine"
    stem = sorted(expected)[number % len(expected)]
    assert repeated(lambda: get_stem(balancer.next().stub, session_id, stem)) == bytes(watched.stems[stem])
    return seconds


def metric(server, name: str) -> dict:
    """The samples of a metric of a gateway, by their labels."""
    with urllib.request.urlopen(f"http://{server.address}/metrics") as answer:
        text = answer.read().decode()
    return {labels: float(value) for labels, value in re.findall(rf"^{name}(\{{[^}}]*\}})? (\S+)$", text, re.MULTILINE)}


def start_worker(stack: contextlib.ExitStack, binary: str, nats: NatsServer) -> None:
    command = [binary, "worker", "--cluster", nats.url, "--offline"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=set_variables(os.environ, VARIABLES))
    stack.callback(process.wait, 30)
    stack.callback(process.terminate)
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line.startswith("worker"), line


def listed(gateway) -> list:
    """The ids of all sessions, page by page."""
    ids: list[str] = []
    token = ""
    while token or not ids:
        page = gateway.stub.ListSessions(api.ListSessionsRequest(page_size=50, page_token=token))
        ids += [session.session_id for session in page.sessions]
        token = page.next_page_token
    return ids


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stemwire", required=True)
    for name, default in [("sessions", 100), ("gateways", 3), ("workers", 3), ("at-once", 12), ("songs", 5), ("seconds", 20), ("seed", 1)]:
        parser.add_argument(f"--{name}", type=int, default=default)
    args = parser.parse_args()
    songs = [wav(music(args.seconds, seed=args.seed + number)) for number in range(args.songs)]
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        alone = Server(args.stemwire, folder / "alone", variables=VARIABLES)
        begin = time.monotonic()
        expected = [separate(alone.stub, song).digests() for song in songs]
        alone_seconds = (time.monotonic() - begin) / len(songs)
        alone.close()
        nats = NatsServer(folder / "nats", "--jetstream")
        stack.callback(nats.kill)
        options = ["--store", f"file://{folder}/store", "--cluster", nats.url, "--compute", "workers", "--max-queued", "1000"]
        # What has been compared is read no more: without a limit each song would be on the disks of several gateways.
        options += ["--max-cache", "256MiB"]
        gateways = []
        for number in range(args.gateways):
            gateways.append(Server(args.stemwire, folder / f"gateway-{number}", *options, variables=VARIABLES))
            stack.callback(gateways[-1].close)
        for _ in range(args.workers):
            start_worker(stack, args.stemwire, nats)
        balancer = Balancer(gateways)
        begin = time.monotonic()
        with concurrent.futures.ThreadPoolExecutor(args.at_once) as pool:
            calls = [
                pool.submit(run, number, balancer, songs[number % len(songs)], expected[number % len(songs)])
                for number in range(args.sessions)
            ]
            times, failures = [], []
            for call in calls:
                try:
                    times.append(call.result())
                except Exception as error:
                    failures.append(f"{type(error).__name__}: {error}")
        seconds = time.monotonic() - begin
        lists = [listed(gateway) for gateway in gateways]
        same = all(ids == lists[0] for ids in lists) and len(set(lists[0])) == len(lists[0])
        forwarded: collections.Counter = collections.Counter()
        for gateway in gateways:
            for labels, count in metric(gateway, "stemwire_forwarded_calls_total").items():
                forwarded[labels.split('outcome="')[1].split('"')[0]] += int(count)
        print(json.dumps({
            "sessions": args.sessions, "gateways": args.gateways, "workers": args.workers, "at_once": args.at_once,
            "same_bytes": len(times), "failed": failures, "seconds": round(seconds, 1),
            "session_s": {"median": round(statistics.median(times), 2), "max": round(max(times), 2)} if times else None,
            "alone_session_s": round(alone_seconds, 2), "listed": [len(ids) for ids in lists], "lists_are_equal": same,
            "forwarded_calls": dict(forwarded), "retries": dict(retries),
        }, indent=1))
        return 0 if not failures and same and len(lists[0]) == args.sessions else 1


if __name__ == "__main__":
    sys.exit(main())
