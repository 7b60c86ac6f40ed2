"""A looped section: by a drag, by keys, and heard."""
import numpy as np
import pytest

from ..audio import RATE, music
from ..browser import aligned
from ..common import INSTANT_MODEL
from ..stemwire_client import get_stem
from .songs import STEMS, open_song, session

MODELS = INSTANT_MODEL

# Frames of a block of what is heard.
BLOCK = 32_768


@pytest.fixture(scope="module")
def song(server) -> str:
    """Twelve seconds of music."""
    return session(server, music(12))


def drag(page, start: float, end: float, whole: float) -> None:
    """Drags over a waveform between two shares of the song's length."""
    box = page.tab.locator(".wave").first.bounding_box()
    at = lambda seconds: box["x"] + box["width"] * seconds / whole
    page.tab.mouse.move(at(start), box["y"] + 20)
    page.tab.mouse.down()
    page.tab.mouse.move(at((start + end) / 2), box["y"] + 24)
    page.tab.mouse.move(at(end), box["y"] + 24)
    page.tab.mouse.up()


def looped(page) -> tuple[float, float]:
    """The loop as the page shows it, in seconds."""
    text = page.tab.get_by_role("group", name="Loop").get_by_role("status").inner_text()
    start, end = (float(minutes) * 60 + float(seconds) for minutes, seconds in (part.split(":") for part in text.split(" to ")))
    return start, end


def unrolled(song: np.ndarray, start: int, end: int) -> np.ndarray:
    """Three passes of a section, the seams as documented: three milliseconds fade into what precedes the start."""
    fade = round(0.003 * RATE)
    passes = np.tile(song[start:end].astype(np.float64), (3, 1))
    share = np.arange(1, fade + 1) / (fade + 1)
    passes[:, -fade:] = song[end - fade : end] * (1 - share) + song[start - fade : start] * share
    return passes.reshape(-1).astype(np.float32)


def test_a_section_that_is_dragged_repeats_without_a_gap_to_the_sample(browse, server, song):
    page = open_song(browse, server, song)
    drag(page, 4, 5.3, 12)
    start, end = looped(page)
    assert abs(start - 4) < 0.15 and abs(end - 5.3) < 0.15
    assert abs(page.position() - start) <= 0.1, "the position is where the loop begins"
    shown = "document.querySelector('.stems').style.getPropertyValue('--loop-%s')"
    first, last = (round(float(page.tab.evaluate(shown % end)) * 12 * RATE) for end in ["start", "end"])

    page.play()
    # All of its samples are there after a pass.
    page.wait_sound()
    page.forget()
    page.until("sounding().length >= 8")
    mix = np.sum([np.frombuffer(get_stem(server.stub, song, stem), "<f4") for stem in STEMS], axis=0).reshape(-1, 2).mean(axis=1)
    line = unrolled(mix, first, last)
    heard = [aligned(sound, line) for sound in page.hear()]
    assert min(clearness for _, clearness in heard) > 45, f"another sound in the loop: {heard}"
    seams = sum(at % (last - first) + BLOCK > last - first for at, _ in heard)
    assert seams > 1, "fewer than two seams were heard"

    # It survives pauses and jumps within it, and ends where it is cleared.
    page.button("Pause").click()
    assert looped(page) == (start, end)
    page.seek(end - 0.2)
    page.play()
    page.wait(lambda: start <= page.position() < end - 0.3, "the loop begins again")
    page.button("Clear the loop").click()
    page.wait(lambda: page.position() > end, "the song continues")
    page.button("Pause").click()


def test_a_loop_is_set_by_keys_and_announced(browse, server, song):
    page = open_song(browse, server, song)
    press = page.tab.keyboard.press
    page.tab.evaluate("document.activeElement.blur()")
    page.seek(3)
    page.tab.evaluate("document.activeElement.blur()")
    press("[")
    status = page.tab.get_by_role("group", name="Loop").get_by_role("status")
    assert status.inner_text() == "from 0:03.0"
    page.seek(7.5)
    page.tab.evaluate("document.activeElement.blur()")
    press("]")
    assert looped(page) == (3, 7.5) and page.position() == 3
    page.seek(5)
    page.tab.evaluate("document.activeElement.blur()")
    press("[")
    assert looped(page) == (5, 7.5)
    press("l")
    assert status.inner_text() == "drag on a waveform"


def test_a_finger_that_scrolls_loops_nothing(browse, server, song):
    page = open_song(browse, server, song, viewport={"width": 390, "height": 600}, has_touch=True, is_mobile=True)
    box = page.tab.locator(".wave").first.bounding_box()
    events = page.context.new_cdp_session(page.tab)

    def swipe(x: float, y: float, to_x: float, to_y: float) -> None:
        touch = lambda kind, *points: events.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": list(points)})
        touch("touchStart", {"x": x, "y": y})
        for step in range(1, 9):
            touch("touchMove", {"x": x + (to_x - x) * step / 8, "y": y + (to_y - y) * step / 8})
        touch("touchEnd")

    x, y = box["x"], box["y"] + box["height"] / 2
    swipe(x + 200, y, x + 190, y - 150)
    page.until("scrollY > 50")
    assert page.position() == 0 and page.tab.locator(".stems-loop").count() == 0
    page.tab.evaluate("scrollTo(0, 0)")
    swipe(x + 100, y, x + 250, y + 4)
    start, end = looped(page)
    assert 2 < start < 5 < 6 < end < 10
