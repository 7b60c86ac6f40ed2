"""Models in a bucket of a real S3 server, which workers fetch when gateways serve them."""
import concurrent.futures
import contextlib
import hashlib
import signal
from pathlib import Path

import pytest

from system.audio import music, wav
from system.common import INSTANT_MODEL, finish, upload, wait_for
from system.stemwire_client import Config, separate
from system.worker import SECRET, Worker
from system.workers import missing, watch, workers

MODELS = INSTANT_MODEL
STORE = "s3://songs/some/prefix"


@pytest.fixture
def worker(binary, nats, s3, tmp_path):
    """worker(**variables) starts a worker with an empty models folder, the same for all; they are ended with the test."""
    with contextlib.ExitStack() as stack:

        def begin(**variables) -> Worker:
            folders = {"STEMWIRE_STORE": STORE, "STEMWIRE_MODELS_DIR": tmp_path / "models"}
            process = Worker(binary, nats.url, folders | s3.variables | variables)
            stack.callback(lambda: process.process.poll() is None and process.end())
            return process

        yield begin


@pytest.fixture
def gateway_of(start, nats, s3, tmp_path):
    """gateway_of(named) starts a gateway without a models folder that serves this model of the bucket."""

    def begin(named: str):
        variables = {"STEMWIRE_CLUSTER_SECRET": SECRET, "STEMWIRE_RUNTIME": "/nowhere", "STEMWIRE_MODELS_DIR": tmp_path / "none"}
        variables |= s3.variables
        options = ("--store", STORE, "--cluster", nats.url, "--compute", "workers", "--fetch-models", named)
        return start(*options, variables=variables)

    return begin


def push(cli, s3, model: str, **variables) -> str:
    pushed = cli("models", "push", model, "--store", STORE, **s3.variables, **variables)
    return pushed.out.decode().split("--fetch-models ")[1].strip()


def count_with(gateway, model: str) -> int:
    return [engine.model for worker in workers(gateway) for engine in worker.engines].count(model)


def test_a_worker_starts_again_with_models_that_gateways_begin_to_serve(start, cli, s3, worker, gateway_of):
    song = wav(music(3))
    expected = separate(start().stub, song).digests()
    named = push(cli, s3, "waveform")
    one, stranger = worker(), worker(STEMWIRE_CLUSTER_SECRET=SECRET[::-1])
    gateway = gateway_of(named)
    s3.kill()
    wait_for(lambda: "does not compute the model" in one.log_text(), 90)
    wait_for(lambda: sorted(missing(gateway)) == [[], ["waveform"]])
    wait_for(lambda: "not made with the secret" in stranger.log_text(), 90)
    assert stranger.end() == 0 and "store=" not in stranger.log_text()
    assert count_with(gateway, "waveform") == 0
    s3.start()
    wait_for(lambda: count_with(gateway, "waveform") == 1, 90)
    session_id = upload(gateway, song)
    finish(gateway, session_id, song)
    assert watch(gateway, session_id).digests() == expected
    assert missing(gateway) == [[]]
    assert "starting again with more models" in one.log_text() and "panicked" not in one.log_text()


def large(folder: Path) -> bytes:
    """Makes the model `large` of three pieces: that of the tests with a long description, which is field 6 of the message."""
    source = Path(INSTANT_MODEL["STEMWIRE_MODELS_DIR"]) / "waveform"
    graph = source.joinpath("graph.onnx").read_bytes()
    padded = graph + b"\x32" + bytes([0x80, 0x80, 0x80, 0x0A]) + b" " * (10 << 21)
    card = source.joinpath("card.toml").read_text().replace('"waveform"', '"large"', 1)
    card = card.replace(hashlib.sha256(graph).hexdigest(), hashlib.sha256(padded).hexdigest())
    (folder / "large").mkdir(parents=True)
    (folder / "large" / "card.toml").write_text(card)
    (folder / "large" / "graph.onnx").write_bytes(padded)
    return padded


def test_a_model_that_was_fetched_in_part_is_not_used_and_fetched_once(start, cli, s3, worker, gateway_of, tmp_path):
    song = wav(music(3))
    graph = large(tmp_path / "source")
    source = {"STEMWIRE_MODELS_DIR": str(tmp_path / "source"), "STEMWIRE_ENGINES": "large", "STEMWIRE_MODEL": "large"}
    expected = separate(start(variables=source).stub, song, Config(model="large")).digests()
    named = push(cli, s3, "large", **source)
    gateway = gateway_of(named + ",waveform=" + push(cli, s3, "waveform").split("=")[1])
    piece = s3.folder / "songs" / "some" / "prefix" / "models" / hashlib.sha256(graph).hexdigest() / "000001"
    piece.rename(tmp_path / "piece")
    killed = worker()
    assert "piece 1 of it is missing or damaged" in killed.log_text()
    killed.process.send_signal(signal.SIGKILL)
    killed.process.wait(30)
    here = tmp_path / "models" / "large"
    assert [(path.name, path.stat().st_size) for path in here.iterdir()] == [("graph.onnx.part", 8 << 20)]
    (tmp_path / "piece").rename(piece)
    with concurrent.futures.ThreadPoolExecutor() as pool:
        both = [each.result(60) for each in [pool.submit(worker), pool.submit(worker)]]
    wait_for(lambda: count_with(gateway, "large") == 2, 90)
    logs = [one.log_text() for one in both]
    assert sum("fetched and verified model=large" in log for log in logs) == 1, logs
    assert sorted(path.name for path in here.iterdir()) == ["card.toml", "graph.onnx"]
    assert (here / "graph.onnx").read_bytes() == graph
    session_id = upload(gateway, song, model="large")
    finish(gateway, session_id, song)
    assert watch(gateway, session_id).digests() == expected
