"""The benchmark works: its programs start, and its table is generated from the stored figures."""
import os
import subprocess
import sys

import pytest

from ..repository import ROOT

BENCH = ROOT / "tests" / "bench"
sys.path.append(str(BENCH))

import measure  # noqa: E402  (in that folder)
import results  # noqa: E402


def test_every_benchmark_can_be_named():
    command = [sys.executable, BENCH / "bench.py", "--help"]
    # In lines that are long enough to break no name.
    wide = {**os.environ, "COLUMNS": "1000"}
    output = subprocess.run(command, check=True, capture_output=True, text=True, env=wide).stdout
    for name in results.load():
        assert name in output
    for peer in sorted((BENCH / "peers").glob("*.py")):
        compile(peer.read_text(), peer, "exec")


def test_the_table_is_generated_from_the_stored_figures():
    assert (BENCH / "RESULTS.md").read_text() == results.table(results.load()), "make bench BENCH=--table"


@pytest.mark.parametrize(
    "figure, target, more_is_better, attained, met",
    [
        (1.5, 1.5, True, 1.0, "yes"),
        (1.2, 1.5, True, 0.8, "**no**"),
        (4.0, 5.0, False, 1.25, "yes"),
        (6.0, 5.0, False, 5 / 6, "**no**"),
        (-0.1, 5.0, False, float("inf"), "yes"),
    ],
)
def test_a_promise_is_kept_from_its_target_on(figure, target, more_is_better, attained, met):
    row = results.Row("what", figure, target=target, more_is_better=more_is_better)
    assert row.attained() == pytest.approx(attained)
    assert f"| {met} |" in results.line(row, 1)


def test_a_process_is_measured():
    work = "import time, sys; spare = bytearray(64 * 1024 * 1024); time.sleep(0.2); print('out'); print('log', file=sys.stderr)"
    found = measure.run([sys.executable, "-c", work], measure_cores())
    assert (found.out, found.log) == ("out\n", "log\n")
    assert found.wall >= 0.2 and found.peak >= 64 * 1024 * 1024
    with pytest.raises(SystemExit, match="ended with 3"):
        measure.run([sys.executable, "-c", "raise SystemExit(3)"], measure_cores())


def test_inferences_are_read_from_the_log():
    log = """\
2026-01-02T03:04:07.500000Z DEBUG stemwire::engine::stop: inference model="mini" seconds=1.5
2026-01-02T03:04:07.600000Z  INFO stemwire::engine::pool: loaded model="mini" seconds=9.0
2026-01-02T03:04:09.750000Z DEBUG stemwire::engine::stop: inference model="mini" seconds=2.0
"""
    began = 1_767_323_045.0  # 03:04:05
    run = measure.Run(began, 5.0, 5.0, 0, 0.0, log, "")
    assert run.inferences() == [pytest.approx((1.0, 2.5)), pytest.approx((2.75, 4.75))]


def measure_cores() -> list[int]:
    return sorted(os.sched_getaffinity(0))
