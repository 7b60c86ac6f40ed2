"""PyTorch files on the command line: what is imported, and what is refused without being executed."""
import hashlib
import os
import re

import pytest

from ..audio import music, wav
from ..repository import ROOT
from .model_files import names, reported
from .torch_files import package_of, saved, state_of

GOLDEN, MINI = ROOT / "tests" / "golden", ROOT / "models" / "mini"
TINY, SCNET, ROFORMER = GOLDEN / "tiny", GOLDEN / "scnet-tiny", GOLDEN / "roformer"
# The configuration of the network in SCNET.
CONFIGURATION = (GOLDEN / "configurations" / "scnet-large.yaml").read_text().replace("485100", "65000").replace("4096", "1024").replace(
    "1024\n  win_size", "256\n  win_size", 1).replace("- 4\n  - 64\n  - 128\n  - 256", "- 4\n  - 8\n  - 8\n  - 16").replace(
    "num_dplayer: 6", "num_dplayer: 2").replace("0.225", "0.175").replace("0.372", "0.392").replace("0.403", "0.433")


def test_a_pytorch_file_of_demucs_has_the_stems_of_its_weights_in_safetensors(cli, tmp_path):
    weights, graph = TINY / "00000000.safetensors", TINY / "graph.onnx"
    pytorch = saved(tmp_path / "tune.th", lambda: package_of(weights))
    (tmp_path / "song.wav").write_bytes(wav(music(1)))
    stems = []
    for name, path in (("one", weights), ("two", pytorch)):
        cli("models", "import", name, path, "--allow-unverified", "--graph", graph, "--models-dir", "models")
        cli("separate", "song.wav", "--model", name, "--models-dir", "models", "-o", name)
        stems.append([path.read_bytes() for path in sorted((tmp_path / name / "song").glob("*.wav"))])
    assert names(tmp_path / "models" / "two") == ["card.toml", "graph.onnx", "weights.th"]
    assert len(stems[0]) == 4 and stems[0] == stems[1]
    assert hashlib.sha256(pytorch.read_bytes()).hexdigest() in cli("models", "list", "--models-dir", "models").out.decode()


class Hostile:
    def __reduce__(self):
        return os.system, ("touch executed",)


@pytest.mark.parametrize("change, expected", [
    (lambda package: package.update(hostile=Hostile()), r"global posix\.system"),
    (lambda package: package.update(hostile=Hostile), r"global .*Hostile"),
    (lambda package: package["state"].update(hostile=[1]), "hostile is a list, not a tensor"),
    (lambda package: package["state"].popitem(), "tensor .* is missing"),
    (lambda package: package.pop("klass"), "does not name the class demucs.htdemucs.HTDemucs"),
    (lambda package: package["kwargs"].update(t_layers=9), "no built-in graph has its network"),
])
def test_a_pytorch_file_that_does_not_fit_is_refused_and_not_executed(cli, tmp_path, change, expected):
    def changed() -> dict:
        package = package_of(MINI / "weights.safetensors")
        change(package)
        return package

    path = saved(tmp_path / "tune.th", changed)
    output = cli("models", "import", "tune", path, "--allow-unverified", "--models-dir", "models", code=4)
    assert re.search(expected, reported(output.err)[0]), output.err
    assert names(tmp_path / "models") == [] and not list(tmp_path.rglob("executed"))


def test_a_fine_tune_of_scnet_is_imported_by_its_configuration(cli, tmp_path):
    weights, config = SCNET / "scnet-tiny.safetensors", tmp_path / "tune.yaml"
    config.write_text(CONFIGURATION)

    def training_file() -> dict:
        return {"epoch": 3, "best_state": {f"module.{name}": value for name, value in state_of(weights).items()}}

    pytorch = saved(tmp_path / "tune.ckpt", training_file)
    (tmp_path / "song.wav").write_bytes(wav(music(1)))
    stems = []
    for name, path in (("one", weights), ("two", pytorch)):
        options = ["--config", config, "--graph", SCNET / "graph.onnx", "--allow-unverified"]
        cli("models", "import", name, path, *options, "--models-dir", "models")
        cli("separate", "song.wav", "--model", name, "--models-dir", "models", "-o", name)
        stems.append([path.read_bytes() for path in sorted((tmp_path / name / "song").glob("*.wav"))])
    assert len(stems[0]) == 4 and stems[0] == stems[1]
    card, published = ((folder / "card.toml").read_text() for folder in (tmp_path / "models" / "two", SCNET))
    for line in ("segment = 65000", 'family = "scnet"', "size = 1024", "hop = 256"):
        assert line in card and line in published


@pytest.mark.parametrize("config, options, expected, remedy", [
    (None, [], "does not name the class", "SCNet or a RoFormer with --config FILE.yaml"),
    ("model:\n  act: gelu\n  num_subbands: 4\n", [], "neither an SCNet nor a RoFormer", "without --config"),
    (CONFIGURATION, [], "no built-in graph has its network .as scnet: .*, or as scnet-large: ", "make_scnet.py --config"),
    (CONFIGURATION.replace("num_dplayer: 2", "num_dplayer: 3"), ["--graph", SCNET / "graph.onnx"],
     "num_dplayer is 3, not 2", "make_scnet.py"),
    (CONFIGURATION.replace("expand: 1", "expand: 1\n  masking: true"), [], "unknown field `masking`", "configuration"),
    (CONFIGURATION + "\nhook: !!python/object/apply:os.system ['touch executed']\n", [], "python/object", "configuration"),
    ((GOLDEN / "configurations" / "scnet-large.yaml").read_text(), [],
     r"tensor \S+ (\[.*\] is missing|has the shape .*, the graph requires)", "belongs to the configuration"),
])
def test_a_fine_tune_of_scnet_that_does_not_fit_is_refused_with_the_first_difference(cli, tmp_path, config, options, expected, remedy):
    path = saved(tmp_path / "tune.ckpt", lambda: state_of(SCNET / "scnet-tiny.safetensors"))
    if config:
        (tmp_path / "tune.yaml").write_text(config)
        options = [*options, "--config", tmp_path / "tune.yaml"]
    output = cli("models", "import", "tune", path, "--allow-unverified", *options, "--models-dir", "models", code=4)
    assert re.search(expected, reported(output.err)[0]) and remedy in reported(output.err)[1], output.err
    assert names(tmp_path / "models") == [] and not list(tmp_path.rglob("executed"))


def test_scnet_is_pulled_from_its_release_and_its_licence_is_shown(cli, publish, tmp_path):
    release = "ZFTurbo/Music-Source-Separation-Training/releases/download"
    for name, path in (("scnet", "v.1.0.6/scnet_checkpoint_musdb18.ckpt"), ("scnet-large", "v1.0.9/SCNet-large_starrytong_fixed.ckpt")):
        content = saved(tmp_path / "other.ckpt", lambda: state_of(SCNET / "scnet-tiny.safetensors")).read_bytes()
        server = publish({f"{release}/{path}": content})
        output = cli("models", "pull", name, "--mirror", server.address, "--models-dir", "models", code=4, STEMWIRE_OFFLINE=None)
        assert "licence of the weights: MIT" in output.err and server.asked == [f"{release}/{path}"]
        assert hashlib.sha256(content).hexdigest() in reported(output.err)[0]
    assert names(tmp_path / "models") == []


def test_a_roformer_is_imported_by_its_configuration_alone(cli, tmp_path):
    (tmp_path / "song.wav").write_bytes(wav(music(1)))
    for name, stems in (("mel_tiny", ["accompaniment", "vocals"]), ("bs_tiny", ["drums", "vocals"])):
        options = ["--config", ROFORMER / f"{name}.yaml", "--allow-unverified"]
        cli("models", "import", name, ROFORMER / f"{name}.ckpt", *options, "--models-dir", "models")
        assert names(tmp_path / "models" / name) == ["card.toml", "graph.onnx", "weights.th"]
        wanted = ["--two-stems", "vocals"] if name == "mel_tiny" else []
        cli("separate", "song.wav", "--model", name, *wanted, "--models-dir", "models", "-o", name)
        assert sorted(path.stem for path in (tmp_path / name / "song").glob("*.wav")) == stems
    assert 'family = "roformer"' in (tmp_path / "models" / "mel_tiny" / "card.toml").read_text()


def test_lead_and_backing_vocals_of_a_model_for_karaoke_are_named_so(cli, tmp_path):
    (tmp_path / "song.wav").write_bytes(wav(music(1)))
    checkpoint, options = ROFORMER / "bs_tiny.ckpt", ["--allow-unverified", "--models-dir", "models"]
    text = (ROFORMER / "bs_tiny.yaml").read_text()
    (tmp_path / "named.yaml").write_text(text.replace("- vocals\n  - drums", "- Lead\n  - Back"))
    cli("models", "import", "named", checkpoint, "--config", tmp_path / "named.yaml", *options)
    cli("models", "import", "given", checkpoint, "--config", ROFORMER / "bs_tiny.yaml", "--stems", "lead_vocals,backing_vocals", *options)
    for name in ("named", "given"):
        cli("separate", "song.wav", "--model", name, "--stems", "lead_vocals,backing_vocals,vocals", "--models-dir", "models", "-o", name)
    stems = [{path.stem: path.read_bytes() for path in (tmp_path / name / "song").glob("*.wav")} for name in ("named", "given")]
    assert stems[0] == stems[1] and sorted(stems[0]) == ["backing_vocals", "lead_vocals", "vocals"]
    output = cli("models", "import", "other", checkpoint, "--config", ROFORMER / "bs_tiny.yaml", "--stems", "lead_vocals", *options, code=4)
    assert "its stems are 2, but 1 names were given" in output.err
    ensemble = "vocals=mini,lead_vocals=named"
    cli("separate", "song.wav", "--ensemble", ensemble, "--stems", "backing_vocals", "--models-dir", "models", "-o", "both")
    assert [path.name for path in (tmp_path / "both" / "song").glob("*.wav")] == ["backing_vocals.wav"]


@pytest.mark.parametrize("change, options, expected, remedy", [
    (("num_bands: 12", "num_bands: 13"), [], r"tensor \S+ .*the graph requires", "belongs to the configuration"),
    (("depth: 2\nmlp", "depth: 3\nmlp"), [], r"tensor layers\.2\S+ \[.*\] is missing", "belongs to the configuration"),
    (("depth: 2\nmlp", "depth: 1000000000000\nmlp"), [], "model.depth is 1000000000000", "authors publish"),
    (("chunk_size: 60060", "chunk_size: 66000000"), [], r"chunk has \d+ tokens", "authors publish"),
    (("stereo: true", "stereo: true\n  conformer: true"), [], "model.conformer is true; only false", "authors publish"),
    (("stereo: true", "stereo: true\n  masking: true"), [], "unknown field `masking`", "authors publish"),
    (("use_amp: true", "hook: !!python/object/apply:os.system ['touch executed']"), [], "python/object", "authors publish"),
    (("", ""), ["--graph", SCNET / "graph.onnx"], "made of its configuration", "Leave out --graph"),
])
def test_a_roformer_that_does_not_fit_is_refused_with_the_first_difference(cli, tmp_path, change, options, expected, remedy):
    text = (ROFORMER / "mel_tiny.yaml").read_text()
    old, new = (part.replace("\nmlp", "\n  mlp") for part in change)
    assert old in text
    (tmp_path / "tune.yaml").write_text(text.replace(old, new, 1))
    options = [*options, "--config", tmp_path / "tune.yaml", "--allow-unverified"]
    output = cli("models", "import", "tune", ROFORMER / "mel_tiny.ckpt", *options, "--models-dir", "models", code=4)
    assert re.search(expected, reported(output.err)[0]) and remedy in reported(output.err)[1], output.err
    assert names(tmp_path / "models") == [] and not list(tmp_path.rglob("executed"))


def test_a_published_roformer_is_pulled_if_its_licence_is_stated(cli, publish, tmp_path):
    path = "KimberleyJSN/melbandroformer/resolve/main/MelBandRoformer.ckpt"
    server = publish({path: b"other"})
    pull = ["--mirror", server.address, "--models-dir", "models"]
    output = cli("models", "pull", "melband-kim", *pull, code=4, STEMWIRE_OFFLINE=None)
    assert "licence of the weights: MIT" in output.err and server.asked == [path]
    output = cli("models", "pull", "bs-roformer-viperx", *pull, code=2, STEMWIRE_OFFLINE=None)
    cause, remedy = reported(output.err)
    assert "not stated" in cause and "models import bs-roformer-viperx FILE" in remedy and server.asked == [path]
    listed = cli("models", "list", "--models-dir", "models").out.decode()
    assert re.search(r"^bs-roformer-viperx +not installed, .* import only", listed, re.MULTILINE)
    # Another file under its name is not taken for it.
    cli("models", "import", "bs-roformer-viperx", ROFORMER / "bs_tiny.ckpt", "--models-dir", "models", code=4)
