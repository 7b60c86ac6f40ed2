"""PyTorch files on the command line: what is imported, and what is refused without being executed."""
import hashlib
import os
import re

import pytest

from ..audio import music, wav
from ..repository import ROOT
from .test_models import names, reported
from .torch_files import package_of, saved

TINY, MINI = ROOT / "tests" / "golden" / "tiny", ROOT / "models" / "mini"


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
