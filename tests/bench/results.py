"""Figures as they are kept, and the table and the plot that are made of them."""
from __future__ import annotations

import json
import math
import platform
import textwrap
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from measure import Spread

HERE = Path(__file__).resolve().parent
KEPT = HERE / "results.json"
LABEL = 62  # letters a line beside a bar
WIDEST = 3  # times the target; longer bars are cut off


@dataclass
class Row:
    """One figure, and what was promised of it."""

    what: str
    figure: float
    unit: str = "×"
    least: float | None = None  # the spread
    most: float | None = None
    target: float | None = None
    aim: float | None = None
    more_is_better: bool = True
    clock: str = ""  # by which time was taken

    @staticmethod
    def of(what: str, spread: Spread, **more) -> Row:
        return Row(what, spread.median, least=spread.least, most=spread.most, **more)

    def attained(self) -> float | None:
        """The figure in units of its target: 1 and above keeps the promise."""
        if self.target is None:
            return None
        if self.more_is_better:
            return self.figure / self.target
        # What is not more at all, where a little more is allowed, is as good as can be.
        return self.target / self.figure if self.figure > 0 else math.inf


@dataclass
class Result:
    """What one benchmark gave."""

    rows: list[Row]
    conditions: str
    date: str = field(default_factory=lambda: datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"))
    machine: str = field(default_factory=lambda: machine())


def machine() -> str:
    names = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    model = names[0].split(":")[1].strip() if names else platform.machine()
    return f"{model}, {len(names)} cores"


def load() -> dict[str, Result]:
    if not KEPT.exists():
        return {}
    kept = json.loads(KEPT.read_text())
    return {name: Result(**{**result, "rows": [Row(**row) for row in result["rows"]]}) for name, result in kept.items()}


def keep(name: str, result: Result) -> None:
    """Replaces what the benchmark of this name gave before, and makes table and plot anew."""
    results = {**load(), name: result}
    text = json.dumps({name: asdict(result) for name, result in results.items()}, indent=1, sort_keys=True)
    KEPT.write_text(text + "\n")
    write(results)


def write(results: dict[str, Result]) -> None:
    (HERE / "RESULTS.md").write_text(table(results))
    plot(results)


def number(value: float | None, unit: str) -> str:
    if value is None:
        return ""
    digits = 0 if abs(value) >= 100 or unit == "dB" else 1 if abs(value) >= 10 or unit in ("%", "ms") else 2
    return f"{value:.{digits}f}" + ("" if unit == "×" else f" {unit}")


def line(row: Row, note: int) -> str:
    sign = "≥" if row.more_is_better else "≤"
    bound = "" if row.target is None else f"{sign} {number(row.target, row.unit)}"
    if row.aim is not None:
        bound += f" ({number(row.aim, row.unit)})"
    spread = "" if row.least is None else f"{number(row.least, row.unit)} to {number(row.most, row.unit)}"
    attained = row.attained()
    met = "" if attained is None else "yes" if attained >= 1 else "**no**"
    clock = f", {row.clock}" if row.clock else ""
    return f"| {row.what}{clock} | {number(row.figure, row.unit)} | {spread} | {bound} | {met} | {note} |"


HEAD = """# What was measured

Made by `make bench` from `results.json`; do not edit. [README.md](README.md) tells what is measured and how, and what
stands in the way where a target is missed. Ratios are medians of interleaved pairs; × is "times". The target is what is
promised, the aim is in brackets.

![each figure in units of its target](results.svg)

| what | median | spread | target (aim) | met | note |
|---|---|---|---|---|---|
"""


def table(results: dict[str, Result]) -> str:
    lines, notes = [], []
    for number_, (name, result) in enumerate(sorted(results.items()), 1):
        lines += [line(row, number_) for row in result.rows]
        notes.append(f"{number_}. `{name}`: {result.conditions}. {result.date}, {result.machine}.")
    return HEAD + "\n".join(lines) + "\n\n" + "\n".join(notes) + "\n"


def plot(results: dict[str, Result]) -> None:
    """A bar a promise: its figure in units of the target."""
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "stemwire"  # the same figures give the same file
    from matplotlib import pyplot

    rows = [row for _, result in sorted(results.items()) for row in result.rows if row.target is not None]
    if not rows:
        return
    rows.reverse()
    attained = [row.attained() or 0.0 for row in rows]
    figure, axes = pyplot.subplots(figsize=(11, 0.6 + 0.36 * len(rows)), layout="constrained")
    colours = ["#2a7f62" if value >= 1 else "#c8553d" for value in attained]
    axes.barh(range(len(rows)), [min(value, 2 * WIDEST) for value in attained], color=colours)
    axes.set_yticks(range(len(rows)), [textwrap.fill(row.what, LABEL) for row in rows], fontsize=7)
    right = min(WIDEST, 1.15 * max(attained))  # no text beyond, or there is no room left for the bars
    for place, (row, value) in enumerate(zip(rows, attained)):
        axes.text(min(value, right), place, f" {number(row.figure, row.unit)}", va="center", fontsize=8)
    axes.axvline(1, color="black", linewidth=1)
    axes.set_xlim(0, right)
    axes.set_xlabel("in units of the target; right of the line is better")
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(HERE / "results.svg", metadata={"Date": None})
    pyplot.close(figure)
