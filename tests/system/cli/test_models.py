"""Published models on the command line: pull, import, verify, remove, list.

The published files are not available here, so a server has other bytes under their names. The refusal with the hash of
exactly those bytes shows that the download is complete; `tests/it/published.rs` tests successful downloads.
"""
import hashlib
import json
import os
import random
import re
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from ..audio import RATE, music, wav
from ..repository import ROOT
from ..stemwire_client import Config, api, separate

GOLDEN, MINI = ROOT / "tests" / "golden", ROOT / "models" / "mini"
PUBLISHED = {
    "htdemucs": "adefossez/HTDemucs/resolve/bf35a81b663819a8255c8fefee17f9d812b786b5/955717e8.safetensors",
    "htdemucs_6s": "adefossez/HTDemucs-6s/resolve/3c5ee475be622df764938de97e4281a7b07ffa58/5c90dfd2.safetensors",
}
HASH = "d9fa14133cfcc034a6758923bb3a8ca9f8dfd0b582134643bbf83f72c17576dd"
ONLINE = {"STEMWIRE_OFFLINE": None}


def names(folder: Path) -> list:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def reported(err: str) -> tuple:
    """The cause and the remedy of an error."""
    cause, remedy = err.splitlines()[-2:]
    assert cause.startswith("error: ") and remedy.startswith("remedy: "), err
    return cause, remedy


def test_every_embedded_file_is_once_in_the_program(binary):
    program = Path(binary).read_bytes()
    files = [*(ROOT / "models").glob("*/graph.onnx"), *(ROOT / "models").glob("mini*/weights.safetensors")]
    # htdemucs_ft has the graph of htdemucs.
    assert len(files) == 12
    assert {path: program.count(path.read_bytes()) for path in files} == dict.fromkeys(files, 1)


def test_a_download_cut_at_random_is_resumed_and_held_against_the_published_hash(cli, publish, tmp_path):
    content = random.Random(3).randbytes(300_000)
    cuts = sorted(random.sample(range(1, 100_000), 3))
    server = publish({PUBLISHED["htdemucs"]: content}, cuts)
    output = cli("models", "pull", "htdemucs", "--mirror", server.address, "--models-dir", "models", code=4, **ONLINE)
    assert "not stated clearly" in output.err, "the licence is shown"
    cause, remedy = reported(output.err)
    assert HASH in cause and hashlib.sha256(content).hexdigest() in cause and "again" in remedy
    starts = [0, cuts[0], cuts[0] + cuts[1], sum(cuts)]
    assert server.ranges == [f"bytes={start}-" if start else None for start in starts]
    assert names(tmp_path / "models") == [], "what is not the published file is not kept"
    assert b"not installed" in cli("models", "list", "--models-dir", "models").out


def test_the_next_run_continues_after_a_killed_process(cli, publish, tmp_path):
    content = random.Random(4).randbytes(200_000)
    part = tmp_path / "models" / "htdemucs" / "955717e8.safetensors.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(content[:123_456])
    listed = cli("models", "list", "--models-dir", "models").out.decode()
    assert re.search(r"^htdemucs +not installed, 120\.\d+ KiB of 80\.\d+ MiB downloaded", listed, re.MULTILINE), listed
    (tmp_path / "song.wav").write_bytes(wav(music(1)))
    output = cli("separate", "song.wav", "--model", "htdemucs", "--models-dir", "models", code=4)
    assert "not installed" in reported(output.err)[0] and "stemwire models pull htdemucs" in reported(output.err)[1]
    server = publish({PUBLISHED["htdemucs"]: content})
    output = cli("models", "pull", "htdemucs", "--models-dir", "models", code=4,
               **ONLINE, STEMWIRE_MODELS_MIRROR=server.address)
    assert hashlib.sha256(content).hexdigest() in output.err
    # The beginning may be of another file, so the download was repeated from the start.
    assert server.ranges == ["bytes=123456-", None]


@pytest.mark.parametrize("arguments, code, cause, remedy", [
    (["--mirror", "http://127.0.0.1:1"], 5, "127.0.0.1:1/adefossez/.*refused", "HTTPS_PROXY.*--mirror.*import"),
    (["--mirror", "http://no.such.host.invalid"], 5, "no.such.host.invalid", "import"),
    (["--offline"], 2, "--offline forbids", "models import"),
])
def test_a_missing_network_is_reported_with_a_remedy(cli, tmp_path, arguments, code, cause, remedy):
    output = cli("models", "pull", "htdemucs", *arguments, "--models-dir", "models", code=code, **ONLINE)
    assert re.search(cause, reported(output.err)[0]) and re.search(remedy, reported(output.err)[1]), output.err
    assert names(tmp_path / "models") in ([], ["htdemucs/955717e8.safetensors.part"])


def test_a_missing_file_is_asked_for_once(cli, publish, tmp_path):
    server = publish({})
    output = cli("models", "pull", "htdemucs_6s", "--mirror", server.address, "--models-dir", "models", code=5, **ONLINE)
    cause, remedy = reported(output.err)
    assert "404" in cause and PUBLISHED["htdemucs_6s"] in cause and "--mirror" in remedy
    assert server.asked == [PUBLISHED["htdemucs_6s"]]
    assert "htdemucs_ft" in reported(cli("models", "pull", "nosuch", code=2, **ONLINE).err)[0]


def test_a_proxy_is_used_but_for_the_hosts_that_need_none(cli, publish, tmp_path):
    server = publish({})
    variables = ONLINE | {"HTTP_PROXY": "http://127.0.0.1:1", "HTTPS_PROXY": None, "ALL_PROXY": None, "https_proxy": None,
                          "http_proxy": None, "all_proxy": None, "no_proxy": None, "NO_PROXY": None}
    command = ["models", "pull", "htdemucs", "--mirror", server.address, "--models-dir", "models"]
    # The number of a port may have these digits, too.
    not_found = re.compile(r"\b404\b")
    assert not not_found.search(cli(*command, code=5, **variables).err) and server.asked == []
    assert not_found.search(cli(*command, code=5, **variables | {"NO_PROXY": "127.0.0.1"}).err) and len(server.asked) == 1


@pytest.mark.skipif(os.geteuid() != 0 or sys.platform != "linux", reason="a small disk is mounted by root")
def test_a_full_disk_is_reported_and_committed_frames_are_kept(cli, publish, tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", disk], capture_output=True, check=False).returncode:
        pytest.skip("this machine does not mount")
    try:
        server = publish({PUBLISHED["htdemucs"]: bytes(1_000_000)})
        output = cli("models", "pull", "htdemucs", "--mirror", server.address, "--models-dir", disk, code=6, **ONLINE)
        cause, remedy = reported(output.err)
        assert "No space left" in cause and "Free space" in remedy and "--models-dir" in remedy
        assert names(disk) == ["htdemucs/955717e8.safetensors.part"]
        assert b"not installed" in cli("models", "list", "--models-dir", disk).out
    finally:
        subprocess.run(["umount", disk], check=True)


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
    own = separate(server.stub, wav(music(1)), config=Config(model="mini")).done
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
