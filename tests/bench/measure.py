"""Processes on given cores: how long they took, how much memory, and what else the cores had to do meanwhile."""
from __future__ import annotations

import os
import re
import statistics
import subprocess
import tempfile
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

# A machine with more company than this is not one to take times of, but processor time is still to be had.
BUSY = 0.05
INFERENCE = re.compile(r"^(\S+)Z +DEBUG .*: inference .*seconds=([0-9.e-]+)", re.MULTILINE)


@dataclass(frozen=True)
class Run:
    """One process, with the children that it has waited for."""

    began: float  # time.time()
    wall: float  # seconds
    cpu: float  # seconds, of all its threads
    peak: int  # bytes of memory: of the largest process
    others: float  # share of the cores that other processes had
    log: str  # standard error
    out: str  # standard output

    def inferences(self) -> list[tuple[float, float]]:
        """Begin and end of every run of a graph that the log tells of, in seconds since `began`."""
        found = []
        for moment, seconds in INFERENCE.findall(self.log):
            end = datetime.fromisoformat(moment + "+00:00").timestamp() - self.began
            found.append((end - float(seconds), end))
        return found


def busy(cores: list[int]) -> float:
    """Seconds that these cores have worked since the machine was started."""
    total = 0
    for line in Path("/proc/stat").read_text().splitlines():
        name, *ticks = line.split()
        if name in {f"cpu{core}" for core in cores}:
            user, nice, system, _idle, _wait, irq, softirq, steal = map(int, ticks[:8])
            total += user + nice + system + irq + softirq + steal
    return total / os.sysconf("SC_CLK_TCK")


def times(process: int) -> tuple[float, float]:
    """Seconds of processor that a living process has had, and those of its children that have ended."""
    ticks = list(map(int, Path(f"/proc/{process}/stat").read_text().rsplit(")")[1].split()[11:15]))
    return sum(ticks[:2]) / os.sysconf("SC_CLK_TCK"), sum(ticks[2:]) / os.sysconf("SC_CLK_TCK")


def spent(process: int) -> float:
    """The same together."""
    return sum(times(process))


def on(cores: list[int], command: list) -> list[str]:
    """The command on these cores alone."""
    # With `preexec_fn` the child would run gRPC's handlers of a fork first, which it does not always survive.
    return ["taskset", "--cpu-list", ",".join(map(str, cores)), *map(str, command)]


def run(command: list, cores: list[int], env: dict | None = None) -> Run:
    """Runs a command to its end on these cores alone; a failure ends the benchmark with its last words."""
    with tempfile.TemporaryFile("w+") as log, tempfile.TemporaryFile("w+") as out:
        worked, began, start = busy(cores), time.time(), time.monotonic()
        process = subprocess.Popen(
            on(cores, command),
            env={**os.environ, **threads(len(cores)), **(env or {})},
            stdout=out,
            stderr=log,
        )
        _, status, usage = os.wait4(process.pid, 0)
        wall, process.returncode = time.monotonic() - start, os.waitstatus_to_exitcode(status)
        cpu = usage.ru_utime + usage.ru_stime
        others = max(0.0, busy(cores) - worked - cpu) / (wall * len(cores))
        log.seek(0)
        out.seek(0)
        output = log.read()
        if process.returncode != 0:
            raise SystemExit(f"{command[0]} ended with {process.returncode}:\n{output[-2000:]}")
        return Run(began, wall, cpu, usage.ru_maxrss * 1024, others, output, out.read())


def threads(count: int) -> dict:
    """Variables that give every peer as many threads as it has cores."""
    names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "STEMWIRE_THREADS")
    return {name: str(count) for name in names}


@dataclass(frozen=True)
class Spread:
    """A median, the least and the most."""

    median: float
    least: float
    most: float

    @staticmethod
    def of(values: list[float]) -> Spread:
        return Spread(statistics.median(values), min(values), max(values))


def company(runs: list[Run]) -> float:
    """The share of the cores that others had during these runs."""
    return sum(r.others * r.wall for r in runs) / sum(r.wall for r in runs)


def times_faster(peers: list[Run], own: list[Run]) -> tuple[Spread, str]:
    """How many times faster `own` is, pair by pair, and by which clock: processor time where others were about."""
    shared = company([*peers, *own]) > BUSY
    cost = (lambda r: r.cpu) if shared else (lambda r: r.wall)
    ratios = Spread.of([cost(peer) / cost(run) for peer, run in zip(peers, own)])
    return ratios, "processor time" if shared else "wall time"


def conditions(runs: list[Run], cores: list[int], more: str) -> str:
    """In words, what a figure is worth."""
    count = "one core and one thread" if len(cores) == 1 else f"{len(cores)} cores and as many threads"
    return f"{more}; {count} each; others had {100 * company(runs):.0f} % of the cores"
