"""The page: stems that are everything but another one, a model for each stem, and a part of a song."""
import numpy as np
import soundfile

from ..audio import RATE, music, wav
from ..common import INSTANT_MODEL
from ..stemwire_client import Config, api, separate

MODELS = INSTANT_MODEL


def shown(browse, server, *stems: str):
    """The page with a session of these stems."""
    session = separate(server.stub, wav(music(2)), Config(stems=stems, file_name="song.wav")).session
    page = browse(server).visit(f"/#{session.session_id}")
    page.wait_done()
    return page


def muted(page) -> dict[str, bool]:
    names = [name.split("\n")[0] for name in page.tab.locator(".stem-name").all_inner_texts()]
    return {name: page.button(f"Mute {name}").get_attribute("aria-pressed") == "true" for name in names}


def test_a_stem_and_everything_else_are_both_heard(browse, server):
    assert muted(shown(browse, server, "other", "no_other")) == {"Other": False, "No other": False}


def test_what_contains_another_stem_starts_muted(browse, server):
    page = shown(browse, server, "vocals", "other", "no_other")
    assert muted(page) == {"Vocals": False, "Other": False, "No other": True}
    assert page.tab.locator("[data-stem=no_other] .stem-name").get_attribute("title") == "everything but other"
    page.button("Mute No other").click()
    mix = page.tab.get_by_role("link", name="Download this mix")
    assert mix.get_attribute("aria-disabled") == "true", "vocals would count twice"
    page.button("中文").click()
    assert page.tab.locator("[data-stem=no_other] .stem-name").inner_text().startswith("无其他")


def test_a_model_for_each_stem_is_chosen_for_the_next_songs(browse, server):
    page = browse(server).visit()
    page.tab.get_by_role("combobox", name="Model", exact=True).select_option(label="A model for each stem")
    each = page.tab.get_by_role("group", name="A model for each stem")
    each.get_by_label("Vocals").select_option("waveform")
    each.get_by_label("Drums").select_option("four")
    song = music(2)
    page.choose(("song.wav", wav(song)))
    page.wait_done()
    session = server.stub.GetSession(api.GetSessionRequest(session_id=page.session_id())).session
    assert [member.model for member in session.engine.members] == ["waveform", "four"]
    page.tab.get_by_label("Format").select_option("wav-f32")
    # The models yield constant shares; `other` is what theirs leave.
    assert set(muted(page)) == {"Vocals", "Drums", "Other"}
    for stem, share in {"Vocals": 0.25, "Drums": 0.1, "Other": 0.65}.items():
        audio, _ = soundfile.read(page.download(f"Download {stem}"), dtype="float32")
        assert np.abs(audio - share * song).max() < 1e-4, stem  # The song has 16 bits.


def test_a_part_of_a_song_is_chosen_for_the_next_songs(browse, server):
    page = browse(server).visit()
    start, end = page.tab.get_by_label("Start of the part"), page.tab.get_by_label("End of the part")
    start.fill("1.5")
    end.fill("soon")
    end.blur()
    assert (start.input_value(), end.input_value()) == ("0:01.5", "")
    end.fill("0:01")
    end.blur()
    assert end.input_value() == "", "it is not behind the start"
    end.fill("4")
    page.choose(("song.wav", wav(music(6))))
    page.wait_done()
    session = server.stub.GetSession(api.GetSessionRequest(session_id=page.session_id())).session
    assert (session.config.start_s, session.config.end_s) == (1.5, 4)
    assert session.progress.total_frames == 2.5 * RATE
    assert (start.input_value(), end.input_value()) == ("", "")
