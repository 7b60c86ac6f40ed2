"""What surrounds the inference of a segment, stage by stage: its time, and its instructions, which noise cannot move."""
from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

from measure import Spread, conditions, run
from results import Result, Row
from rows.htdemucs import GFLOP

HERE = Path(__file__).resolve().parents[1]
HELD = HERE / "instructions.json"
# Above this, what was counted is taken for a change of the code.
TOLERANCE = 0.03
ROUNDS = 20
# By the processor's model, the C library copies with one instruction a vector or with one that callgrind counts once a byte.
NO_STRING_INSTRUCTIONS = {"GLIBC_TUNABLES": "glibc.cpu.x86_rep_movsb_threshold=2000000000:glibc.cpu.x86_rep_stosb_threshold=2000000000"}


def shares(bench) -> tuple[Result, str | None]:
    """Each stage's time against that of a segment's matrix products alone, the least that inference can take."""
    program = bench.program("stages")
    rows, runs = [], []
    names = run([program], bench.cores).out.splitlines()
    for name in names:
        ceiling = run([bench.demucs, HERE / "peers" / "matmul.py"], bench.cores)
        found = run([program, name, ROUNDS], bench.cores)
        runs += [ceiling, found]
        least = GFLOP / json.loads(ceiling.out)["float32"]["wall"]
        times = [100 * float(line) / least for line in found.out.splitlines()]
        spread = Spread.of(times)
        rows.append(Row.of(f"{name}: of the time of a segment's matrix products", spread, unit="%"))
    return Result(rows, conditions(runs, bench.cores, f"{ROUNDS} rounds each, in one thread")), None


def instructions(bench) -> tuple[Result, str | None]:
    """Counts by callgrind, held against those that are kept."""
    program = bench.program("stages")
    counted = {}
    for name in run([program], bench.cores).out.splitlines():
        out = bench.work / "callgrind.out"
        tool = ["valgrind", "--tool=callgrind", "--toggle-collect=*stages*measured*", f"--callgrind-out-file={out}"]
        run([*tool, program, name, 1], bench.cores, NO_STRING_INSTRUCTIONS)
        counted[name] = int(re.search(r"^(?:summary|totals): (\d+)", out.read_text(), re.MULTILINE)[1])
        bench.say(f"  {name}: {counted[name]:,}")
    compiler = subprocess.run(["rustc", "--version"], check=True, capture_output=True, text=True).stdout.strip()
    if bench.options.accept or not HELD.exists():
        HELD.write_text(json.dumps({"compiler": compiler, "instructions": counted}, indent=1) + "\n")
    held = json.loads(HELD.read_text())
    most = 100 * TOLERANCE
    change = {name: 100 * (count / held["instructions"].get(name, count) - 1) for name, count in counted.items()}
    rows = [Row(f"{name}: millions of instructions", count / 1e6, "") for name, count in counted.items()]
    worst = max(change, key=lambda name: change[name])
    rows.append(Row(f"instructions, most growth over those kept ({worst})", change[worst], "%"))
    grown = [f"{name} takes {percent:.1f} % more instructions" for name, percent in change.items() if percent > most]
    other = "" if compiler == held["compiler"] else f"; kept by {held['compiler']}, counted by {compiler}"
    fault = "; ".join(grown) + other if grown else None
    note = f"callgrind, one segment of HTDemucs with four stems (decoding: the demo's song), {compiler}; held within {most:g} %"
    return Result(rows, note), fault
