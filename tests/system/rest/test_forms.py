"""Plain HTTP: a stem is downloaded in every format, and other programs find the samples of the session in it."""
import io
import zipfile

import numpy as np
import pytest

from ..audio import RATE, music, wav
from ..common import INSTANT_MODEL
from ..http_client import call, get, separate
from .files import ffmpeg, pcm

MODELS = INSTANT_MODEL

# Extension, media type, and the largest error of a sample.
FORMS = {
    "wav-f32": ("wav", "audio/wav", 0), "wav-s24": ("wav", "audio/wav", 0.5 / 2**23), "wav-s16": ("wav", "audio/wav", 1.5 / 2**15),
    "flac": ("flac", "audio/flac", 0.5 / 2**23), "flac-s16": ("flac", "audio/flac", 1.5 / 2**15),
    "aiff": ("aiff", "audio/aiff", 0.5 / 2**23), "aiff-s16": ("aiff", "audio/aiff", 1.5 / 2**15),
    "opus": ("opus", "audio/ogg", None), "mp3": ("mp3", "audio/mpeg", None),
}
RANGES = [form for form in FORMS if FORMS[form][2] is not None]
FLAC = [form for form in RANGES if FORMS[form][0] == "flac"]
LOSSY = [form for form in FORMS if FORMS[form][2] is None]


@pytest.fixture(scope="module")
def done(server) -> dict:
    """A session of two seconds and a bit, of which every format would cut off or add something."""
    return separate(server, wav(music(2.03)), "my song.wav").json()


@pytest.fixture(scope="module")
def expected(server, done) -> np.ndarray:
    return pcm(server, done["session_id"], "vocals")


def decoded(content: bytes, rate: int = RATE) -> np.ndarray:
    """What ffmpeg reads: float32 [frames, 2]."""
    return np.frombuffer(ffmpeg("-i", "-", "-c:a", "pcm_f32le", "-f", "f32le", "-", stdin=content), "<f4").reshape(-1, 2)


def test_a_server_lists_its_formats(server):
    assert set(get(server, "/health").json()["download_formats"]) >= set(FORMS)


@pytest.mark.parametrize("form", RANGES)
def test_forms_without_loss_have_the_samples_and_every_range(server, done, expected, form):
    url, (extension, media_type, error) = f"{done['vocals_url']}?format={form}", FORMS[form]
    whole = get(server, url)
    assert (whole.status, whole.headers["content-type"]) == (200, media_type)
    assert whole.headers["content-disposition"].endswith(f"vocals.{extension}")
    found = decoded(whole.body)
    assert len(found) == len(expected) and np.abs(found - expected).max() <= error
    size = len(whole.body)
    for first, last in ((0, 60), (50, 200_001), (size - 7, size - 1)):
        assert get(server, url, range=f"bytes={first}-{last}").body == whole.body[first : last + 1], (first, last)


@pytest.mark.parametrize("form", LOSSY)
def test_lossy_forms_are_sent_while_they_are_encoded_with_the_exact_length(server, done, expected, form):
    url, (extension, media_type, _) = f"{done['vocals_url']}?format={form}", FORMS[form]
    whole = get(server, url)
    assert (whole.status, whole.headers["content-type"], whole.headers["accept-ranges"]) == (200, media_type, "none")
    assert "content-length" not in whole.headers and whole.headers["transfer-encoding"] == "chunked"
    assert whole.headers["content-disposition"].endswith(f"vocals.{extension}")
    found = decoded(whole.body)
    if form == "opus":
        # 160 frames of 48,000 Hz for 147 of 44,100 Hz.
        assert len(found) == -(-len(expected) * 160 // 147)
        positions = np.arange(len(expected)) * 160 / 147
        found = np.stack([np.interp(positions, np.arange(len(found)), channel) for channel in found.T], axis=1)
    assert len(found) == len(expected)
    # No other shift is as near, and it is near.
    quiet = slice(5_000, 80_000)
    errors = {shift: np.square(np.roll(found, shift, axis=0)[quiet] - expected[quiet]).sum() for shift in range(-40, 41)}
    assert min(errors, key=errors.get) == 0 and errors[0] < 0.05 * np.square(expected[quiet]).sum()
    assert get(server, url).body == whole.body, "equal downloads have equal bytes"
    assert get(server, url, if_none_match=whole.headers["etag"]).status == 304
    assert get(server, url, range="bytes=5-9").status == 200
    assert call(server, "HEAD", url).status == 200


@pytest.mark.parametrize("form", FLAC)
def test_flac_is_sent_while_it_is_encoded_until_a_range_is_requested(server, form):
    session = separate(server, wav(music(2.03)), "flac.wav").json()
    url, folder = f"{session['vocals_url']}?format={form}", server.data / "sessions" / session["session_id"] / "flac"
    streamed = [get(server, url), get(server, url, range="bytes=4-9", if_range='"of another version"')]
    # Neither a download, nor one that is current, nor an archive keeps a file.
    tag = streamed[0].headers["etag"]
    assert get(server, url, range="bytes=4-9", if_none_match=tag).status == 304
    packed = get(server, f"/download/{session['session_id']}.zip?format={form}")
    assert not folder.exists()
    for whole in streamed:
        assert whole.status == 200 and "content-length" not in whole.headers and whole.headers["accept-ranges"] == "bytes"
    part = get(server, url, range="bytes=1000-", if_range=tag)
    assert (part.status, part.headers["etag"]) == (206, tag) and len(list(folder.glob("*.flac"))) == 1
    kept = get(server, url)
    assert int(kept.headers["content-length"]) == len(kept.body) and kept.headers["etag"] == tag
    assert kept.body == streamed[0].body == streamed[1].body == kept.body[:1000] + part.body
    with zipfile.ZipFile(io.BytesIO(packed.body)) as archive:
        assert archive.read("vocals.flac") == kept.body


def test_a_bitrate_can_be_chosen(server, done):
    sizes = {rate: len(get(server, f"{done['vocals_url']}?format=mp3&bitrate={rate}").body) for rate in (64, 320)}
    assert 4.5 < sizes[320] / sizes[64] < 5.5
    sizes = {rate: len(get(server, f"{done['vocals_url']}?format=opus&bitrate={rate}").body) for rate in (32, 256)}
    assert sizes[256] > 3 * sizes[32]
    tags = {get(server, f"{done['vocals_url']}?format=mp3&bitrate={rate}").headers["etag"] for rate in (64, 320)}
    assert len(tags) == 2
    for query in ("format=mp3&bitrate=100", "format=opus&bitrate=511", "format=flac&bitrate=128", "format=mp3&bitrate=high"):
        refused = get(server, f"{done['vocals_url']}?{query}")
        assert refused.problem()[0] == 400 and "bitrate" in refused.json()["message"], query
    assert "opus, mp3" in get(server, f"{done['vocals_url']}?format=ogg").json()["message"]


@pytest.mark.parametrize("form", ["mp3", "aiff-s16"])
def test_the_zip_has_the_files_of_the_downloads(server, done, form):
    extension = FORMS[form][0]
    packed = get(server, f"/download/{done['session_id']}.zip?format={form}")
    with zipfile.ZipFile(io.BytesIO(packed.body)) as archive:
        assert archive.testzip() is None
        assert {name.rsplit(".")[-1] for name in archive.namelist()} == {extension}
        for stem, url in done["stems"].items():
            assert archive.read(f"{stem}.{extension}") == get(server, f"{url}?format={form}").body


def test_dither_is_independent_of_stem_and_part_and_leaves_silence(server, done):
    """The errors of two stems of 16 bits are independent, so that their sum is no louder than it must be."""
    errors = []
    for url in done["stems"].values():
        exact, rounded = (decoded(get(server, f"{url}?format={form}").body) for form in ("wav-f32", "wav-s16"))
        errors.append(((rounded - exact) * 2**15).ravel())
        assert abs(np.mean(errors[-1])) < 0.02 and abs(np.var(errors[-1]) - 0.25) < 0.02
    assert abs(np.corrcoef(errors)[0, 1]) < 0.02
    silent = separate(server, wav(np.zeros((RATE, 2), np.float32))).json()
    assert not decoded(get(server, f"{silent['vocals_url']}?format=wav-s16").body).any()


@pytest.mark.parametrize("form", LOSSY)
def test_fit_lowers_lossy_forms_too(server, form):
    loud = separate(server, wav(np.clip(music(1) * 40, -8, 8), subtype="FLOAT")).json()
    peak = max(stem["peak"] for stem in get(server, f"/api/sessions/{loud['session_id']}").json()["stems"])
    assert peak > 2
    plain, fitted = (decoded(get(server, f"{loud['vocals_url']}?format={form}{query}").body) for query in ("", "&fit=true"))
    ratio = np.sqrt(np.square(plain).mean() / np.square(fitted).mean())
    assert abs(ratio / peak - 1) < 0.05
