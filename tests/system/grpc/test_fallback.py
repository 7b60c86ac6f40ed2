"""A failing engine is reported, and another one continues."""
import re
import subprocess
import time

import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from stemwire.v1 import engine_pb2

from ..audio import music, wav
from ..common import QUICK_MODEL, check_refused, installed, wait_for
from ..http_client import get
from ..stemwire_client import Config, api, collect, reason, separate

MODELS = QUICK_MODEL


@pytest.fixture
def models(tmp_path):
    return installed(tmp_path / "models", "first", damaged=True)[0]


def health(server):
    return server.stub.Health(api.HealthRequest())


def test_a_damaged_model_falls_back_and_every_interface_reports_it(start, models, song):
    server = start("--models-dir", str(models), "--engines", "first,mini-spleeter")
    first, second = health(server).engines
    assert (first.name, first.state) == ("first", engine_pb2.MODEL_STATE_BROKEN)
    assert (first.health.state, first.health.reason) == (engine_pb2.ENGINE_STATE_FAILED, "MODEL_UNAVAILABLE")
    assert first.health.failures >= 1 and first.health.since.seconds > 0 and "SHA-256" in first.health.message
    assert (second.name, second.health.state) == ("mini-spleeter", engine_pb2.ENGINE_STATE_WORKING)
    assert health(server).status == api.SERVING_STATUS_SERVING

    for config in (Config(), Config(model="first")):
        result = separate(server.stub, song, config)
        assert result.error is None
        (change,) = result.changes
        assert (change.reason, change.frame) == ("MODEL_UNAVAILABLE", 0)
        assert (getattr(change, "from").model, change.to.model) == ("first", "mini-spleeter")
        assert "SHA-256" in change.message
        assert list(result.done.engine_changes) == [change] and result.done.engine.model == "mini-spleeter"
    watched = collect(server.stub.WatchSession(api.WatchSessionRequest(session_id=result.session.session_id)))
    assert watched.changes == [change] and list(watched.done.engine_changes) == [change]
    undisturbed = separate(server.stub, song, Config(model="mini-spleeter"))
    assert not undisturbed.changes and undisturbed.digests() == result.digests()

    refused = separate(server.stub, song, Config(model="first", allow_fallback=False))
    assert reason(refused.error)[:2] == ("UNAVAILABLE", "MODEL_UNAVAILABLE")


def test_a_server_without_a_working_engine_reports_it_until_a_probe_succeeds(start, tmp_path, song):
    models, weights, good = installed(tmp_path / "models", "first", damaged=True)
    server = start("--models-dir", str(models), "--engines", "first", "--engine-probe", "200ms")
    standard = health_pb2_grpc.HealthStub(server.channel)

    def status():
        return standard.Check(health_pb2.HealthCheckRequest()).status

    refused = separate(server.stub, song)
    assert reason(refused.error)[:2] == ("UNAVAILABLE", "MODEL_UNAVAILABLE")
    assert "SHA-256" in refused.error.details() and "stemwire doctor" in reason(refused.error)[2]["remedy"]
    assert health(server).status == api.SERVING_STATUS_NOT_SERVING and "SHA-256" in health(server).message
    # Without a token, the response names the fault but no file.
    public = get(server, "/health")
    assert (public.status, public.json()["status"]) == (503, "unavailable")
    assert "stemwire doctor" in public.json()["remedy"] and "damaged" in public.json()["engines"][0]["message"]
    assert str(tmp_path) in health(server).message and str(tmp_path) not in public.body.decode()
    weights.write_bytes(good)
    deadline = time.monotonic() + 60
    while health(server).status != api.SERVING_STATUS_SERVING or status() != health_pb2.HealthCheckResponse.SERVING:
        assert time.monotonic() < deadline, "the repaired model was not detected"
        time.sleep(0.1)
    assert separate(server.stub, song).error is None


def test_a_broken_card_leaves_its_place_to_the_next(start, tmp_path, song):
    folder = tmp_path / "models" / "first"
    folder.mkdir(parents=True)
    (folder / "card.toml").write_text("name = 1")
    server = start("--models-dir", str(folder.parent), "--engines", "first,mini-spleeter")
    first, second = health(server).engines
    assert (first.name, first.state) == ("first", engine_pb2.MODEL_STATE_BROKEN)
    assert not first.HasField("execution") and second.execution.execution_provider == "cpu"
    (change,) = separate(server.stub, song).changes
    assert (change.reason, getattr(change, "from").model, change.to.model) == ("MODEL_UNAVAILABLE", "first", "mini-spleeter")


@pytest.fixture
def asking(binary, tmp_path):
    """A folder with a model whose card requires OpenVINO, and the environment of a user with the CPU library only."""
    folder, _, _ = installed(tmp_path / "models", "asking", damaged=False)
    card = folder / "asking" / "card.toml"
    card.write_text(card.read_text().replace('name = "asking"\n', 'name = "asking"\nprovider = "openvino"\n'))
    listed = subprocess.run([binary, "runtime", "list"], capture_output=True, text=True, check=True).stdout
    library = re.search(r"^(?:in use|may be used): (\S+) ", listed, re.MULTILINE)[1]
    return folder, {"STEMWIRE_PROVIDER": None, "STEMWIRE_RUNTIME": library}


@pytest.mark.parametrize("engines", [["asking", "mini-spleeter"], ["mini-spleeter", "asking"]])
def test_a_card_with_a_missing_provider_falls_back(start, asking, song, engines):
    models, variables = asking
    server = start("--models-dir", str(models), "--engines", ",".join(engines), variables=variables)
    assert "warning: asking is skipped: provider openvino is not available" in server.log_text()
    received = {engine.name: engine for engine in health(server).engines}
    assert list(received) == engines
    assert received["mini-spleeter"].health.state == engine_pb2.ENGINE_STATE_WORKING
    broken = received["asking"].health
    assert (broken.state, broken.reason) == (engine_pb2.ENGINE_STATE_FAILED, "MODEL_UNAVAILABLE")
    assert "its card requires provider openvino, which is not available" in broken.message
    assert health(server).status == api.SERVING_STATUS_SERVING
    result = separate(server.stub, song, Config(model="asking"))
    (change,) = result.changes
    assert (change.reason, getattr(change, "from").model, change.to.model) == ("MODEL_UNAVAILABLE", "asking", "mini-spleeter")
    assert separate(server.stub, song).done.engine.model == "mini-spleeter"
    refused = separate(server.stub, song, Config(model="asking", allow_fallback=False))
    assert reason(refused.error)[:2] == ("UNAVAILABLE", "MODEL_UNAVAILABLE")


def test_a_card_with_a_missing_provider_is_an_error_without_fallback(cli, asking, tmp_path):
    models, variables = asking
    (tmp_path / "song.wav").write_bytes(wav(music(6)))
    serve = ["serve", "--listen", "127.0.0.1:0", "--data-dir", "data", "--engines", "asking"]
    for command in (serve, ["separate", "song.wav", "--model", "asking"]):
        output = cli(*command, "--models-dir", models, code=4, **variables).err
        check_refused(output, "provider openvino is not available: found only", "install openvino|name a library that has openvino")


def test_a_card_with_a_missing_provider_is_probed_and_stays_out_of_service(start, asking, song):
    models, variables = asking
    server = start("--models-dir", str(models), "--engines", "asking,mini-spleeter", "--engine-probe", "200ms", variables=variables)
    wait_for(lambda: health(server).engines[0].health.failures >= 3)
    first = health(server).engines[0]
    assert first.health.state != engine_pb2.ENGINE_STATE_WORKING and "OpenVINO" in first.health.message
    assert separate(server.stub, song).done.engine.model == "mini-spleeter"


def test_the_command_line_reports_a_switch_of_the_engine(cli, start, models, tmp_path):
    (tmp_path / "song.wav").write_bytes(wav(music(6)))
    command = ["separate", "song.wav", "--stems", "bass", "--force"]
    local = [*command, "--models-dir", models, "--model", "first"]
    output = cli(*local).err
    assert "another engine" in output and "SHA-256" in output and "mini" in output
    refused = cli(*local, "--no-fallback", code=4).err
    assert "SHA-256" in refused and "remedy: " in refused
    server = start("--models-dir", str(models), "--engines", "first,mini-spleeter")
    # The server chooses the model.
    output = cli(*command, "--server", f"http://{server.address}", STEMWIRE_MODEL=None).err
    assert output.count("another engine") == 1 and "mini-spleeter" in output
