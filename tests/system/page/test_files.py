"""The page's files as served, and properties of its sources."""
import hashlib
import http.client

import pytest

from ..common import INSTANT_FOUR_STEMS
from ..repository import ROOT

MODELS = INSTANT_FOUR_STEMS

DIST = ROOT / "clients" / "web" / "dist"
FILES = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/static/app.js": ("app.js", "text/javascript; charset=utf-8"),
    "/static/stretch.js": ("stretch.js", "text/javascript; charset=utf-8"),
    "/static/app.css": ("app.css", "text/css; charset=utf-8"),
    "/static/icon.svg": ("icon.svg", "image/svg+xml"),
}


def get(server, path: str, method: str = "GET", **headers: str):
    connection = http.client.HTTPConnection(server.address)
    connection.request(method, path, headers={name.replace("_", "-"): value for name, value in headers.items()})
    response = connection.getresponse()
    return response, response.read()


@pytest.mark.parametrize("path", FILES)
def test_a_file_is_served_as_it_was_built_and_then_not_again(server, path):
    name, content_type = FILES[path]
    response, body = get(server, path)
    assert response.status == 200
    assert hashlib.sha256(body).digest() == hashlib.sha256((DIST / name).read_bytes()).digest()
    assert response.headers["content-type"] == content_type
    assert response.headers["cache-control"] == "no-cache"
    again, body = get(server, path, if_none_match=response.headers["etag"])
    assert (again.status, body) == (304, b"")
    head, body = get(server, path, "HEAD")
    assert (head.status, body) == (200, b"")


def test_the_licences_are_those_that_the_command_prints(server, cli):
    response, body = get(server, "/licences")
    assert response.headers["content-type"] == "text/plain; charset=utf-8"
    assert body == cli("licences", "--full").out
    again, body = get(server, "/licences", if_none_match=response.headers["etag"])
    assert (again.status, body) == (304, b"")


def test_every_file_that_is_built_is_served():
    assert {name for name, _ in FILES.values()} == {path.name for path in DIST.iterdir()} - {"licences.json"}


@pytest.mark.parametrize("path", [*FILES, "/static/nothing", "/static/..%2f..%2fCargo.toml"])
def test_the_policy_goes_with_every_file(server, path):
    response, _ = get(server, path)
    assert response.status == (200 if path in FILES else 404)
    policy = dict(part.strip().split(" ", 1) for part in response.headers["content-security-policy"].split(";"))
    assert policy["default-src"] == policy["form-action"] == policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert policy["connect-src"] == "'self'"
    # WebAssembly, and nothing else that is not a file of the page.
    assert policy.pop("script-src") == "'self' 'wasm-unsafe-eval'"
    assert "unsafe" not in str(policy) and "http" not in str(policy) and "*" not in str(policy)
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["referrer-policy"] == "no-referrer"
    assert response.headers["x-frame-options"] == "DENY"
    assert response.headers["cross-origin-resource-policy"] == "same-origin"


def test_a_page_of_another_name_or_origin_gets_nothing(server):
    port = server.address.rsplit(":", 1)[1]
    for headers in [{"Host": f"evil.example:{port}"}, {"Origin": "http://evil.example"}, {"Origin": "null"},
                    {"Origin": f"http://127.0.0.1:{int(port) - 1}"}]:
        for path in FILES:
            response, body = get(server, path, **headers)
            assert response.status == 403 and b"<!doctype" not in body, headers
    for headers in [{"Host": f"localhost:{port}"}, {"Origin": f"http://{server.address}"}]:
        assert get(server, "/", **headers)[0].status == 200


def test_the_page_is_open_where_a_token_is_wanted_and_nothing_else_is(start):
    server = start("--token", "a-token-of-forty-characters-for-the-tests")
    assert get(server, "/")[0].status == get(server, "/static/app.js")[0].status == 200
    assert get(server, "/licences")[0].status == 200
    for path in ["/download/x/vocals", "/staticx", "/stemwire.v1.SeparationService/Health"]:
        assert get(server, path)[0].status == 401
