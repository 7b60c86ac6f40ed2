"""Plain HTTP: a mix is the sum of the stems, with a gain each, in every format."""
import io
from urllib.parse import unquote

import numpy as np
import pytest
import soundfile

from ..audio import RATE, music, wav
from ..common import QUICK_MODEL
from ..http_client import call, get, separate
from .files import ffmpeg, open_session, pcm

MODELS = QUICK_MODEL
PARTS = ("vocals", "drums", "bass", "other")


@pytest.fixture(scope="module")
def done(server) -> dict:
    """A session with the four stems of the model, and the accompaniment."""
    return separate(server, wav(music(2.03)), "my song.wav").json()


@pytest.fixture(scope="module")
def stems(server, done) -> dict:
    return {stem: pcm(server, done["session_id"], stem).astype(np.float64) for stem in done["stems"]}


def address(done: dict, query: str = "") -> str:
    return f"/download/{done['session_id']}/mix?{query}"


def samples(server, done, query: str) -> np.ndarray:
    answer = get(server, address(done, query))
    assert answer.status == 200, answer.body
    return soundfile.read(io.BytesIO(answer.body), always_2d=True)[0]


def test_without_gains_the_mix_is_the_sum_of_the_stems(server, done, stems):
    assert set(stems) == {*PARTS, "accompaniment"}
    expected = sum(stems[stem] for stem in PARTS)
    named = ",".join(f"{stem}:0" for stem in PARTS)
    for query in ("format=wav-f32", f"format=wav-f32&gains={named}", "format=wav-f32&gains="):
        assert np.abs(samples(server, done, query) - expected).max() < 1e-6, query
    # A step of rounding and dither.
    assert np.abs(samples(server, done, "") - expected).max() <= 1.5 / 2**15 + 1e-6
    assert np.abs(samples(server, done, "format=flac") - expected).max() <= 0.5 / 2**23 + 1e-7


@pytest.mark.parametrize("gains, factors", [
    ("vocals:-inf", {"drums": 1, "bass": 1, "other": 1}),
    ("vocals:-inf,drums:-20,bass:%2B6", {"drums": 0.1, "bass": 10**0.3, "other": 1}),
    ("accompaniment:-20", {"vocals": 1, "accompaniment": 0.1}),
    ("accompaniment:-inf,other:-inf", {"vocals": 1, "drums": 1, "bass": 1}),
])
def test_gains_are_decibels(server, done, stems, gains, factors):
    expected = sum(factor * stems[stem] for stem, factor in factors.items())
    assert np.abs(samples(server, done, f"format=wav-f32&gains={gains}") - expected).max() < 1e-6


def test_one_stem_alone_is_its_file(server, done):
    alone = samples(server, done, "format=wav-f32&gains=drums:-inf,bass:-inf,other:-inf")
    assert np.array_equal(alone, pcm(server, done["session_id"], "vocals"))


@pytest.mark.parametrize("form", ["wav-f32", "wav-s16", "aiff"])
def test_forms_without_compression_have_every_range(server, done, form):
    url = address(done, f"format={form}&gains=vocals:-inf")
    whole = get(server, url)
    size, etag = len(whole.body), whole.headers["etag"]
    assert (whole.headers["accept-ranges"], int(whole.headers["content-length"])) == ("bytes", size)
    for first, last in ((0, 60), (50, 200_001), (262_200, 300_000), (size - 7, size - 1)):
        part = get(server, url, range=f"bytes={first}-{last}", if_range=etag)
        assert (part.status, part.body) == (206, whole.body[first : last + 1]), (first, last)
    assert get(server, url, range=f"bytes={size}-").problem() == (416, "OUT_OF_RANGE", "RANGE_UNSATISFIABLE")
    assert get(server, url, if_none_match=etag).status == 304
    head = call(server, "HEAD", url)
    assert (head.status, head.body, int(head.headers["content-length"])) == (200, b"", size)
    others = [address(done, f"format={form}&gains={gains}") for gains in ("", "vocals:-1", "drums:-inf")]
    assert etag not in {get(server, other).headers["etag"] for other in others}


@pytest.mark.parametrize("form, extension", [("mp3", "mp3"), ("opus", "opus"), ("flac-s16", "flac")])
def test_other_forms_are_encoded_while_they_are_sent(server, done, form, extension):
    whole = get(server, address(done, f"format={form}"))
    assert (whole.headers["accept-ranges"], "content-length" in whole.headers) == ("none", False)
    assert whole.headers["content-disposition"].endswith(f".{extension}")
    rate = 48_000 if form == "opus" else RATE
    decoded = np.frombuffer(ffmpeg("-i", "-", "-f", "f32le", "-", stdin=whole.body), "<f4").reshape(-1, 2)
    assert len(decoded) == -(-int(2.03 * RATE) * rate // RATE)
    assert get(server, address(done, f"format={form}"), if_none_match=whole.headers["etag"]).status == 304


def test_fit_keeps_a_loud_mix_from_clipping(server, done, stems):
    loud = ",".join(f"{stem}:12" for stem in PARTS)
    exact = samples(server, done, f"format=wav-f32&gains={loud}")
    assert np.abs(exact).max() > 1
    assert np.array_equal(samples(server, done, f"format=wav-f32&fit=true&gains={loud}"), exact)
    fitted = samples(server, done, f"fit=true&gains={loud}")
    gain = 1 / (10**0.6 * sum(np.abs(stems[stem]).max() for stem in PARTS))
    assert np.abs(fitted - exact * gain).max() < 2 / 2**15


@pytest.mark.parametrize("gains, name", [
    ("", "my song (mix).wav"), ("vocals:-inf", "my song (no vocals).wav"), ("drums:-3", "my song (drums -3 dB).wav"),
    ("drums:-inf,bass:-inf,other:-inf", "my song (only vocals).wav"),
])
def test_the_name_of_the_file_states_the_mix(server, done, gains, name):
    disposition = get(server, address(done, f"gains={gains}")).headers["content-disposition"]
    assert unquote(disposition.split("UTF-8''")[1]) == name


@pytest.mark.parametrize("gains, cause", [
    ("piano:-3", "no stem piano"), ("vocals", "not a stem and its gain"), ("vocals:loud", "neither -inf nor within -60 to 12 dB"),
    ("vocals:13", "13"), ("vocals:nan", "nan"), ("vocals:1,vocals:2", "two gains"),
    ("vocals:-inf,drums:-inf,bass:-inf,other:-inf", "muted"), ("drums:-3,accompaniment:0", "twice"),
])
def test_gains_that_make_no_mix_are_refused(server, done, gains, cause):
    refused = get(server, address(done, f"gains={gains}"))
    assert refused.problem() == (400, "INVALID_ARGUMENT", "CONFIG_INVALID")
    assert cause in refused.json()["message"] and "accompaniment" in refused.json()["metadata"]["stems"]
    assert cause == "twice" or "drums" in refused.json()["remedy"]


def test_other_refusals_are_those_of_stems(server, done):
    song = wav(music(1))
    session_id = open_session(server, song, len(song) // 2)
    unfinished = get(server, f"/download/{session_id}/mix")
    assert unfinished.problem() == (409, "FAILED_PRECONDITION", "SESSION_NOT_DONE")
    assert call(server, "DELETE", f"/api/sessions/{session_id}").status < 300
    assert get(server, f"/download/{session_id}/mix").problem()[0] == 404
    assert get(server, address(done, "gain=vocals:-3")).problem()[2] == "FIELD_UNKNOWN"
    assert get(server, address(done, "format=ogg")).problem()[0] == 400
