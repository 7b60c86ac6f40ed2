"""The page at `/` in a browser: uploads, progress, playback, downloads."""
import io
import re
import zipfile

import numpy as np
import pytest
import soundfile

from ..audio import RATE, encode, music, wav
from ..browser import aligned
from ..common import QUICK_MODEL
from ..server import free_address
from ..stemwire_client import api, get_stem, session_pb2

MODELS = QUICK_MODEL
State = session_pb2
STEMS = ["vocals", "drums", "bass", "other"]


@pytest.fixture(scope="module")
def short() -> bytes:
    """Six seconds: a segment of the model."""
    return wav(music(6))


def mono(server, session_id: str, stems: list[str]) -> np.ndarray:
    """The mono mix of these stems from the server."""
    read = [np.frombuffer(get_stem(server.stub, session_id, stem), dtype="<f4") for stem in stems]
    return np.sum(read, axis=0).reshape(-1, 2).mean(axis=1)


def play(page) -> None:
    page.button("Play").click()


def seek(page, seconds: float) -> None:
    page.tab.get_by_role("slider", name="Position").fill(str(seconds))


def check_heard(page, server, session_id: str, stems: list[str]) -> None:
    """Plays across the seam of two slices, and compares the sound with the server's stems."""
    song = mono(server, session_id, stems)
    seek(page, 1)
    page.forget()
    play(page)
    # At least a fifth of a second apart, so that one of them contains a seam.
    page.until("sounding().length >= 6")
    page.button("Pause").click()
    starts = []
    for sound in page.hear():
        start, clearness = aligned(sound, song)
        assert clearness > 50, f"another sound from frame {start} on: {clearness:.0f} dB"
        starts.append(start)
    assert starts == sorted(starts) and starts[0] >= RATE - 1
    assert any(start // RATE != (start + 32_767) // RATE for start in starts), "no join was heard"


def test_a_song_becomes_stems_that_are_heard_together_and_alone(browse, server):
    page = browse(server).visit()
    # Long enough for slow machines.
    page.choose(("A song.wav", wav(music(20))))
    session_id = page.session_id()
    page.tab.get_by_role("heading", name="A song.wav").wait_for()
    page.wait_done()
    names = page.tab.locator(".stem-name").all_inner_texts()
    assert [name.split("\n")[0] for name in names] == ["Vocals", "Drums", "Bass", "Other", "Accompaniment"]

    # Not vocals alone, which the model finds at -67 dBFS here: the page plays 16 bits, of twice full scale.
    check_heard(page, server, session_id, STEMS)
    page.button("Hear only Drums").click()
    check_heard(page, server, session_id, ["drums"])
    page.button("Hear only Drums").click()
    page.button("Mute Drums").click()
    check_heard(page, server, session_id, ["vocals", "bass", "other"])
    for name in ["Vocals", "Bass", "Other"]:
        page.button(f"Mute {name}").click()
    page.button("Mute Accompaniment").click()
    check_heard(page, server, session_id, ["accompaniment"])

    page.button("Mute Accompaniment").click()
    seek(page, 1)
    page.forget()
    play(page)
    page.until("document.querySelector('.seek').value > 4")
    assert page.tab.evaluate("heard.every((sound) => sound.every((sample) => Math.abs(sample) < 1e-6))"), "everything is muted"


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


def test_stems_are_heard_before_the_upload_ends(browse, server):
    song = wav(music(20))
    held = len(song) * 7 // 10
    page = browse(server, hold=held).visit()
    page.choose(("song.wav", song))
    session_id = page.session_id()
    play(page)
    # If the player had to buffer, there is a pause in the sound.
    clear = lambda: any(aligned(sound, mono_so_far(server, server.get(session_id)))[1] > 50 for sound in page.hear())
    page.wait(clear, "the song is heard")
    now = server.get(session_id)
    assert not now.upload_complete and now.committed_bytes < len(song)
    sending = page.tab.get_by_role("progressbar", name="Uploading").first
    assert 0 < int(sending.get_attribute("aria-valuenow")) < 100
    page.tab.evaluate("gate.open(Infinity)")
    page.wait_done()
    assert server.get(session_id).state == State.SESSION_STATE_DONE


def mono_so_far(server, session) -> np.ndarray:
    frames = session.progress.finished_frames
    requests = [api.GetStemRequest(session_id=session.session_id, stem=stem, frame_count=frames) for stem in STEMS]
    read = [b"".join(answer.chunk.pcm for answer in server.stub.GetStem(request)) for request in requests]
    return np.sum([np.frombuffer(pcm, dtype="<f4") for pcm in read], axis=0).reshape(-1, 2).mean(axis=1)


def test_several_files_are_sent_one_after_the_other(browse, start, short):
    server = start()
    page = browse(server).visit()
    page.choose(("one.wav", short), ("two.wav", wav(music(6, seed=2))), ("three.wav", short))
    page.tab.get_by_role("heading", name="one.wav").wait_for()
    page.until("[...document.querySelectorAll('.song .mood')].filter(e => e.textContent === 'Done').length === 3")
    sessions = server.stub.ListSessions(api.ListSessionsRequest()).sessions
    assert [session.config.file_name for session in sessions] == ["three.wav", "two.wav", "one.wav"]
    assert all(session.state == State.SESSION_STATE_DONE for session in sessions)

    page.tab.get_by_role("link", name="two.wav").click()
    page.tab.get_by_role("heading", name="two.wav").wait_for()
    page.tab.go_back()
    page.tab.get_by_role("heading", name="one.wav").wait_for()
    page.button("Delete three.wav").click()
    page.button("Delete").click()
    page.tab.get_by_role("link", name="three.wav").wait_for(state="detached")
    assert len(server.stub.ListSessions(api.ListSessionsRequest()).sessions) == 2


def test_a_dropped_file_is_taken(browse, server, short):
    page = browse(server).visit()
    page.tab.get_by_role("heading", level=1).wait_for()
    content = page.tab.evaluate_handle(
        "(bytes) => { const held = new DataTransfer(); held.items.add(new File([new Uint8Array(bytes)], 'dropped.wav')); return held; }",
        list(short[:200_000]))
    page.tab.dispatch_event("body", "dragover", {"dataTransfer": content})
    page.tab.get_by_text("Drop to separate").wait_for()
    page.tab.dispatch_event("body", "drop", {"dataTransfer": content})
    page.tab.get_by_role("heading", name="dropped.wav").wait_for()
    page.wait_done()


def test_a_reload_continues_the_upload_with_the_file_chosen_again(browse, server, song):
    page = browse(server, hold=len(song) // 2).visit()
    page.choose(("song.wav", song))
    session_id = page.session_id()
    page.until("gate.waiting.length > 0")
    page.tab.reload()
    assert page.session_id() == session_id
    page.see_note("Choose “song.wav” again")
    held = server.get(session_id).committed_bytes
    assert 0 < held < len(song)

    page.tab.evaluate("gate.open(Infinity)")
    page.choose(("song.wav", wav(music(10, seed=9))), button="Choose the file")
    page.see_note("This is not the file of the unfinished upload")
    assert server.get(session_id).committed_bytes == held
    page.choose(("song.wav", song), button="Choose the file")
    page.wait_done()
    upload = (server.directory(session_id) / "upload").read_bytes()
    assert upload == song
    assert page.tab.evaluate("gate.sent") < len(song), "what was held is not sent again"


def test_an_upload_survives_its_server(browse, start, song):
    server = start(listen=free_address())
    page = browse(server, hold=len(song) // 2).visit()
    page.choose(("song.wav", song))
    session_id = page.session_id()
    page.until("gate.waiting.length > 0")
    server.kill()
    page.tab.evaluate("gate.open(Infinity)")
    page.see_note("The server does not respond")
    server.restart()
    page.wait_done()
    assert server.get(session_id).state == State.SESSION_STATE_DONE
    assert (server.directory(session_id) / "upload").read_bytes() == song


def test_a_song_is_cancelled(browse, server, song):
    page = browse(server, hold=len(song) // 2).visit()
    page.choose(("song.wav", song))
    session_id = page.session_id()
    page.button("Cancel").click()
    page.wait_done("Cancelled")
    assert server.get(session_id).state == State.SESSION_STATE_CANCELLED
    assert page.button("Cancel").count() == 0


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
    play(page)
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
