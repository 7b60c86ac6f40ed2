"""Models on the command line: those in the program, and which is recommended."""
import re
import shutil
from pathlib import Path

import pytest

from ..repository import ROOT
from .model_files import HASH, reported

GOLDEN, MINI = ROOT / "tests" / "golden", ROOT / "models" / "mini"


def test_every_embedded_file_is_once_in_the_program(binary):
    program = Path(binary).read_bytes()
    files = [*(ROOT / "models").glob("*/graph.onnx"), *(ROOT / "models").glob("mini*/weights.safetensors")]
    # htdemucs_ft has the graph of htdemucs.
    assert len(files) == 12
    assert {path: program.count(path.read_bytes()) for path in files} == dict.fromkeys(files, 1)


def recommended(cli, *arguments, **variables) -> tuple:
    """The names in the order of `models recommend`, and its text."""
    text = cli("models", "recommend", *arguments, **variables).out.decode()
    return re.findall(r"^ *(?:\d+\.|-) (\S+)", text, re.MULTILINE), text


def test_models_are_recommended_by_their_published_figures(cli, tmp_path):
    models = tmp_path / "models"
    (models / "htdemucs").mkdir(parents=True)
    (models / "htdemucs" / "955717e8.safetensors").write_bytes(bytes(2048))
    shutil.copytree(MINI, models / "own", ignore=shutil.ignore_patterns("src"))
    card = (MINI / "card.toml").read_text().replace('name = "mini"', 'name = "own"').replace("commercial_use = true\n", "")
    figure = '[[quality]]\ndata = "other songs"\nsource = "me"\nsdr = { vocals = 99 }\n'
    (models / "own" / "card.toml").write_text(card + figure)
    cache = {"XDG_CACHE_HOME": tmp_path / "cache"}
    (tmp_path / "cache" / "stemwire").mkdir(parents=True)
    (tmp_path / "cache" / "stemwire" / "trials.toml").write_text(
        f'[[trial]]\nkey = "{HASH}"\nmodel = "mini"\nexecution = "openvino f32"\nspeed = 1.25\nsnr_db = 100.0\n')
    order, output = recommended(cli, "--stems", "vocals", "--models-dir", models, **cache)
    # Figures of other songs are not compared with those of most models, and a model without a figure is last.
    assert order == ["melband-kim", "bs-roformer-viperx", "scnet-large", "htdemucs_ft", "scnet", "htdemucs", "htdemucs_6s",
                     "own", "scnet-xl-ihf", "spleeter-4stems", "mini", "mini-spleeter", "spleeter-2stems", "spleeter-5stems"]
    first, own, xl, spleeter, rest = re.split(r"^(?:not comparable .*|no figure .*)$", output, flags=re.MULTILINE)
    assert first.startswith("by SDR of vocals on Multisong (") and "99.00 dB" in own and "11.42 dB" in xl and "6.55 dB" in spleeter
    assert re.search(r"htdemucs +8.24 dB, installed, 2.00 KiB", first)
    assert "`stemwire models pull melband-kim`" in first and "models import bs-roformer-viperx FILE" in first
    assert re.search(r"mini +built in(.*\n)+? +autotuned earlier on this machine: openvino f32 is 1.25 times", rest)
    commercial, text = recommended(cli, "--stems", "no_vocals,drums", "--commercial", "--models-dir", models)
    assert commercial[:2] == ["scnet-large", "scnet"]
    left_out = text.splitlines()[-1].partition("commercial use: ")[2]
    assert set(left_out.split(", ")) == {"own", "htdemucs", "htdemucs_ft", "htdemucs_6s", "scnet-xl-ihf"}, text
    listed = cli("models", "list", "--models-dir", models).out.decode()
    assert re.search(r"^ +licence MIT.*; commercial use allowed$", listed, re.MULTILINE)
    assert "SDR vocals 10.98 dB on Multisong (" in listed and "SDR vocals 99.00 dB on other songs (me)" in listed


@pytest.mark.parametrize("arguments, cause, remedy", [
    (["--stems", "theremin"], "theremin: the stems of all models are .*bass.*vocals", "models list"),
    (["--stems", "../x"], "is not a stem name", "--help"),
    (["--stems", "guitar", "--commercial"], "no licence of a model that yields guitar", "without --commercial"),
])
def test_stems_that_no_model_yields_are_an_error(cli, arguments, cause, remedy):
    output = cli("models", "recommend", *arguments, code=2)
    assert re.search(cause, reported(output.err)[0]) and re.search(remedy, reported(output.err)[1]), output.err
