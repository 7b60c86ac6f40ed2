"""Execution providers: the fastest that keeps the numbers is taken, one that was named and nothing else, and it is told."""
import os
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import soundfile
import stemwire_client as client
from browser import browse, chromium  # noqa: F401  (fixtures)
from conftest import music, wav
from http_client import get
from stemwire_client import api

STEMS = ["bass", "drums", "other", "vocals"]


@pytest.fixture(scope="module")
def runtimes(binary, tmp_path_factory) -> Path:
    """A cache with OpenVINO's build of ONNX Runtime beside the CPU's."""
    cache = tmp_path_factory.mktemp("cache")
    # None but the one that is asked for may be found.
    environment = os.environ | {"XDG_CACHE_HOME": str(cache)}
    environment.pop("STEMWIRE_RUNTIME", None)
    listed = subprocess.run([binary, "runtime", "list"], env=environment, capture_output=True, text=True, check=True)
    if "openvino" not in listed.stdout:
        pytest.skip("there is no OpenVINO for this machine")
    for name in ("cpu", "openvino"):
        subprocess.run([binary, "runtime", "install", name], env=environment, check=True)
    return cache


@pytest.fixture
def here(runtimes, tmp_path) -> dict:
    """Variables of somebody who has both and has never tried them."""
    cache = tmp_path / "cache"
    shutil.copytree(runtimes, cache, copy_function=os.link)
    (cache / "stemwire" / "trials.toml").unlink(missing_ok=True)
    (tmp_path / "song.wav").write_bytes(wav(music(6)))
    unset = {"STEMWIRE_RUNTIME": None, "STEMWIRE_PROVIDER": None}
    return {"XDG_CACHE_HOME": cache, "STEMWIRE_LOG": "stemwire=info,ort=off", **unset}


@pytest.fixture
def cpu_only(here) -> dict:
    """Variables of somebody who has the CPU's build alone."""
    for folder in library_folders(here, "openvino"):
        shutil.rmtree(folder)
    return here


def library_folders(here: dict, provider: str) -> list:
    return list((here["XDG_CACHE_HOME"] / "stemwire" / "runtimes").glob(f"{provider}-*"))


def stems(tmp_path: Path, folder: str) -> np.ndarray:
    return np.stack([soundfile.read(tmp_path / folder / "song" / f"{name}.wav")[0] for name in STEMS])


def snr_db(truth: np.ndarray, other: np.ndarray) -> float:
    """The worst stem's."""
    noise = np.sum((truth - other) ** 2, axis=(1, 2))
    return float(np.min(10 * np.log10(np.sum(truth**2, axis=(1, 2)) / noise)))


def let_win(here: dict, provider: str) -> Path:
    """Whoever was faster in the one trial so far: this one has won. Answers its library."""
    memory = here["XDG_CACHE_HOME"] / "stemwire" / "trials.toml"
    [library] = library_folders(here, provider)[0].glob("libonnxruntime.so*")
    head, tail = memory.read_text().split("[[verdict.tried]]", 1)
    head = re.sub(r'library = ".*"', f'library = "{library}"', head)
    head = re.sub(r'provider = ".*"', f'provider = "{provider}"', head)
    memory.write_text(head + "[[verdict.tried]]" + tail)
    return library


def computes(text: str) -> tuple:
    """Provider, precision and reason, as the log tells them."""
    return re.search(r'computes model=mini provider=(\w+) precision=(\w+) reason="(.+)"', text).groups()


def test_a_provider_by_name_computes_the_same_numbers(cli, here, tmp_path):
    said = {}
    for name in ("cpu", "openvino"):
        said[name] = cli("separate", "song.wav", "-o", name, "--provider", name, **here).err
        assert computes(said[name]) == (name, "f32", "asked for")
    assert "mini is computed on openvino f32" in said["openvino"]
    truth, other = stems(tmp_path, "cpu"), stems(tmp_path, "openvino")
    assert not np.array_equal(truth, other), "it is another library"
    assert snr_db(truth, other) >= 75


def test_the_choice_is_tried_once_and_told(cli, here, tmp_path):
    first = cli("separate", "song.wav", "-o", "auto", **here).err
    again = cli("separate", "song.wav", "-o", "again", **here).err
    figures = r"openvino f32: ([\d.]+) times as fast as cpu f32, ([\d.]+) dB"
    speed, db = map(float, re.search(figures, first).groups())
    assert db >= 75
    provider, precision, _ = computes(first)
    # Where the two are about as fast as each other, either is right.
    assert provider == ("openvino" if speed >= 1.06 else "cpu" if speed < 1.04 else provider)
    assert precision == "f32"
    assert "trying what computes mini fastest" in first and "recalled=false" in first
    assert "trying" not in again and "recalled=true" in again
    assert re.search(figures, again).groups() == re.search(figures, first).groups()
    assert computes(again) == computes(first)
    assert np.array_equal(stems(tmp_path, "auto"), stems(tmp_path, "again"))


def executions(server) -> dict:
    """What computes each model and why, as `ListModels` tells it."""
    return {model.name: model.execution for model in server.stub.ListModels(api.ListModelsRequest()).models}


def way(told) -> tuple:
    return (told.execution_provider, told.precision)


def test_the_wire_tells_what_computes_and_what_was_tried(here, start, browse):
    server = start("--engines", "mini", variables=here)
    told = executions(server)["mini"]
    [engine] = server.stub.Health(api.HealthRequest()).engines
    assert engine.execution == told
    assert (*way(told), told.reason) == computes(server.said())
    [openvino] = told.trials
    assert way(openvino) == ("openvino", "f32") and openvino.snr_db >= 75 and not openvino.message
    # The log's figures are rounded.
    figures = f"openvino f32: {openvino.speed:.2f} times as fast as cpu f32, {openvino.snr_db:.1f} dB model=mini "
    assert figures in server.said()
    assert told.execution_provider == ("openvino" if openvino.speed >= 1.05 else "cpu")
    done = client.separate(server.stub, wav(music(6))).done
    assert way(done.engine) == way(told)
    # Plain HTTP.
    [plain] = get(server, "/health").json()["engines"]
    assert plain["execution"] == {
        "execution_provider": told.execution_provider, "precision": "f32", "reason": told.reason, "trials": [
            {"execution_provider": "openvino", "precision": "f32", "speed": openvino.speed, "snr_db": openvino.snr_db},
        ],
    }
    # The page.
    page = browse(server).visit(f"/#{done.session_id}")
    page.tab.locator("details.details summary").click()
    won = f"{openvino.speed:.2f} times as fast as cpu · f32"
    page.tab.get_by_text(won if told.execution_provider == "openvino" else "nothing else on the server is faster").wait_for()
    # A verdict that is kept says as much.
    server.terminate()
    server.restart()
    assert executions(server)["mini"] == told


def test_fast_numbers_stay_near_and_are_named(cli, here, start, tmp_path):
    server = start("--provider", "openvino", "--precision", "fast", "--engines", "mini", variables=here)
    engine = client.separate(server.stub, wav(music(6))).done.engine
    assert engine.execution_provider == "openvino"
    # Which of the two was faster in the trial is not for this test to say.
    assert computes(server.said())[:2] == ("openvino", engine.precision)
    if "avx512_bf16" in Path("/proc/cpuinfo").read_text():
        tried = re.search(r"openvino bf16: [\d.]+ times as fast as cpu f32, ([\d.]+) dB", server.said())
        assert 30 <= float(tried[1]) < 75, "it is not computed in 32-bit floats"
    cli("separate", "song.wav", "-o", "cpu", "--provider", "cpu", **here)
    fast = cli("separate", "song.wav", "-o", "fast", "--provider", "openvino", "--precision", "fast", **here).err
    least = {"bf16": 40, "f32": 75}[computes(fast)[1]]
    assert snr_db(stems(tmp_path, "cpu"), stems(tmp_path, "fast")) >= least


def test_a_named_provider_that_is_not_there_is_an_error(cli, cpu_only):
    for command in (("separate", "song.wav"), ("serve", "--data-dir", "data", "--listen", "127.0.0.1:0")):
        for name in ("openvino", "cuda"):
            cause, remedy = cli(*command, "--provider", name, code=4, **cpu_only).err.splitlines()
            assert f"{name} was asked for, but there is only" in cause and cause.endswith("with cpu")
            assert f"stemwire runtime install {name}" in remedy
    wrong = cli("separate", "song.wav", "--provider", "abacus", code=2, **cpu_only).err
    assert "take auto, cpu, openvino or cuda" in wrong
    wrong = cli("separate", "song.wav", "--precision", "sloppy", code=2, **cpu_only).err
    assert "take exact or fast" in wrong


def test_the_wire_tells_why_a_provider_is_left_out(here, start):
    [folder] = library_folders(here, "openvino")
    library = next(folder.glob("libonnxruntime_providers_openvino.so"))
    library.unlink()
    library.write_bytes(b"")
    server = start("--engines", "mini", variables=here)
    told = executions(server)["mini"]
    [openvino] = told.trials
    assert way(told) == ("cpu", "f32")
    assert way(openvino) == ("openvino", "f32") and "OpenVINO" in openvino.message
    assert not openvino.HasField("speed") and not openvino.HasField("snr_db")
    assert f"openvino f32 is left out: {openvino.message}" in server.said()
    # What needs no token has no words of libraries, which name paths.
    assert get(server, "/health").json()["engines"][0]["execution"]["trials"] == [
        {"execution_provider": "openvino", "precision": "f32", "speed": None, "snr_db": None},
    ]


def test_every_model_that_can_be_named_is_tried_and_by_separate_only_the_one_that_it_uses(cli, here, start, tmp_path):
    shutil.copytree(Path(__file__).resolve().parents[2] / "models" / "mini-spleeter", tmp_path / "models" / "own")
    card = tmp_path / "models" / "own" / "card.toml"
    card.write_text(card.read_text().replace('name = "mini-spleeter"', 'name = "own"'))
    said = cli("separate", "song.wav", "--models-dir", "models", **here).err
    assert said.count("trying") == 1 and "trying what computes mini fastest here; " in said
    # The chain's first model has the choice of the library.
    options = ("--engines", "mini", "--models-dir", str(tmp_path / "models"))
    let_win(here, "cpu")
    server = start(*options, variables=here)
    told = executions(server)
    assert told["own"].reason == "the library that computes mini has nothing else, and only one can be loaded"
    assert not told["own"].trials and "trying" not in server.said()
    let_win(here, "openvino")
    server = start(*options, variables=here)
    # What separate found out for mini holds here, too; of two models that are the same but for their names one is tried.
    assert re.findall(r"trying what computes (.*) fastest here, (model . of 3)", server.said()) == [("mini-spleeter", "model 2 of 3")]
    told = executions(server)
    assert list(told) == ["mini", "mini-spleeter", "own"]
    for name, execution in told.items():
        assert [way(trial) for trial in execution.trials] == [("openvino", "f32")]
        done = client.separate(server.stub, wav(music(6)), client.Config(model=name)).done
        assert way(done.engine) == way(execution)
    server.terminate()
    server.restart()
    assert "trying" not in server.said() and executions(server) == told


def test_without_time_for_trials_the_cpu_computes(here, start):
    server = start("--trial-time", "0s", variables=here)
    told = executions(server)
    assert "no time left" in told["mini"].reason
    for execution in told.values():
        assert (*way(execution), len(execution.trials)) == ("cpu", "f32", 0)
    assert not (here["XDG_CACHE_HOME"] / "stemwire" / "trials.toml").exists()


def test_a_trial_has_the_time_that_engines_have(here, start):
    server = start("--engines", "mini", "--engine-load-time", "1ms", variables=here)
    [openvino] = executions(server)["mini"].trials
    assert openvino.message == "it did not load within 0.001 s"


def test_with_one_provider_nothing_is_tried(cli, cpu_only, start):
    server = start(variables=cpu_only)
    for told in executions(server).values():
        assert (*way(told), told.reason, len(told.trials)) == ("cpu", "f32", "there is no other here", 0)
    said = cli("separate", "song.wav", "--precision", "fast", **cpu_only).err
    provider, _, _ = computes(said)
    assert provider == "cpu" and "trying" not in said
    assert not (cpu_only["XDG_CACHE_HOME"] / "stemwire" / "trials.toml").exists()


@pytest.mark.parametrize("damage", ["empty", "another library"])
def test_a_provider_that_is_broken_is_left_out_by_auto_and_told_by_name(cli, here, damage):
    [folder] = library_folders(here, "openvino")
    library = next(folder.glob("libonnxruntime_providers_openvino.so"))
    library.unlink()
    if damage == "empty":
        library.write_bytes(b"")
    else:
        shutil.copy(folder / "libonnxruntime_providers_shared.so", library)
    for _ in range(2):
        said = cli("separate", "song.wav", "--force", **here).err
        assert computes(said)[:2] == ("cpu", "f32")
        assert "warning: openvino f32 is left out: " in said, "a failure is no verdict for ever"
    cause, remedy = cli("separate", "song.wav", "--force", "--provider", "openvino", code=4, **here).err.splitlines()
    assert "openvino was asked for" in cause and "cannot use it" in cause
    assert "stemwire runtime install openvino" in remedy


def test_a_provider_that_has_won_and_broken_since_is_replaced(cli, here, tmp_path):
    cli("separate", "song.wav", "-o", "before", **here)
    library = let_win(here, "openvino")
    assert computes(cli("separate", "song.wav", "-o", "won", **here).err)[0] == "openvino"
    # What it needs beside itself is gone; the runtime's own files are as they were.
    for plugin in library.parent.glob("libopenvino_intel_cpu_plugin*"):
        plugin.unlink()
    said = cli("separate", "song.wav", "-o", "after", **here).err
    provider, _, reason = computes(said)
    assert (provider, reason) == ("cpu", "openvino fails now")
    assert re.search("^warning: openvino f32 is left out: .*OpenVINO", said, re.MULTILINE), "what it says itself"


def test_a_card_may_name_its_provider(cli, binary, here, tmp_path):
    root = Path(__file__).resolve().parents[2]
    models = tmp_path / "models"
    shutil.copytree(root / "models" / "mini", models / "own", ignore=shutil.ignore_patterns("*.md"))
    card = models / "own" / "card.toml"
    text = re.sub(r'^name = .*$', 'name = "own"\nprovider = "openvino"', card.read_text(), flags=re.MULTILINE)
    card.write_text(text)
    asked = ("separate", "song.wav", "--models-dir", "models", "--model", "own", "--force")
    assert "own is computed on openvino f32: asked for" in cli(*asked, **here).err
    assert "openvino" not in cli(*asked, "--provider", "cpu", **here).err, "the command line counts before it"
    for folder in library_folders(here, "openvino"):
        shutil.rmtree(folder)
    assert "openvino was asked for" in cli(*asked, code=4, **here).err


def test_doctor_tells_what_computes(cli, here, tmp_path):
    said = cli("doctor", "--provider", "openvino", "--data-dir", tmp_path / "data", "--listen", "127.0.0.1:0", **here)
    report = said.out.decode()
    assert re.search(r"^good  onnxruntime [\d.]+ at \S+/openvino-", report, re.MULTILINE)
    assert re.search(r"^good  model mini works, .*, on openvino f32: asked for$", report, re.MULTILINE)
    assert "tried" not in report
    report = cli("doctor", "--data-dir", tmp_path / "data", "--listen", "127.0.0.1:0", **here).out.decode()
    figures = r"^good  model mini works, .*\n      tried openvino f32: [\d.]+ times as fast as cpu f32, [\d.]+ dB$"
    assert re.search(figures, report, re.MULTILINE)
