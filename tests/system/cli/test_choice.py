"""The choice of a model by measured speed and published figures, on the command line and on a server."""
import json
import re
import shutil

import pytest

from ..audio import music, wav
from ..common import installed
from ..http_client import get
from ..repository import ROOT
from ..stemwire_client import Config, api, config_pb2, separate

#: The published SDR of the vocals.
FIGURES = {"good": 9.5, "quick": 8.0}

#: The model for each wish, if `good` is slower than real time and `quick` is not.
CHOSEN = {"fast": "quick", "balanced": "quick", "best": "good"}


@pytest.fixture
def measured(cli, cpu_only, tmp_path) -> dict:
    """The environment of a user with two models whose speeds were measured."""
    models = tmp_path / "two"
    for name, sdr in FIGURES.items():
        shutil.copytree(ROOT / "tests" / "golden" / "scnet-tiny", models / name)
        card = models / name / "card.toml"
        figure = f'[[quality]]\ndata = "songs"\nsource = "us"\nsdr = {{ vocals = {sdr} }}\n'
        card.write_text(card.read_text().replace('"scnet-tiny"', f'"{name}"') + figure)
    here = cpu_only | {"STEMWIRE_MODELS_DIR": models}
    assert "speed not measured yet; `stemwire models benchmark good`" in cli("models", "list", **here).out.decode()
    lines = cli("models", "benchmark", "good", "quick", **here).out.decode().splitlines()
    assert [line.split()[0] for line in lines] == list(FIGURES)
    assert all(re.search(r"× real time.* \(measured, cpu f32, \d+ threads?\)$", line) for line in lines), lines
    speeds = here["XDG_CACHE_HOME"] / "stemwire" / "speeds.toml"
    text = speeds.read_text()
    for name, seconds in (("good", 110.5), ("quick", 0.11)):
        text, count = re.subn(rf'(model = "{name}"\n(?:.+\n)*?segment_s = ).*', rf"\g<1>{seconds}", text)
        assert count == 1, text
    speeds.write_text(text)
    return here


def test_the_command_line_chooses_and_states_what_is_slow(cli, measured, short):
    listed = cli("models", "list", **measured).out.decode()
    assert "speed 0.01 × real time, slower than real time: a minute of song takes 100 min (measured, cpu f32" in listed
    for wish, model in CHOSEN.items():
        output = cli("separate", short, "--quality", wish, "--stems", "vocals", "--json", "-o", wish, **measured)
        [done] = [line for line in map(json.loads, output.out.splitlines()) if line["event"] == "done"]
        assert done["models"] == [model] and done["model_choice"].startswith(f"{wish}: {model} "), done
        assert done["windows"] == {"shape": "centred", "overlap": 0.25, "segment_frames": 65_000}
        assert done["model_choice"] in output.err
        assert ("note: good computes at 0.01 × real time, slower than real time" in output.err) == (model == "good")
    assert "cannot be used" in cli("separate", short, "--quality", "best", "--model", "good", code=2).err


def test_the_chain_is_chosen_on_the_command_line(cli, short, tmp_path):
    models = {"STEMWIRE_MODELS_DIR": installed(tmp_path / "models", "damaged", damaged=True)[0]}
    (models["STEMWIRE_MODELS_DIR"] / "scnet-tiny").symlink_to(ROOT / "tests" / "golden" / "scnet-tiny")
    for chain, expected in (("scnet-tiny,mini", ["scnet-tiny"]), ("damaged,scnet-tiny,mini", ["damaged", "scnet-tiny"])):
        output = cli("separate", short, "--engines", chain, "--json", "-o", chain, **models)
        [done] = [line for line in map(json.loads, output.out.splitlines()) if line["event"] == "done"]
        assert done["models"] == expected, done
    assert "nosuch" in cli("separate", short, "--engines", "nosuch", code=2).err
    remote = cli("separate", short, "--engines", "mini", "--server", "http://127.0.0.1:1", code=2)
    assert "'--engines <NAME,NAME>' cannot be used with '--server <URL>'" in remote.err


def test_a_server_chooses_and_states_what_is_slow(cli, measured, start, short):
    server = start("--engines", "quick", variables=measured)
    models = {model.name: model for model in server.stub.ListModels(api.ListModelsRequest()).models}
    assert models["good"].speed.slower_than_real_time and not models["quick"].speed.slower_than_real_time
    assert abs(models["good"].speed.real_time_factor - 0.01) < 0.0001 and models["good"].speed.execution == "cpu f32"
    [quality] = models["good"].quality
    assert (quality.data, quality.source, dict(quality.sdr_db)) == ("songs", "us", {"vocals": 9.5})
    assert models["good"].stored_bytes > 1000 and not models["good"].HasField("commercial_use")
    [engine] = server.stub.Health(api.HealthRequest()).engines
    assert engine.speed == models["quick"].speed
    assert get(server, "/health").json()["engines"][0]["speed"]["slower_than_real_time"] is False
    for wish, model in CHOSEN.items():
        quality = config_pb2.Quality.Value(f"QUALITY_{wish.upper()}")
        done = separate(server.stub, wav(music(2)), Config(quality=quality, stems=["vocals"])).done
        assert (done.config.model, done.config.quality, done.engine.model) == (model, quality, model)
        assert done.model_choice.startswith(f"{wish}: {model} "), done.model_choice
        assert (done.windows.shape, done.windows.overlap, done.windows.segment_frames) == ("centred", 0.25, 65_000)
        view = get(server, f"/api/sessions/{done.session_id}").json()
        assert (view["model"], view["model_choice"]) == (model, done.model_choice)
        assert view["windows"] == {"shape": "centred", "overlap": 0.25, "segment_frames": 65_000}
    output = cli("separate", short, "--server", f"http://{server.address}", "--quality", "best", "--stems", "vocals", **measured)
    assert "best: good has a higher published SDR than quick: 9.50 dB of vocals on songs (us)" in output.err
