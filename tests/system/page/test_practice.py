"""Practice with the page: a looped section, speed, pitch, a count-in; and what it does without a sound output.

What is heard is compared with the stems, and with tones whose frequency and beat are known.
"""
import subprocess

import imageio_ffmpeg
import numpy as np
import pytest

from ..audio import RATE, music, wav
from ..browser import aligned
from ..common import INSTANT_MODEL
from ..stemwire_client import Config, get_stem, separate

MODELS = INSTANT_MODEL

STEMS = ["vocals", "other"]

# Frames of a block of what is heard.
BLOCK = 32_768

# A tone that is heard every quarter of a second.
TONE_HZ, BEAT = 440.0, RATE // 4


def tones(seconds: float) -> np.ndarray:
    time = np.arange(int(seconds * RATE))
    tone = np.sin(2 * np.pi * TONE_HZ * time / RATE) * (0.05 + 0.35 * (time % BEAT < BEAT // 2))
    return np.stack([tone, tone], axis=1).astype(np.float32)


def session(server, audio: np.ndarray) -> str:
    result = separate(server.stub, wav(audio), Config(stems=STEMS, file_name="song.wav"))
    return result.session.session_id


@pytest.fixture(scope="module")
def song(server) -> str:
    """Twelve seconds of music."""
    return session(server, music(12))


@pytest.fixture(scope="module")
def beats(server) -> str:
    """A minute of tones."""
    return session(server, tones(60))


def open_song(browse, server, session_id: str, **options):
    page = browse(server, **options).visit(f"/#{session_id}")
    page.wait_done()
    return page


def seek(page, seconds: float) -> None:
    page.tab.get_by_role("slider", name="Position").fill(str(seconds))


def position(page) -> float:
    return float(page.tab.locator(".seek").input_value())


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
    assert abs(position(page) - start) <= 0.1, "the position is where the loop begins"
    shown = "document.querySelector('.stems').style.getPropertyValue('--loop-%s')"
    first, last = (round(float(page.tab.evaluate(shown % end)) * 12 * RATE) for end in ["start", "end"])

    page.forget()
    page.button("Play").click()
    page.until("sounding().length >= 8")
    mix = np.sum([np.frombuffer(get_stem(server.stub, song, stem), "<f4") for stem in STEMS], axis=0).reshape(-1, 2).mean(axis=1)
    line = unrolled(mix, first, last)
    heard = [aligned(sound, line) for sound in page.hear()]
    # The sound output of a busy machine may drop out once; a fault of the loop would be heard at each of its seams.
    clear = [at for at, clearness in heard if clearness > 45]
    assert len(clear) >= len(heard) - 1, f"another sound in the loop: {heard}"
    seams = sum(at % (last - first) + BLOCK > last - first for at in clear)
    assert seams > 1, "fewer than two seams were heard"

    # It survives pauses and jumps within it, and ends where it is cleared.
    page.button("Pause").click()
    assert looped(page) == (start, end)
    seek(page, end - 0.2)
    page.button("Play").click()
    page.wait(lambda: start <= position(page) < end - 0.3, "the loop begins again")
    page.button("Clear the loop").click()
    page.wait(lambda: position(page) > end, "the song continues")
    page.button("Pause").click()


def test_a_loop_is_set_by_keys_and_announced(browse, server, song):
    page = open_song(browse, server, song)
    press = page.tab.keyboard.press
    page.tab.evaluate("document.activeElement.blur()")
    seek(page, 3)
    page.tab.evaluate("document.activeElement.blur()")
    press("[")
    status = page.tab.get_by_role("group", name="Loop").get_by_role("status")
    assert status.inner_text() == "from 0:03.0"
    seek(page, 7.5)
    page.tab.evaluate("document.activeElement.blur()")
    press("]")
    assert looped(page) == (3, 7.5) and position(page) == 3
    seek(page, 5)
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
    assert position(page) == 0 and page.tab.locator(".stems-loop").count() == 0
    page.tab.evaluate("scrollTo(0, 0)")
    swipe(x + 100, y, x + 250, y + 4)
    start, end = looped(page)
    assert 2 < start < 5 < 6 < end < 10


def spectrum_peak(sound: np.ndarray) -> float:
    """The strongest frequency, in Hz."""
    levels = np.abs(np.fft.rfft(sound * np.hanning(len(sound)), 8 * len(sound)))
    return float(np.argmax(levels)) * RATE / (8 * len(sound))


def period(sound: np.ndarray) -> float:
    """The period of the loudness, in seconds."""
    loudness = np.convolve(np.abs(sound), np.ones(441) / 441, "same")
    loudness = loudness - loudness.mean()
    likeness = np.fft.irfft(np.abs(np.fft.rfft(loudness, 2 * len(loudness))) ** 2)[: len(loudness)]
    least = RATE // 10
    return (least + int(np.argmax(likeness[least : RATE * 6 // 10]))) / RATE


def hear_tone(page) -> tuple[float, float]:
    """Frequency and beat of what is heard."""
    page.forget()
    page.until("sounding().length >= 3")
    sound = page.hear()[2]
    return spectrum_peak(sound), period(sound)


def test_the_speed_changes_no_pitch_and_the_pitch_no_speed(browse, server, beats):
    page = open_song(browse, server, beats)
    loaded = []
    page.tab.on("request", lambda request: loaded.append(request.url))
    seek(page, 1)
    page.button("Play").click()
    frequency, beat = hear_tone(page)
    assert abs(frequency / TONE_HZ - 1) < 0.002 and abs(beat - 0.25) < 0.005
    assert not any("stretch" in url for url in loaded), "nothing is loaded before its first use"

    speed, pitch = (page.tab.get_by_role("slider", name=name) for name in ["Speed", "Pitch"])
    speed.fill("75")
    page.until("document.querySelector('.play-waiting') === null")
    frequency, beat = hear_tone(page)
    assert abs(frequency / TONE_HZ - 1) < 0.004, f"{frequency} Hz at 75 %"
    assert abs(beat - 0.25 / 0.75) < 0.01, f"a beat of {beat} s at 75 %"

    # The position keeps to what is heard.
    clock = "[ears.context.currentTime, Number(document.querySelector('.seek').value)]"
    (time, at), _, (later, end) = page.tab.evaluate(clock), page.tab.wait_for_timeout(1500), page.tab.evaluate(clock)
    assert abs((end - at) / (later - time) - 0.75) < 0.1

    pitch.fill("3")
    speed.fill("100")
    frequency, beat = hear_tone(page)
    assert abs(frequency / (TONE_HZ * 2 ** (3 / 12)) - 1) < 0.004, f"{frequency} Hz three semitones up"
    assert abs(beat - 0.25) < 0.01, f"a beat of {beat} s at 100 %"
    page.button("Mute Vocals").click()
    page.button("Mute Other").click()
    page.wait(lambda: np.abs(page.hear_all()[-1][-4096:]).max() < 1e-3, "mutes are before it")
    page.button("Pause").click()


def test_what_is_heard_at_another_speed_is_where_the_position_is(browse, server):
    # One loud second in a quiet song.
    audio = tones(9) * 0.02
    audio[5 * RATE : 6 * RATE] *= 50
    page = open_song(browse, server, session(server, audio))
    page.tab.get_by_role("slider", name="Speed").fill("50")
    seek(page, 4.5)
    page.button("Play").click()
    page.tab.evaluate("""() => {
      window.loud = [];
      const few = new Float32Array(1024);
      const look = () => {
        ears.fftSize = 1024;
        ears.getFloatTimeDomainData(few);
        loud.push([Number(document.querySelector('.seek').value), Math.max(...few)]);
        requestAnimationFrame(look);
      };
      requestAnimationFrame(look);
    }""")
    page.wait(lambda: position(page) > 6.25, "the loud second is over")
    heard = [at for at, level in page.tab.evaluate("loud") if level > 0.2]
    assert 4.85 < min(heard) < 5.2 and 5.8 < max(heard) < 6.2, (min(heard), max(heard))


def test_four_beats_are_counted_before_the_song(browse, server, song):
    page = open_song(browse, server, song)
    page.button("4 beats").click()
    page.tab.get_by_role("spinbutton", name="Beats a minute").fill("240")
    page.tab.get_by_role("spinbutton", name="Beats a minute").press("Enter")
    for stem in ["Vocals", "Other"]:
        page.button(f"Mute {stem}").click()
    page.button("Play").click()
    page.wait(lambda: page.tab.locator(".time b").count() == 1, "a beat is shown")
    assert position(page) == 0
    page.wait(lambda: position(page) > 0.3, "the song begins")
    page.button("Pause").click()
    # All four within a second: the last blocks have several.
    block = max(page.hear_all(), key=lambda sound: np.abs(sound).sum())
    assert abs(period(block) - 0.25) < 0.01


def test_the_tempo_is_that_of_the_songs_tag_until_another_is_chosen(browse, server, song, tmp_path):
    (tmp_path / "song.wav").write_bytes(wav(music(2)))
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-i", "song.wav", "-metadata", "BPM=93.7", "song.flac"]
    subprocess.run(command, cwd=tmp_path, check=True)
    tagged = separate(server.stub, (tmp_path / "song.flac").read_bytes(), Config(stems=STEMS, file_name="song.flac")).session.session_id
    page = open_song(browse, server, tagged)
    tempo = page.tab.get_by_role("spinbutton", name="Beats a minute")
    assert tempo.input_value() == "94"
    tempo.fill("100")
    tempo.press("Enter")
    assert tempo.input_value() == "100"
    page.visit(f"/#{song}")
    page.wait(lambda: tempo.input_value() == "100", "the usual tempo is the last chosen one")


def test_without_a_sound_output_the_page_says_so_and_recovers(browse, server, song):
    page = open_song(browse, server, song, script="unplug();")
    page.button("Play").click()
    page.see_note("The browser has no sound output")
    page.tab.evaluate("plug()")
    page.tab.locator(".note-problem").wait_for(state="detached")
    page.wait_sound()
    assert position(page) > 0


def test_where_there_are_no_audio_worklets_the_page_says_why(browse, server, song):
    page = open_song(browse, server, song, script="delete window.AudioWorkletNode;")
    page.tab.get_by_text("Speed and pitch need a secure connection").wait_for()
    assert page.tab.get_by_role("slider", name="Speed").is_disabled()
    page.button("Play").click()
    page.wait_sound()


def test_the_keys_are_listed_for_keyboards_and_fingers(browse, server, song):
    page = open_song(browse, server, song)
    page.tab.evaluate("document.activeElement.blur()")
    page.tab.keyboard.press("?")
    dialog = page.tab.get_by_role("dialog", name="Keyboard")
    dialog.get_by_text("clear the loop").wait_for()
    for _ in range(4):
        page.tab.keyboard.press("Tab")
        assert page.tab.evaluate("document.activeElement === document.body || document.activeElement.closest('dialog') !== null")
    page.tab.keyboard.press("Escape")
    dialog.wait_for(state="detached")
    page.tab.get_by_role("button", name="Keyboard").click()
    dialog.get_by_role("button", name="Close").click()
    dialog.wait_for(state="detached")


def test_the_chosen_format_is_remembered_and_comes_from_the_server(browse, server, song):
    page = open_song(browse, server, song)
    select = page.tab.get_by_label("Format")
    page.wait(lambda: select.locator("option").count() > 1, "the server's formats")
    select.select_option("flac")
    page.tab.reload()
    page.wait_done()
    page.wait(lambda: select.input_value() == "flac", "the format of before")
    assert "format=flac" in page.tab.get_by_role("link", name="Download Vocals").get_attribute("href")
