"""Workers of a cluster that are killed, and what the sessions of their gateway do without them."""
import os
import shutil
import signal
import time

from system.audio import music, wav
from system.common import INSTANT_FOUR_STEMS, QUICK_MODEL, finish, upload, wait_for
from system.repository import ROOT
from system.stemwire_client import Background, Config, separate, session_pb2
from system.worker import SECRET
from system.workers import numbers, watch, workers

State = session_pb2
MODELS = QUICK_MODEL

# A session waits for 30 s for a worker like the one before.
GIVEN_UP = 90


def begun(gateway, song: bytes, **config) -> str:
    """A session some frames of which are there, and many are not."""
    session_id = upload(gateway, song, **config)
    finish(gateway, session_id, song)
    wait_for(lambda: gateway.get(session_id).progress.finished_frames > 0)
    assert gateway.get(session_id).state == State.SESSION_STATE_RUNNING
    return session_id


def test_what_a_killed_worker_had_is_computed_by_another(start, gateway, worker):
    song = wav(music(60))
    expected = separate(start("--threads", "1").stub, song).digests()
    one, other = (worker(STEMWIRE_THREADS="1") for _ in range(2))
    session_id = begun(gateway, song)
    os.kill(one.process.pid, signal.SIGKILL)
    killed = time.monotonic()
    assert watch(gateway, session_id).digests() == expected
    print(f"done {time.monotonic() - killed:.1f} s after the kill")
    assert other.process.poll() is None


def test_a_session_waits_for_a_worker_like_the_one_that_is_lost(start, gateway, worker):
    song = wav(music(60))
    expected = separate(start("--threads", "1").stub, song).digests()
    one = worker(STEMWIRE_THREADS="1")
    session_id = begun(gateway, song)
    # It computes otherwise: this session does not want it for now.
    worker(STEMWIRE_THREADS="2", STEMWIRE_WORKERS="1")
    assert one.end() == 0
    wait_for(lambda: gateway.get(session_id).delay.reason == "NO_WORKER")
    assert len(workers(gateway)) == 1
    worker(STEMWIRE_THREADS="1")
    watched = watch(gateway, session_id)
    assert watched.digests() == expected and not gateway.get(session_id).engine_changes


def test_after_a_while_a_session_continues_with_workers_of_another_kind(gateway, worker):
    song = wav(music(60))
    one = worker(STEMWIRE_THREADS="1")
    session_id = begun(gateway, song, allow_fallback=False)
    assert one.end() == 0
    wait_for(lambda: gateway.get(session_id).delay.reason == "NO_WORKER")
    worker(STEMWIRE_THREADS="2", STEMWIRE_WORKERS="1")
    wait_for(lambda: gateway.get(session_id).engine_changes, GIVEN_UP)
    (change,) = gateway.get(session_id).engine_changes
    assert change.reason == "WORKERS_CHANGED" and (getattr(change, "from").threads, change.to.threads) == (1, 2)
    wait_for(lambda: gateway.get(session_id).state == State.SESSION_STATE_DONE, 300)


def test_a_gateway_that_is_stopped_keeps_workers_from_no_other_session(start, gateway, worker, nats):
    song = wav(music(60))
    worker(STEMWIRE_THREADS="1")
    other = start("--cluster", nats.url, "--compute", "workers", variables={"STEMWIRE_CLUSTER_SECRET": SECRET})
    expected = separate(other.stub, song).digests()
    session_id = begun(gateway, song)
    os.kill(gateway.process.pid, signal.SIGSTOP)
    try:
        for _ in range(3):
            assert Background(lambda: separate(other.stub, song).digests()).result(60) == expected
    finally:
        os.kill(gateway.process.pid, signal.SIGCONT)
    assert watch(gateway, session_id).digests() == expected


def linked(folder, *models) -> dict:
    """The variable for a folder with models of the golden files."""
    folder.mkdir()
    for model in models:
        (folder / model.name).symlink_to(model)
    return {"STEMWIRE_MODELS_DIR": folder}


GOLDEN = ROOT / "tests" / "golden"


def test_a_worker_whose_model_is_damaged_is_passed_over(start, gateway, worker, tmp_path):
    song = wav(music(10))
    expected = separate(start().stub, song).digests()
    damaged = tmp_path / "damaged" / "mini-spleeter"
    shutil.copytree(ROOT / "models" / "mini-spleeter", damaged)
    weights = next(damaged.glob("*.safetensors"))
    weights.write_bytes(bytes(100) + weights.read_bytes()[100:])
    broken = worker(STEMWIRE_MODELS_DIR=damaged.parent, STEMWIRE_WORKER_NAME="broken")
    worker(STEMWIRE_WORKER_NAME="healthy")
    failures = lambda: numbers(broken.address)["stemwire_failed_segments_total"]
    while not failures():
        assert separate(gateway.stub, song).digests() == expected
    # Half a minute has not passed.
    assert separate(gateway.stub, song).digests() == expected and failures() == 1
    faults = {shown.name: [(fault.model, fault.health.reason) for fault in shown.faults] for shown in workers(gateway)}
    assert faults == {"broken": [("mini-spleeter", "MODEL_UNAVAILABLE")], "healthy": []}
    labels = 'worker="broken",model="mini-spleeter",reason="MODEL_UNAVAILABLE"'
    assert numbers(gateway.address)[f"stemwire_failed_worker_engines{{{labels}}}"] == 1
    assert "mini-spleeter at broken" in gateway.log_text() and "passed over" in broken.log_text()


def test_models_of_an_ensemble_at_two_workers_make_the_bytes_of_one_machine(start, nats, worker, tmp_path):
    song, config = wav(music(10)), Config(ensemble="vocals=four+scnet-tiny,rest=scnet-tiny")
    four, scnet = GOLDEN / "plain" / "four", GOLDEN / "scnet-tiny"
    both = {**INSTANT_FOUR_STEMS, **linked(tmp_path / "both", four, scnet)}
    expected = separate(start(variables=both).stub, song, config).digests()
    variables = {**both, "STEMWIRE_CLUSTER_SECRET": SECRET, "STEMWIRE_RUNTIME": "/nowhere"}
    server = start("--cluster", nats.url, "--compute", "workers", variables=variables)
    for model in (four, scnet):
        worker(**linked(tmp_path / model.name, model))
    result = separate(server.stub, song, config)
    assert result.digests() == expected
    assert [member.model for member in result.done.engine.members] == ["four", "scnet-tiny"]
    assert not result.done.engine_changes
