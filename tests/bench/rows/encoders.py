"""Every encoder on one core: how many times faster than real time, and what memory a song of hours takes."""
from __future__ import annotations

from measure import conditions, run
from results import Result, Row

TIMES_REAL_TIME = 20
MORE_MIB = 64


def hours(bench) -> tuple[Result, str | None]:
    """Hours in each format, against one of a second: processor time, with that of FFmpeg, and memory."""
    program, core = bench.program("encoders"), bench.cores[:1]
    length, rows, runs = bench.options.long_seconds, [], []
    for name in run([program], core).out.split():
        short, long = (run([program, name, seconds], core) for seconds in (1, length))
        runs += [short, long]
        factor, more = length / long.cpu, (long.peak - short.peak) / 2**20
        rows.append(Row(f"{name}: times real time", factor, "×", target=TIMES_REAL_TIME))
        rows.append(Row(f"{name}: memory of {length / 3600:g} h over that of 1 s", more, "MiB", target=MORE_MIB, more_is_better=False))
        bench.say(f"  {name}: {factor:.0f} × real time, {long.peak / 2**20:.0f} MiB, {more:+.1f} MiB over a second")
    return Result(rows, conditions(runs, core, f"{length / 3600:g} h of stereo at 44.1 kHz, encoded into nothing")), None
