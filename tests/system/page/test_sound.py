"""What is heard of a song with the page, compared with the server's stems."""
import numpy as np

from ..audio import RATE, music, wav
from ..browser import aligned
from ..common import QUICK_MODEL
from ..stemwire_client import api, get_stem, separate, session_pb2

MODELS = QUICK_MODEL
State = session_pb2
STEMS = ["vocals", "drums", "bass", "other"]

# A computer on which a second of four stems takes 160 ms to prepare, and that is busy before the first of them starts.
SLOW = """
const work = (ms) => { for (const end = performance.now() + ms; performance.now() < end; ); };
const [create, start] = [BaseAudioContext.prototype.createBuffer, AudioBufferSourceNode.prototype.start];
let started = 0;
BaseAudioContext.prototype.createBuffer = function (...size) {
  work(40);
  return create.apply(this, size);
};
AudioBufferSourceNode.prototype.start = function (...when) {
  if (++started === 1) work(100);
  return start.apply(this, when);
};
"""


def mono(server, session_id: str, stems: list[str]) -> np.ndarray:
    """The mono mix of these stems from the server."""
    read = [np.frombuffer(get_stem(server.stub, session_id, stem), dtype="<f4") for stem in stems]
    return np.sum(read, axis=0).reshape(-1, 2).mean(axis=1)


def check_heard(page, server, session_id: str, stems: list[str]) -> None:
    """Plays across the seam of two slices, and compares the sound with the server's stems."""
    song = mono(server, session_id, stems)
    page.seek(1)
    page.forget()
    page.play()
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
    page.seek(1)
    page.forget()
    page.play()
    page.until("document.querySelector('.seek').value > 4")
    assert page.tab.evaluate("heard.every((sound) => sound.every((sample) => Math.abs(sample) < 1e-6))"), "everything is muted"


def test_stems_are_heard_before_the_upload_ends(browse, server):
    song = wav(music(20))
    held = len(song) * 7 // 10
    page = browse(server, hold=held).visit()
    page.choose(("song.wav", song))
    session_id = page.session_id()
    page.play()
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


def test_on_a_slow_computer_stems_are_heard_in_step(browse, server):
    session_id = separate(server.stub, wav(music(6))).done.session_id
    page = browse(server, script=SLOW).visit(f"/#{session_id}")
    page.wait_done()
    check_heard(page, server, session_id, STEMS)
