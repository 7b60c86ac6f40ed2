"""Uploads by the page: several, dropped, continued after a reload or a crash of the server, cancelled."""
import pytest

from ..audio import music, wav
from ..common import QUICK_MODEL
from ..server import free_address
from ..stemwire_client import api, session_pb2

MODELS = QUICK_MODEL
State = session_pb2


@pytest.fixture(scope="module")
def short() -> bytes:
    """Six seconds: a segment of the model."""
    return wav(music(6))


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
