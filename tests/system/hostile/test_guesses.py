"""Wrong tokens are limited by client; right ones are always accepted."""
import re

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2

from ..common import INSTANT_FOUR_STEMS
from ..http_client import get
from ..stemwire_client import api, reason

MODELS = INSTANT_FOUR_STEMS
TOKEN = "a-token-of-some-length"


def guess(server, token: str) -> grpc.RpcError:
    with pytest.raises(grpc.RpcError) as refused:
        server.stub.ListSessions(api.ListSessionsRequest(), metadata=[("authorization", f"Bearer {token}")])
    return refused.value


def retry_delay(error: grpc.RpcError) -> int:
    details = dict(error.trailing_metadata())["grpc-status-details-bin"]
    for detail in status_pb2.Status.FromString(details).details:
        retry = error_details_pb2.RetryInfo()
        if detail.Is(retry.DESCRIPTOR) and detail.Unpack(retry):
            return retry.retry_delay.seconds
    return 0


def test_wrong_tokens_are_refused_as_too_many_while_the_right_one_is_accepted(start):
    server = start("--token", TOKEN, "--max-guesses", "3")
    right = {"Authorization": f"bearer {TOKEN}"}
    for number in range(3):
        assert reason(guess(server, f"{TOKEN}{number}"))[:2] == ("UNAUTHENTICATED", "TOKEN_MISSING")
    error = guess(server, TOKEN[:-1])
    code, name, metadata = reason(error)
    assert (code, name, metadata["limit_per_minute"]) == ("RESOURCE_EXHAUSTED", "TOO_MANY_GUESSES", "3")
    assert 1 <= retry_delay(error) <= 61 and "valid token" in metadata["remedy"]
    wrong = get(server, "/api/sessions", Authorization="Bearer another")
    assert wrong.problem() == (429, "RESOURCE_EXHAUSTED", "TOO_MANY_GUESSES")
    assert 1 <= int(wrong.headers["retry-after"]) <= 61
    # The same client, which may be many behind one address.
    server.stub.ListSessions(api.ListSessionsRequest(), metadata=[("authorization", f"Bearer {TOKEN}")])
    assert get(server, "/api/sessions", **right).status == 200
    # A call without a token is no guess, and probes need none.
    assert get(server, "/api/sessions").problem() == (401, "UNAUTHENTICATED", "TOKEN_MISSING")
    assert get(server, "/health").status == 200
    text = get(server, "/metrics", **right).body.decode()
    counted = dict(re.findall(r'^stemwire_wrong_tokens_total\{throttled="(\w+)"\} (\d+)$', text, re.MULTILINE))
    assert counted == {"false": "3", "true": "2"}
    assert len(re.findall("WARN.*too many wrong tokens.*client=127.0.0.1", server.log_text())) == 1
    assert TOKEN[:-1] not in server.log_text()
