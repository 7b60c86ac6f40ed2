"""HTDemucs, the whole command line against the whole of PyTorch Demucs on the same checkpoint, and what it spends time on."""
from __future__ import annotations

import itertools
import json
import statistics
from pathlib import Path

import material
from measure import BUSY, Run, Spread, company, conditions, run, times_faster
from results import Result, Row

HERE = Path(__file__).resolve().parents[1]
STEMS = ["drums", "bass", "other", "vocals"]
# One segment of 7.8 s.
GFLOP = 254
LOG = {"STEMWIRE_LOG": "error,stemwire::engine=debug"}
# With glibc as it comes PyTorch gives every large tensor back to the kernel at once, and is a sixth slower.
KEPT = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": str(16 << 30), "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"}
OFFSET = (
    "PyTorch takes away the whole song's offset, as `exact` does, and `streaming` what the song had until then: the difference "
    "between the two is that of these offsets"
)
# What is run, and what is promised of it: times faster than PyTorch (aim), decibels, part of the matrix products' speed (aim).
VARIANTS = {
    "CPU f32": (["--provider", "cpu"], 1.5, 1.7, 75, "float32", 0.6, 0.7),
    "OpenVINO f32": (["--provider", "openvino"], 1.5, 1.7, 75, "float32", 0.6, 0.7),
    "OpenVINO bf16": (["--provider", "openvino", "--precision", "fast"], 2.7, 3.5, 40, "bfloat16", 0.45, 0.6),
}


def variants(bench) -> dict[str, tuple]:
    """Those whose runtime is installed."""
    listed = run([bench.stemwire, "runtime", "list"], bench.cores).out.splitlines()
    openvino = any(line.startswith("openvino") and "not installed" not in line for line in listed)
    return {name: variant for name, variant in VARIANTS.items() if openvino or "openvino" not in variant[0]}


def against_pytorch(bench) -> tuple[Result, str | None]:
    checkpoint, _ = material.htdemucs(bench.work, bench.demucs, bench.stemwire)
    ours = variants(bench)
    song = bench.music(bench.seconds)
    program = [bench.demucs, HERE / "peers" / "demucs_run.py", checkpoint]
    peer = lambda mix, env=None: run([*program, mix, bench.work / "pytorch"], bench.cores, env)
    own = lambda name, mix: run(
        bench.separate(mix, bench.work / name.replace(" ", "-"), "--model", "htdemucs", *ours[name][0]), bench.cores, LOG
    )
    warm = bench.music(10)
    peer(warm)
    for name in ours:
        own(name, warm)
    peers, tuned, ceilings = [], [], []
    runs: dict[str, list[Run]] = {name: [] for name in ours}
    for _ in range(bench.pairs):
        peers.append(peer(song))
        tuned.append(peer(song, KEPT))
        for name, one in (("as it comes", peers[-1]), ("that keeps its memory", tuned[-1])):
            bench.say(f"  PyTorch {name} {one.wall:.1f} s, {one.cpu:.1f} s of processor")
        for name in ours:
            ceilings.append(run([bench.demucs, HERE / "peers" / "matmul.py"], bench.cores))
            runs[name].append(own(name, song))
            bench.say(f"  {name} {runs[name][-1].wall:.1f} s, {runs[name][-1].cpu:.1f} s of processor")
    exact = {name: exact_agreement(bench, name, ours[name], song) for name in ours}
    rows = [row for name in ours for row in rows_of(bench, name, ours[name], (peers, tuned), runs[name], ceilings, song, exact[name])]
    every = [*peers, *tuned, *(one for some in runs.values() for one in some)]
    memory = Row("HTDemucs, memory of PyTorch", statistics.median(one.peak for one in peers) / 1e9, "GB")
    more = f"{bench.seconds:g} s of music, {bench.pairs} of each in turn; {OFFSET}"
    return Result([*rows, memory], conditions(every, bench.cores, more)), None


def exact_agreement(bench, name: str, variant: tuple, song: Path) -> float:
    """Decibels to PyTorch's stems of the same song where both take the whole song's mean and deviation."""
    out = bench.work / "exact"
    run(bench.separate(song, out, "--model", "htdemucs", "--normalization", "exact", *variant[0]), bench.cores)
    return material.agreement(bench.work / "pytorch", out / song.stem, STEMS)


def rows_of(
    bench, name, variant, peers: tuple[list[Run], list[Run]], own: list[Run], ceilings: list[Run], song: Path, exact: float
) -> list[Row]:
    _, target, aim, decibels, precision, part, more = variant
    (faster, clock), (tuned, _) = (times_faster(some, own) for some in peers)
    found = bench.work / name.replace(" ", "-") / song.stem
    agreement = material.agreement(bench.work / "pytorch", found, STEMS)
    rows = [
        Row.of(f"HTDemucs, {name}: times faster than PyTorch, whole run", faster, target=target, aim=aim, clock=clock),
        Row.of(f"HTDemucs, {name}: times faster than PyTorch that keeps its memory", tuned, target=target, aim=aim, clock=clock),
        Row(f"HTDemucs, {name}: agreement with PyTorch in `exact`, worst stem", exact, "dB", target=decibels),
        Row(f"HTDemucs, {name}: agreement with PyTorch in `streaming`, worst stem of the timed run", agreement, "dB", target=decibels),
        Row.of(
            f"HTDemucs, {name}: matrix products' time over a segment's",
            products(own, ceilings, precision, len(bench.cores)),
            target=part,
            aim=more,
            clock=clock,
        ),
        Row(
            f"HTDemucs, {name}: peak memory, {bench.seconds / 60:g} min",
            statistics.median(one.peak for one in own) / 1e9,
            "GB",
            target=1.5,
            aim=1.2,
            more_is_better=False,
        ),
    ]
    rest = Spread.of([100 * (1 - sum(end - begin for begin, end in one.inferences()) / one.wall) for one in own])
    rows.append(Row.of(f"HTDemucs, {name}: all but inference, of the whole run", rest, unit="%", target=5, more_is_better=False))
    pause = Spread.of([1000 * statistics.median(pauses(one)) for one in own])
    rows.append(Row.of(f"HTDemucs, {name}: from one inference to the next", pause, unit="ms", target=60, more_is_better=False))
    return rows


def pauses(one: Run) -> list[float]:
    """Seconds in which no graph ran, between one segment and the next."""
    times = one.inferences()
    return [begin - end for (_, end), (begin, _) in itertools.pairwise(times)]


def products(own: list[Run], ceilings: list[Run], precision: str, threads: int) -> Spread:
    """The time of the matrix products alone over the time of the runs of the graph."""
    clock = "cpu" if company([*own, *ceilings]) > BUSY else "wall"
    least = GFLOP / statistics.median(json.loads(ceiling.out)[precision][clock] for ceiling in ceilings)

    def segment(one: Run) -> float:
        times = statistics.median(end - begin for begin, end in one.inferences())
        # With company: what the graph had of the cores, which is its part of what the whole run had.
        return times if clock == "wall" else times * one.cpu / one.wall / threads

    return Spread.of([least / segment(one) for one in own])
