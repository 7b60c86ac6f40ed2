"""Every error reason with every client, and what a client repeats: a call whose error has RetryInfo or whose connection broke, and
no other (invariant 4 of docs/ARCHITECTURE.md)."""
import contextlib
import uuid

import grpc
import pytest
from program import run
from refusing import Refusal, Refusing
from stemwire.v1 import error_reason_pb2

Code = grpc.StatusCode
CONTRACTS = {
    value.name.removeprefix("ERROR_REASON_"): value.GetOptions().Extensions[error_reason_pb2.error]
    for value in error_reason_pb2.ErrorReason.DESCRIPTOR.values if value.number
}
GONE = Refusal(Code.NOT_FOUND.value[0], "SESSION_NOT_FOUND")


def of(reason: str, **more) -> Refusal:
    return Refusal(CONTRACTS[reason].code, reason, **more)


def plain(code: grpc.StatusCode) -> Refusal:
    return Refusal(code.value[0])


FULL = of("QUEUE_FULL", retry_after_s=0.01)

# What the server answers in turn, and how many calls come: the error of the last one is the client's.
SCENARIOS: list[dict] = [
    {"name": "every reason is an error, and is not repeated without RetryInfo", "plans": [[of(reason)] for reason in CONTRACTS]},
    {"name": "what has RetryInfo is repeated, whatever the reason",
     "plans": [[of(reason, retry_after_s=0.01), GONE] for reason in CONTRACTS]},
    {"name": "a reason of a later version is an error",
     "plans": [[Refusal(9, "UNHEARD_OF")], [Refusal(9, "UNHEARD_OF", retry_after_s=0.01), GONE]]},
    {"name": "a remedy of the server replaces the default",
     "plans": [[of("STEM_UNKNOWN", metadata={"remedy": "Ask for drums.", "stem": "bagpipe"})]]},
    {"name": "a broken connection is repeated",
     "plans": [[FULL, plain(code), GONE] for code in (Code.UNAVAILABLE, Code.UNKNOWN, Code.INTERNAL, Code.CANCELLED)]},
    {"name": "other errors without a reason are not repeated",
     "plans": [[FULL, plain(code)] for code in (
         Code.INVALID_ARGUMENT, Code.DEADLINE_EXCEEDED, Code.NOT_FOUND, Code.PERMISSION_DENIED, Code.RESOURCE_EXHAUSTED,
         Code.FAILED_PRECONDITION, Code.OUT_OF_RANGE, Code.UNIMPLEMENTED, Code.DATA_LOSS, Code.UNAUTHENTICATED)]},
    {"name": "an offer of a proxy to repeat is not the server's",
     "plans": [[FULL, Refusal(8, "RATE_LIMITED", retry_after_s=0.01, domain="proxy.example")],
               [FULL, Refusal(14, "UPSTREAM_DOWN", domain="proxy.example"), GONE]]},
    {"name": "a pause is as long as the server asks for", "plans": [[of("QUEUE_FULL", retry_after_s=0.9), GONE]]},
    {"name": "without retries an offer to repeat is an error", "task": {"attempts": 0}, "plans": [[FULL]]},
    {"name": "attempts have an end", "task": {"attempts": 2}, "plans": [[FULL, FULL, FULL]]},
]


@pytest.mark.parametrize("scenario", SCENARIOS, ids=[str(scenario["name"]) for scenario in SCENARIOS])
def test_failures(commands, scenario, client):
    with contextlib.closing(Refusing(is_web="grpc-web" in client)) as server:
        ids = [str(uuid.uuid4()) for _ in scenario["plans"]]
        server.plans = dict(zip(ids, scenario["plans"], strict=True))
        task = {"server": f"http://{server.address}", **scenario.get("task", {})}
        # A client that knows no stems asks for the session first: half of the refusals are those of a call that is answered once,
        # the others those of a stream.
        tasks = [task | {"watch": session_id, "stems": ["vocals"][: n % 2]} for n, session_id in enumerate(ids)]
        answers = run(commands[client], tasks)
    for session_id, answer in zip(ids, answers, strict=True):
        plan, calls = server.plans[session_id], server.calls[session_id]
        last, error = plan[-1], answer["error"]
        assert len(calls) == len(plan), (plan, answer)
        own = last.reason if last.domain == "stemwire" else ""
        assert (error["code"], error["reason"]) == (last.code, own), answer
        assert last.message in error["message"], answer
        remedy = last.metadata.get("remedy") or (CONTRACTS[own].remedy if own in CONTRACTS else error["remedy"])
        assert error["remedy"] == remedy and remedy.endswith("."), answer
        for refusal, before, after in zip(plan, calls, calls[1:], strict=False):
            assert after - before >= (refusal.retry_after_s or 0), (refusal, after - before)
