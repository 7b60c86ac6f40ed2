"""What longer tracks cost: the same a second of music."""
from __future__ import annotations

import shutil
import statistics
from itertools import pairwise

from measure import Run, Spread, conditions, run, times_faster
from results import Result, Row
from rows.htdemucs import LOG

SHORT = 300
ROUNDS = 3


def linear(bench) -> tuple[Result, str | None]:
    """`mini` on five minutes, then on hours, then on five minutes again; on less where that is asked for."""
    seconds = bench.options.long_seconds
    short = min(SHORT, seconds / 3)
    out = bench.work / "linear"

    def separate(length: float) -> Run:
        # One stem, as four of three hours would be 15 GB; the model computes all of them anyway.
        command = bench.separate(bench.music(length, "mp3"), out, "--model", "mini", "--stems", "vocals")
        found = run(command, bench.cores, LOG)
        shutil.rmtree(out)
        bench.say(f"  {length:g} s of music: {found.wall:.1f} s, {found.cpu:.1f} s of processor, {found.peak / 1e6:.0f} MB")
        return found

    separate(10)
    before = [separate(short) for _ in range(ROUNDS)]
    long = separate(seconds)
    shorts = before + [separate(short) for _ in range(ROUNDS)]
    # The peer is the short one: how many times more a second of the long one costs.
    inverse, clock = times_faster(shorts, [long] * len(shorts))
    scale = seconds / short
    growth = Spread(*(100 * (1 / (ratio * scale) - 1) for ratio in (inverse.median, inverse.most, inverse.least)))
    memory = 100 * (long.peak / max(run.peak for run in shorts) - 1)
    what, name = f"mini, {length(seconds)} against {length(short)}", f"mini, {length(seconds)}"
    pauses = [begin - end for (_, end), (begin, _) in pairwise(long.inferences())]
    rows = [
        Row.of(f"{what}: a second of music costs more", growth, unit="%", target=5, more_is_better=False, clock=clock),
        Row(f"{what}: more memory", memory, "%", target=5, more_is_better=False),
        Row(f"{name}: peak memory", long.peak / 1e9, "GB", target=1.5, aim=1.2, more_is_better=False),
        Row(f"{name}: seconds of music in a second", seconds / long.wall),
        Row(f"{name}: from one inference to the next", 1000 * statistics.median(pauses), "ms", target=60, more_is_better=False),
    ]
    more = f"one stem; {2 * ROUNDS} short runs, half of them before the long one"
    return Result(rows, conditions([*shorts, long], bench.cores, more)), None


def length(seconds: float) -> str:
    return f"{seconds / 3600:g} h" if seconds >= 3600 else f"{seconds / 60:g} min"
