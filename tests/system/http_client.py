"""Plain HTTP by Python's standard library and curl.

Every JSON response is validated against /openapi.json.
"""
import http.client
import io
import json
import os
import re
import time
import uuid
from dataclasses import dataclass

import jsonschema


@dataclass
class Answer:
    status: int
    headers: dict  # names in lower case
    body: bytes

    def json(self):
        assert self.headers["content-type"] == "application/json", self.headers
        return json.loads(self.body)

    def problem(self) -> tuple:
        """(status, code, reason) of an error, whose fields must be complete."""
        reported = self.json()
        assert set(reported) == {"code", "reason", "message", "remedy", "metadata", "request_id"}, reported
        assert reported["request_id"] == self.headers["x-request-id"]
        assert reported["message"] and reported["remedy"]
        return self.status, reported["code"], reported["reason"]


def exchange(server, method: str, path: str, body, headers: dict, timeout: float) -> Answer:
    connection = http.client.HTTPConnection(server.address, timeout=timeout)
    try:
        chunked = body is not None and not isinstance(body, bytes)
        connection.request(method, path, body, headers, encode_chunked=chunked)
        response = connection.getresponse()
        return Answer(response.status, {name.lower(): value for name, value in response.getheaders()}, response.read())
    finally:
        connection.close()


DOCUMENT: dict = {}


def learn(server) -> None:
    """Reads the document once, from a server without a token."""
    if not DOCUMENT and not {"--token", "--token-file"} & set(server.command):
        DOCUMENT.update(json.loads(exchange(server, "GET", "/openapi.json", None, {}, 30).body))


def described(method: str, path: str, answer: Answer) -> None:
    """Validates a response against the document."""
    if not DOCUMENT:
        return
    parts = path.split("?")[0].split("/")
    like = lambda template: re.fullmatch(re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(template)), "/".join(parts))
    # The route with the fewest parameters.
    routes = sorted((template for template in DOCUMENT["paths"] if like(template)), key=lambda template: template.count("{"))
    operations = DOCUMENT["paths"][routes[0]] if routes else {}
    operation = operations.get(method.lower()) or (operations.get("get") if method == "HEAD" else None)
    if operation is None:
        # Unknown routes and methods yield a Problem.
        assert answer.status in (401, 403, 404, 405) or method == "OPTIONS", (method, path, answer.status)
        responses = {"default": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Problem"}}}}}
    else:
        responses = operation["responses"]
    reported = responses.get(str(answer.status)) or responses["default"]
    assert answer.status < 300 or answer.status == 304 or "default" in responses, (method, path, answer.status)
    kind = answer.headers.get("content-type")
    if kind != "application/json" or method == "HEAD":
        return
    schema = reported["content"]["application/json"]["schema"]
    jsonschema.validate(json.loads(answer.body), schema | {"components": DOCUMENT["components"]}, jsonschema.Draft202012Validator)


def call(server, method: str, path: str, body=None, headers: dict | None = None, timeout: float = 120) -> Answer:
    """`body` is bytes, or an iterable of bytes that is sent in chunks."""
    learn(server)
    answer = exchange(server, method, path, body, headers or {}, timeout)
    described(method, path, answer)
    return answer


def get(server, path: str, **headers: str) -> Answer:
    return call(server, "GET", path, headers={name.replace("_", "-"): value for name, value in headers.items()})


def form(*fields) -> tuple:
    """(body, headers) of a form. A field is (name, value), or (name, file's name, bytes)."""
    boundary, out = uuid.uuid4().hex, io.BytesIO()
    for field in fields:
        named = f'; filename="{field[1]}"' if len(field) == 3 else ""
        out.write(f'--{boundary}\r\nContent-Disposition: form-data; name="{field[0]}"{named}\r\n\r\n'.encode())
        out.write(field[-1] if isinstance(field[-1], bytes) else field[-1].encode())
        out.write(b"\r\n")
    out.write(f"--{boundary}--\r\n".encode())
    return out.getvalue(), {"Content-Type": f"multipart/form-data; boundary={boundary}"}


def separate(server, song: bytes, name: str = "song.wav", query: str = "", **options: str) -> Answer:
    body, headers = form(*options.items(), ("file", name, song))
    return call(server, "POST", f"/api/separate{query}", body, headers)


def wait_done(server, session_id: str, timeout: float = 60) -> dict:
    end = time.monotonic() + timeout
    while time.monotonic() < end:
        session = get(server, f"/api/sessions/{session_id}").json()
        if session["state"] in ("DONE", "FAILED", "CANCELLED"):
            return session
        time.sleep(0.05)
    raise AssertionError(f"not done after {timeout} s: {session}")


def environment() -> dict:
    """The environment of curl, without proxies and user settings."""
    return {name: value for name, value in os.environ.items() if "proxy" not in name.lower()} | {"HOME": "/nonexistent"}
