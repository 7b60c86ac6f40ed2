"""The page in Chromium: its first contentful paint, against that of another release."""
from __future__ import annotations

import shutil
import subprocess
from contextlib import ExitStack

from measure import Spread
from results import Result, Row
from rows.serving import Company, serving

NAMES = ["chromium", "chromium-browser", "google-chrome"]
PAINT = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime"


def paint_ms(browser, address: str) -> float:
    """The first contentful paint of a browser without anything in its cache."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    tab = context.new_page()
    tab.goto(f"http://{address}/")
    tab.wait_for_load_state("load")
    while (found := tab.evaluate(PAINT)) is None:
        tab.wait_for_timeout(20)
    context.close()
    return found


def first_paint(bench) -> tuple[Result, str | None]:
    """In turn with the program that `--baseline` names, if it is given."""
    from playwright.sync_api import sync_playwright

    chromium = next(filter(None, map(shutil.which, NAMES)), None)
    if chromium is None:
        raise SystemExit("first-paint needs Chromium")
    options = ["--engines", "mini-spleeter"]
    with ExitStack() as stack:
        server = stack.enter_context(serving(bench, *options))
        baseline = bench.options.baseline
        other = stack.enter_context(serving(bench, *options, program=baseline)) if baseline else None
        playwright = stack.enter_context(sync_playwright())
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        company, own, others = Company(bench, server), [], []
        paint_ms(browser, server.address)
        for _ in range(10 * bench.pairs):
            if other:
                others.append(paint_ms(browser, other.address))
            own.append(paint_ms(browser, server.address))
        browser.close()
        rows = [Row.of("page: first contentful paint", Spread.of(own), unit="ms", more_is_better=False)]
        if other:
            ratios = Spread.of([mine / theirs for mine, theirs in zip(own, others)])
            rows.append(Row.of("page: first contentful paint over that of 0.1.0", ratios, target=1.1, more_is_better=False))
            bench.say(f"  {Spread.of(own).median:.0f} ms, before {Spread.of(others).median:.0f} ms")
        return Result(rows, company.note(f"{len(own)} loads without a cache, in turn, {version(chromium)}")), None


def version(chromium: str) -> str:
    return " ".join(subprocess.run([chromium, "--version"], capture_output=True, text=True, check=True).stdout.split()[:2])
