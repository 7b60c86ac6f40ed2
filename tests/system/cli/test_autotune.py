"""Autotune: the fastest provider above the SNR threshold is selected, failing ones are skipped, results are cached."""
import os
import re
import shutil
from pathlib import Path

import pytest

from .. import stemwire_client as client
from ..audio import music, wav
from ..http_client import get
from ..repository import ROOT
from .providers import execution_of, executions, library_folders, selected

# The small `mini` of `here`, which takes a fraction of the time of an embedded model to measure.
MODELS = {"STEMWIRE_ENGINES": "mini", "STEMWIRE_MODEL": "mini"}


def make_fastest(here: dict, provider: str) -> Path:
    """Rewrites the one cached result so that this provider is the fastest. Returns its library."""
    cache = here["XDG_CACHE_HOME"] / "stemwire" / "trials.toml"
    speed = {"cpu": 0.5, "openvino": 9.0}[provider]
    text, count = re.subn(r"(execution = \"openvino f32\"\n(?:.*\n)*?speed = ).*", rf"\g<1>{speed}", cache.read_text())
    assert count == 1
    cache.write_text(text)
    [library] = library_folders(here, provider)[0].glob("libonnxruntime.so*")
    return library


def test_a_provider_is_measured_once_and_logged(cli, here, tmp_path):
    first = cli("separate", "song.wav", "-o", "auto", **here).err
    again = cli("separate", "song.wav", "-o", "again", **here).err
    figures = r"openvino f32: ([\d.]+) times as fast as cpu f32, ([\d.]+) dB"
    speed, db = map(float, re.search(figures, first).groups())
    assert db >= 75
    provider, precision, _ = selected(first)
    # If both are about equally fast, either is right.
    assert provider == ("openvino" if speed >= 1.06 else "cpu" if speed < 1.04 else provider)
    assert precision == "f32"
    assert "measuring the fastest provider for mini;" in first and "cached=false" in first
    assert "measuring" not in again and "cached=true" in again
    assert re.search(figures, again).groups() == re.search(figures, first).groups()
    assert selected(again) == selected(first)
    for stem in ("bass", "drums", "other", "vocals"):
        first, again = ((tmp_path / folder / "song" / f"{stem}.wav").read_bytes() for folder in ("auto", "again"))
        assert first == again


def test_serve_measures_every_model_and_separate_only_the_one_that_it_uses(cli, here, start, tmp_path):
    # With the small `mini`: OpenVINO compiles the embedded one for half a minute.
    shutil.copytree(here["STEMWIRE_MODELS_DIR"], tmp_path / "models")
    shutil.copytree(ROOT / "models" / "mini-spleeter", tmp_path / "models" / "own")
    card = tmp_path / "models" / "own" / "card.toml"
    card.write_text(card.read_text().replace('name = "mini-spleeter"', 'name = "own"'))
    output = cli("separate", "song.wav", "--models-dir", "models", "--model", "mini", **here).err
    assert output.count("measuring") == 1 and "measuring the fastest provider for mini; " in output
    # The chain's first model determines the library.
    options = ("--engines", "mini", "--models-dir", str(tmp_path / "models"))
    make_fastest(here, "cpu")
    server = start(*options, variables=here)
    reported = executions(server)
    assert reported["own"].reason == "the library selected for mini has no other provider, and only one library can be loaded"
    assert not reported["own"].trials and "measuring" not in server.log_text()
    make_fastest(here, "openvino")
    server = start(*options, variables=here)
    # The result of separate for mini is used; of two models that differ only in their names one is measured.
    assert re.findall(r"measuring the fastest provider for (.*), (model . of 3)", server.log_text()) == [("mini-spleeter", "model 2 of 3")]
    reported = executions(server)
    assert list(reported) == ["mini", "mini-spleeter", "own"]
    for name, execution in reported.items():
        assert [execution_of(trial) for trial in execution.trials] == [("openvino", "f32")]
        done = client.separate(server.stub, wav(music(6)), client.Config(model=name)).done
        assert execution_of(done.engine) == execution_of(execution)
    server.terminate()
    server.restart()
    assert "measuring" not in server.log_text() and executions(server) == reported


@pytest.mark.parametrize("option", ["--autotune-time", "--trial-time"])
def test_without_time_for_autotune_the_cpu_is_selected(here, start, option):
    server = start(option, "0s", variables=here)
    reported = executions(server)
    assert "time limit" in reported["mini"].reason
    for execution in reported.values():
        assert (*execution_of(execution), len(execution.trials)) == ("cpu", "f32", 0)
    assert not (here["XDG_CACHE_HOME"] / "stemwire" / "trials.toml").exists()


def test_autotune_has_the_time_limits_of_engines(here, start):
    server = start("--engines", "mini-spleeter", "--engine-load-time", "1ms", variables=here)
    [openvino] = executions(server)["mini-spleeter"].trials
    assert openvino.message == "it did not load within 0.001 s"


def test_with_one_provider_nothing_is_measured(cli, cpu_only, start):
    server = start(variables=cpu_only)
    for reported in executions(server).values():
        assert (*execution_of(reported), reported.reason, len(reported.trials)) == ("cpu", "f32", "no other provider is installed", 0)
    output = cli("separate", "song.wav", "--precision", "fast", **cpu_only).err
    provider, _, _ = selected(output)
    assert provider == "cpu" and "measuring" not in output
    assert not (cpu_only["XDG_CACHE_HOME"] / "stemwire" / "trials.toml").exists()


def test_the_wire_has_the_reason_why_a_provider_is_skipped(here, start):
    [folder] = library_folders(here, "openvino")
    library = next(folder.glob("libonnxruntime_providers_openvino.so"))
    library.unlink()
    library.write_bytes(b"")
    server = start("--engines", "mini-spleeter", variables=here)
    reported = executions(server)["mini-spleeter"]
    [openvino] = reported.trials
    assert execution_of(reported) == ("cpu", "f32")
    assert execution_of(openvino) == ("openvino", "f32") and "OpenVINO" in openvino.message
    assert not openvino.HasField("speed") and not openvino.HasField("snr_db")
    assert f"openvino f32 is skipped: {openvino.message}" in server.log_text()
    # A route without a token has no messages of libraries, which contain paths.
    assert get(server, "/health").json()["engines"][0]["execution"]["trials"] == [
        {"execution_provider": "openvino", "precision": "f32", "speed": None, "snr_db": None},
    ]


@pytest.mark.parametrize("damage", ["empty", "another library"])
def test_a_broken_provider_is_skipped_by_auto_and_an_error_by_name(cli, here, damage):
    [folder] = library_folders(here, "openvino")
    library = next(folder.glob("libonnxruntime_providers_openvino.so"))
    library.unlink()
    if damage == "empty":
        library.write_bytes(b"")
    else:
        shutil.copy(folder / "libonnxruntime_providers_shared.so", library)
    for _ in range(2):
        output = cli("separate", "song.wav", "--force", **here).err
        assert selected(output)[:2] == ("cpu", "f32")
        assert "warning: openvino f32 is skipped: " in output, "a failure is not cached"
    cause, remedy = cli("separate", "song.wav", "--force", "--provider", "openvino", code=4, **here).err.splitlines()
    assert "provider openvino fails in" in cause
    assert "stemwire runtime install openvino" in remedy


def test_a_selected_provider_that_breaks_later_is_replaced(cli, here):
    cli("separate", "song.wav", "-o", "before", **here)
    library = make_fastest(here, "openvino")
    assert selected(cli("separate", "song.wav", "-o", "selected", **here).err)[0] == "openvino"
    # A library that it needs breaks without a change of size or time.
    [plugin] = library.parent.glob("libopenvino_intel_cpu_plugin*")
    before = plugin.stat()
    plugin.unlink()
    plugin.touch()
    os.truncate(plugin, before.st_size)
    os.utime(plugin, ns=(before.st_atime_ns, before.st_mtime_ns))
    output = cli("separate", "song.wav", "-o", "after", **here).err
    provider, _, reason = selected(output)
    assert (provider, reason) == ("cpu", "openvino fails now")
    assert re.search("^warning: openvino f32 is skipped: .*OpenVINO", output, re.MULTILINE), "the message of the library"
    assert "trying" not in output
    # Now the change is visible.
    plugin.unlink()
    output = cli("separate", "song.wav", "-o", "gone", **here).err
    assert selected(output)[0] == "cpu" and "measuring" in output
    assert re.search("^warning: openvino f32 is skipped: .*OpenVINO", output, re.MULTILINE)


def test_a_cache_error_is_printed_once(cli, here, start, tmp_path):
    blocked = tmp_path / "blocked"
    blocked.mkdir()
    (blocked / "stemwire").write_text("a file")
    [folder] = library_folders(here, "openvino")
    variables = here | {"XDG_CACHE_HOME": blocked, "STEMWIRE_RUNTIME": folder}
    warning = f"^warning: the next start measures again: cannot write {blocked}/stemwire/trials.toml: .+"
    for _ in range(2):
        output = cli("separate", "song.wav", "--force", **variables).err
        assert "measuring" in output and len(re.findall(warning, output, re.MULTILINE)) == 1
    server = start(variables=variables)
    assert len(executions(server)) == 2 and server.log_text().count("measuring") == 2
    assert len(re.findall(warning, server.log_text(), re.MULTILINE)) == 1
