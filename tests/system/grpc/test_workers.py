"""A server whose segments `stemwire worker` processes compute, by way of a NATS server."""
import json
import signal
import urllib.request

from ..audio import music, wav
from ..common import INSTANT_MODEL, check_refused, finish, upload, wait_for
from ..stemwire_client import api, separate
from ..workers import numbers, watch, workers

MODELS = INSTANT_MODEL


def queued(nats) -> int:
    """Messages in all streams but those of buckets, as the NATS server reports them."""
    with urllib.request.urlopen(f"http://{nats.monitor}/jsz?streams=true") as answer:
        accounts = json.load(answer).get("account_details", [])
    streams = [stream for account in accounts for stream in account.get("stream_detail", [])]
    return sum(stream["state"]["messages"] for stream in streams if not stream["name"].startswith("KV_"))


def run(server, song: bytes) -> str:
    session_id = upload(server, song)
    finish(server, session_id, song)
    return session_id


def test_workers_compute_the_bytes_of_one_machine_and_come_and_go(start, gateway, worker, nats):
    song = wav(music(3))
    expected = separate(start().stub, song).digests()
    # Without a worker it waits, and says so.
    session_id = run(gateway, song)
    wait_for(lambda: gateway.get(session_id).delay.reason == "NO_WORKER")
    assert workers(gateway) == []
    one = worker()
    assert watch(gateway, session_id).digests() == expected
    (shown,) = workers(gateway)
    assert shown.lanes == 1 and "waveform" in [engine.model for engine in shown.engines]
    models = {model.name: model.worker_lanes for model in gateway.stub.ListModels(api.ListModelsRequest()).models}
    assert models["waveform"] == 1
    counted = numbers(gateway.address)
    assert (counted["stemwire_workers"], counted["stemwire_worker_lanes"]) == (1, 1) and counted["stemwire_taken_segments_total"] > 1
    assert numbers(one.address)['stemwire_segments_total{model="waveform"}'] == counted["stemwire_taken_segments_total"]
    with urllib.request.urlopen(f"http://{one.address}/health") as answer:
        assert json.load(answer)["status"] == "ok"
    # What the queue has lost is offered again, and a worker announces itself again.
    one.process.send_signal(signal.SIGSTOP)
    session_id = run(gateway, song)
    wait_for(lambda: queued(nats) > 0)
    nats.wipe()
    one.process.send_signal(signal.SIGCONT)
    assert watch(gateway, session_id).digests() == expected
    worker()
    assert one.end() == 0
    wait_for(lambda: len(workers(gateway)) == 1)
    assert separate(gateway.stub, song).digests() == expected
    assert "panicked" not in gateway.log_text() + one.log_text()


def test_workers_need_a_cluster_and_a_secret(cli):
    check_refused(cli("serve", "--compute", "workers", code=2).err, "needs NATS servers", "--cluster")
    options = ["--cluster", "nats://127.0.0.1:1", "--compute", "workers", "--listen", "0.0.0.0:0"]
    refused = cli("serve", *options, "--cluster-address", "192.0.2.1:80", "--insecure", code=2)
    check_refused(refused.err, "no cluster secret", "--cluster-secret-file")
