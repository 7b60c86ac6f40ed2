"""Chromium for the tests of the page, with access to its sound output.

A test fails on any fault of the page: a request to another origin, a violation of the server's policy, an uncaught
exception.
"""
import base64
import os
import shutil
import time
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import sync_playwright

OPTIONS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--autoplay-policy=no-user-gesture-required",
]

# Runs before the page's own script. `ears` records the sound output; `gate` holds the upload before a number of bytes, to
# simulate a slow connection.
TAPS = """
(() => {
  const connect = AudioNode.prototype.connect;
  AudioNode.prototype.connect = function (target, ...rest) {
    if (target instanceof AudioDestinationNode) {
      const analyser = this.context.createAnalyser();
      analyser.fftSize = 32768;
      connect.call(this, analyser);
      window.ears = analyser;
    }
    return connect.call(this, target, ...rest);
  };
  // What came out last, as often as it is looked at; silence at either end means that it had only begun or has ended.
  window.heard = [];
  // What sounded before `forget`, and gains that were changing then, are out of what is heard after a second.
  let since = -1;
  window.forget = () => {
    heard.length = 0;
    since = window.ears?.context.currentTime ?? 0;
  };
  setInterval(() => {
    if (window.ears?.context.state !== "running" || ears.context.currentTime - since < 1) return;
    const sound = new Float32Array(ears.fftSize);
    ears.getFloatTimeDomainData(sound);
    heard.push(sound);
    heard.splice(0, heard.length - 40);
  }, 200);
  window.sounding = () => heard.filter((sound) => [0, 1, 2, 3].some((at) => sound[at] !== 0 && sound[sound.length - 1 - at] !== 0));
  const coded = (sound) => btoa(String.fromCharCode(...new Uint8Array(sound.buffer.slice(0, 65536))) +
    String.fromCharCode(...new Uint8Array(sound.buffer.slice(65536))));
  window.take = (blocks = sounding().slice(0, 8)) => blocks.map(coded);
  // `unplug()` takes the sound output away, as on a computer without one: no clock starts.
  let unplugged = false;
  const { resume, suspend } = AudioContext.prototype;
  window.plug = () => void (unplugged = false);
  window.unplug = () => void (unplugged = true);
  AudioContext.prototype.resume = function () {
    return unplugged ? suspend.call(this).then(() => new Promise(() => {})) : resume.call(this);
  };
  const gate = (window.gate = { limit: Infinity, sent: 0, waiting: [] });
  gate.open = (limit) => { gate.limit = limit; gate.waiting.splice(0).forEach((go) => go()); };
  const fetch = window.fetch;
  window.fetch = async (address, options) => {
    if (String(address?.url ?? address).endsWith("/UploadChunk")) {
      while (gate.sent + options.body.byteLength > gate.limit) await new Promise((go) => gate.waiting.push(go));
      gate.sent += options.body.byteLength;
    }
    return fetch(address, options);
  };
})();
"""


def chromium_path() -> str:
    named = os.environ.get("STEMWIRE_CHROMIUM")
    found = named or next(filter(None, map(shutil.which, ["chromium", "chromium-browser", "google-chrome"])), None)
    assert found, "no Chromium: `apt-get install chromium`, or name one with STEMWIRE_CHROMIUM"
    return found


@pytest.fixture(scope="module")
def chromium():
    # Module scope: while it is open, nothing else in this process can run an event loop.
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_path(), args=OPTIONS)
        yield browser
        browser.close()


class Page:
    """The page of one server in a browser profile of its own. `hold` and `script` are for the page's first lines."""

    def __init__(self, chromium, address: str, hold: int | None = None, script: str = "", **profile):
        self.origin = f"http://{address}"
        self.faults: list[str] = []
        self.context = chromium.new_context(**{"locale": "en-GB", "viewport": {"width": 1280, "height": 900}, **profile})
        self.context.set_default_timeout(90_000)
        self.context.add_init_script(TAPS)
        if hold is not None:
            self.context.add_init_script(f"gate.limit = {hold};")
        if script:
            self.context.add_init_script(script)
        self.tab = self.context.new_page()
        self.tab.on("pageerror", lambda error: self.faults.append(f"exception: {error}"))
        self.tab.on("console", self._console)
        self.tab.on("request", self._request)
        # The page asks for confirmation when it is left during an upload.
        self.tab.on("dialog", lambda dialog: dialog.accept())

    def _console(self, message) -> None:
        # The browser itself logs refused and broken requests, which tests expect.
        is_network = message.text.startswith("Failed to load resource")
        if message.type in ("error", "warning") and not is_network:
            self.faults.append(f"{message.type}: {message.text}")

    def _request(self, request) -> None:
        if not request.url.startswith((self.origin + "/", "data:")):
            self.faults.append(f"a request to {request.url}")

    def visit(self, path: str = "/") -> "Page":
        self.tab.goto(self.origin + path)
        return self

    def choose(self, *songs: tuple[str, bytes] | Path, button: str = "Choose songs") -> None:
        """Chooses files in the dialog that `button` opens; large ones by their paths."""
        with self.tab.expect_file_chooser() as chooser:
            self.tab.get_by_role("button", name=button).click()
        held = lambda name, content: {"name": name, "mimeType": "application/octet-stream", "buffer": content}
        chooser.value.set_files([song if isinstance(song, Path) else held(*song) for song in songs])

    def until(self, expression: str, patience: float = 90) -> None:
        """Waits until an expression is true in the page, evaluated from outside because the page's policy forbids eval."""
        self.wait(lambda: self.tab.evaluate(expression), expression, patience)

    def wait(self, condition, what: str, patience: float = 90) -> None:
        """Waits until a condition holds, while the page runs."""
        deadline = time.monotonic() + patience
        while not condition():
            assert time.monotonic() < deadline, f"not true in time: {what}"
            self.tab.wait_for_timeout(50)

    def session_id(self) -> str:
        self.until("location.hash.length === 37")
        return self.tab.evaluate("location.hash.slice(1)")

    def wait_done(self, text: str = "Done") -> None:
        self.tab.locator(".card-head .mood", has_text=text).wait_for()

    def see_note(self, text: str) -> None:
        """Waits for a visible note with this text."""
        self.tab.locator(".note", has_text=text).first.wait_for()

    def button(self, name: str):
        return self.tab.get_by_role("button", name=name, exact=True)

    def play(self) -> None:
        self.button("Play").click()

    def seek(self, seconds: float) -> None:
        self.tab.get_by_role("slider", name="Position").fill(str(seconds))

    def position(self) -> float:
        """The position, in seconds."""
        return float(self.tab.locator(".seek").input_value())

    def download(self, name: str) -> Path:
        """Follows the link `name`, and returns the file that it yields."""
        with self.tab.expect_download() as begun:
            self.tab.get_by_role("link", name=name).click()
        return begun.value.path()

    def hear(self) -> list[np.ndarray]:
        """The first sound since `forget`: at most eight blocks of
        32,768 samples, left and right in equal parts."""
        return [np.frombuffer(base64.b64decode(text), dtype="<f4") for text in self.tab.evaluate("take()")]

    def hear_all(self) -> list[np.ndarray]:
        """What came out of late, also silence."""
        return [np.frombuffer(base64.b64decode(text), dtype="<f4") for text in self.tab.evaluate("take(heard)")]

    def forget(self) -> None:
        self.tab.evaluate("forget()")

    def wait_sound(self) -> None:
        """Waits for sound output."""
        self.until("sounding().length > 0")

    def close(self) -> None:
        self.context.close()
        assert not self.faults, "\n".join(self.faults)


@pytest.fixture
def browse(chromium):
    """browse(server, …) opens the page of a server; all pages are closed with the test, which fails on their faults."""
    pages = []

    def browse(server, **options) -> Page:
        page = Page(chromium, server.address, **options)
        pages.append(page)
        return page

    yield browse
    for page in pages:
        page.close()


def aligned(heard: np.ndarray, song: np.ndarray) -> tuple[int, float]:
    """Position of `heard` in `song` (mono), and the SNR there, in dB."""
    size = 1 << (len(song) + len(heard)).bit_length()
    places = len(song) - len(heard) + 1
    likeness = np.fft.irfft(np.fft.rfft(song, size) * np.conj(np.fft.rfft(heard, size)), size)[:places]
    energy = np.concatenate([[0.0], np.cumsum(song.astype(np.float64) ** 2)])
    # The least squared difference: correlation would favour loud passages.
    at = int(np.argmax(2 * likeness - (energy[len(heard) :] - energy[:-len(heard)])))
    excerpt = song[at : at + len(heard)]
    difference = np.sum((heard - excerpt) ** 2) + 1e-20
    return at, 10 * np.log10(np.sum(excerpt**2) / difference)
