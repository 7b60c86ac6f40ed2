"""A published model goes by its name from its authors' server to the store and to workers, which compute what one machine does."""
import contextlib
import hashlib

import pytest

from system.audio import music, wav
from system.cli.publisher import PUBLISHED, Publisher
from system.common import finish, upload
from system.published import card, checkpoint, program
from system.stemwire_client import Config, separate
from system.worker import SECRET, Worker
from system.workers import watch

MODEL = "htdemucs_6s"
STORE = "s3://songs/some/prefix"


@pytest.fixture(scope="module")
def weights() -> bytes:
    return checkpoint(MODEL)


@pytest.fixture(scope="module")
def binary(binary, weights, tmp_path_factory) -> str:
    """The program for which these are the published weights."""
    return program(binary, tmp_path_factory.mktemp("program"), MODEL, weights)


def test_workers_compute_with_a_published_model_of_the_store_what_one_machine_does(start, cli, binary, weights, nats, s3, tmp_path):
    song = wav(music(3))
    authors = Publisher({PUBLISHED[MODEL]: weights})
    pulled = {"STEMWIRE_MODELS_DIR": str(tmp_path / "pulled")}
    cli("models", "pull", MODEL, "--mirror", authors.address, STEMWIRE_OFFLINE=None, **pulled)
    authors.shutdown()
    alone = start(variables=pulled)
    expected = separate(alone.stub, song, Config(model=MODEL)).digests()
    assert set(expected) == set(card(MODEL)["stems"]) and len(set(expected.values())) == len(expected)
    alone.close()
    pushed = cli("models", "push", MODEL, "--store", STORE, **s3.variables, **pulled).out.decode()
    assert pushed.endswith(f"--fetch-models {MODEL}\n")
    empty = {"STEMWIRE_CLUSTER_SECRET": SECRET, "STEMWIRE_RUNTIME": "/nowhere", "STEMWIRE_MODELS_DIR": tmp_path / "none"}
    options = ("--store", STORE, "--cluster", nats.url, "--compute", "workers", "--fetch-models", MODEL)
    gateway = start(*options, variables=empty | s3.variables)
    session_id = upload(gateway, song, model=MODEL, allow_fallback=False)
    finish(gateway, session_id, song)
    models = tmp_path / "worker"
    with contextlib.ExitStack() as stack:
        worker = Worker(binary, nats.url, {"STEMWIRE_STORE": STORE, "STEMWIRE_MODELS_DIR": models} | s3.variables)
        stack.callback(worker.end)
        # Without it the session would wait without an end.
        assert f"fetched and verified model={MODEL}" in worker.log_text()
        result = watch(gateway, session_id)
        assert "panicked" not in gateway.log_text() + worker.log_text()
    assert result.digests() == expected
    engine = result.done.engine
    assert (engine.model, engine.verified, engine.weights_sha256) == (MODEL, True, hashlib.sha256(weights).digest())
    assert [str(path.relative_to(models)) for path in models.rglob("*.safetensors")] == [f"{MODEL}/{card(MODEL)['weights']['file']}"]
    assert not (tmp_path / "none" / MODEL).exists()
