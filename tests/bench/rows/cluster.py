"""What a gateway and the way to its workers cost: the workers' engine sleeps, so that nothing else needs the processor."""
from __future__ import annotations

import hashlib
import threading
import time
from contextlib import contextmanager

from clusters import SLEEP_MS, Cluster, Interval, sleeping_htdemucs
from measure import Spread
from results import Result, Row
from rows.serving import client

WORKERS = (1, 2, 4, 8)
# Of music in a session, and sessions at a time: some more than compute, so that one is ready when another has ended.
SONG_SECONDS, SESSIONS = 120, 12
SETTLE_S, MEASURE_S = 5, 20
# Workers of so many segments at a time, until one gateway does not feed more.
LANES, MORE_WORKERS = 4, (1, 2, 4, 8, 16)
# What twice as many lanes add to the rate at least, as long as they do not wait for the gateway.
GROWTH = 1.1
UPLOAD_CHUNK = 512 * 1024


def scaling(bench) -> tuple[Result, str | None]:
    """Segments a second of 1, 2, 4 and 8 workers of one gateway."""
    song = bench.music(SONG_SECONDS, "mp3").read_bytes()
    found: dict[int, list[Interval]] = {count: [] for count in WORKERS}
    for _ in range(bench.pairs):
        with Cluster(bench, "mini", bench.work / "models") as cluster:
            cluster.add_sleeping(WORKERS[0])
            with sessions(cluster, song):
                for count in WORKERS:
                    cluster.add_sleeping(count - len(cluster.workers))
                    found[count].append(settled(bench, cluster, f"{count} workers"))
    one, all_workers = found[WORKERS[0]], found[WORKERS[-1]]
    ratios = [last.rate / (WORKERS[-1] * first.rate) for first, last in zip(one, all_workers)]
    what = f"mini-sized segments, workers that take {SLEEP_MS} ms"
    rows = [Row.of(f"{what}: rate of {WORKERS[-1]} over {WORKERS[-1]} times that of one", Spread.of(ratios), target=0.9)]
    for count, intervals in found.items():
        rates = Spread.of([interval.rate * SLEEP_MS / 1000 / count for interval in intervals])
        rows.append(Row.of(f"{what}: part of the time in which {count} of them compute", rates))
    costs = Spread.of([interval.cost_ms for interval in all_workers])
    rows.append(Row.of("mini-sized segments: processor time of the gateway for each, without decoding", costs, unit="ms"))
    return Result(rows, conditions(bench, [*one, *all_workers], "mini")), None


def saturation(bench) -> tuple[Result, str | None]:
    """The most segments of HTDemucs' size that one gateway on one core has computed in a second."""
    name, models = sleeping_htdemucs(bench.work)
    song = bench.music(SONG_SECONDS, "mp3").read_bytes()
    gateway_cores, cores = bench.cores[:1], bench.cores[1:] or bench.cores
    most: list[Interval] = []
    for _ in range(bench.pairs):
        found: list[Interval] = []
        with Cluster(bench, name, models, gateway_cores=gateway_cores, cores=cores) as cluster:
            cluster.add_sleeping(1, LANES)
            with sessions(cluster, song):
                for count in MORE_WORKERS:
                    cluster.add_sleeping(count - len(cluster.workers), LANES)
                    found.append(settled(bench, cluster, f"{count * LANES} at a time"))
                    if len(found) > 1 and found[-1].rate < GROWTH * found[-2].rate:
                        break
        most.append(max(found, key=lambda interval: interval.rate))
    what = "HTDemucs-sized segments, gateway on one core"
    rates, costs = Spread.of([one.rate for one in most]), Spread.of([one.cost_ms for one in most])
    used = Spread.of([100 * (one.gateway + one.decoders) / one.seconds for one in most])
    rows = [
        Row.of(f"{what}: most in a second", rates, unit="/s"),
        Row.of(f"{what}: processor time of the gateway for each, without decoding", costs, unit="ms"),
        Row.of(f"{what}: part of its core that it and its decoders use then", used, unit="%"),
    ]
    return Result(rows, conditions(bench, most, "HTDemucs")), None


def settled(bench, cluster: Cluster, what: str) -> Interval:
    time.sleep(SETTLE_S)
    interval = cluster.measure(MEASURE_S)
    bench.say(f"  {what}: {interval}")
    return interval


def conditions(bench, intervals: list[Interval], model: str) -> str:
    others = sum(one.others for one in intervals) / sum(one.seconds for one in intervals) / len(bench.cores)
    return (
        f"{SESSIONS} sessions of {SONG_SECONDS // 2} to {SONG_SECONDS} s of music at a time, all stems of {model} stored and none read; "
        f"{MEASURE_S} s each, {bench.pairs} times; "
        f"gateway, NATS, workers and client on {len(bench.cores)} cores; others had {100 * others:.0f} % of them"
    )


@contextmanager
def sessions(cluster: Cluster, song: bytes):
    """Keeps sessions coming: one that is done is deleted, and another one begins."""
    ended = threading.Event()
    failures: list[Exception] = []

    def separate_on(number: int) -> None:
        # Between half and all of it: songs of one length would end at the same time, and leave workers without segments.
        part = song[: len(song) * (SESSIONS + number + 1) // (2 * SESSIONS)]
        try:
            with client.connect(cluster.gateway.address) as channel:
                stub = client.service.SeparationServiceStub(channel)
                while not ended.is_set():
                    separate(stub, cluster.model, part, ended)
        except Exception as error:
            failures.append(error)

    clients = [threading.Thread(target=separate_on, args=(number,)) for number in range(SESSIONS)]
    for one in clients:
        one.start()
    try:
        yield
    finally:
        ended.set()
        for one in clients:
            one.join()
    if failures:
        raise SystemExit(f"a session failed: {failures[0]!r}")


def separate(stub, model: str, song: bytes, ended: threading.Event) -> None:
    """A session whose stems are not read, until it is done or `ended`."""
    api, states = client.api, client.session_pb2
    session_id = stub.CreateSession(api.CreateSessionRequest(config=client.Config(model=model))).session.session_id
    for offset in range(0, len(song), UPLOAD_CHUNK):
        stub.UploadChunk(api.UploadChunkRequest(session_id=session_id, offset=offset, data=song[offset : offset + UPLOAD_CHUNK]))
    finish = api.Finish(total_bytes=len(song), sha256=hashlib.sha256(song).digest())
    stub.FinishUpload(api.FinishUploadRequest(session_id=session_id, finish=finish))
    state = states.SESSION_STATE_RUNNING
    while state not in (states.SESSION_STATE_DONE, states.SESSION_STATE_FAILED) and not ended.wait(0.25):
        state = stub.GetSession(api.GetSessionRequest(session_id=session_id)).session.state
    if state == states.SESSION_STATE_FAILED:
        raise RuntimeError(f"session {session_id} has failed")
    stub.DeleteSession(api.DeleteSessionRequest(session_id=session_id))
