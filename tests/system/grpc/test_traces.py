"""With `--otlp`, a collector receives one trace from an upload to its stems, across the processes of a cluster."""
import grpc
import pytest

from ..audio import music, wav
from ..common import INSTANT_MODEL, wait_for
from ..http_client import call
from ..otlp import Collector
from ..stemwire_client import Config, api, collect, requests
from ..worker import SECRET, Worker

# Spans are sent at once, not every five seconds.
MODELS = INSTANT_MODEL | {"OTEL_BSP_SCHEDULE_DELAY": "100"}
METHOD = "stemwire.v1.SeparationService"
TRACE, CALLER = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
PARENT = f"00-{TRACE}-{CALLER}-01"
SERVER, CLIENT, CONSUMER = 2, 3, 5


@pytest.fixture
def collector():
    collector = Collector()
    yield collector
    collector.close()


def test_a_trace_leads_from_the_upload_to_the_stems_at_a_worker(start, binary, nats, collector, tmp_path):
    variables = {"STEMWIRE_CLUSTER_SECRET": SECRET, "STEMWIRE_OTLP": collector.url}
    gateway = start("--cluster", nats.url, "--compute", "workers", variables=variables)
    worker = Worker(binary, nats.url, variables)
    answers = gateway.stub.Separate(requests(wav(music(2))), metadata=[("traceparent", PARENT), ("tracestate", "a=1")])
    assert collect(answers).error is None
    assert worker.end() == 0
    gateway.terminate()
    spans = {span.id: span for span in collector.spans if span.trace == TRACE}
    above = lambda span: [span, *above(spans[span.parent])] if span.parent in spans else [span]
    computed = [span for span in spans.values() if span.name == "compute"]
    assert computed
    for span in computed:
        path = above(span)
        assert [found.name for found in path] == ["compute", "segment", "separate", f"{METHOD}/Separate"]
        assert [found.service for found in path] == ["stemwire-worker", "stemwire", "stemwire", "stemwire"]
        assert path[-1].parent == CALLER and span.kind == CONSUMER and not any(found.is_error for found in path)
    served = path[-1]
    assert served.kind == SERVER
    expected = {"rpc.system.name": "grpc", "rpc.method": f"{METHOD}/Separate", "rpc.response.status_code": "OK"}
    assert served.attributes.items() >= expected.items()
    assert len([span for span in spans.values() if span.name == "commit"]) >= 1
    assert not [span for span in collector.spans if "health" in span.name.lower() or "Task" in span.name]


def test_a_forwarded_call_is_one_trace(start, nats, collector, tmp_path):
    options = ("--store", f"file://{tmp_path}/store", "--cluster", nats.url, "--otlp", collector.url)
    first, second = (start(*options, data=tmp_path / name, variables={"OTEL_SERVICE_NAME": name}) for name in ("first", "second"))
    session_id = first.stub.CreateSession(api.CreateSessionRequest(config=Config())).session.session_id
    with pytest.raises(grpc.RpcError):
        second.stub.CancelSession(api.CancelSessionRequest(session_id="67e55044-10b1-426f-9247-bb680e5fe0c8"))
    second.stub.GetSession(api.GetSessionRequest(session_id=session_id), metadata=[("traceparent", PARENT)])
    assert call(second, "GET", f"/api/sessions/{session_id}", headers={"traceparent": PARENT}).status == 200
    for name in (f"{METHOD}/GetSession", "GET /api/sessions/{id}"):
        # The call, how it was forwarded, and what became of it there. Each process sends its own.
        wait_for(lambda: len(collector.named(name)) >= 3, 30)
        (here,), (there,) = (
            [span for span in collector.named(name, service) if span.kind == SERVER] for service in ("second", "first")
        )
        (forwarded,) = (span for span in collector.spans if span.id == there.parent)
        assert (forwarded.kind, forwarded.service, forwarded.parent, here.parent) == (CLIENT, "second", here.id, CALLER)
        assert {span.trace for span in (here, forwarded, there)} == {TRACE}
    # An error of the client alone, in a trace of its own.
    (refused,) = collector.named(f"{METHOD}/CancelSession")
    assert refused.attributes["rpc.response.status_code"] == "NOT_FOUND" and not refused.is_error and not refused.parent


def test_a_server_works_while_its_collector_is_away(start, collector, cli):
    collector.close()
    server = start("--otlp", collector.url)
    for _ in range(2):
        server.stub.ListSessions(api.ListSessionsRequest())
        wait_for(lambda: "the collector takes no traces" in server.log_text(), 30)
    assert server.terminate() == 0
    assert server.log_text().count("the collector takes no traces") == 1
    assert "--otlp" in cli("serve", "--otlp", "nowhere", code=2).err
