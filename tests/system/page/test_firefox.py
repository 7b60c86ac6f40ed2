"""The page in Firefox as users have it, driven by WebDriver BiDi, and heard over a sound server without a device."""
import base64
import json
import os
import shutil
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest

from ..audio import music, wav
from ..browser import TAPS
from ..common import INSTANT_MODEL, wait_for
from ..stemwire_client import Config, separate
from .songs import STEMS, TONE_HZ, period, spectrum_peak, tones

MODELS = INSTANT_MODEL


class SoundServer:
    """A sound server without hardware."""

    def __init__(self, folder: Path):
        socket = folder / "socket"
        own = {name: str(folder) for name in ["HOME", "XDG_RUNTIME_DIR", "PULSE_RUNTIME_PATH", "PULSE_STATE_PATH"]}
        command = ["pulseaudio", "-n", "--daemonize=no", "--exit-idle-time=-1", "--use-pid-file=no",
                   f"--load=module-native-protocol-unix auth-anonymous=1 socket={socket}"]
        self.variables = {"PULSE_SERVER": f"unix:{socket}"}
        self.process = subprocess.Popen(command, env=os.environ | own, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for(socket.exists)

    def plug(self) -> None:
        """Adds a device whose clock runs, if there is none."""
        control = lambda *arguments: subprocess.run(
            ["pactl", *arguments], env=os.environ | self.variables, check=True, capture_output=True, text=True).stdout
        if "module-null-sink" not in control("list", "short", "modules"):
            control("load-module", "module-null-sink")

    def close(self) -> None:
        self.process.terminate()
        self.process.wait()


@pytest.fixture(scope="module")
def sound_server(tmp_path_factory):
    assert shutil.which("pulseaudio"), "no PulseAudio: `apt-get install pulseaudio`"
    made = SoundServer(tmp_path_factory.mktemp("pulse"))
    yield made
    made.close()


class Firefox:
    """A page in Firefox, in which expressions are evaluated."""

    def __init__(self, address: str, variables: dict):
        named = os.environ.get("STEMWIRE_FIREFOX")
        path = named or next(filter(None, map(shutil.which, ["firefox-esr", "firefox"])), None)
        assert path, "no Firefox: `apt-get install firefox-esr`, or name one with STEMWIRE_FIREFOX"
        driver = str(Path(os.environ.get("STEMWIRE_PUPPETEER", "node_modules/puppeteer-core")).resolve())
        command = ["node", str(Path(__file__).with_name("firefox.mjs")), driver, path, address, TAPS]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=os.environ | variables)
        assert "firefox" in self.answer().lower()

    def answer(self):
        line = self.process.stdout.readline()
        assert line, "Firefox has ended"
        return json.loads(line)

    def evaluate(self, expression: str):
        self.process.stdin.write(json.dumps(expression) + "\n")
        self.process.stdin.flush()
        return self.answer()

    def until(self, expression: str, patience: float = 60) -> None:
        deadline = time.monotonic() + patience
        while not self.evaluate(expression):
            assert time.monotonic() < deadline, f"not true in time: {expression}"
            time.sleep(0.05)

    def click(self, name: str) -> None:
        self.evaluate(f"document.querySelector('button[aria-label=\"{name}\"]').click()")

    def fill(self, slider: str, value: float) -> None:
        self.evaluate(f"""(() => {{
          const slider = document.querySelector('input[aria-label="{slider}"]');
          slider.value = "{value}";
          slider.dispatchEvent(new Event("input", {{ bubbles: true }}));
        }})()""")

    def hear(self, blocks: int) -> list[np.ndarray]:
        self.evaluate("forget()")
        self.until(f"sounding().length >= {blocks}")
        return [np.frombuffer(base64.b64decode(text), dtype="<f4") for text in self.evaluate("take()")]

    def close(self) -> None:
        self.process.stdin.close()
        faults = self.answer()
        self.process.wait(30)
        assert not faults, faults


@pytest.fixture
def visit(server, sound_server):
    """visit(song) opens a song in the page, once it is separated; all pages are closed with the test."""
    pages = []

    def visit(audio: np.ndarray) -> Firefox:
        session_id = separate(server.stub, wav(audio), Config(stems=STEMS)).session.session_id
        page = Firefox(f"http://{server.address}/#{session_id}", sound_server.variables)
        pages.append(page)
        page.until("document.querySelector('.play')?.disabled === false")
        return page

    yield visit
    for page in pages:
        page.close()


def test_firefox_without_a_sound_output_shows_a_note(visit):
    page = visit(music(3))
    page.click("Play")
    page.until("document.querySelector('.transport .note-cause')?.textContent === 'The browser has no sound output'")
    assert page.evaluate("ears.context.currentTime") == 0


def test_firefox_changes_speed_and_pitch(sound_server, visit):
    # Firefox uses no device that appears after its start, hence a Firefox of its own.
    sound_server.plug()
    page = visit(tones(40))
    page.fill("Speed", 75)
    page.fill("Pitch", 3)
    page.click("Play")
    sound = page.hear(3)[2]
    assert abs(spectrum_peak(sound) / (TONE_HZ * 2 ** (3 / 12)) - 1) < 0.004
    assert abs(period(sound) - 0.25 / 0.75) < 0.01
