"""Practice with the page: speed, pitch, a count-in; and what it does without a sound output.

What is heard is compared with tones whose frequency and beat are known.
"""
import subprocess

import imageio_ffmpeg
import numpy as np
import pytest

from ..audio import RATE, music, wav
from ..common import INSTANT_MODEL
from ..stemwire_client import Config, separate
from .songs import STEMS, TONE_HZ, open_song, period, session, spectrum_peak, tones

MODELS = INSTANT_MODEL


@pytest.fixture(scope="module")
def song(server) -> str:
    """Twelve seconds of music."""
    return session(server, music(12))


@pytest.fixture(scope="module")
def beats(server) -> str:
    """A minute of tones."""
    return session(server, tones(60))


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
    page.seek(1)
    page.play()
    frequency, beat = hear_tone(page)
    assert abs(frequency / TONE_HZ - 1) < 0.002 and abs(beat - 0.25) < 0.005
    assert not any("stretch" in url for url in loaded), "nothing is loaded before its first use"

    speed, pitch = (page.tab.get_by_role("slider", name=name) for name in ["Speed", "Pitch"])
    speed.fill("75")
    page.until("document.querySelector('.play-waiting') === null")
    frequency, beat = hear_tone(page)
    assert abs(frequency / TONE_HZ - 1) < 0.004, f"{frequency} Hz at 75 %"
    assert abs(beat - 0.25 / 0.75) < 0.01, f"a beat of {beat} s at 75 %"

    # The position keeps to what is heard, in every frame that is drawn.
    drawn = page.tab.evaluate("""() => new Promise((resolve) => {
      const seen = [];
      const look = () => {
        seen.push([ears.context.currentTime, Number(document.querySelector('.seek').value)]);
        if (seen.at(-1)[0] - seen[0][0] > 1.5) resolve(seen);
        else requestAnimationFrame(look);
      };
      requestAnimationFrame(look);
    })""")
    clock, positions = np.array(drawn).T
    assert abs(np.polyfit(clock, positions, 1)[0] - 0.75) < 0.05

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
    page.seek(4.5)
    page.play()
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
    page.wait(lambda: page.position() > 6.25, "the loud second is over")
    heard = [at for at, level in page.tab.evaluate("loud") if level > 0.2]
    assert 4.85 < min(heard) < 5.2 and 5.8 < max(heard) < 6.2, (min(heard), max(heard))


def test_four_beats_are_counted_before_the_song(browse, server, song):
    page = open_song(browse, server, song)
    page.button("4 beats").click()
    page.tab.get_by_role("spinbutton", name="Beats a minute").fill("240")
    page.tab.get_by_role("spinbutton", name="Beats a minute").press("Enter")
    for stem in ["Vocals", "Other"]:
        page.button(f"Mute {stem}").click()
    page.play()
    page.until("document.querySelector('.time b') && document.querySelector('.seek').value === '0'")
    page.wait(lambda: page.position() > 0.3, "the song begins")
    page.button("Pause").click()
    # All four within a second: some blocks have several.
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
    page.play()
    page.see_note("The browser has no sound output")
    page.tab.evaluate("plug()")
    page.tab.locator(".note-problem").wait_for(state="detached")
    page.wait_sound()
    assert page.position() > 0


def test_where_there_are_no_audio_worklets_the_page_says_why(browse, server, song):
    page = open_song(browse, server, song, script="delete window.AudioWorkletNode;")
    page.tab.get_by_text("Speed and pitch need a secure connection").wait_for()
    assert page.tab.get_by_role("slider", name="Speed").is_disabled()
    page.play()
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
