"""A song beside a crowd of clients that keep the server busy with nothing."""
from __future__ import annotations

import subprocess
import sys
import threading
import time
from contextlib import contextmanager

import material
from measure import Spread
from results import Result, Row
from rows.serving import SESSIONS, Company, client, serving, wav

IDLE, SLOW = 1000, 200
SECONDS = 10  # of music in each song


@contextmanager
def crowd(server):
    """The clients of `peers/crowd.py`, connected."""
    program = material.ROOT / "tests" / "bench" / "peers" / "crowd.py"
    command = [sys.executable, program, server.address.split(":")[1], str(IDLE), str(SLOW)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        if process.stdout.readline() != "ready\n":
            raise SystemExit("the crowd did not connect")
        time.sleep(10)
        if process.poll() is not None:
            raise SystemExit(f"the crowd ended with {process.returncode}")
        yield
    finally:
        process.stdin.close()
        process.wait(60)


def hostile_clients(bench) -> tuple[Result, str | None]:
    """An honest client's first stem beside eight others that separate song after song: with a crowd, over without."""
    song, ended = wav(SECONDS * material.RATE), threading.Event()

    def separate_on(server) -> None:
        with client.connect(server.address) as channel:
            stub = client.service.SeparationServiceStub(channel)
            while not ended.is_set():
                client.separate(stub, song)

    def first_stem(server) -> float:
        config = client.Config(on_disconnect=client.config_pb2.ON_DISCONNECT_CANCEL)
        begun = time.monotonic()
        call = server.stub.Separate(client.requests(song, config))
        next(message for message in call if message.WhichOneof("message") == "stem")
        took = time.monotonic() - begun
        call.cancel()
        return took

    def median_of(server, rounds: int) -> float:
        return Spread.of([first_stem(server) for _ in range(rounds)]).median

    with serving(bench, "--engines", "mini-spleeter") as server:
        others = [threading.Thread(target=separate_on, args=(server,)) for _ in range(SESSIONS)]
        for other in others:
            other.start()
        try:
            median_of(server, 2)
            company, ratios = Company(bench, server), []
            for _ in range(bench.pairs):
                alone = median_of(server, 5)
                with crowd(server):
                    beside = median_of(server, 5)
                ratios.append(beside / alone)
                bench.say(f"  {alone:.2f} s without, {beside:.2f} s with")
        finally:
            ended.set()
            for other in others:
                other.join()
        note = company.note(
            f"{bench.pairs} pairs of 5 songs of {SECONDS} s; {IDLE} idle connections, {SLOW} uploads of 1 byte a second, mini-spleeter"
        )
    what = "first stem beside eight sessions: with 1,000 idle and 200 slow clients over without"
    return Result([Row.of(what, Spread.of(ratios), target=1.5, more_is_better=False)], note), None
