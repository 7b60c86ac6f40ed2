"""MDX-Nets on the command line: what is imported with which parameters, and what is refused before anything executes it."""
import json
import re

import pytest

from ..audio import music, wav
from ..repository import ROOT
from .model_files import names, reported

TINY = ROOT / "tests" / "golden" / "mdx-tiny"
FILE, LIST = TINY / "mdx-tiny.onnx", TINY / "model_data.json"
PARAMETERS = ["--n-fft", "2048", "--compensation", "1.035", "--primary-stem", "vocals"]


def test_an_mdx_net_is_imported_by_its_parameters_or_by_uvrs_list(cli, tmp_path):
    (tmp_path / "song.wav").write_bytes(wav(music(2)))
    stems = []
    for name, options in (("one", PARAMETERS), ("two", ["--config", LIST])):
        cli("models", "import", name, FILE, *options, "--allow-unverified", "--models-dir", "models")
        cli("separate", "song.wav", "--model", name, "--models-dir", "models", "-o", name)
        stems.append({path.name: path.read_bytes() for path in (tmp_path / name / "song").glob("*.wav")})
    assert stems[0] == stems[1] and sorted(stems[0]) == ["accompaniment.wav", "vocals.wav"]
    assert names(tmp_path / "models") == [f"{name}/{file}" for name in ("one", "two") for file in ("card.toml", "graph.onnx")]
    assert "NOT VERIFIED" in cli("models", "list", "--models-dir", "models").out.decode()


def test_the_other_stem_is_named_after_the_networks_and_denoising_is_recorded(cli, tmp_path):
    for stem, expected in (("Instrumental", '"accompaniment",\n    "vocals"'), ("drums", '"drums",\n    "no_drums"')):
        options = ["--config", LIST, "--primary-stem", stem, "--denoise", "--allow-unverified", "--models-dir", "models"]
        cli("models", "import", stem.lower(), FILE, *options)
        card = (tmp_path / "models" / stem.lower() / "card.toml").read_text()
        assert re.sub(r"\s", "", expected) in re.sub(r"\s", "", card) and "denoise = true" in card


def replaced(old: bytes, new: bytes) -> bytes:
    assert len(old) == len(new) and old in FILE.read_bytes()
    return FILE.read_bytes().replace(old, new)


@pytest.mark.parametrize("content, options, expected, remedy", [
    (FILE.read_bytes, [], "its parameters are not given", "--n-fft"),
    (FILE.read_bytes, [*PARAMETERS[:2], *PARAMETERS[4:]], "its parameters are not given", "--compensation"),
    (FILE.read_bytes, ["--n-fft", "256", *PARAMETERS[2:]], "256 bins, n_fft 256 has 129", "trained with"),
    (FILE.read_bytes, ["--n-fft", "65536", *PARAMETERS[2:]], "segment of 31744 frames", "trained with"),
    (FILE.read_bytes, [*PARAMETERS[:2], "--compensation", "nan", *PARAMETERS[4:]], "compensation", "trained with"),
    (FILE.read_bytes, [*PARAMETERS[:4], "--primary-stem", "../x"], "is not a stem name", "--primary-stem"),
    (lambda: FILE.read_bytes() + b"\x9a\x06\x00", ["--config", LIST], "the list has no entry [0-9a-f]{32}", "--n-fft"),
    (lambda: replaced(b'"\x04Relu', b'"\x04Loop'), PARAMETERS, r"operator .*Loop.* is none of an MDX-Net's", ".onnx file"),
    (lambda: FILE.read_bytes()[:100_000], PARAMETERS, "not an ONNX graph", ".onnx file"),
    (lambda: b"RIFF\0\0\0\0WAVE", PARAMETERS, "not an ONNX graph", ".onnx file"),
])
def test_a_file_or_parameters_that_do_not_fit_are_refused_by_name(cli, tmp_path, content, options, expected, remedy):
    path = tmp_path / "tune.onnx"
    path.write_bytes(content())
    output = cli("models", "import", "tune", path, *options, "--allow-unverified", "--models-dir", "models", code=4)
    assert re.search(expected, reported(output.err)[0]) and remedy in reported(output.err)[1], output.err
    assert names(tmp_path / "models") == []


def test_unknown_files_need_a_flag_and_a_list_must_have_the_shape_of_the_file(cli, tmp_path):
    output = cli("models", "import", "tune", FILE, *PARAMETERS, "--models-dir", "models", code=2)
    assert "cannot be verified" in output.err and "--allow-unverified" in output.err
    entries = json.loads(LIST.read_text())
    next(iter(entries.values()))["mdx_dim_t_set"] = 8
    (tmp_path / "list.json").write_text(json.dumps(entries))
    output = cli("models", "import", "tune", FILE, "--config", "list.json", "--allow-unverified", "--models-dir", "models", code=4)
    assert "256 bins in 256 columns for it, its input 256 in 32" in output.err
    assert names(tmp_path / "models") == []
