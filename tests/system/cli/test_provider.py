"""Execution providers: one requested by name is used or it is an error, and the one in use is reported."""
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile

from .. import stemwire_client as client
from ..audio import music, wav
from ..common import QUICK_MODEL
from ..http_client import get
from ..repository import ROOT
from ..stemwire_client import api
from .providers import execution_of, executions, library_folders, selected

MODELS = QUICK_MODEL
STEMS = ["bass", "drums", "other", "vocals"]


def stems(tmp_path: Path, folder: str) -> np.ndarray:
    return np.stack([soundfile.read(tmp_path / folder / "song" / f"{name}.wav")[0] for name in STEMS])


def snr_db(truth: np.ndarray, other: np.ndarray) -> float:
    """The worst stem's."""
    noise = np.sum((truth - other) ** 2, axis=(1, 2))
    return float(np.min(10 * np.log10(np.sum(truth**2, axis=(1, 2)) / noise)))


def test_a_roformer_is_refused_on_openvino_which_computes_other_stems(cli, here, tmp_path):
    folder = ROOT / "tests" / "golden" / "roformer"
    options = ["--config", folder / "bs_tiny.yaml", "--allow-unverified"]
    cli("models", "import", "tiny", folder / "bs_tiny.ckpt", *options, **here)
    command = ["separate", "song.wav", "--model", "tiny", "--no-fallback"]
    refused = cli(*command, "--provider", "openvino", code=4, **here).err
    assert "openvino yields other stems than the CPU for RoFormers" in refused
    assert selected(cli(*command, **here).err)[0] == "cpu"


def test_a_provider_by_name_computes_the_same_numbers(cli, here, tmp_path):
    output = {}
    for name in ("cpu", "openvino"):
        output[name] = cli("separate", "song.wav", "-o", name, "--provider", name, **here).err
        assert selected(output[name]) == (name, "f32", "requested")
    assert "mini-spleeter runs on openvino f32" in output["openvino"]
    truth, other = stems(tmp_path, "cpu"), stems(tmp_path, "openvino")
    assert not np.array_equal(truth, other), "it is another library"
    assert snr_db(truth, other) >= 75


def test_the_wire_has_the_selected_provider_and_the_measured_ones(here, start, browse):
    server = start("--engines", "mini-spleeter", variables=here)
    received = executions(server)["mini-spleeter"]
    [engine] = server.stub.Health(api.HealthRequest()).engines
    assert engine.execution == received
    assert (*execution_of(received), received.reason) == selected(server.log_text())
    [openvino] = received.trials
    assert execution_of(openvino) == ("openvino", "f32") and openvino.snr_db >= 75 and not openvino.message
    # The log's figures are rounded.
    figures = f"autotune: openvino f32: {openvino.speed:.2f} times as fast as cpu f32, {openvino.snr_db:.1f} dB model=mini-spleeter "
    assert figures in server.log_text()
    assert received.execution_provider == ("openvino" if openvino.speed >= 1.05 else "cpu")
    done = client.separate(server.stub, wav(music(6))).done
    assert execution_of(done.engine) == execution_of(received)
    # Plain HTTP.
    [plain] = get(server, "/health").json()["engines"]
    assert plain["execution"] == {
        "execution_provider": received.execution_provider, "precision": "f32", "reason": received.reason, "trials": [
            {"execution_provider": "openvino", "precision": "f32", "speed": openvino.speed, "snr_db": openvino.snr_db},
        ],
    }
    # The page.
    page = browse(server).visit(f"/#{done.session_id}")
    page.tab.locator("details.details summary").click()
    won = f"{openvino.speed:.2f} times as fast as cpu · f32"
    page.tab.get_by_text(won if received.execution_provider == "openvino" else "no other provider of this server is faster").wait_for()
    # So has a cached decision.
    server.terminate()
    server.restart()
    assert executions(server)["mini-spleeter"] == received


def test_fast_numbers_stay_near_and_are_named(cli, here, start, tmp_path):
    server = start("--provider", "openvino", "--precision", "fast", "--engines", "mini-spleeter", variables=here)
    engine = client.separate(server.stub, wav(music(6))).done.engine
    assert engine.execution_provider == "openvino"
    # Either of the two may have been faster.
    assert selected(server.log_text())[:2] == ("openvino", engine.precision)
    if "avx512_bf16" in Path("/proc/cpuinfo").read_text():
        measured = re.search(r"openvino bf16: [\d.]+ times as fast as cpu f32, ([\d.]+) dB", server.log_text())
        assert 30 <= float(measured[1]) < 75, "it is not computed in 32-bit floats"
    cli("separate", "song.wav", "-o", "cpu", "--provider", "cpu", **here)
    fast = cli("separate", "song.wav", "-o", "fast", "--provider", "openvino", "--precision", "fast", **here).err
    least = {"bf16": 40, "f32": 75}[selected(fast)[1]]
    assert snr_db(stems(tmp_path, "cpu"), stems(tmp_path, "fast")) >= least


def test_a_missing_provider_requested_by_name_is_an_error(cli, cpu_only):
    for command in (("separate", "song.wav"), ("serve", "--data-dir", "data", "--listen", "127.0.0.1:0")):
        for name in ("openvino", "cuda"):
            cause, remedy = cli(*command, "--provider", name, code=4, **cpu_only).err.splitlines()
            assert f"provider {name} is not available: found only" in cause and cause.endswith("with cpu")
            assert f"stemwire runtime install {name}" in remedy
    wrong = cli("separate", "song.wav", "--provider", "abacus", code=2, **cpu_only).err
    assert "choose auto, cpu, openvino or cuda" in wrong
    wrong = cli("separate", "song.wav", "--precision", "sloppy", code=2, **cpu_only).err
    assert "choose exact or fast" in wrong


def test_a_card_may_name_its_provider(cli, binary, here, tmp_path):
    models = tmp_path / "models"
    shutil.copytree(ROOT / "models" / "mini-spleeter", models / "own", ignore=shutil.ignore_patterns("*.md"))
    card = models / "own" / "card.toml"
    text = re.sub(r'^name = .*$', 'name = "own"\nprovider = "openvino"', card.read_text(), flags=re.MULTILINE)
    card.write_text(text)
    command = ("separate", "song.wav", "--models-dir", "models", "--model", "own", "--force")
    assert "own runs on openvino f32: requested" in cli(*command, **here).err
    assert "openvino" not in cli(*command, "--provider", "cpu", **here).err, "the command line takes precedence"
    for folder in library_folders(here, "openvino"):
        shutil.rmtree(folder)
    assert "provider openvino is not available" in cli(*command, code=4, **here).err


def test_doctor_reports_the_selected_provider(cli, here, tmp_path):
    output = cli("doctor", "--provider", "openvino", "--data-dir", tmp_path / "data", "--listen", "127.0.0.1:0", **here)
    report = output.out.decode()
    assert re.search(r"^good  onnxruntime [\d.]+ at \S+/openvino-", report, re.MULTILINE)
    assert re.search(r"^good  model mini-spleeter works, .*, on openvino f32: requested$", report, re.MULTILINE)
    assert "measured" not in report
    report = cli("doctor", "--data-dir", tmp_path / "data", "--listen", "127.0.0.1:0", **here).out.decode()
    figures = r"^good  model mini-spleeter works, .*\n      measured openvino f32: [\d.]+ times as fast as cpu f32, [\d.]+ dB$"
    assert re.search(figures, report, re.MULTILINE)


@pytest.mark.parametrize("precision", ["exact", "fast"])
def test_cuda_without_a_gpu_is_skipped_by_auto_and_an_error_by_name(cli, cpu_only, precision):
    [folder] = library_folders(cpu_only, "cpu")
    # As in a build for CUDA; this one has no GPU to find.
    shutil.copy(folder / "libonnxruntime_providers_shared.so", folder / "libonnxruntime_providers_cuda.so")
    command = ("separate", "song.wav", "--force", "--precision", precision)
    output = cli(*command, **cpu_only).err
    assert selected(output)[0] == "cpu"
    skipped = re.findall("^warning: (cuda .*) is skipped: .*CUDA", output, re.MULTILINE)
    assert skipped == {"exact": ["cuda f32"], "fast": ["cuda f32", "cuda tf32"]}[precision]
    *_, cause, remedy = cli(*command, "--provider", "cuda", code=4, **cpu_only).err.splitlines()
    assert re.match(f"error: .*provider cuda fails in {folder}/.*: .*CUDA", cause)
    assert remedy == (
        "remedy: Check that the driver works and that CUDA 13 and cuDNN 9 are in the library path (LD_LIBRARY_PATH), "
        "or use --provider auto."
    )
