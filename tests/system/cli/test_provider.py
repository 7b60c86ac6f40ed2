"""Execution providers: one that was named computes and nothing else, and what computes is told."""
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile

from .. import stemwire_client as client
from ..audio import music, wav
from ..http_client import get
from ..repository import ROOT
from ..stemwire_client import api
from .providers import computes, executions, library_folders, way

STEMS = ["bass", "drums", "other", "vocals"]


def stems(tmp_path: Path, folder: str) -> np.ndarray:
    return np.stack([soundfile.read(tmp_path / folder / "song" / f"{name}.wav")[0] for name in STEMS])


def snr_db(truth: np.ndarray, other: np.ndarray) -> float:
    """The worst stem's."""
    noise = np.sum((truth - other) ** 2, axis=(1, 2))
    return float(np.min(10 * np.log10(np.sum(truth**2, axis=(1, 2)) / noise)))


def test_a_provider_by_name_computes_the_same_numbers(cli, here, tmp_path):
    said = {}
    for name in ("cpu", "openvino"):
        said[name] = cli("separate", "song.wav", "-o", name, "--provider", name, **here).err
        assert computes(said[name]) == (name, "f32", "asked for")
    assert "mini is computed on openvino f32" in said["openvino"]
    truth, other = stems(tmp_path, "cpu"), stems(tmp_path, "openvino")
    assert not np.array_equal(truth, other), "it is another library"
    assert snr_db(truth, other) >= 75


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


def test_a_card_may_name_its_provider(cli, binary, here, tmp_path):
    models = tmp_path / "models"
    shutil.copytree(ROOT / "models" / "mini", models / "own", ignore=shutil.ignore_patterns("*.md"))
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


@pytest.mark.parametrize("precision", ["exact", "fast"])
def test_cuda_that_cannot_work_here_is_left_out_by_auto_and_told_by_name(cli, cpu_only, precision):
    [folder] = library_folders(cpu_only, "cpu")
    # As in a build for CUDA; this one has no GPU to find.
    shutil.copy(folder / "libonnxruntime_providers_shared.so", folder / "libonnxruntime_providers_cuda.so")
    asked = ("separate", "song.wav", "--force", "--precision", precision)
    said = cli(*asked, **cpu_only).err
    assert computes(said)[0] == "cpu"
    left_out = re.findall("^warning: (cuda .*) is left out: .*CUDA", said, re.MULTILINE)
    assert left_out == {"exact": ["cuda f32"], "fast": ["cuda f32", "cuda tf32"]}[precision]
    *_, cause, remedy = cli(*asked, "--provider", "cuda", code=4, **cpu_only).err.splitlines()
    assert re.match(f"error: .*cuda was asked for, but {folder}/.* cannot use it: .*CUDA", cause)
    assert remedy == (
        "remedy: see that the driver works and that CUDA 13 and cuDNN 9 are where libraries are looked for (LD_LIBRARY_PATH), "
        "or leave the choice to --provider auto"
    )
