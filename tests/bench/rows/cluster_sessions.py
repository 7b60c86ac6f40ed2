"""A thousand sessions that are open at one gateway."""
from __future__ import annotations

import asyncio
import os
import random
import statistics
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc

from clusters import SLEEP_MS, Cluster
from measure import Spread, busy, spent
from results import Result, Row
from rows.serving import client, wav

SESSIONS, CONNECTIONS = 1000, 20
# What a session sends for its first stem, a segment of mini and what the decoder holds back, and for each further segment.
HEAD, STEP, STEPS = 176_400 + 22_050, 132_300, 3  # frames
BYTES_OF_FRAME, BYTES_OF_HEADER = 4, 44
# Sessions that are opened at a time; workers; segments of the open sessions that come in a second.
OPENING, WORKERS, STEPS_A_SECOND = 4, 8, 10
FIRST_STEMS, CALLS = 20, 1000
PATIENCE_S = 60  # for a first stem
OPTIONS = (
    "--max-open", 64, "--max-parked", 2 * SESSIONS, "--max-queued", 2 * SESSIONS, "--max-client-sessions", 2 * SESSIONS,
    "--idle-upload", "1h",
)


def open_sessions(bench) -> tuple[Result, str | None]:
    """Memory, first stems and times of calls with a thousand sessions whose uploads continue, and without."""
    with Cluster(bench, "mini", bench.work / "models", *OPTIONS) as cluster:
        cluster.add_sleeping(WORKERS)
        return asyncio.run(measured(bench, cluster)), None


async def measured(bench, cluster: Cluster) -> Result:
    address, pid = cluster.gateway.address, cluster.gateway.process.pid
    song = wav(HEAD + STEPS * STEP)
    channels = [grpc.aio.insecure_channel(address, [("grpc.use_local_subchannel_pool", 1)]) for _ in range(CONNECTIONS)]
    stubs = [client.service.SeparationServiceStub(channel) for channel in channels]

    async def state(sessions: list[OpenSession]) -> tuple[Spread, list[float]]:
        firsts = [await first_stem(random.choice(stubs), song) for _ in range(FIRST_STEMS)]
        calls = await asyncio.to_thread(times_of_calls, cluster.gateway.stub, [session.session_id for session in sessions])
        return Spread.of(firsts), calls

    def company() -> float:
        pids = [pid, cluster.nats.pid, os.getpid(), *(worker.pid for worker in cluster.workers)]
        return busy(bench.cores) - sum(map(spent, pids))

    before = resident(pid)
    alone, calls_alone = await state([])
    async with sessions_of(stubs, song) as sessions:
        firsts = Spread.of([session.first_stem_s for session in sessions])
        bench.say(f"  first stems while they are opened, {OPENING} at a time: {firsts}")
        begun, worked = time.monotonic(), company()
        stepping = asyncio.create_task(step(sessions))
        beside, calls = await state(sessions)
        stepping.cancel()
        others = (company() - worked) / (time.monotonic() - begun) / len(bench.cores)
        after, decoders = resident(pid), children(pid)
    bench.say(f"  first stem {alone} without, {beside} with; calls {percentiles(calls_alone)} and {percentiles(calls)}")
    for channel in channels:
        await channel.close()
    what = f"{SESSIONS:,} open sessions at one gateway"
    rows = [
        Row(f"{what}: memory of the gateway", after / 1e9, "GB"),
        Row(f"{what}: memory of the gateway for each", (after - before) / SESSIONS / 1e6, "MB"),
        Row(f"{what}: memory of a decoder, its own", decoders / SESSIONS / 1e6, "MB"),
        Row.of(f"{what}: first stem of another", in_ms(beside), unit="ms"),
        Row.of("the same without them", in_ms(alone), unit="ms"),
    ]
    for name, found in ((f"{what}: a call", calls), ("the same without them", calls_alone)):
        half, most = percentiles(found)
        rows += [Row(f"{name}, median", half, "ms"), Row(f"{name}, 99 % take at most", most, "ms")]
    note = (
        f"{WORKERS} workers that take {SLEEP_MS} ms; {STEPS_A_SECOND} segments a second arrive in the open sessions; {FIRST_STEMS} "
        f"first stems after 4 s of music; {CALLS} calls of GetSession, ListSessions and Health, one after the other; client and all "
        f"of the cluster on {len(bench.cores)} cores; others had {100 * max(0.0, others):.0f} % of them"
    )
    return Result(rows, note)


class OpenSession:
    """A session whose upload continues."""

    def __init__(self, stub, song: bytes):
        config = client.Config(stems=["vocals"], on_disconnect=client.config_pb2.ON_DISCONNECT_CANCEL)
        self.call, self.song, self.sent = stub.Separate(), song, 0
        self.config = client.api.SeparateRequest(config=config)
        self.session_id, self.first_stem_s = "", 0.0
        self.has_stem = asyncio.Event()

    async def open(self) -> None:
        """Sends the head, and waits for the first stem."""
        await self.call.write(self.config)
        await self.send(BYTES_OF_HEADER + HEAD * BYTES_OF_FRAME)
        sent = time.monotonic()
        self.reader = asyncio.create_task(self._read())
        await asyncio.wait_for(self.has_stem.wait(), PATIENCE_S)
        self.first_stem_s = time.monotonic() - sent

    async def send(self, size: int) -> None:
        """The next bytes of the song, of which there may be none left."""
        part = self.song[self.sent : self.sent + size]
        self.sent += len(part)
        for chunk in client.chunks(part):
            await self.call.write(client.api.SeparateRequest(chunk=chunk))

    async def _read(self) -> None:
        async for message in self.call:
            kind = message.WhichOneof("message")
            if kind == "session":
                self.session_id = message.session.session_id
            elif kind == "stem":
                self.has_stem.set()

    async def close(self) -> None:
        self.call.cancel()
        await asyncio.gather(self.reader, return_exceptions=True)


async def first_stem(stub, song: bytes) -> float:
    session = OpenSession(stub, song)
    await session.open()
    await session.close()
    return session.first_stem_s


@asynccontextmanager
async def sessions_of(stubs: list, song: bytes) -> AsyncIterator[list[OpenSession]]:
    """The sessions, of each of which there is a stem."""
    sessions = [OpenSession(stubs[number % len(stubs)], song) for number in range(SESSIONS)]
    turn = asyncio.Semaphore(OPENING)

    async def opened(session: OpenSession) -> None:
        async with turn:
            await session.open()

    try:
        await asyncio.gather(*map(opened, sessions))
        yield sessions
    finally:
        await asyncio.gather(*(session.close() for session in sessions), return_exceptions=True)


async def step(sessions: list[OpenSession]) -> None:
    """One session after the other gets a further segment."""
    for number in range(STEPS * SESSIONS):
        await sessions[number % SESSIONS].send(STEP * BYTES_OF_FRAME)
        await asyncio.sleep(1 / STEPS_A_SECOND)


def times_of_calls(stub, ids: list[str]) -> list[float]:
    """Seconds of each call, in a thread of its own."""
    api = client.api
    found = []
    for number in range(CALLS):
        begun = time.monotonic()
        if number % 3 == 0 and ids:
            stub.GetSession(api.GetSessionRequest(session_id=random.choice(ids)))
        elif number % 3 == 1:
            stub.ListSessions(api.ListSessionsRequest(page_size=20))
        else:
            stub.Health(api.HealthRequest())
        found.append(time.monotonic() - begun)
    return found


def percentiles(seconds: list[float]) -> tuple[float, float]:
    """Milliseconds of half and of 99 % of them."""
    hundredths = statistics.quantiles(seconds, n=100)
    return 1000 * hundredths[49], 1000 * hundredths[98]


def in_ms(spread: Spread) -> Spread:
    return Spread(1000 * spread.median, 1000 * spread.least, 1000 * spread.most)


def resident(process: int) -> int:
    """Bytes of memory that a process has."""
    return field(Path(f"/proc/{process}/status"), "VmRSS:")


def children(process: int) -> int:
    """Bytes of memory that the children of a process have to themselves."""
    pids = " ".join(path.read_text() for path in Path(f"/proc/{process}/task").glob("*/children")).split()
    return sum(field(Path(f"/proc/{pid}/smaps_rollup"), "Private_Dirty:") for pid in pids)


def field(path: Path, name: str) -> int:
    lines = path.read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(name))
