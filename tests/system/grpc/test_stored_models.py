"""Models that gateways and workers take from the object store, by hashes that the store has no part in."""
import contextlib
import json
import tomllib
import urllib.request
from pathlib import Path

import pytest

from ..audio import music, wav
from ..common import INSTANT_MODEL, check_refused, finish, upload, wait_for
from ..nats import NatsServer
from ..stemwire_client import separate
from ..worker import SECRET, Worker
from ..workers import missing, watch

MODELS = INSTANT_MODEL
GRAPH = Path(INSTANT_MODEL["STEMWIRE_MODELS_DIR"]) / "waveform" / "graph.onnx"


@pytest.fixture
def nats(tmp_path):
    server = NatsServer(tmp_path / "nats", "--jetstream")
    yield server
    server.kill()


@pytest.fixture
def store(tmp_path) -> str:
    return f"file://{tmp_path}/store"


@pytest.fixture
def push(cli, store):
    """Puts the model into the store; returns how gateways name it, and what is printed to standard error."""

    def push() -> tuple[str, str]:
        pushed = cli("models", "push", "waveform", "--store", store)
        return pushed.out.decode().split("--fetch-models ")[1].strip(), pushed.err

    return push


def test_a_worker_on_an_empty_machine_computes_what_the_gateways_serve(start, push, binary, nats, store, tmp_path):
    song = wav(music(3))
    expected = separate(start().stub, song).digests()
    named, _ = push()
    (tmp_path / "none").mkdir()
    variables = {"STEMWIRE_CLUSTER_SECRET": SECRET, "STEMWIRE_RUNTIME": "/nowhere", "STEMWIRE_MODELS_DIR": tmp_path / "none"}
    options = ("--store", store, "--cluster", nats.url, "--compute", "workers", "--fetch-models", named)
    gateway = start(*options, variables=variables)
    assert not list((tmp_path / "none").iterdir()), "it needs no files"
    session_id = upload(gateway, song)
    finish(gateway, session_id, song)
    stored = next(path for path in (tmp_path / "store" / "models").glob("*/000000") if path.read_bytes() == GRAPH.read_bytes())
    stored.write_bytes(GRAPH.read_bytes()[:-1] + b"?")
    folder = tmp_path / "models" / "waveform"
    with contextlib.ExitStack() as stack:

        def worker() -> Worker:
            process = Worker(binary, nats.url, {"STEMWIRE_STORE": store, "STEMWIRE_MODELS_DIR": tmp_path / "models"})
            # To end takes the time of a pull.
            stack.callback(process.process.wait, 30)
            stack.callback(process.process.kill)
            return process

        refused = worker()
        log = refused.log_text()
        assert "does not have SHA-256" in log and "stemwire models push waveform" in log and "model=waveform execution" not in log, log
        wait_for(lambda: missing(gateway) == [["waveform"]])
        with urllib.request.urlopen(f"http://{gateway.address}/health") as answer:
            assert json.load(answer)["cluster"]["lacking_workers"] == 1
        refused.process.kill()
        assert not list(folder.iterdir())
        assert "1 damaged objects were replaced" in push()[1]
        whole = worker()
        assert watch(gateway, session_id).digests() == expected
        assert [] in missing(gateway)
        assert "fetched and verified" in whole.log_text() and "panicked" not in whole.log_text()
    assert tomllib.loads((folder / "card.toml").read_text())["name"] == "waveform"
    assert (folder / "graph.onnx").read_bytes() == GRAPH.read_bytes()


def test_a_server_that_computes_itself_fetches_what_it_serves(start, push, store, tmp_path, cli):
    named, _ = push()
    song = wav(music(2))
    expected = separate(start().stub, song).digests()
    variables = {"STEMWIRE_MODELS_DIR": tmp_path / "own"}
    server = start("--store", store, "--fetch-models", named, variables=variables)
    assert separate(server.stub, song).digests() == expected
    serve = ("serve", "--store", store, "--fetch-models")
    refused = lambda model: cli(*serve, model, code=2, STEMWIRE_MODELS_DIR=str(tmp_path / "own")).err
    check_refused(refused(named[:-1] + ("0" if named[-1] != "0" else "1")), "not in file://.*, or damaged", "models push waveform")
    check_refused(refused("waveform"), "no published model", "NAME=SHA256")
    push_refused = lambda model: cli("models", "push", model, "--store", store, code=2).err
    check_refused(push_refused("mini"), "mini is part of the binary", "without a push.* have it already")
    check_refused(refused("mini"), "mini is part of the binary", "Leave it out.* have it already")
    check_refused(push_refused("vocals=waveform"), "an ensemble of waveform", "each of its models")
    far = ("--cluster", "nats://192.0.2.1:4222", "--store", store)
    refused = cli("worker", *far, code=2, STEMWIRE_CLUSTER_SECRET=None).err
    check_refused(refused, "192.0.2.1:4222.* no cluster secret", "--cluster-secret-file")
