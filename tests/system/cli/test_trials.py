"""Trials of execution providers: the fastest that keeps the numbers is taken, what fails is left out, what is found out is kept."""
import os
import re
import shutil
from pathlib import Path

import pytest

from .. import stemwire_client as client
from ..audio import music, wav
from ..http_client import get
from ..repository import ROOT
from .providers import computes, executions, library_folders, way


def let_win(here: dict, provider: str) -> Path:
    """Whoever was faster in the one trial so far: this one has won. Answers its library."""
    memory = here["XDG_CACHE_HOME"] / "stemwire" / "trials.toml"
    speed = {"cpu": 0.5, "openvino": 9.0}[provider]
    text, count = re.subn(r"(execution = \"openvino f32\"\n(?:.*\n)*?speed = ).*", rf"\g<1>{speed}", memory.read_text())
    assert count == 1
    memory.write_text(text)
    [library] = library_folders(here, provider)[0].glob("libonnxruntime.so*")
    return library


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
    for stem in ("bass", "drums", "other", "vocals"):
        first, again = ((tmp_path / folder / "song" / f"{stem}.wav").read_bytes() for folder in ("auto", "again"))
        assert first == again


def test_every_model_that_can_be_named_is_tried_and_by_separate_only_the_one_that_it_uses(cli, here, start, tmp_path):
    shutil.copytree(ROOT / "models" / "mini-spleeter", tmp_path / "models" / "own")
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


def test_a_provider_that_has_won_and_broken_since_is_replaced(cli, here):
    cli("separate", "song.wav", "-o", "before", **here)
    library = let_win(here, "openvino")
    assert computes(cli("separate", "song.wav", "-o", "won", **here).err)[0] == "openvino"
    # What it needs beside itself no longer works, and looks as it did.
    [plugin] = library.parent.glob("libopenvino_intel_cpu_plugin*")
    before = plugin.stat()
    plugin.unlink()
    plugin.touch()
    os.truncate(plugin, before.st_size)
    os.utime(plugin, ns=(before.st_atime_ns, before.st_mtime_ns))
    said = cli("separate", "song.wav", "-o", "after", **here).err
    provider, _, reason = computes(said)
    assert (provider, reason) == ("cpu", "openvino fails now")
    assert re.search("^warning: openvino f32 is left out: .*OpenVINO", said, re.MULTILINE), "what it says itself"
    assert "trying" not in said
    # Now it can be seen that it has changed.
    plugin.unlink()
    said = cli("separate", "song.wav", "-o", "gone", **here).err
    assert computes(said)[0] == "cpu" and "trying" in said
    assert re.search("^warning: openvino f32 is left out: .*OpenVINO", said, re.MULTILINE)


def test_what_cannot_be_kept_is_told_once(cli, here, start, tmp_path):
    blocked = tmp_path / "blocked"
    blocked.mkdir()
    (blocked / "stemwire").write_text("a file")
    [folder] = library_folders(here, "openvino")
    variables = here | {"XDG_CACHE_HOME": blocked, "STEMWIRE_RUNTIME": folder}
    warning = f"^warning: the next start tries it all again: {blocked}/stemwire/trials.toml cannot be written: .+"
    for _ in range(2):
        said = cli("separate", "song.wav", "--force", **variables).err
        assert "trying" in said and len(re.findall(warning, said, re.MULTILINE)) == 1
    server = start("--engines", "mini", variables=variables)
    assert len(executions(server)) == 2 and server.said().count("trying") == 2
    assert len(re.findall(warning, server.said(), re.MULTILINE)) == 1
