"""A form with a song yields links to its stems, at once or when they are done."""
import json
import re
import subprocess

import numpy as np
import pytest
import soundfile

from ..audio import RATE, music, wav
from ..common import INSTANT_FOUR_STEMS
from ..http_client import environment, get, separate, wait_done
from ..repository import ROOT
from ..server import Server
from .files import samples

MODELS = INSTANT_FOUR_STEMS


def test_the_three_documented_curl_commands_work(binary, tmp_path, song):
    readme = (ROOT / "README.md").read_text()
    upload, *downloads = re.findall(r"^curl (?:-F|-O) .*$", readme, re.MULTILINE)[:3]
    assert upload == 'curl -F "file=@your_audio.mp3" http://127.0.0.1:8000/api/separate'
    assert [line.rsplit("/", 1)[1] for line in downloads] == ["vocals", "accompaniment"]
    (tmp_path / "your_audio.mp3").write_bytes(song)
    try:
        server = Server(binary, tmp_path / "data", listen="127.0.0.1:8000")
    except AssertionError as error:
        if "cannot listen" in str(error):
            pytest.skip("port 8000 is in use")
        raise
    try:
        run = lambda line: subprocess.run(line, shell=True, capture_output=True, check=True, cwd=tmp_path, env=environment()).stdout
        answer = json.loads(run(upload))
        assert list(answer)[:3] == ["session_id", "vocals_url", "accompaniment_url"]
        assert answer["vocals_url"] == f"/download/{answer['session_id']}/vocals"
        assert answer["accompaniment_url"] == f"/download/{answer['session_id']}/accompaniment"
        for line, stem in zip(downloads, ("vocals", "accompaniment")):
            run(re.sub(r"/download/[^/]+/", f"/download/{answer['session_id']}/", line))
            with soundfile.SoundFile(tmp_path / stem) as file:
                assert (file.format, file.subtype, file.channels, file.frames) == ("WAV", "PCM_16", 2, 9 * RATE)
    finally:
        server.close()


def test_the_response_has_every_stem_and_the_session_every_field(server, links):
    assert set(links) == {"session_id", "vocals_url", "accompaniment_url", "stems"}
    assert set(links["stems"]) == {"drums", "bass", "other", "vocals", "accompaniment"}
    session = get(server, f"/api/sessions/{links['session_id']}").json()
    assert (session["state"], session["file_name"], session["error"]) == ("DONE", "my song.wav", None)
    assert session["finished_frames"] == session["total_frames"] == 9 * RATE
    assert {stem["name"]: stem["url"] for stem in session["stems"]} == links["stems"]


def test_the_accompaniment_is_everything_but_the_vocals(server, links):
    audio = {stem: samples(get(server, f"{url}?format=wav-f32").body) for stem, url in links["stems"].items()}
    others = audio["drums"] + audio["bass"] + audio["other"]
    assert np.allclose(audio["accompaniment"], others, atol=1e-6)
    assert np.abs(audio["vocals"]).max() > 0


def test_everything_but_any_stem_is_a_stem(server, song, links):
    """Compared with the session of all stems."""
    answer = separate(server, song, query="?stems=drums,no_drums,no_vocals").json()
    assert list(answer["stems"]) == ["drums", "no_drums", "no_vocals"]
    whole = {stem: samples(get(server, f"{url}?format=wav-f32").body) for stem, url in links["stems"].items()}
    found = {stem: samples(get(server, f"{url}?format=wav-f32").body) for stem, url in answer["stems"].items()}
    assert np.allclose(found["no_drums"], whole["bass"] + whole["other"] + whole["vocals"], atol=1e-6)
    assert np.array_equal(found["no_vocals"], whole["accompaniment"])
    refused = separate(server, song, query="?stems=drums,no_kazoo")
    assert refused.status == 400
    assert all(part in refused.json()["message"] for part in ("no_kazoo", "drums, bass, other, vocals", "no_STEM"))


def test_async_answers_at_once_with_where_to_look(server, song):
    answer = separate(server, song, query="?async=true")
    assert answer.status == 202
    reported = answer.json()
    assert answer.headers["location"] == reported["status_url"] == f"/api/sessions/{reported['session_id']}"
    assert wait_done(server, reported["session_id"])["state"] == "DONE"
    assert get(server, reported["vocals_url"]).status == 200


def test_options_are_form_fields_or_in_the_query(server):
    named = separate(server, wav(music(2)), query="?stems=drums", model="four", overlap="0.5", normalization="exact").json()
    assert set(named["stems"]) == {"drums"}
    config = server.get(named["session_id"]).config
    assert (list(config.stems), config.overlap, config.normalization) == (["drums"], 0.5, 2)
