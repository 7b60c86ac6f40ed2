"""Accessibility: axe-core finds no fault in any view, in both languages, light and dark."""
import json
import os
from pathlib import Path

import pytest

from ..audio import music, wav
from ..common import INSTANT_FOUR_STEMS

MODELS = INSTANT_FOUR_STEMS

AXE = Path(os.environ.get("STEMWIRE_AXE", "node_modules/axe-core/axe.min.js"))


def check(page, what: str) -> None:
    page.tab.evaluate(AXE.read_text())
    found = page.tab.evaluate("axe.run(document, { resultTypes: ['violations'] })")
    faults = [
        {"rule": fault["id"], "help": fault["help"], "where": [(node["target"], node["failureSummary"]) for node in fault["nodes"]]}
        for fault in found["violations"]
    ]
    assert not faults, f"{what}: {json.dumps(faults, indent=1, ensure_ascii=False)}"
    assert len(found["passes"]) > 10, "axe looked at something"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("locale", ["en-GB", "zh-CN"])
def test_axe_finds_no_fault(browse, server, scheme, locale):
    words = {
        "en-GB": ("Choose songs", "Mute Drums", "Done", "Delete song.wav", "Keep", "Add songs"),
        "zh-CN": ("选择歌曲", "静音：鼓", "已完成", "删除 song.wav", "保留", "添加歌曲"),
    }[locale]
    choose, mute, done, delete, keep, add = words
    # Colours must not be in transition.
    page = browse(server, hold=300_000, color_scheme=scheme, locale=locale, reduced_motion="reduce").visit()
    page.tab.get_by_role("button", name=choose).wait_for()
    check(page, "the page as it begins")
    page.choose(("song.wav", wav(music(6))), button=choose)
    page.tab.locator(".stem").first.wait_for()
    check(page, "a song on its way")
    page.tab.evaluate("gate.open(Infinity)")
    page.wait_done(done)
    page.tab.get_by_role("button", name=mute).click()
    page.tab.locator("details.details summary").click()
    check(page, "a song that is done")
    page.tab.locator(".practice .button-small").first.click()
    check(page, "the start of a loop")
    page.tab.keyboard.press("?")
    page.tab.get_by_role("dialog").wait_for()
    check(page, "the keys")
    page.tab.keyboard.press("Escape")
    page.tab.get_by_role("button", name=delete, exact=True).first.click()
    check(page, "a question")
    page.tab.get_by_role("button", name=keep, exact=True).click()
    page.choose(("notes.txt", b"no song " * 9000), button=add)
    page.tab.get_by_role("alert").wait_for()
    check(page, "an error")
    page.visit("/#00000000-0000-4000-8000-000000000000").tab.locator(".note-request").wait_for()
    check(page, "a refusal")


def test_axe_finds_no_fault_at_a_phones_width(browse, server):
    page = browse(server, viewport={"width": 390, "height": 800}, has_touch=True, is_mobile=True).visit()
    page.choose(("song.wav", wav(music(6))))
    page.wait_done()
    check(page, "a song on a phone")
