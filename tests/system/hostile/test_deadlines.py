"""Deadlines of calls whose bodies do not arrive, and invalid deadlines."""
import http.client

import pytest

from ..common import INSTANT_MODEL
from ..stemwire_client import api

MODELS = INSTANT_MODEL

FORM = "application/grpc-web+proto"
CALL = "/stemwire.v1.SeparationService/ListModels"


def call(server, body: bytes, length: int, deadline: str) -> dict:
    """The response headers of a grpc-web call that announces a body of this length."""
    connection = http.client.HTTPConnection(server.address, timeout=30)
    connection.putrequest("POST", CALL)
    for name, value in {"content-type": FORM, "content-length": str(length), "grpc-timeout": deadline}.items():
        connection.putheader(name, value)
    connection.endheaders(body)
    head = {name.lower(): value for name, value in connection.getresponse().getheaders()}
    connection.close()
    return head


def test_a_call_whose_body_does_not_arrive_ends_at_its_deadline(server):
    head = call(server, b"\0\0", 5, "300m")
    assert head["grpc-status"] == "4", "DEADLINE_EXCEEDED"


@pytest.mark.parametrize("deadline", ["", "5", "S", "-1S", "+1S", "5x", "123456789S", "1.5S", "infinite"])
def test_a_deadline_that_is_none_is_refused(server, deadline):
    head = call(server, bytes(5), 5, deadline)
    assert head["grpc-status"] == "3", "INVALID_ARGUMENT"
    assert "grpc-timeout" in head["grpc-message"]


def test_a_valid_deadline_is_kept(server):
    assert "grpc-status" not in call(server, bytes(5), 5, "5S")
    assert server.stub.ListModels(api.ListModelsRequest(), timeout=5).models
