"""Ensembles on the command line and by form: the same bytes, and the models in the record."""
import json

import numpy as np

from ..audio import music, wav
from ..common import stems
from ..http_client import get, separate as post
from ..repository import ROOT
from ..stemwire_client import Config, separate

ENSEMBLE = "vocals=four,rest=scnet-tiny"
STEMS = ["vocals", "drums", "bass", "other"]


def test_an_ensemble_is_one_model_on_the_command_line_and_in_a_form(cli, start, tmp_path):
    song = wav(music(5))
    (tmp_path / "song.wav").write_bytes(song)
    models = {"STEMWIRE_MODELS_DIR": tmp_path / "models"}
    (tmp_path / "models").mkdir()
    for name, folder in (("four", "plain/four"), ("scnet-tiny", "scnet-tiny")):
        (tmp_path / "models" / name).symlink_to(ROOT / "tests" / "golden" / folder)
    output = cli("separate", "song.wav", "--ensemble", "vocals = four,rest=scnet-tiny", "--json", **models)
    [done] = [line for line in map(json.loads, output.out.splitlines()) if line["event"] == "done"]
    assert done["models"] == [ENSEMBLE] and sorted(done["stems"]) == sorted(STEMS)
    record = json.loads((tmp_path / "stems" / "song" / "stemwire.json").read_text())
    assert [member["name"] for member in record["engines"][0]["members"]] == ["four", "scnet-tiny"]
    found = {name: audio for name, (audio, _) in stems(tmp_path / "stems" / "song").items()}
    assert np.abs(sum(found.values()) - music(5)).max() < 1e-4  # The song has 16 bits.
    server = start("--engines", "four", variables=models)
    over_rest = post(server, song, ensemble=ENSEMBLE).json()
    session = get(server, f"/api/sessions/{over_rest['session_id']}").json()
    assert session["model"] == ENSEMBLE and [member["model"] for member in session["engine"]["members"]] == ["four", "scnet-tiny"]
    result = separate(server.stub, song, Config(ensemble=ENSEMBLE))
    assert [member.model for member in result.done.engine.members] == ["four", "scnet-tiny"]
    for name, audio in found.items():
        assert np.array_equal(np.frombuffer(result.stems[name], "<f4").reshape(-1, 2), audio), name
    refused = post(server, song, ensemble="vocals=mini,rest=mini-spleeter")
    assert refused.problem()[2] == "CONFIG_INVALID"
    assert "the windows of mini-spleeter are summed" in refused.json()["message"]
    assert "STEM=MODEL" in cli("separate", "song.wav", "--ensemble", "vocals", code=2, **models).err


def test_a_server_limits_the_models_of_an_ensemble(start):
    server = start("--max-ensemble", "1", "--engines", "mini-spleeter")
    refused = post(server, wav(music(1)), ensemble="vocals=mini,drums=mini-spleeter")
    assert refused.problem()[2] == "CONFIG_INVALID" and "2 models exceed the limit of 1" in refused.json()["message"]
