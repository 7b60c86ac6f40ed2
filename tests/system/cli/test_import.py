"""Models that are imported from the user's files: what is refused, and how they are used."""
import hashlib
import json
import re
import shutil
import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile

from ..audio import RATE, music, wav
from ..common import QUICK_MODEL
from ..repository import ROOT
from ..stemwire_client import Config, api, separate
from .model_files import HASH, names, reported

MODELS = QUICK_MODEL
GOLDEN, MINI = ROOT / "tests" / "golden", ROOT / "models" / "mini"


def rewritten(source: Path, target: Path, change) -> Path:
    """A copy of a safetensors file whose header `change` has altered."""
    content = source.read_bytes()
    length = struct.unpack("<Q", content[:8])[0]
    header = json.loads(content[8 : 8 + length])
    change(header)
    text = json.dumps(header).encode()
    target.write_bytes(struct.pack("<Q", len(text)) + text + content[8 + length :])
    return target


def test_a_wrong_file_is_not_imported(cli, tmp_path):
    wrong = tmp_path / "955717e8.safetensors"
    shutil.copy(MINI / "weights.safetensors", wrong)
    found = hashlib.sha256(wrong.read_bytes()).hexdigest()
    cause, remedy = reported(cli("models", "import", "htdemucs", wrong, "--models-dir", "models", code=4).err)
    assert HASH in cause and found in cause and "--allow-unverified" in remedy
    # It is of another network.
    cause, remedy = reported(cli("models", "import", "htdemucs", wrong, "--allow-unverified", "--models-dir", "models", code=4).err)
    assert "network" in cause and "make_graph.py" in remedy and "--graph" in remedy
    cause, remedy = reported(cli("models", "import", "mytune", wrong, "--models-dir", "models", code=2).err)
    assert "mytune" in cause and "--allow-unverified" in remedy
    wrong.write_text("PyTorch")
    assert "not a safetensors file" in cli("models", "import", "m", wrong, "--allow-unverified", "--models-dir", "models", code=4).err
    assert names(tmp_path / "models") == []


@pytest.mark.parametrize("change, expected", [
    (lambda header: header.update({"DECODER": header.pop("decoder.0.conv_tr.bias")}), "the graph has no tensor DECODER"),
    (lambda header: header["decoder.0.conv_tr.bias"].update(shape=[1, *header["decoder.0.conv_tr.bias"]["shape"]]),
     r"tensor decoder\.0\.conv_tr\.bias has the shape \[1, "),
    (lambda header: header["__metadata__"].update(klass="demucs.hdemucs.HDemucs"), "it is a demucs.hdemucs.HDemucs"),
    (lambda header: header["__metadata__"].update(kwargs='{"sources": ["vocals"]}'), "no built-in graph.*1 sources, not 4"),
])
def test_weights_that_do_not_fit_are_refused_with_the_first_difference(cli, tmp_path, change, expected):
    path = rewritten(MINI / "weights.safetensors", tmp_path / "tune.safetensors", change)
    output = cli("models", "import", "tune", path, "--allow-unverified", "--models-dir", "models", code=4)
    assert re.search(expected, reported(output.err)[0]), output.err
    assert names(tmp_path / "models") == []


def test_weights_that_are_not_numbers_are_refused_by_name(cli, tmp_path):
    broken = bytearray((MINI / "weights.safetensors").read_bytes())
    length = struct.unpack("<Q", broken[:8])[0]
    name, tensor = next((name, tensor) for name, tensor in json.loads(broken[8 : 8 + length]).items() if name != "__metadata__")
    start = 8 + length + tensor["data_offsets"][0]
    # All bits of the exponent, in F16 as in F32.
    broken[start : start + 4] = b"\x00\x7e\x80\x7f"
    path = tmp_path / "tune.safetensors"
    path.write_bytes(broken)
    output = cli("models", "import", "tune", path, "--allow-unverified", "--models-dir", "models", code=4)
    assert re.search(rf"tensor {re.escape(name)} has the value (NaN|inf)", reported(output.err)[0]), output.err
    assert names(tmp_path / "models") == []


def test_an_archive_that_is_no_spleeter_or_another_is_not_imported(cli, tmp_path):
    archive = GOLDEN / "spleeter-tiny-2stems" / "2stems.tar.gz"
    for name, model in (("mine", "spleeter-2stems"), ("spleeter-4stems", "spleeter-4stems")):
        output = cli("models", "import", name, archive, "--allow-unverified", "--models-dir", "models", code=4)
        assert re.search(rf"as {model}: tensor batch_normalization.* the graph requires \[16\]", reported(output.err)[0]), output.err
    cut = tmp_path / "2stems.tar.gz"
    cut.write_bytes(archive.read_bytes()[:3000])
    for name in ("mine", "spleeter-2stems"):
        output = cli("models", "import", name, cut, "--allow-unverified", "--models-dir", "models", code=4)
        assert "damaged" in reported(output.err)[0] and ".tar.gz" in reported(output.err)[1]
    assert names(tmp_path / "models") == []


@pytest.mark.parametrize("weights, graph", [
    (MINI / "weights.safetensors", []),
    (GOLDEN / "tiny" / "00000000.safetensors", ["--graph", GOLDEN / "tiny" / "graph.onnx"]),
])
def test_a_fine_tune_is_used_by_its_name_and_reported_as_not_verified(
        cli, start, song, tmp_path, weights, graph):
    models = tmp_path / "models"
    output = cli("models", "import", "mytune", weights, "--allow-unverified", *graph, "--models-dir", models)
    assert "WARNING" in output.err and b"NOT VERIFIED" in output.out
    assert names(models) == ["mytune/card.toml", "mytune/graph.onnx", "mytune/weights.safetensors"]
    digest = hashlib.sha256(weights.read_bytes()).hexdigest()
    listed = cli("models", "list", "--models-dir", models).out.decode()
    assert re.search(rf"^mytune +installed, NOT VERIFIED(.*\n)+.*{digest}", listed, re.MULTILINE), listed
    # The command line.
    (tmp_path / "song.wav").write_bytes(wav(music(1)))
    output = cli("separate", "song.wav", "--model", "mytune", "--models-dir", models)
    assert "not verified" in output.err and digest in output.err
    assert "not verified" not in cli("separate", "song.wav", "-o", "own").err
    # The wire.
    server = start("--models-dir", str(models))
    done = separate(server.stub, wav(music(1)), config=Config(model="mytune")).done
    assert not done.engine.verified and done.engine.weights_sha256.hex() == digest
    assert any("not verified" in notice for notice in done.notices)
    own = separate(server.stub, wav(music(1)), config=Config(model="mini-spleeter")).done
    assert own.engine.verified and not own.notices
    verified = {model.name: model.verified for model in server.stub.ListModels(api.ListModelsRequest()).models}
    assert verified == {"mini": True, "mytune": False} | {name: True for name in verified if name.startswith("mini")}
    # It is there, and goes.
    cause, remedy = reported(cli("models", "import", "mytune", weights, "--allow-unverified", "--models-dir", models, code=2).err)
    assert "already installed" in cause and "models remove mytune" in remedy
    assert b"mytune" in cli("models", "verify", "--models-dir", models).out
    content = bytearray((models / "mytune" / "weights.safetensors").read_bytes())
    content[-1] ^= 1
    (models / "mytune" / "weights.safetensors").write_bytes(content)
    output = cli("models", "verify", "--models-dir", models, code=4)
    assert digest in output.err and hashlib.sha256(content).hexdigest() in output.err and b"BAD" in output.out
    cli("models", "remove", "mytune", "--models-dir", models)
    assert names(models) == [] and b"mytune" not in cli("models", "list", "--models-dir", models).out
    for name in ("mytune", "mini", "..", "../song.wav"):
        reported(cli("models", "remove", name, "--models-dir", models, code=2).err)


@pytest.mark.parametrize("stem, rest", [("vocals", "accompaniment"), ("drums", "no_drums")])
def test_a_stem_and_the_rest_of_the_mixture_run_one_specialist(cli, tmp_path, stem, rest):
    """The other specialists' files are missing."""
    folder = tmp_path / "models" / "bag"
    folder.mkdir(parents=True)
    card = (GOLDEN / "tiny" / "card.toml").read_text().split("[weights]")[0].replace('"tiny"', '"bag"')
    shutil.copy(GOLDEN / "tiny" / "graph.onnx", folder)
    shutil.copy(GOLDEN / "tiny" / "00000000.safetensors", folder / f"{stem}.safetensors")
    digest = hashlib.sha256((folder / f"{stem}.safetensors").read_bytes()).hexdigest()
    for own in ("drums", "bass", "other", "vocals"):
        # Files of equal hashes are read once.
        sha256 = digest if own == stem else "0" * 64
        card += f'[[weights]]\nfile = "{own}.safetensors"\nsha256 = "{sha256}"\nstem = "{own}"\n'
    (folder / "card.toml").write_text(card)
    audio = music(2)
    (tmp_path / "song.wav").write_bytes(wav(audio, subtype="FLOAT"))
    command = ["separate", "song.wav", "--model", "bag", "--models-dir", "models", "--two-stems", stem]
    output = cli(*command, "--accompaniment", "minus", "--threads", "1", STEMWIRE_LOG="info")
    assert re.findall(r"specialist=(\w+)", re.sub(r"\x1b\[\d*m", "", output.err)) == [stem]
    found = {path.stem: soundfile.read(path, dtype="float32") for path in (tmp_path / "stems" / "song").glob("*.wav")}
    assert found.keys() == {stem, rest} and all(rate == RATE for _, rate in found.values())
    assert np.abs(found[stem][0] + found[rest][0] - audio).max() < 1e-5
    assert np.abs(found[stem][0]).max() > 1e-3
    # The sum of the others needs the others.
    assert re.search(rf"\b(?!{stem}\b)\w+\.safetensors", cli(*command, "--force", "--no-fallback", code=4).err)
