"""Plain HTTP: stems are downloaded in every format and from every byte."""
import io
import shutil
import subprocess
import zipfile
from urllib.parse import quote

import numpy as np
import pytest
import soundfile

from ..audio import RATE, music, wav
from ..common import INSTANT_FOUR_STEMS
from ..http_client import call, get, separate
from .files import curl, ffmpeg, pcm, samples

MODELS = INSTANT_FOUR_STEMS


def test_a_stem_is_the_same_as_over_grpc_in_every_form(server, links):
    url, expected = links["vocals_url"], pcm(server, links["session_id"], "vocals")
    assert np.array_equal(samples(get(server, f"{url}?format=wav-f32").body), expected)
    assert get(server, f"{url}?format=wav").body == get(server, f"{url}?format=wav-f32").body
    # Half a step by rounding, and one by dither of 16 bits.
    for form_name, step, subtype in (("wav-s24", 0.5 / (1 << 23), "PCM_24"), ("wav-s16", 1.5 / (1 << 15), "PCM_16")):
        body = get(server, f"{url}?format={form_name}").body
        assert soundfile.info(io.BytesIO(body)).subtype == subtype
        assert np.abs(samples(body) - expected).max() <= step
    assert get(server, url).body == get(server, f"{url}?format=wav-s16").body


@pytest.mark.parametrize("form_name", ["wav-f32", "wav-s24", "wav-s16"])
def test_every_range_is_that_part_of_the_whole(server, links, form_name):
    url = f"{links['vocals_url']}?format={form_name}"
    whole = get(server, url)
    size, etag = len(whole.body), whole.headers["etag"]
    assert whole.headers["accept-ranges"] == "bytes" and int(whole.headers["content-length"]) == size
    for first, last in ((0, 0), (0, 93), (90, 99), (94, 94), (95, 700_001), (size - 1, size - 1), (size - 300_000, size - 1)):
        part = get(server, url, range=f"bytes={first}-{last}")
        assert part.status == 206
        assert part.headers["content-range"] == f"bytes {first}-{last}/{size}"
        assert part.body == whole.body[first : last + 1], (first, last)
    assert get(server, url, range="bytes=-10").body == whole.body[-10:]
    assert get(server, url, range=f"bytes={size - 5}-").body == whole.body[-5:]
    beyond = get(server, url, range=f"bytes={size}-")
    assert beyond.problem() == (416, "OUT_OF_RANGE", "RANGE_UNSATISFIABLE")
    assert beyond.headers["content-range"] == f"bytes */{size}"
    assert get(server, url, range="bytes=0-1,4-5").status == 200
    assert get(server, url, range="bytes=0-9", if_range=etag).status == 206
    assert get(server, url, range="bytes=0-9", if_range='"another"').status == 200
    assert get(server, url, if_none_match=etag).status == 304
    assert not etag.startswith("W/")
    head = call(server, "HEAD", url)
    assert (head.status, head.body, head.headers["content-length"]) == (200, b"", str(size))


def test_curl_continues_a_broken_download(server, links, tmp_path):
    whole = get(server, links["vocals_url"]).body
    (tmp_path / "vocals").write_bytes(whole[:100_001])
    curl("-C", "-", "-O", f"http://{server.address}{links['vocals_url']}", cwd=tmp_path)
    assert (tmp_path / "vocals").read_bytes() == whole


def test_ffmpeg_plays_and_seeks_from_the_address(server, links):
    url = f"http://{server.address}{links['vocals_url']}"
    expected = pcm(server, links["session_id"], "vocals")
    for start in (0, 6):
        decoded = ffmpeg("-ss", start, "-i", url, "-f", "f32le", "-")
        audio = np.frombuffer(decoded, "<f4").reshape(-1, 2)
        assert len(audio) == (9 - start) * RATE
        assert np.abs(audio - np.clip(expected[start * RATE :], -1, 1)).max() <= 1.5 / (1 << 15)


def test_fit_keeps_integers_from_clipping(server):
    loud = wav(np.clip(music(5) * 40, -8, 8), subtype="FLOAT")
    reported = separate(server, loud).json()
    assert max(stem["peak"] for stem in get(server, f"/api/sessions/{reported['session_id']}").json()["stems"]) > 1
    plain = {stem: samples(get(server, url).body) for stem, url in reported["stems"].items()}
    fitted = {stem: samples(get(server, f"{url}?fit=true").body) for stem, url in reported["stems"].items()}
    exact = {stem: pcm(server, reported["session_id"], stem) for stem in reported["stems"]}
    assert any(np.abs(audio - exact[stem]).max() > 0.01 for stem, audio in plain.items())
    loudest = max(np.abs(audio).max() for audio in exact.values())
    for stem, audio in fitted.items():
        assert np.abs(audio * loudest - exact[stem]).max() < 4e-4 * loudest
    assert get(server, reported["vocals_url"]).headers["etag"] != get(server, f"{reported['vocals_url']}?fit=true").headers["etag"]


@pytest.fixture(scope="module")
def flac(server, links) -> bytes:
    return get(server, f"{links['vocals_url']}?format=flac").body


def test_flac_is_the_same_samples_as_24_bits(server, links, flac):
    wav_file = get(server, f"{links['vocals_url']}?format=wav-s24").body
    decode = lambda content: ffmpeg("-err_detect", "explode", "-i", "-", "-f", "s24le", "-", stdin=content)
    assert decode(flac) == decode(wav_file)
    assert soundfile.info(io.BytesIO(flac)).frames == 9 * RATE
    assert len(flac) < 0.9 * len(wav_file)


def test_flac_has_ranges_and_tags_too(server, links, flac):
    url = f"{links['vocals_url']}?format=flac"
    part = get(server, url, range="bytes=1000-70000")
    assert (part.status, part.body) == (206, flac[1000:70_001])
    assert part.headers["content-range"] == f"bytes 1000-70000/{len(flac)}"
    assert get(server, url, if_none_match=part.headers["etag"]).status == 304
    assert int(call(server, "HEAD", url).headers["content-length"]) == len(flac)
    assert part.headers["content-disposition"].endswith(".flac")
    seeked = ffmpeg("-ss", 6, "-i", f"http://{server.address}{url}", "-f", "s24le", "-")
    assert len(seeked) == 3 * RATE * 6


@pytest.mark.parametrize("name, path", [
    ("{track} {stem}", "00 vocals"),
    ("{artist}/{source} [{model}]/{stem}", "Unknown artist/my song [four]/vocals"),
])
def test_the_files_of_the_zip_are_named_by_a_template(server, links, name, path):
    answer = get(server, f"/download/{links['session_id']}.zip?format=flac&name={quote(name)}")
    with zipfile.ZipFile(io.BytesIO(answer.body)) as archive:
        assert archive.testzip() is None
        names = archive.namelist()
    assert sorted(names) == sorted(f"{path.removesuffix('vocals')}{stem}.flac" for stem in links["stems"])


@pytest.mark.parametrize("name, cause", [("{title}", "{stem}"), ("../{stem}", ".."), ("{year} {stem}", "{artist}")])
def test_a_name_that_leaves_the_zip_or_repeats_itself_is_refused(server, links, name, cause):
    refused = get(server, f"/download/{links['session_id']}.zip?name={quote(name)}")
    assert refused.problem() == (400, "INVALID_ARGUMENT", "CONFIG_INVALID")
    assert cause in refused.json()["message"]


def test_the_zip_has_every_stem_and_other_tools_open_it(server, links, flac, tmp_path):
    answer = get(server, f"/download/{links['session_id']}.zip")
    assert answer.headers["content-type"] == "application/zip"
    assert 'filename="my song.zip"' in answer.headers["content-disposition"]
    with zipfile.ZipFile(io.BytesIO(answer.body)) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == [f"{stem['name']}.wav" for stem in get(server, f"/api/sessions/{links['session_id']}").json()["stems"]]
        for stem, url in links["stems"].items():
            assert archive.getinfo(f"{stem}.wav").compress_type == zipfile.ZIP_STORED
            assert archive.read(f"{stem}.wav") == get(server, url).body
    if shutil.which("unzip"):
        (tmp_path / "stems.zip").write_bytes(answer.body)
        subprocess.run(["unzip", "-q", "stems.zip"], cwd=tmp_path, check=True)
        assert (tmp_path / "vocals.wav").read_bytes() == get(server, links["vocals_url"]).body
    packed = get(server, f"/download/{links['session_id']}.zip?format=flac")
    with zipfile.ZipFile(io.BytesIO(packed.body)) as archive:
        assert archive.read("vocals.flac") == flac
    assert call(server, "HEAD", f"/download/{links['session_id']}.zip").status == 200
    assert get(server, f"/download/{links['session_id']}").problem() == (404, "NOT_FOUND", "ROUTE_UNKNOWN")
