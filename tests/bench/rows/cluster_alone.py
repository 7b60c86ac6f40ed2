"""What a gateway with a worker costs beside a server that computes by itself."""
from __future__ import annotations

import os
import statistics
import time
from pathlib import Path

import material
from clusters import Cluster
from measure import Spread, busy, spent
from results import Result, Row
from rows.serving import SEGMENT, Server, client, serving, until_stem, wav

STEMS_A_ROUND = 5


def htdemucs(bench) -> tuple[Result, str | None]:
    """HTDemucs by a gateway and a worker, and alone."""
    material.htdemucs(bench.work, bench.demucs, bench.stemwire)
    models = bench.work / "models-of-workers"
    models.mkdir(exist_ok=True)
    # A worker loads whatever is there.
    if not (models / "htdemucs").exists():
        (models / "htdemucs").symlink_to(bench.work / "models" / "htdemucs")
    return compare(bench, "htdemucs", "HTDemucs", models, min(60, bench.seconds), 5)


def mini(bench) -> tuple[Result, str | None]:
    """The same with `mini`."""
    models = bench.work / "no-models"
    models.mkdir(exist_ok=True)
    return compare(bench, "mini", "mini", models, bench.seconds, 20)


def compare(bench, model: str, name: str, models: Path, seconds: float, most: float) -> tuple[Result, str | None]:
    song, head = bench.music(seconds).read_bytes(), wav(SEGMENT)
    slower: list[float] = []
    costlier: list[float] = []
    later: list[float] = []
    with Cluster(bench, model, models) as cluster, serving(bench, "--engines", model, models=models) as alone:
        cluster.add_real()
        processes = [cluster.gateway.process.pid, cluster.nats.pid, *(worker.pid for worker in cluster.workers)]

        def run(server: Server, pids: list[int]) -> tuple[float, float, float]:
            """Seconds of a song, those of processor, and those until a first stem."""
            firsts = [until_stem(server, head, client.Config()) for _ in range(STEMS_A_ROUND)]
            cost, begun = sum(map(spent, pids)), time.monotonic()
            result = client.separate(server.stub, song)
            if result.error is not None:
                raise SystemExit(f"a session failed: {result.error}")
            took = time.monotonic() - begun
            return took, sum(map(spent, pids)) - cost, statistics.median(firsts)

        def cluster_run() -> tuple[float, float, float]:
            return run(cluster.gateway, processes)

        def alone_run() -> tuple[float, float, float]:
            return run(alone, [alone.process.pid])

        cluster_run(), alone_run()
        pids, begun = [*processes, alone.process.pid, os.getpid()], time.monotonic()
        before = busy(bench.cores) - sum(map(spent, pids))
        for _ in range(bench.pairs):
            (own, own_cost, own_first), (two, two_cost, two_first) = alone_run(), cluster_run()
            bench.say(f"  song {own:.2f} s alone, {two:.2f} s in the cluster; of processor {own_cost:.2f}, {two_cost:.2f}")
            bench.say(f"  first stem {own_first:.3f} s alone, {two_first:.3f} s in the cluster")
            slower.append(100 * (two / own - 1))
            costlier.append(100 * (two_cost / own_cost - 1))
            later.append(1000 * (two_first - own_first))
        others = (busy(bench.cores) - sum(map(spent, pids)) - before) / (time.monotonic() - begun) / len(bench.cores)
    what = f"{name}, one gateway and one worker over `serve` alone"
    rows = [
        Row.of(f"{what}: more time for a song", Spread.of(slower), unit="%", target=most, more_is_better=False, clock="wall time"),
        Row.of(f"{what}: more processor time for a song", Spread.of(costlier), unit="%"),
        Row.of(f"{what}: the first stem is later", Spread.of(later), unit="ms", target=150, more_is_better=False),
    ]
    note = (
        f"{bench.pairs} pairs in turn of a song of {seconds:g} s, all stems of which are read, and of {STEMS_A_ROUND} first stems "
        f"after 7.8 s; "
        f"all on the same {len(bench.cores)} cores; others had {100 * max(0.0, others):.0f} % of them"
    )
    return Result(rows, note), None
