"""The page at `/` in a browser: what it shows, in which language, and what can be downloaded."""
import io
import re
import zipfile

import numpy as np
import pytest
import soundfile

from ..audio import RATE, encode, music, wav
from ..common import QUICK_MODEL
from ..stemwire_client import api, get_stem

MODELS = QUICK_MODEL


@pytest.fixture(scope="module")
def short() -> bytes:
    """Six seconds: a segment of the model."""
    return wav(music(6))


def test_every_stem_can_be_had_as_a_file(browse, server, short):
    page = browse(server, hold=len(short) // 2).visit()
    page.choose(("Die Fähre.wav", short))
    session_id = page.session_id()
    page.tab.get_by_text("Downloads are available when the song is done").wait_for()
    page.tab.evaluate("gate.open(Infinity)")
    page.wait_done()
    page.tab.get_by_label("Format").select_option("wav-f32")
    audio, rate = soundfile.read(page.download("Download Bass"), dtype="float32")
    assert rate == RATE
    assert audio.astype("<f4").tobytes() == get_stem(server.stub, session_id, "bass")
    page.tab.get_by_label("Format").select_option("wav-s16")
    assert soundfile.info(page.download("Download Vocals")).subtype == "PCM_16"
    page.tab.get_by_label("Format").select_option("flac")
    drums, rate = soundfile.read(page.download("Download Drums"), dtype="int32")
    floats = np.frombuffer(get_stem(server.stub, session_id, "drums"), "<f4").reshape(-1, 2)
    assert rate == RATE and np.abs(drums / 2**31 - floats).max() < 2**-22
    with zipfile.ZipFile(page.download("All as ZIP")) as archive:
        assert archive.testzip() is None
        files = {name.rpartition("/")[2]: archive.read(name) for name in archive.namelist()}
    assert sorted(files) == [f"{stem}.flac" for stem in ("accompaniment", "bass", "drums", "other", "vocals")]
    zipped, _ = soundfile.read(io.BytesIO(files["drums.flac"]), dtype="int32")
    assert (zipped == drums).all()


def test_a_song_of_one_channel_has_files_of_one_and_what_is_lost_is_shown_once(browse, server):
    page = browse(server).visit()
    page.choose(("cut.wav", wav(music(2)[:, 0])[:-2000]))
    session_id = page.session_id()
    page.wait_done()
    missing = "0.023 s that the header announces are missing: the file was cut or is incomplete."
    assert page.tab.locator(".note").all_inner_texts() == [missing]
    stored = np.frombuffer(get_stem(server.stub, session_id, "bass"), "<f4").reshape(-1, 2)
    page.tab.get_by_label("Format").select_option("wav-f32")
    assert soundfile.info(page.download("Download Bass")).channels == 2
    page.tab.get_by_label("Channels").select_option("mono")
    audio, _ = soundfile.read(page.download("Download Bass"), dtype="float32")
    assert audio.shape == (2 * RATE - 1000,) and np.abs(audio - stored.mean(axis=1)).max() < 1e-7


def test_the_mix_that_is_heard_can_be_had_as_a_file(browse, server, short):
    page = browse(server).visit()
    page.choose(("Song.wav", short))
    session_id = page.session_id()
    page.wait_done()
    page.tab.get_by_label("Format").select_option("wav-f32")
    page.button("Mute Vocals").click()
    page.tab.get_by_label("Volume of Drums").fill("0.5")
    with page.tab.expect_download() as begun:
        page.tab.get_by_role("link", name="Download this mix").click()
    assert begun.value.suggested_filename == "Song (no vocals, drums -12.04 dB).wav"
    mix, rate = soundfile.read(begun.value.path(), dtype="float32")
    stem = lambda name: np.frombuffer(get_stem(server.stub, session_id, name), "<f4").reshape(-1, 2)
    assert rate == RATE and np.abs(mix - (stem("drums") * 10 ** (-12.04 / 20) + stem("bass") + stem("other"))).max() < 1e-6
    for name in ["Drums", "Bass", "Other"]:
        page.button(f"Mute {name}").click()
    muted = page.tab.get_by_role("link", name="Download this mix")
    assert muted.get_attribute("aria-disabled") == "true" and muted.get_attribute("href") is None
    page.button("Mute Accompaniment").click()
    assert muted.get_attribute("href").startswith(f"download/{session_id}/mix?gains=vocals:-inf,")


def test_the_server_reports_its_version(browse, server):
    page = browse(server).visit()
    version = server.stub.Health(api.HealthRequest()).version
    assert re.fullmatch(r"\d+\.\d+\.\d+.*", version)
    page.tab.locator("footer").get_by_text(f"Stemwire {version}", exact=True).wait_for()


def test_a_broken_file_is_explained_in_both_languages(browse, server):
    page = browse(server).visit()
    page.choose(("notes.mp3", b"Dear diary, today I sang. " * 4000))
    alert = page.tab.get_by_role("alert")
    alert.get_by_text("The audio format is not supported").wait_for()
    alert.get_by_text("or convert the file").wait_for()
    page.wait_done("Failed")
    # There is nothing to play or download, the page offers neither, and no call was refused.
    assert page.tab.locator(".stem, .transport, .downloads, .note-request").count() == 0
    page.button("中文").click()
    alert.get_by_text("无法识别这个音频文件").wait_for()
    assert page.tab.locator("html").get_attribute("lang") == "zh-Hans"


def test_the_details_have_what_the_upload_is_in_both_languages(browse, server):
    page = browse(server).visit()
    song = encode(music(2), "-ac", "1", "-ar", "48000", "-metadata", "title=<b>Ça ira</b>", "-metadata", "artist=Édith", container="flac")
    page.choose(("song.flac", song))
    page.wait_done()
    details = page.tab.locator("details.details")
    details.locator("summary").click()
    details.get_by_text("FLAC · 48 kHz · mono · 0:02").wait_for()
    details.get_by_text("Édith · <b>Ça ira</b>").wait_for()
    details.get_by_text("resampled from 48 to 44.1 kHz · nothing above 22.05 kHz is kept · the one channel is on both sides").wait_for()
    page.button("中文").click()
    details.get_by_text("采样率从 48 kHz 转换为 44.1 kHz · 不保留 22.05 kHz 以上的内容 · 单声道已复制到左右两侧").wait_for()


def test_an_address_without_a_song_shows_a_note(browse, server):
    page = browse(server).visit("/#00000000-0000-4000-8000-000000000000")
    page.see_note("This song is no longer on the server")
    page.button("Close").click()
    page.tab.get_by_role("heading", name="Take a song apart").wait_for()


def test_a_refused_call_is_named_so_that_it_can_be_copied(browse, server):
    page = browse(server)
    with page.tab.expect_response(re.compile("/WatchSession$")) as refused:
        page.visit("/#00000000-0000-4000-8000-000000000000")
    page.see_note("Request")
    page.tab.locator(".note-request code").click()
    assert page.tab.evaluate("getSelection().toString()") == refused.value.header_value("x-request-id")


def test_the_keyboard_is_enough(browse, server):
    page = browse(server).visit()
    # Long enough for slow machines.
    page.choose(("song.wav", wav(music(20))))
    page.wait_done()
    keys = page.tab.keyboard
    page.tab.evaluate("document.activeElement.blur()")
    keys.press("Space")
    page.wait_sound()
    keys.press("Space")
    page.button("Play").wait_for()
    before = float(page.tab.locator(".seek").input_value())
    keys.press("ArrowLeft")
    assert float(page.tab.locator(".seek").input_value()) < max(before, 0.1)
    pressed = lambda name: page.button(name).get_attribute("aria-pressed")
    keys.press("1")
    assert pressed("Mute Vocals") == "true"
    keys.press("Shift+2")
    assert pressed("Hear only Drums") == "true"
    # Every control is reached with the Tab key.
    reached = set()
    for _ in range(90):
        keys.press("Tab")
        reached.add(page.tab.evaluate("document.activeElement.getAttribute('aria-label') ?? document.activeElement.textContent"))
    assert {"Play", "Position", "Volume", "Mute Bass", "Volume of Bass", "Download Bass", "All as ZIP", "Add songs", "中文"} <= reached


def test_the_language_is_the_browsers_and_the_users_choice_is_kept(browse, server):
    page = browse(server, locale="zh-TW").visit()
    page.tab.get_by_role("heading", name="把一首歌拆开来听").wait_for()
    page.button("English").click()
    page.tab.get_by_role("heading", name="Take a song apart").wait_for()
    page.tab.reload()
    page.tab.get_by_role("heading", name="Take a song apart").wait_for()
    other = browse(server, locale="fr-FR").visit()
    other.tab.get_by_role("heading", name="Take a song apart").wait_for()


def test_the_page_asks_for_a_token_once(browse, start, short):
    token = "a-token-of-forty-characters-for-the-tests"
    server = start("--token", token)
    page = browse(server).visit()
    page.tab.get_by_role("heading", name="This server requires a token").wait_for()
    page.tab.get_by_role("textbox", name="Token").fill("the-wrong-token-of-some-length")
    page.button("Continue").click()
    page.tab.get_by_role("dialog").get_by_text("Enter your token").wait_for()
    page.tab.get_by_role("textbox", name="Token").fill(token)
    page.button("Continue").click()
    page.tab.get_by_text("No songs yet").wait_for()
    page.choose(("song.wav", short))
    page.wait_done()
    assert soundfile.info(page.download("Download Bass")).frames == 6 * RATE
    page.play()
    page.wait_sound()


@pytest.mark.parametrize("width", [360, 390, 768, 1280])
def test_nothing_is_wider_than_the_screen(browse, server, short, width):
    page = browse(server, viewport={"width": width, "height": 800}, has_touch=width < 700).visit()
    overflow = "document.documentElement.scrollWidth - innerWidth"
    page.tab.get_by_role("heading", name="Songs", exact=True).wait_for()
    assert page.tab.evaluate(overflow) <= 0
    page.choose(("a name that is quite long and_has_no_spaces_in_its_second_part_at_all.wav", short))
    page.wait_done()
    assert page.tab.evaluate(overflow) <= 0
