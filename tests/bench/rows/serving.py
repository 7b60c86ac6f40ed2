"""What clients of a warm server see: the first stem, stems read again, and sessions side by side."""
from __future__ import annotations

import io
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import soundfile

import material
from measure import BUSY, INFERENCE, Spread, busy, on, run, spent
from results import Result, Row

# The client package has the protocol's stubs, and the system tests a plain client of them.
sys.path[:0] = [str(material.ROOT / "clients" / "python" / "src"), str(material.ROOT / "tests")]
import system.stemwire_client as client  # noqa: E402  (needs the stubs)

SEGMENT = 343_980  # frames of HTDemucs' segment, 7.8 s
SESSIONS = 8


class Server:
    """A server on data of its own."""

    def __init__(
        self,
        bench,
        *options: object,
        program: Path | None = None,
        data: str = "data",
        models: Path | None = None,
        cores: list[int] | None = None,
    ):
        self.data = bench.work / (data if program is None else "data-of-baseline")
        shutil.rmtree(self.data, ignore_errors=True)
        self.log = tempfile.TemporaryFile("w+")
        command = [program or bench.stemwire, "serve", "--listen", "127.0.0.1:0", "--data-dir", self.data, "--offline", "--provider", "cpu"]
        command += ["--models-dir", models or bench.work / "models", "--threads", str(len(bench.cores)), *options]
        self.process = subprocess.Popen(
            on(cores or bench.cores, command),
            env={**os.environ, "STEMWIRE_LOG": "error,stemwire::engine=debug"},
            stdout=subprocess.PIPE,
            stderr=self.log,
            text=True,
        )
        line = self.process.stdout.readline()
        self.address = line.rsplit("//")[-1].strip()
        if not line.startswith("listening on"):
            raise SystemExit(f"the server did not start: {self.log_text()}")
        self.channel = client.connect(self.address)
        self.stub = client.service.SeparationServiceStub(self.channel)

    def log_text(self) -> str:
        self.log.seek(0)
        return self.log.read()

    def inferences(self) -> list[float]:
        """Seconds of each run of a graph so far."""
        return [float(seconds) for _, seconds in INFERENCE.findall(self.log_text())]

    def close(self) -> None:
        self.channel.close()
        self.process.terminate()
        self.process.wait(30)
        shutil.rmtree(self.data, ignore_errors=True)


@contextmanager
def serving(bench, *options: object, **more):
    server = Server(bench, *options, **more)
    try:
        yield server
    finally:
        server.close()


class Company:
    """What the cores had to do beside a server and this client of it."""

    def __init__(self, bench, server: Server):
        self.bench, self.server, self.begun, self.before = bench, server, time.monotonic(), self._worked(bench, server)

    @staticmethod
    def _worked(bench, server: Server) -> float:
        return busy(bench.cores) - spent(server.process.pid) - spent(os.getpid())

    def note(self, more: str) -> str:
        cores, seconds = len(self.bench.cores), time.monotonic() - self.begun
        others = (self._worked(self.bench, self.server) - self.before) / seconds / cores
        return f"{more}; client and server on the same {cores} cores; others had {100 * max(0.0, others):.0f} % of them"


def wav(frames: int) -> bytes:
    song, rate = soundfile.read(material.SONG, dtype="float32", always_2d=True, frames=frames)
    out = io.BytesIO()
    soundfile.write(out, song, rate, format="WAV", subtype="PCM_16")
    return out.getvalue()


def until_stem(server, head: bytes, config) -> float:
    """Sends the head of a song that does not end before its first stem has come; the seconds from its last byte to that."""
    sent, over = [], threading.Event()

    def requests():
        yield client.api.SeparateRequest(config=config)
        for chunk in client.chunks(head):
            yield client.api.SeparateRequest(chunk=chunk)
        sent.append(time.monotonic())
        over.wait()

    call = server.stub.Separate(requests(), timeout=900)
    try:
        for message in call:
            if message.WhichOneof("message") == "stem":
                return time.monotonic() - sent[0]
        raise SystemExit("a session ended without a stem")
    finally:
        over.set()
        call.cancel()


def first_stem(bench) -> tuple[Result, str | None]:
    """From the moment when the first 7.8 s are sent to the first stem, over one inference of the same session."""
    material.htdemucs(bench.work, bench.demucs, bench.stemwire)
    ratios = []
    # No more than the head of a longer song: 7.8 s, and the song does not end.
    head = wav(SEGMENT)
    with serving(bench, "--engines", "htdemucs") as server:
        client.separate(server.stub, wav(44_100))
        company = Company(bench, server)
        for _ in range(2 * bench.pairs):
            before = len(server.inferences())
            latency = until_stem(server, head, client.Config(stems=["vocals"]))
            ratios.append(latency / server.inferences()[before])
            bench.say(f"  {latency:.2f} s, of which inference {server.inferences()[before]:.2f} s")
        note = company.note(f"{len(ratios)} sessions one after the other on a warm server")
    row = Row.of("first stem after the first 7.8 s: over one inference of HTDemucs", Spread.of(ratios), target=1.1, more_is_better=False)
    return Result([row], note), None


def get_stem(bench) -> tuple[Result, str | None]:
    """The speed of `GetStem` of a finished session, over that of a bare stream of the same messages."""
    program, rounds = bench.program("get_stem"), 20 * bench.pairs
    with serving(bench, "--engines", "mini-spleeter") as server:
        song = bench.music(bench.seconds, "mp3").read_bytes()
        session = client.separate(server.stub, song, client.Config(stems=["vocals"])).done.session_id
        url = f"http://{server.address}"
        bare = subprocess.Popen(
            on(bench.cores, [program, "bare", url, session, "vocals"]),
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            other = bare.stdout.readline().strip()
            # Only the two servers and the client use these cores meanwhile.
            servers = [url, server.process.pid, other, bare.pid]
            before = spent(server.process.pid) + spent(bare.pid)
            measured = run([program, "measure", *servers, session, "vocals", rounds], bench.cores)
            served = spent(server.process.pid) + spent(bare.pid) - before
        finally:
            bare.terminate()
    times = [[float(number) for number in line.split()] for line in measured.out.splitlines()]
    own, own_cpu, other, other_cpu, sizes = zip(*times)
    others = max(0.0, measured.others - served / (measured.wall * len(bench.cores)))
    shared = others > BUSY
    ratios = [b / a for a, b in (zip(own_cpu, other_cpu) if shared else zip(own, other))]
    for name, walls, cpus in (("GetStem", own, own_cpu), ("bare", other, other_cpu)):
        rate = sizes[0] / statistics.median(walls) / 1e6
        bench.say(f"  {name}: {rate:.0f} MB/s, {1e9 * statistics.median(cpus) / sizes[0]:.2f} s of processor a GB")
    spread, clock = Spread.of(ratios), "processor time" if shared else "wall time"
    row = Row.of("GetStem over loopback: its speed over a bare stream's", spread, target=0.8, clock=clock)
    more = f"{sizes[0] / 1e6:.0f} MB as float32, {rounds} rounds, in turn which is first; client and servers on the same cores"
    return Result([row], f"{more}; others had {100 * others:.0f} % of the cores"), None


def eight_sessions(bench) -> tuple[Result, str | None]:
    """Eight songs sent at once: what the least served session gets while all compute, over what the best served gets."""
    seconds = max(90, bench.seconds)
    song = bench.music(seconds, "mp3").read_bytes()
    with serving(bench, "--engines", "mini") as server:
        client.separate(server.stub, wav(44_100))
        company = Company(bench, server)
        shares = [share_of(server, song, seconds) for _ in range(bench.pairs)]
        note = company.note(f"{bench.pairs} rounds, {seconds:g} s of music each, mini, from the first frames of the last to begin on")
    row = Row.of("eight sessions at once: frames of the least served over those of the best served", Spread.of(shares), target=0.8)
    return Result([row], note), None


def share_of(server: Server, song: bytes, seconds: float) -> float:
    """Counted from where all have begun, as they come one after the other, to where the first is nearly done."""
    ids, lock = [], threading.Lock()

    def separate(_):
        with client.connect(server.address) as channel:
            stub = client.service.SeparationServiceStub(channel)
            for message in stub.Separate(client.requests(song, client.Config(stems=["vocals"]))):
                if message.WhichOneof("message") == "session":
                    with lock:
                        ids.append(message.session.session_id)

    def finished() -> list[int]:
        get = lambda name: server.stub.GetSession(client.api.GetSessionRequest(session_id=name)).session
        return [get(name).progress.finished_frames for name in list(ids)]

    with ThreadPoolExecutor(SESSIONS) as pool:
        calls = [pool.submit(separate, None) for _ in range(SESSIONS)]
        first: list[int] | None = None
        found: list[int] = []
        while max(found, default=0) < 0.9 * seconds * material.RATE:
            time.sleep(0.1)
            found = finished()
            if first is None and len(found) == SESSIONS and min(found) > 0:
                first = found
        [call.result() for call in calls]
    if first is None:
        return 0.0
    gained = [last - begun for begun, last in zip(first, found)]
    return min(gained) / max(gained)
