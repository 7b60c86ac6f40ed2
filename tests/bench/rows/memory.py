"""Peak memory of HTDemucs on a track of 20 minutes against one of three; on shorter ones where that is asked for."""
from __future__ import annotations

import shutil

import material
from measure import conditions, run
from results import Result, Row
from rows.htdemucs import variants

SHORT, LONG = 180, 1200


def long_tracks(bench) -> tuple[Result, str | None]:
    material.htdemucs(bench.work, bench.demucs, bench.stemwire)
    short, long = min(SHORT, bench.seconds), min(LONG, bench.options.long_seconds)
    rows, runs = [], []
    for name, (options, *_) in variants(bench).items():
        peaks = []
        for seconds in (short, long):
            out = bench.work / "memory"
            command = bench.separate(bench.music(seconds, "mp3"), out, "--model", "htdemucs", "--stems", "vocals", *options)
            runs.append(run(command, bench.cores))
            shutil.rmtree(out)
            peaks.append(runs[-1].peak / 1e9)
            bench.say(f"  {name}, {seconds:g} s of music: {peaks[-1]:.2f} GB")
        what = f"HTDemucs, {name}: peak memory, {long / 60:g} min"
        rows.append(Row(what, peaks[1], "GB", target=1.5, aim=1.2, more_is_better=False))
        more = 100 * (peaks[1] / peaks[0] - 1)
        rows.append(Row(f"{what}, more than {short / 60:g} min", more, "%", target=5, more_is_better=False))
    return Result(rows, conditions(runs, bench.cores, "one stem; of the largest process")), None
