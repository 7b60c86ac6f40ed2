"""What longer tracks cost: the same a second of music."""
from __future__ import annotations

import shutil

from measure import Run, conditions, run, times_faster
from results import Result, Row
from measure import Spread

SHORT = 300
ROUNDS = 3


def linear(bench) -> tuple[Result, str | None]:
    """`mini` on five minutes three times, then on hours, then on five minutes three times more; on less where that is asked for."""
    seconds = bench.options.long_seconds
    short = min(SHORT, seconds / 3)
    out = bench.work / "linear"

    def separate(length: float) -> Run:
        # One stem, as four of three hours would be 15 GB; the model computes all of them anyway.
        command = bench.separate(bench.music(length, "mp3"), out, "--model", "mini", "--stems", "vocals")
        found = run(command, bench.cores)
        shutil.rmtree(out)
        bench.say(f"  {length:g} s of music: {found.wall:.1f} s, {found.cpu:.1f} s of processor, {found.peak / 1e6:.0f} MB")
        return found

    separate(10)
    # A short run is off by a tenth on a machine that is shared, so one of each side would tell of the machine.
    before = [separate(short) for _ in range(ROUNDS)]
    long = separate(seconds)
    shorts = before + [separate(short) for _ in range(ROUNDS)]
    # The peer is the short one: how many times more a second of the long one costs.
    inverse, clock = times_faster(shorts, [long] * len(shorts))
    scale = seconds / short
    growth = Spread(*(100 * (1 / (ratio * scale) - 1) for ratio in (inverse.median, inverse.most, inverse.least)))
    memory = 100 * (long.peak / max(run.peak for run in shorts) - 1)
    what = f"mini, {length(seconds)} against {length(short)}"
    rows = [
        Row.of(f"{what}: a second of music costs more", growth, unit="%", target=5, more_is_better=False, clock=clock),
        Row(f"{what}: more memory", memory, "%", target=5, more_is_better=False),
        Row(f"mini, {length(seconds)}: peak memory", long.peak / 1e9, "GB"),
    ]
    return Result(rows, conditions([*shorts, long], bench.cores, "one stem, in turn")), None


def length(seconds: float) -> str:
    return f"{seconds / 3600:g} h" if seconds >= 3600 else f"{seconds / 60:g} min"
