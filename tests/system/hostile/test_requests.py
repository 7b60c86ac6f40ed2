"""Requests that are not quite as they should be: hosts, tokens, media types; what the log has about them; a data folder that
is gone."""
import base64
import http.client
import json
import re
import subprocess

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from .. import http_client
from ..common import INSTANT_FOUR_STEMS, wait_for
from ..http_client import environment, exchange
from ..stemwire_client import api

MODELS = INSTANT_FOUR_STEMS
TOKEN = "correct-horse-battery-0123456789"
LIST = "/stemwire.v1.SeparationService/ListModels"
# An empty message.
EMPTY = bytes(5)


def http1(server, *hosts: str) -> tuple:
    """Status and body of the response to a request of HTTP/1.1 with these headers `Host`."""
    connection = http.client.HTTPConnection(server.address, timeout=30)
    connection.putrequest("GET", "/health", skip_host=True)
    for host in hosts:
        connection.putheader("host", host)
    connection.endheaders()
    response = connection.getresponse()
    status, body = response.status, response.read()
    connection.close()
    return status, body


@pytest.mark.parametrize("hosts", [[], ["localhost", "localhost"], ["localhost", "evil.example"], [""], ["a b"]])
def test_a_request_without_one_host_is_refused(server, hosts):
    status, body = http1(server, *hosts)
    assert (status, json.loads(body)["reason"]) == (400, "HOST_INVALID")
    assert http1(server, "localhost")[0] == 200


def test_the_scheme_of_a_token_is_case_insensitive(start):
    server = start("--token", TOKEN)
    for scheme in ("Bearer", "bearer", "BEARER"):
        assert http_client.get(server, "/api/sessions", authorization=f"{scheme} {TOKEN}").status == 200
        server.stub.ListModels(api.ListModelsRequest(), metadata=[("authorization", f"{scheme} {TOKEN}")])
    for wrong in (f"Basic {TOKEN}", TOKEN, "bearer"):
        assert http_client.get(server, "/api/sessions", authorization=wrong).status == 401


def http2(server, method: str, path: str, *headers: str) -> tuple:
    """Status, headers and body of the response to a request of HTTP/2 without a body."""
    named = [part for header in headers for part in ("-H", header)]
    command = ["curl", "-sS", "-i", "--http2-prior-knowledge", "-X", method, *named, f"http://{server.address}{path}"]
    output = subprocess.run(command, capture_output=True, timeout=30, env=environment(), check=True).stdout
    head, body = output.split(b"\r\n\r\n", 1)
    return int(head.split()[1]), head.decode().lower(), body


def test_only_post_requests_of_grpc_are_served_as_grpc(server):
    kind = "content-type: application/grpc"
    assert "content-type: application/grpc" in http2(server, "POST", LIST, kind)[1]
    for method in ("PUT", "GET", "PATCH", "DELETE"):
        status, head, body = http2(server, method, LIST, kind)
        assert (status, json.loads(body)["reason"]) == (405, "METHOD_UNSUPPORTED"), method
        assert "allow: post" in head
    for other in ("text/plain", "application/json", "application/grpc+json", "application/grpcfoo", ""):
        status, _, body = http2(server, "POST", LIST, f"content-type: {other}" if other else "content-type:")
        assert (status, json.loads(body)["reason"]) == (415, "CONTENT_TYPE_UNSUPPORTED"), other
    # gRPC needs HTTP/2, grpc-web does not.
    named = {"content-type": "application/grpc"}
    assert exchange(server, "POST", LIST, EMPTY, named, 30).problem()[::2] == (415, "CONTENT_TYPE_UNSUPPORTED")
    named = {"content-type": "Application/gRPC-Web; charset=utf-8"}
    assert exchange(server, "POST", LIST, EMPTY, named, 30).headers["content-type"].startswith("application/grpc-web")


def test_grpc_web_text_may_be_padded_in_pieces(server):
    kind = dict.fromkeys(("content-type", "accept"), "application/grpc-web-text+proto")
    message = api.ListModelsRequest().SerializeToString()
    header = bytes([0, *len(message).to_bytes(4, "big")])
    encode = base64.b64encode
    whole = exchange(server, "POST", LIST, encode(header + message), kind, 30)
    pieces = exchange(server, "POST", LIST, encode(header[:1]) + encode(header[1:3]) + encode(header[3:] + message), kind, 30)
    assert pieces.status == 200 and len(pieces.body) > 100
    assert pieces.body == whole.body
    broken = exchange(server, "POST", LIST, b"A*==", kind, 30)
    assert broken.headers["grpc-status"] == "13", "INTERNAL"


def test_health_reports_that_the_data_folder_is_gone(start):
    server = start()
    health = health_pb2_grpc.HealthStub(server.channel)

    def is_serving():
        return health.Check(health_pb2.HealthCheckRequest()).status == health_pb2.HealthCheckResponse.SERVING

    assert http_client.get(server, "/health").json()["status"] == "ok" and is_serving()
    sessions, elsewhere = server.data / "sessions", server.data / "elsewhere"
    sessions.rename(elsewhere)
    reported = http_client.get(server, "/health")
    assert (reported.status, reported.json()["status"]) == (503, "unavailable")
    assert "data folder" in reported.json()["message"] and reported.json()["remedy"]
    assert str(server.data) not in reported.body.decode()
    assert "data folder" in server.stub.Health(api.HealthRequest()).message
    wait_for(lambda: not is_serving())
    elsewhere.rename(sessions)
    assert http_client.get(server, "/health").status == 200
    wait_for(is_serving)


def test_the_log_has_refused_calls_but_not_all_of_a_flood(start):
    server = start("--token", TOKEN)
    for number in range(200):
        assert http_client.exchange(server, "GET", "/api/sessions", None, {"x-request-id": f"flood-{number}"}, 30).status == 401
    with pytest.raises(grpc.RpcError):
        server.stub.GetSession(api.GetSessionRequest(session_id="x"), metadata=[
            ("authorization", f"Bearer {TOKEN}"), ("x-request-id", "another-reason")])
    wait_for(lambda: "another-reason" in server.log_text())
    lines = server.log_text().splitlines()
    about = [line for line in lines if "call refused" in line]
    assert 1 <= sum("TOKEN_MISSING" in line for line in about) < 100
    [line] = [line for line in about if "another-reason" in line]
    assert re.search(r"INFO.*client=127\.0\.0\.1 .*SESSION_ID_INVALID", line), line
